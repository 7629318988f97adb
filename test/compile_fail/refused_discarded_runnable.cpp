// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// flags: -Werror=unused-result
// expect: nodiscard

#include <rouse/make_task.hpp>

void use(rouse::scheduler& executor) {
    rouse::make_detached_task(executor, rouse::ready_future(42));
}
