// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A control: a time limit by Asio's own `||`, chriskohlhoff/asio#900. It waits for the first branch that
// succeeds. An operation that fails at once is no success, so that the time runs to its end, and the
// error is lost. What Rouse does in its place is in ../issue_900.cpp.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/version.hpp>
#include <boost/version.hpp>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <support/scale.hpp>

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;
using seconds = std::chrono::duration<double>;

namespace {

constexpr auto limit = 3s;

asio::awaitable<std::size_t> read_with_limit(asio::io_context& io) {
    asio::ip::tcp::socket never_opened(io);
    asio::steady_timer timer(io, limit);
    char byte = 0;
    auto const first =
        co_await (never_opened.async_read_some(asio::buffer(&byte, 1), asio::use_awaitable) ||
                  timer.async_wait(asio::use_awaitable));
    co_return first.index();
}

}  // namespace

int main() {
    if (!rouse_test::long_tests()) return 77;  // skipped
    std::fprintf(stderr, "Asio %d.%d.%d, Boost %s\n", BOOST_ASIO_VERSION / 100000,
                BOOST_ASIO_VERSION / 100 % 1000, BOOST_ASIO_VERSION % 100, BOOST_LIB_VERSION);
    asio::io_context io;
    auto const begin = std::chrono::steady_clock::now();
    auto first = asio::co_spawn(io, read_with_limit(io), asio::use_future);
    io.run();
    auto const took = std::chrono::steady_clock::now() - begin;
    bool const timer_won = first.get() == 1;
    std::printf("a read that fails at once, with a limit of %.0f s: %.2f s, %s\n", seconds(limit).count(),
                seconds(took).count(), timer_won ? "and the timer has won" : "and the read has won");
    return timer_won && took >= limit ? 0 : 1;
}
