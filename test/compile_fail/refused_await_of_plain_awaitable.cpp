// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: what other coroutines await: rouse::from_awaitable(x)

#include <coroutine>
#include <rouse/task.hpp>

// The awaiter of another library: nothing in it can be polled.
rouse::task<> use() { co_await std::suspend_always(); }
