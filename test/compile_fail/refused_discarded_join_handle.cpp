// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// flags: -Werror=unused-result
// expect: nodiscard

#include <rouse/this_task.hpp>

// Dropping the handle aborts what was spawned; detach() lets it run on.
void use() { rouse::this_task::spawn(rouse::ready_future(42)); }
