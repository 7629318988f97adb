// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <exception>
#include <future>
#include <iostream>
#include <memory>
#include <optional>
#include <rouse.hpp>
#include <source_location>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_guide_pool)

// The code of the guide's chapter on the thread pool.

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using namespace std::chrono_literals;

// [own]
rouse::task<int> square(rouse::thread_pool& pool, int x) {
    asio::steady_timer timer(pool, 1ms);  // lives in the pool's own event loop
    co_await timer.async_wait(rouse::use_poll);
    co_return x* x;
}

rouse::task<int> sum_of_squares(rouse::thread_pool& pool, int n) {
    std::vector<rouse::join_handle<int>> parts;  // these run in parallel
    for (int i = 1; i <= n; ++i) parts.push_back(rouse::spawn(pool, square(pool, i)));
    int sum = 0;
    for (auto& part : parts) {
        int const one = co_await part;
        sum += one;
    }
    co_return sum;
}
// [/own]

BOOST_AUTO_TEST_CASE(a_pool_with_an_event_loop_of_its_own) {
    // [own_use]
    rouse::thread_pool pool;  // or pool(4): four workers
    auto sum = rouse::spawn(pool, sum_of_squares(pool, 10));
    BOOST_TEST(rouse::block_on(std::move(sum)) == 385);
    // [/own_use]
}

BOOST_AUTO_TEST_CASE(a_pool_on_the_applications_event_loop) {
    // [external]
    asio::io_context io;
    rouse::thread_pool pool(io, 2);
    auto sum = rouse::spawn(pool, sum_of_squares(pool, 10));
    io.run();  // the application's thread runs the event loop, until the pool has no tasks
    BOOST_TEST(rouse::block_on(std::move(sum)) == 385);
    // [/external]
}

asio::awaitable<int> as_ever() {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    co_return 7;
}

BOOST_AUTO_TEST_CASE(what_asio_has_runs_on_it) {
    std::atomic<int> fired{0};
    // [asio]
    rouse::thread_pool pool(4);
    asio::steady_timer timer(pool, 1ms);
    timer.async_wait([&](error_code) { ++fired; });  // on one of the workers

    auto const strand = asio::make_strand(pool.get_executor());
    int count = 0;
    for (int i = 0; i != 1000; ++i) asio::post(strand, [&] { ++count; });  // one after the other

    std::future<int> seven = asio::co_spawn(pool, as_ever(), asio::use_future);
    pool.join();
    // [/asio]
    BOOST_TEST(fired == 1);
    BOOST_TEST(count == 1000);
    BOOST_TEST(seven.get() == 7);
}

rouse::task<> fails() {
    co_await rouse::this_task::yield_now();
    throw std::runtime_error("nobody waits for this");
}

BOOST_AUTO_TEST_CASE(a_pool_as_one_wants_it) {
    std::atomic<unsigned> begun{0};
    std::atomic<unsigned> ended{0};
    std::atomic<unsigned> reported{0};
    {
        // [builder]
        rouse::thread_pool pool(
            rouse::thread_pool::builder()
                .workers(3)
                .thread_name("worker-")  // worker-0, worker-1, worker-2
                .stack_size(1 << 20)     // bytes
                .after_start([&](unsigned) { ++begun; })
                .before_stop([&](unsigned) { ++ended; })
                .on_unhandled_exception(
                    [&](std::exception_ptr, std::source_location) { ++reported; }));
        // [/builder]
        BOOST_TEST(pool.size() == 3U);
        // [exceptions]
        rouse::spawn_ok(pool, fails());                                // reported: nobody joins it
        asio::post(pool, [] { throw std::logic_error("nor this"); });  // reported
        auto handle = rouse::spawn(pool, fails());                     // not: the handle gives it
        BOOST_CHECK_THROW(rouse::block_on(std::move(handle)), std::runtime_error);
        // [/exceptions]
        pool.join();
    }
    BOOST_TEST(begun == 3U);
    BOOST_TEST(ended == 3U);
    BOOST_TEST(reported == 2U);
}

// [sleeper]
rouse::task<> sleeper(rouse::thread_pool& pool) {
    asio::steady_timer timer(pool, 24h);
    co_await timer.async_wait(rouse::use_poll);
}
// [/sleeper]

BOOST_AUTO_TEST_CASE(a_pool_is_stopped) {
    // [stop]
    rouse::thread_pool pool(2);
    auto handle = rouse::spawn(pool, sleeper(pool));
    pool.stop();  // any thread, a worker too; returns at once
    pool.join();  // every task has let go, and the threads have ended
    BOOST_CHECK_THROW(rouse::block_on(std::move(handle)), boost::system::system_error);

    auto refused = rouse::spawn(pool, sleeper(pool));  // too late: ends as aborted
    BOOST_CHECK_THROW(rouse::block_on(std::move(refused)), boost::system::system_error);
    // [/stop]
}

// A future that never gives back what it has lent.
struct stubborn {
    rouse::poll_result<void> poll(rouse::context& cx) {
        waker = cx.waker();
        return rouse::pending;
    }
    rouse::cancel_result<void> poll_cancel(rouse::context&) { return rouse::pending; }
    rouse::waker waker;
};

BOOST_AUTO_TEST_CASE(a_shutdown_has_a_limit) {
    std::ostringstream log;
    rouse::thread_pool pool(2);
    std::atomic<bool> waits{false};
    rouse::spawn_ok(pool, [&]() -> rouse::task<> {
        waits = true;
        waits.notify_one();
        co_await stubborn();
    });
    waits.wait(false);
    // [shutdown]
    for (rouse::task_info const& late : pool.shutdown(50ms)) {
        log << "task " << late.id << " of line " << late.spawned_at.line()
            << " has not let go in line " << late.awaiting.line() << '\n';
    }
    // [/shutdown]
    BOOST_TEST(log.str().find("has not let go") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_a_pool_has_done) {
    std::ostringstream log;
    rouse::thread_pool pool(2);
    rouse::block_on(rouse::spawn(pool, sum_of_squares(pool, 10)));
    // [metrics]
    rouse::pool_metrics const m = pool.metrics();
    log << m.tasks_spawned - m.tasks_done << " tasks alive\n";
    for (auto const& worker : m.workers)
        log << worker.polls << " polls, " << worker.steals << " steals, " << worker.parks
            << " parks, " << worker.queued << " queued\n";
    // [/metrics]
    pool.join();
    BOOST_TEST(m.workers.size() == 2U);
    BOOST_TEST(pool.metrics().tasks_spawned == 11U);
    BOOST_TEST(pool.metrics().tasks_done == 11U);
}

int slow_function() {
    std::this_thread::sleep_for(1ms);
    return 42;
}

// [blocking]
rouse::task<int> asks_another_pool(rouse::thread_pool& for_blocking) {
    co_return co_await rouse::spawn(for_blocking, []() -> rouse::task<int> {
        co_return slow_function();  // keeps one thread busy, but none of those that serve
    });
}
// [/blocking]

rouse::task<int> blocks(rouse::thread_pool& pool) {
    int caught = 0;
    // [block_on]
    try {
        rouse::block_on(sleeper(pool));  // in a task: await instead
    } catch (boost::system::system_error const& e) {
        if (e.code() == rouse::errc::blocking_in_worker) ++caught;
    }
    // [/block_on]
    co_return caught;
}

BOOST_AUTO_TEST_CASE(blocking_belongs_elsewhere) {
    // [blocking_use]
    rouse::thread_pool for_blocking(rouse::thread_pool::builder().workers(16).thread_name("slow"));
    rouse::thread_pool pool;
    auto answer = rouse::spawn(pool, asks_another_pool(for_blocking));
    // [/blocking_use]
    BOOST_TEST(rouse::block_on(std::move(answer)) == 42);
    BOOST_TEST(rouse::block_on(rouse::spawn(pool, blocks(pool))) == 1);
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
