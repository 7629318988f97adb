// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The end of a pool and event loops: the application's, which the destructor may have to run
// itself, or cannot, and the operations that are pending in it or in the pool's own.

#include <support/pool_end.hpp>

#include <atomic>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <rouse.hpp>
#include <stdexcept>
#include <thread>

BOOST_AUTO_TEST_SUITE(test_life_end_event_loop)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::join_handle;
using rouse::spawn;
using rouse::spawn_ok;
using rouse::task;
using rouse::thread_pool;

BOOST_AUTO_TEST_CASE(the_application_sees_work_exactly_while_there_are_tasks) {
    asio::io_context io;
    thread_pool pool(io, 2);
    BOOST_TEST(io.run() == 0U);  // no work: it returns at once
    for (int round = 0; round < scaled(1000); ++round) {
        event begin;
        auto handle = spawn(pool, waits_for(begin, nullptr));
        io.restart();
        std::atomic<bool> ended{false};
        std::thread running([&] {
            io.run();
            ended = true;
        });
        wait_until([&] { return begin.polls() != 0; }, "a first poll");
        if (round % 64 == 0) std::this_thread::sleep_for(2ms);  // enough to be wrong in
        BOOST_TEST(!ended);
        begin.set();
        running.join();
        block_on(std::move(handle));
    }
}

BOOST_AUTO_TEST_CASE(the_destructor_runs_the_applications_event_loop_if_nobody_else_does) {
    for (unsigned const workers : {1U, 2U}) {
        asio::io_context io;
        auto const kept = std::make_shared<int>(0);
        std::optional<join_handle<void>> handle;
        {
            thread_pool pool(io, workers);
            asio::steady_timer timer(pool, 1h);
            auto const started = std::make_shared<door>();
            handle = spawn(pool, [&timer, kept, started]() -> task<> {
                started->open();
                co_await timer.async_wait(rouse::use_poll);
            });
            started->wait();
            pool.stop();
            pool.join();
        }
        BOOST_TEST(is_aborted(std::move(*handle)));
        BOOST_TEST(kept.use_count() == 1);
    }
}

namespace {
std::atomic<int> reported{0};
}

BOOST_AUTO_TEST_CASE(
    a_handler_that_throws_in_the_applications_event_loop_does_not_leave_the_destructor) {
    auto const before = rouse::set_unhandled_handler([](auto, auto) { ++reported; });
    {
        asio::io_context io;
        thread_pool pool(io, 1);
        asio::post(io, [] { throw std::runtime_error("no"); });
        asio::steady_timer timer(pool, 1h);
        auto const started = std::make_shared<door>();
        spawn_ok(pool, [&timer, started]() -> task<> {
            started->open();
            co_await timer.async_wait(rouse::use_poll);
        });
        started->wait();
        pool.stop();
        pool.join();
    }
    rouse::set_unhandled_handler(before);
    BOOST_TEST(reported == 1);
}

BOOST_AUTO_TEST_CASE(an_event_loop_that_was_stopped_cannot_hold_up_the_destructor) {
    for (unsigned const workers : {1U, 2U}) {
        asio::io_context io;
        auto const kept = std::make_shared<int>(0);
        asio::steady_timer timer(io, 1h);
        std::optional<join_handle<void>> handle;
        {
            thread_pool pool(io, workers);
            auto const started = std::make_shared<door>();
            handle = spawn(pool, [&timer, kept, started]() -> task<> {
                started->open();
                co_await timer.async_wait(rouse::use_poll);
            });
            started->wait();
            io.stop();
        }
        BOOST_TEST(is_aborted(std::move(*handle)));
        BOOST_TEST(kept.use_count() == 1);
        io.restart();
        io.run();
    }
}

// Operations of others have the pool's executor, and are delivered, or die, after it is gone.
BOOST_AUTO_TEST_CASE(pending_operations_outlive_a_pool_on_the_applications_event_loop) {
    auto const kept = std::make_shared<int>(0);
    int called = 0;
    {
        asio::io_context io;
        asio::steady_timer completes(io, 1ms);
        asio::steady_timer dies(io, 1h);
        for (int round = 0; round < 10; ++round) {
            thread_pool pool(io, 2);
            auto const ex = pool.get_executor();
            completes.async_wait(asio::bind_executor(ex, [kept, &called](auto) { ++called; }));
            dies.async_wait(asio::bind_executor(ex, [kept, &called](auto) { ++called; }));
            asio::steady_timer of_the_pool(pool, 1h);
            of_the_pool.async_wait([kept, &called](auto) { ++called; });
            if (round % 2) pool.stop();
        }
        BOOST_TEST(kept.use_count() >= 11);
        completes.expires_at(std::chrono::steady_clock::now());
        io.poll();  // delivers to pools that are gone
        thread_pool another(io, 1);
    }
    BOOST_TEST(kept.use_count() == 1);
    BOOST_TEST(called == 0);
}

BOOST_AUTO_TEST_CASE(pending_operations_die_with_a_pools_own_event_loop) {
    auto const kept = std::make_shared<int>(0);
    std::atomic<int> called{0};
    for (unsigned const workers : {1U, 2U, 8U}) {
        thread_pool pool(workers);
        auto const ex = pool.get_executor();
        auto const timer = std::make_shared<asio::steady_timer>(pool, 1h);
        timer->async_wait([kept, timer, &called](auto) { ++called; });
        asio::post(pool.context(), [&pool, kept] { asio::post(pool, [kept] {}); });
        // What dies with the event loop uses the pool once more.
        auto const other = std::make_shared<asio::steady_timer>(pool, 1h);
        other->async_wait([other, last = finally([ex, kept] {
                                      asio::post(ex, [kept] {});
                                      spawn_ok(ex, waits_for(event(), kept));
                                  })](auto) {});
    }
    BOOST_TEST(kept.use_count() == 1);
    BOOST_TEST(called == 0);
}

BOOST_AUTO_TEST_SUITE_END()
