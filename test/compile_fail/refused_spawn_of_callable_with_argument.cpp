// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: a callable without arguments that returns one of these

#include <rouse/make_task.hpp>
#include <rouse/task.hpp>

rouse::task<int> twice(int n) { co_return 2 * n; }

void use(rouse::scheduler& executor) {
    auto runnable = rouse::make_detached_task(executor, twice);  // meant: twice(21)
}
