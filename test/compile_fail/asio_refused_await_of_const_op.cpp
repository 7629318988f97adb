// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: co_await of a const future

#include <boost/asio/steady_timer.hpp>
#include <rouse/task.hpp>
#include <rouse/use_poll.hpp>

rouse::task<> use(boost::asio::steady_timer& timer) {
    auto const op = timer.async_wait(rouse::use_poll);
    co_await op;
}
