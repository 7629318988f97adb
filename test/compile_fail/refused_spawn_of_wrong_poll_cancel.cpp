// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: poll_cancel must return cancel_result<T>

#include <rouse/make_task.hpp>

struct lender {
    lender() noexcept {}
    rouse::poll_result<void> poll(rouse::context&) { return rouse::pending; }
    void poll_cancel(rouse::context&) {}
};

void use(rouse::scheduler& executor) { auto halves = rouse::make_task(executor, lender()); }
