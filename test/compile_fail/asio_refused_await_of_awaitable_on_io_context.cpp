// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: so Executor must be any_io_executor; for another one say which

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <rouse/asio_awaitable.hpp>
#include <rouse/task.hpp>

namespace asio = boost::asio;

rouse::task<> use(asio::awaitable<int, asio::io_context::executor_type> a) {
    co_await std::move(a);
}
