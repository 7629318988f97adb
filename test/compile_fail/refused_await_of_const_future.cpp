// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: co_await of a const future: a poll changes it

#include <rouse/task.hpp>

rouse::task<int> use() {
    rouse::ready_future<int> const answer(42);
    co_return co_await answer;
}
