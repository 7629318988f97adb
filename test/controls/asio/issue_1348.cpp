// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A control: Asio's own `||` on a thread pool, chriskohlhoff/asio#1348. The branch that is over has the
// other one cancelled, by a call in its own thread, while that one is in the middle of its steps in
// another thread. ThreadSanitizer reports the race, and the program ends with status 66; without
// ThreadSanitizer it works, or crashes. What Rouse does in its place is in ../issue_1348.cpp.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/version.hpp>
#include <boost/version.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <support/scale.hpp>

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;

namespace {

asio::awaitable<void> pause(std::chrono::microseconds how_long) {
    asio::steady_timer timer(co_await asio::this_coro::executor, how_long);
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> many_steps() {
    for (int step = 0; step != 100; ++step) co_await pause(1us);
}

// Always a hundred steps against one that is over in their middle.
asio::awaitable<long> rounds(long n) {
    long ended = 0;
    for (long round = 0; round != n; ++round) {
        auto const first = co_await (many_steps() || pause(std::chrono::microseconds(round % 300)));
        ended += first.index() < 2 ? 1 : 0;
    }
    co_return ended;
}

}  // namespace

int main() {
    if (!rouse_test::long_tests()) return 77;  // skipped
    std::fprintf(stderr, "Asio %d.%d.%d, Boost %s\n", BOOST_ASIO_VERSION / 100000,
                BOOST_ASIO_VERSION / 100 % 1000, BOOST_ASIO_VERSION % 100, BOOST_LIB_VERSION);
    asio::thread_pool pool(4);
    long const ended = asio::co_spawn(pool, rounds(2000), asio::use_future).get();
    pool.join();
    std::printf("%ld rounds have ended\n", ended);
}
