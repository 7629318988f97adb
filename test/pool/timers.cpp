// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Sleeps and time limits on the pool, on other executors, and in a thread that blocks.

#include <support/pool_kit.hpp>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <deque>
#include <rouse.hpp>
#include <thread>

BOOST_AUTO_TEST_SUITE(test_timers)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::sleep_for;
using rouse::spawn;
using rouse::task;
using rouse::timeout;
using steady = std::chrono::steady_clock;
using local = asio::local::stream_protocol::socket;

namespace {

bool timed_out(boost::system::system_error const& e) { return e.code() == rouse::errc::timed_out; }

// True unless it was early.
task<bool> sleeps(steady::duration d) {
    auto const begin = steady::now();
    co_await sleep_for(d);
    co_return steady::now() - begin >= d;
}

// What a lost wake would cost is longest_sleep, ten seconds. Under a sanitizer nobody knows.
void check_soon(steady::time_point begin) {
    if (!sanitized) BOOST_TEST((steady::now() - begin < 5s));
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_sleep_on_the_pool_in_both_modes) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        auto const begin = steady::now();
        BOOST_TEST(block_on(spawn(*pool, sleeps(20ms))));
        BOOST_TEST(block_on(spawn(*pool, sleeps(0ms))));
        check_soon(begin);
    });
}

BOOST_AUTO_TEST_CASE(many_sleeps_at_once) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        unsigned const count = scaled(sanitized ? 20'000U : 100'000U);
        pool_home pool(m, workers);
        std::atomic<unsigned> early{0};
        countdown left(count);
        stress_random random(workers);
        for (unsigned n = 0; n < count; ++n) {
            auto const d = std::chrono::microseconds(random.below(100'000));
            spawn_ok(*pool, [d, &early, &left]() -> task<> {
                bool const in_time = co_await sleeps(d);
                if (!in_time) ++early;
                left.down();
            });
        }
        left.wait("the end of all sleeps");
        BOOST_TEST(early == 0U);
        pool->join();
    });
}

// The worker that keeps the time sleeps until a deadline that is far; another one enters one that is
// near, and parks.
BOOST_AUTO_TEST_CASE(b83_a_deadline_that_is_nearer_than_that_of_the_sleeping_worker) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        auto const far = spawn(*pool, sleeps(1h));
        for (unsigned round = 0; round < scaled(100U); ++round) {
            if (round % 2) std::this_thread::sleep_for(2ms);  // all are parked, or on their way
            auto const begin = steady::now();
            BOOST_TEST(block_on(spawn(*pool, sleeps(1ms))));
            check_soon(begin);
        }
        BOOST_TEST(!far.is_finished());
    });
}

// Each worker in turn is stuck, with a deadline in its wheel.
BOOST_AUTO_TEST_CASE(b83_a_stuck_worker_keeps_nobody_asleep) {
    in_both_modes({2, 4}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        for (unsigned round = 0; round < 4 * workers; ++round) {
            std::atomic<bool> slept{false};
            std::atomic<bool> waited{false};
            auto const begin = steady::now();
            auto stuck = spawn(*pool, [&]() -> task<> {
                rouse::this_task::spawn_ok([&]() -> task<> {
                    co_await sleep_for(1ms);
                    slept = true;
                });
                co_await rouse::this_task::yield_now();
                wait_until([&] { return slept.load(); }, "a sleep behind a stuck worker");
                waited = true;
            });
            block_on(std::move(stuck));
            BOOST_TEST(waited);
            check_soon(begin);
        }
    });
}

// The other worker never comes to the end of what is due in its own wheel, and looks into that of the stuck
// one all the same.
BOOST_AUTO_TEST_CASE(b83_a_worker_with_too_many_timers_of_its_own_fires_those_of_a_stuck_one) {
    in_both_modes({2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        std::atomic<bool> done{false};
        auto const sleeper = [&]() -> task<> {
            while (!done) co_await sleep_for(1us);
        };
        for (unsigned n = 0; n < 3000; ++n) spawn_ok(*pool, sleeper());
        for (unsigned round = 0; round < 4; ++round) {
            // Not a task that sleeps: it might be fired before the worker is stuck, and be in its queue.
            wake_counter fired;
            rouse::waker const fires = fired.make();
            bool pended = false;
            block_on(spawn(*pool, rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                auto sleep = sleep_for(1ms);
                rouse::context mine(cx, fires);
                pended = sleep.poll(mine).is_pending();
                wait_until([&] { return fired.wakes != 0; }, "a timer of a stuck worker");
                return rouse::ready();
            })));
            BOOST_TEST(pended);
        }
        done = true;
        pool->join();
    });
}

BOOST_AUTO_TEST_CASE(sleeps_go_on_while_the_workers_are_busy) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        std::atomic<bool> done{false};
        for (unsigned n = 0; n < 2 * workers; ++n) {
            spawn_ok(*pool, [&]() -> task<> {
                while (!done) co_await rouse::this_task::yield_now();
            });
        }
        auto const begin = steady::now();
        for (int n = 0; n < 5; ++n) BOOST_TEST(block_on(spawn(*pool, sleeps(2ms))));
        check_soon(begin);
        done = true;
        pool->join();
    });
}

BOOST_AUTO_TEST_CASE(join_waits_for_those_who_sleep_and_stop_does_not) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        {
            pool_home pool(m, workers);
            auto const one = spawn(*pool, sleeps(20ms));
            pool->join();
            BOOST_TEST(one.is_finished());
        }
        {
            pool_home pool(m, workers);
            auto one = spawn(*pool, sleeps(1h));
            auto const begin = steady::now();
            pool->stop();
            pool->join();
            check_soon(begin);
            BOOST_CHECK_EXCEPTION(block_on(std::move(one)), boost::system::system_error,
                                  says_aborted);
        }
        {
            pool_home pool(m, workers);
            std::deque<rouse::join_handle<bool>> all;
            for (int n = 0; n < 100; ++n) all.push_back(spawn(*pool, sleeps(1h)));
            all.front().abort();
            BOOST_CHECK_EXCEPTION(block_on(std::move(all.front())), boost::system::system_error,
                                  says_aborted);
        }
    });
}

// A sleep that is polled by a task of the pool, and outlives the pool.
BOOST_AUTO_TEST_CASE(b82_a_sleep_outlives_its_pool) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        auto named = sleep_for(30ms);
        {
            pool_home pool(m, workers);
            auto const first = block_on(spawn(*pool, [&]() -> task<std::size_t> {
                auto one = co_await rouse::select_biased(named, rouse::this_task::yield_now());
                co_return one.index();
            }));
            BOOST_TEST(first == 1U);
        }
        auto const begin = steady::now();
        block_on(named);
        check_soon(begin);
    });
}

// ---- time limits --------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_read_with_a_time_limit) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        local here(*pool);
        local there(*pool);
        asio::local::connect_pair(here, there);
        auto const begin = steady::now();
        block_on(spawn(*pool, [&]() -> task<> {
            std::array<char, 16> block{};
            bool late = false;
            try {
                co_await timeout(here.async_read_some(asio::buffer(block), rouse::use_poll), 10ms);
            } catch (boost::system::system_error const& e) {
                late = timed_out(e);
            }
            if (!late) throw std::runtime_error("it was not late");
            // The socket is as good as before.
            co_await there.async_write_some(asio::buffer("abc", 3), rouse::use_poll);
            auto const n = co_await timeout(
                here.async_read_some(asio::buffer(block), rouse::use_poll), 1h);
            if (n != 3) throw std::runtime_error("not what was written");
        }));
        check_soon(begin);
    });
}

// A byte and the end of the time limit come together: the byte is read, then or later.
BOOST_AUTO_TEST_CASE(b36_what_arrives_with_the_time_limit_is_not_lost) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        unsigned const rounds = scaled(sanitized ? 300U : 2000U);
        pool_home pool(m, workers);
        local here(*pool);
        local there(*pool);
        asio::local::connect_pair(here, there);
        auto writer = spawn(*pool, [&]() -> task<> {
            for (unsigned n = 0; n < rounds; ++n) {
                co_await sleep_for(std::chrono::microseconds(100 + n % 7 * 50));
                char const c = static_cast<char>(n);
                co_await there.async_write_some(asio::buffer(&c, 1), rouse::use_poll);
            }
        });
        auto reader = spawn(*pool, [&]() -> task<unsigned> {
            unsigned right = 0;
            for (unsigned n = 0; n < rounds;) {
                char c = 0;
                try {
                    co_await timeout(here.async_read_some(asio::buffer(&c, 1), rouse::use_poll),
                                     std::chrono::microseconds(200));
                } catch (boost::system::system_error const& e) {
                    if (!timed_out(e)) throw;
                    continue;
                }
                right += c == static_cast<char>(n);
                ++n;
            }
            co_return right;
        });
        block_on(std::move(writer));
        BOOST_TEST(block_on(std::move(reader)) == rounds);
    });
}

// ---- elsewhere ----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(sleeps_in_a_thread_that_blocks) {
    auto const begin = steady::now();
    block_on(sleep_for(20ms));
    BOOST_TEST((steady::now() - begin >= 20ms));
    BOOST_CHECK_EXCEPTION(block_on(timeout(rouse::pending_future<int>(), 5ms)),
                          boost::system::system_error, timed_out);
    BOOST_TEST(block_on(timeout(sleeps(5ms), 1h)));
    // While somebody else wakes it all the time.
    auto const first = block_on(rouse::select(
        sleep_for(5ms), rouse::poll_fn([](rouse::context& cx) -> rouse::poll_result<void> {
            cx.waker().wake_by_ref();
            return rouse::pending;
        })));
    BOOST_TEST(first.index() == 0U);
    check_soon(begin);
}

BOOST_AUTO_TEST_CASE(sleeps_on_other_executors) {
    auto const begin = steady::now();
    {
        asio::io_context io;
        auto one = spawn(io, sleeps(10ms));
        auto other = spawn(asio::make_strand(io), sleeps(5ms));
        io.run();  // until both have slept
        BOOST_TEST(block_on(std::move(one)));
        BOOST_TEST(block_on(std::move(other)));
    }
    {
        asio::thread_pool threads(2);
        auto one = spawn(threads, sleeps(10ms));
        threads.join();
        BOOST_TEST(block_on(std::move(one)));
    }
    {
        asio::io_context io;
        auto one = spawn(io, sleeps(1h));
        io.poll();
        BOOST_TEST(!one.is_finished());
    }
    check_soon(begin);
}

BOOST_AUTO_TEST_SUITE_END()
