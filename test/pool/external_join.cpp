// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/thread_pool.hpp>
#include <rouse/use_poll.hpp>

BOOST_AUTO_TEST_SUITE(test_external_join)

// A pool on an application's io_context that nobody else runs: join() runs it.

namespace asio = boost::asio;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(join_serves_an_operation_that_a_handler_begins_after_the_loop_had_no_work) {
    asio::io_context io;
    rouse::thread_pool pool(io, 2);
    std::unique_ptr<asio::steady_timer> timer;
    bool fired = false;
    // The second function is queued by the first, so that join() may find the loop without work
    // before the timer is there.
    asio::post(pool, [&] {
        asio::post(pool, [&] {
            timer = std::make_unique<asio::steady_timer>(pool, 10ms);
            timer->async_wait([&](auto) { fired = true; });
        });
    });
    pool.join();
    BOOST_TEST(fired);
}

BOOST_AUTO_TEST_CASE(join_restarts_a_loop_that_had_run_out_of_work) {
    asio::io_context io;
    io.run();
    BOOST_TEST(io.stopped());
    rouse::thread_pool pool(io, 2);
    bool waited = false;
    rouse::spawn_ok(pool, [&]() -> rouse::task<> {
        asio::steady_timer timer(pool, 1ms);
        co_await timer.async_wait(rouse::use_poll);
        waited = true;
    });
    pool.join();
    BOOST_TEST(waited);
}

BOOST_AUTO_TEST_SUITE_END()
