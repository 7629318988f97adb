// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: from_awaitable takes what any coroutine can await

#include <boost/asio/awaitable.hpp>
#include <rouse/from_awaitable.hpp>
#include <rouse/task.hpp>

// It is awaited as it is.
rouse::task<> use(boost::asio::awaitable<void> a) { co_await rouse::from_awaitable(std::move(a)); }
