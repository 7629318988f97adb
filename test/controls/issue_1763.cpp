// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// chriskohlhoff/asio#1763: an operation with a time limit and `use_future`, on an io_context that several
// threads run. With Asio the limit's timer and the operation complete in two threads, strand or not (its
// `cancel_after` is of Asio 1.31 and newer, so there is no control). Here both belong to one task, and
// the program is right without a strand: each has one outcome, and ThreadSanitizer reports nothing.

#include <support/scale.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <future>
#include <rouse.hpp>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_issue_1763)

namespace asio = boost::asio;
using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::spawn;
using rouse::task;

namespace {

template <class Executor>
task<> wait(Executor ex, std::chrono::microseconds how_long) {
    asio::steady_timer timer(ex, how_long);
    co_await timer.async_wait(rouse::use_poll);
}

// The timer is as good as the limit, a little better, or a little worse.
template <class Executor>
void rounds(Executor ex, long n) {
    long in_time = 0, late = 0;
    while (in_time + late < n) {
        std::vector<std::future<void>> all;
        for (int i = 0; i != 20; ++i)
            all.push_back(spawn(ex, rouse::timeout(wait(ex, std::chrono::microseconds(900 + 10 * i)), 1ms),
                                asio::use_future));
        for (auto& one : all) {
            try {
                one.get();
                ++in_time;
            } catch (boost::system::system_error const& e) {
                BOOST_REQUIRE(e.code() == rouse::errc::timed_out);
                ++late;
            }
        }
    }
    BOOST_TEST_MESSAGE(in_time << " in time, " << late << " late");
}

BOOST_AUTO_TEST_CASE(a_time_limit_that_is_not_reached) {
    asio::io_context io;
    auto future = spawn(io, rouse::timeout(wait(asio::make_strand(io), 10ms), 1h), asio::use_future);
    std::jthread const one([&] { io.run(); }), two([&] { io.run(); });
    BOOST_CHECK_NO_THROW(future.get());
}

BOOST_AUTO_TEST_CASE(b71_time_limits_on_an_io_context_with_several_threads) {
    asio::io_context io;
    auto work = asio::make_work_guard(io);
    std::jthread const one([&] { io.run(); }), two([&] { io.run(); }), three([&] { io.run(); });
    rounds(io.get_executor(), scaled(10'000L));
    BOOST_TEST_CONTEXT("and a strand") { rounds(asio::make_strand(io), scaled(10'000L)); }
    work.reset();
}

BOOST_AUTO_TEST_CASE(b71_time_limits_on_pools) {
    rouse::thread_pool pool(4);
    rounds(pool.get_executor(), scaled(10'000L));
    asio::thread_pool asios(4);
    rounds(asios.get_executor(), scaled(10'000L));
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
