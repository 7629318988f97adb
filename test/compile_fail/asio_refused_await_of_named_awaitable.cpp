// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: a named asio::awaitable is moved into the await

#include <boost/asio/awaitable.hpp>
#include <rouse/asio_awaitable.hpp>
#include <rouse/task.hpp>

rouse::task<> use(boost::asio::awaitable<int> a) { co_await a; }
