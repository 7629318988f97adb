// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: pass it by value or with std::move

#include <rouse/make_task.hpp>
#include <rouse/task.hpp>

rouse::task<int> answer() { co_return 42; }

void use(rouse::scheduler& executor) {
    auto task = answer();
    auto halves = rouse::make_task(executor, task);
}
