// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: poll_cancel must return cancel_result<T>

#include <rouse/task.hpp>

struct lender {
    lender() noexcept {}
    rouse::poll_result<int> poll(rouse::context&) { return rouse::pending; }
    rouse::poll_result<int> poll_cancel(rouse::context&) { return 0; }  // not optional<int>
};

rouse::task<int> use() { co_return co_await lender(); }
