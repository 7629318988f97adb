// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: co_await in a rouse::task takes a future (poll(context&) -> poll_result<T>)

#include <rouse/task.hpp>

struct plain {
    plain() noexcept {}
    int poll(rouse::context&) { return 42; }
};

rouse::task<int> use() { co_return co_await plain(); }
