// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// flags: -Werror=unused-result
// expect: nodiscard

#include <rouse/task.hpp>

rouse::task<> work();

// A task that nobody awaits or spawns never starts.
void use() { work(); }
