// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A clock that stands still: whom it wakes, when it jumps, and what keeps it from that.

#include <support/asio_loopback.hpp>
#include <support/pool_kit.hpp>
#include <support/scale.hpp>

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <rouse.hpp>
#include <rouse/detail/clock_watch.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_paused_clock)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::clock_hold;
using rouse::paused_clock;
using rouse::sleep_for;
using rouse::spawn;
using rouse::task;
using rouse::timeout;
using steady = std::chrono::steady_clock;
using rouse::this_task::yield_now;

namespace {

constexpr auto as_long_as_it_gets = std::chrono::hours::max();

bool timed_out(boost::system::system_error const& e) { return e.code() == rouse::errc::timed_out; }

// Runs a task wherever a clock can jump by itself.
void wherever_it_jumps(std::function<void(paused_clock&, std::function<void(task<>)>)> function) {
    BOOST_TEST_CONTEXT("block_on") {
        paused_clock clock;
        function(clock, [&](task<> t) { block_on(std::move(t), clock); });
    }
    in_both_modes({1}, [&](mode m, unsigned) {
        paused_clock clock;
        pool_home pool(m, rouse::thread_pool::builder().workers(1).clock(clock));
        function(clock, [&](task<> t) { block_on(spawn(*pool, std::move(t))); });
    });
    BOOST_TEST_CONTEXT("an io_context") {
        paused_clock clock;
        asio::io_context io;
        rouse::use_clock(io, clock);
        function(clock, [&](task<> t) {
            auto handle = spawn(io, std::move(t));
            io.restart();
            rouse::run_with_clock(io, clock);
            block_on(std::move(handle));
        });
    }
}

task<> sleeps_in_a_row(paused_clock& clock, int count, std::uint64_t& slept) {
    co_await yield_now();  // the threads are there
    auto const before = clock.sleeps();
    auto const begin = rouse::this_task::now();
    for (int n = 0; n < count; ++n) co_await sleep_for(1s);
    slept = clock.sleeps() - before;
    if (rouse::this_task::now() - begin != std::chrono::seconds(count))
        throw std::logic_error("the task has another clock");
}

task<> fails_soon() {
    co_await yield_now();
    throw std::runtime_error("soon");
}

}  // namespace

BOOST_AUTO_TEST_CASE(sleeps_in_a_row_are_jumps_and_nobody_waits) {
    wherever_it_jumps([](paused_clock& clock, auto run) {
        std::uint64_t slept = 1;
        auto const begin = clock.now();
        auto const jumps = clock.jumps();
        auto const really = steady::now();
        run(sleeps_in_a_row(clock, 3600, slept));
        auto const took = steady::now() - really;
        BOOST_TEST((clock.now() - begin == 3600s));
        BOOST_TEST(clock.jumps() - jumps == 3600U);
        BOOST_TEST(slept == 0U);
        if (!sanitized) BOOST_TEST((took < 500ms));
        BOOST_TEST(clock.timers() == 0U);
    });
}

BOOST_AUTO_TEST_CASE(a_failure_under_a_long_time_limit_moves_nothing_and_leaves_no_timer) {
    wherever_it_jumps([](paused_clock& clock, auto run) {
        auto const begin = clock.now();
        BOOST_CHECK_THROW(run([]() -> task<> { co_await timeout(fails_soon(), 1h); }()),
                          std::runtime_error);
        BOOST_TEST((clock.now() == begin));
        BOOST_TEST(clock.jumps() == 0U);
        BOOST_TEST(clock.timers() == 0U);
    });
}

BOOST_AUTO_TEST_CASE(many_wait_and_the_earliest_comes_first) {
    wherever_it_jumps([](paused_clock& clock, auto run) {
        std::vector<int> order;
        auto const sleeper = [](std::vector<int>& seen, int n) -> task<> {
            co_await sleep_for(std::chrono::minutes(n));
            seen.push_back(n);
        };
        auto const begin = clock.now();
        run([](auto make, std::vector<int>& seen) -> task<> {
            std::vector<task<>> all;
            for (int const n : {5, 3, 9, 1, 7}) all.push_back(make(seen, n));
            co_await rouse::join_all(std::move(all));
        }(sleeper, order));
        BOOST_TEST((order == std::vector<int>{1, 3, 5, 7, 9}));
        BOOST_TEST((clock.now() - begin == 9min));
    });
}

BOOST_AUTO_TEST_CASE(b80_b81_every_length_for_every_timed_function) {
    wherever_it_jumps([](paused_clock& clock, auto run) {
        auto const begin = clock.now();
        run([]() -> task<> {
            for (auto const none : {0h, -1h, std::chrono::hours::min()}) {
                co_await sleep_for(none);
                co_await rouse::sleep_until(steady::time_point::min());
                bool late = false;
                try {
                    co_await timeout(rouse::pending_future<>(), none);
                } catch (boost::system::system_error const& e) {
                    late = timed_out(e);
                }
                if (!late) throw std::logic_error("a time limit of nothing holds");
                co_await timeout(rouse::ready_future<>(), none);
                co_await rouse::timeout_at(rouse::ready_future<>(), steady::time_point::min());
                rouse::delay_queue<int> queue;
                queue.insert(1, none);
                if (!co_await queue.next()) throw std::logic_error("it is not there");
            }
            co_await rouse::retry(rouse::backoff(0h).attempts(3), [n = 0]() mutable {
                return rouse::map(rouse::ready_future<>(), [&n] {
                    if (++n < 3) throw std::runtime_error("again");
                });
            });
        }());
        BOOST_TEST((clock.now() == begin));

        run([]() -> task<> {
            auto const ends = [] { return sleep_for(1s); };
            co_await rouse::select(sleep_for(as_long_as_it_gets), ends());
            co_await rouse::select(rouse::sleep_until(steady::time_point::max()), ends());
            co_await timeout(ends(), as_long_as_it_gets);
            co_await rouse::timeout_at(ends(), steady::time_point::max());
            rouse::interval every(as_long_as_it_gets);
            co_await every.tick();
            co_await rouse::select(every.tick(), ends());
            rouse::delay_queue<int> queue;
            queue.insert(1, as_long_as_it_gets);
            co_await rouse::select(queue.next(), ends());
            co_await rouse::select(rouse::retry(rouse::backoff(as_long_as_it_gets).at_most(as_long_as_it_gets), fails_soon),
                                   ends());
        }());
        BOOST_TEST((clock.now() - begin == 7s));
        BOOST_TEST(clock.timers() == 0U);
    });
}

BOOST_AUTO_TEST_CASE(intervals_and_time_limits_keep_its_time) {
    wherever_it_jumps([](paused_clock& clock, auto run) {
        auto const begin = clock.now();
        int ticks = 0;
        run([](int& counted) -> task<> {
            rouse::interval every(10s);
            bool late = false;
            try {
                co_await timeout(
                    [](rouse::interval& i, int& n) -> task<> {
                        for (;;) {
                            co_await i.tick();
                            ++n;
                        }
                    }(every, counted),
                    95s);
            } catch (boost::system::system_error const& e) {
                late = timed_out(e);
            }
            if (!late) throw std::logic_error("not late");
        }(ticks));
        BOOST_TEST(ticks == 10);
        BOOST_TEST((clock.now() - begin == 95s));
    });
}

BOOST_AUTO_TEST_CASE(what_is_in_flight_keeps_it_from_jumping) {
    in_both_modes({1}, [&](mode m, unsigned) {
        paused_clock clock;
        pool_home pool(m, rouse::thread_pool::builder().workers(1).clock(clock));
        tcp_pair sockets(pool->get_executor());
        std::array<char, 8> data;
        auto handle = spawn(*pool, [](tcp_pair& s, std::array<char, 8>& b) -> task<std::size_t> {
            co_return co_await timeout(s.here.async_read_some(asio::buffer(b), rouse::use_poll), 1h);
        }(sockets, data));
        wait_until([&] { return clock.sleeps() != 0 && clock.timers() == 1; }, "a sleep");
        asio::write(sockets.there, asio::buffer("late", 4));
        BOOST_TEST(block_on(std::move(handle)) == 4U);
        BOOST_TEST(clock.jumps() == 0U);

        // And when nobody waits for it any more, it does not count.
        auto const begin = clock.now();
        BOOST_CHECK_EXCEPTION(
            block_on(spawn(*pool,
                           [](tcp_pair& s, std::array<char, 8>& b) -> task<std::size_t> {
                               co_return co_await timeout(
                                   rouse::background(
                                       s.here.async_read_some(asio::buffer(b), rouse::use_poll)),
                                   1h);
                           }(sockets, data))),
            boost::system::system_error, timed_out);
        BOOST_TEST((clock.now() - begin == 1h));
        BOOST_TEST(clock.jumps() == 1U);
        block_on(spawn(*pool, sleep_for(1h)));
        BOOST_TEST((clock.now() - begin == 2h));
    });
}

// Moments of another clock become moments of this one, also those that are over, when they are given.
BOOST_AUTO_TEST_CASE(moments_of_another_clock_keep_their_distance) {
    using std::chrono::system_clock;
    paused_clock clock;
    block_on(
        [&]() -> task<> {
            auto const now = system_clock::now();
            rouse::interval every(now - 2500ms, 1s);
            int at_once = 0;
            for (;;) {
                auto const next = co_await rouse::select_biased(every.tick(), sleep_for(1ms));
                if (next.index() == 1) break;
                ++at_once;
            }
            BOOST_TEST(at_once == 3);

            rouse::delay_queue<int> queue;
            queue.insert_at(3, now + 1h);
            queue.insert_at(2, now - 1h);
            queue.insert_at(1, now - 2h);
            for (int const n : {1, 2, 3}) BOOST_TEST((co_await queue.next() == n));
        }(),
        clock);
}

// Also more than the event loop runs at a time.
BOOST_AUTO_TEST_CASE(functions_that_are_ready_come_before_it_jumps) {
    for (int const count : {0, 127, 128, 1000}) {
        paused_clock clock;
        rouse::thread_pool pool(rouse::thread_pool::builder().workers(1).clock(clock));
        auto const first = block_on(spawn(pool, [&]() -> task<std::size_t> {
            rouse::cancellation_source source;
            for (int n = 0; n < count; ++n) asio::post(pool.context(), [] {});
            asio::post(pool.context(), [source] { source.cancel(); });
            auto const either = co_await rouse::select(source.token().cancelled(), sleep_for(1h));
            co_return either.index();
        }));
        BOOST_TEST(first == 0U);
    }
}

// The task is woken first, and the hold ends then: whoever finds that it has ended finds the task.
BOOST_AUTO_TEST_CASE(b36_what_a_hold_has_waited_for_comes_before_a_jump) {
    wherever_it_jumps([](paused_clock& clock, auto run) {
        std::atomic<int> asked{0};
        std::atomic<int> answered{0};
        std::atomic<bool> over{false};
        std::optional<clock_hold> hold;
        std::optional<rouse::cancellation_source> answer;
        std::thread other([&] {
            stress_random random(7);
            for (int n = 0; !over;) {
                if (asked == n) {
                    std::this_thread::yield();
                    continue;
                }
                random.delay();
                answer->cancel();
                hold.reset();
                answered = ++n;
            }
        });
        unsigned wrong = 0;
        run([](auto& c, auto& question, auto& done, auto& holds, auto& told, unsigned& jumped) -> task<> {
            for (int n = 1; n <= scaled(sanitized ? 5'000 : 20'000); ++n) {
                told.emplace();
                holds.emplace(c);
                auto const jumps = c.jumps();
                question = n;
                auto const first = co_await rouse::select(told->token().cancelled(), sleep_for(1h));
                jumped += first.index() != 0 || c.jumps() != jumps;
                while (done != n) std::this_thread::yield();
            }
        }(clock, asked, answered, hold, answer, wrong));
        over = true;
        other.join();
        BOOST_TEST(wrong == 0U);
    });
}

// In the order of that race: this has looked for something to do, and found nothing.
BOOST_AUTO_TEST_CASE(a_thread_looks_again_when_something_has_ended_meanwhile) {
    struct never_told final : rouse::detail::clock_sleeper {
        void look_again() noexcept override {}
    } sleeper;
    paused_clock clock;
    rouse::poll_root root;
    rouse::cancellation_state cancellation;
    rouse::waker const nobody;
    root.waker = &nobody;
    root.cancellation = &cancellation;
    root.offered = &clock;
    auto sleep = sleep_for(1h);
    {
        rouse::context cx(root);
        BOOST_TEST(sleep.poll(cx).is_pending());
    }
    using rouse::detail::clock_watch;
    std::optional<clock_hold> hold(std::in_place, clock);
    auto const ended = clock_watch::ended(clock);
    clock_watch watch(clock, sleeper, ended);
    BOOST_TEST(!watch.jump());
    hold.reset();
    BOOST_TEST(watch.jump());
    BOOST_TEST(clock.jumps() == 0U);
    BOOST_TEST(watch.jump());
    BOOST_TEST(clock.jumps() == 1U);
    BOOST_TEST(!watch.jump());
}

BOOST_AUTO_TEST_CASE(tasks_on_a_strand_over_a_pool_have_its_clock) {
    in_both_modes({1}, [&](mode m, unsigned workers) {
        paused_clock clock;
        pool_home pool(m, rouse::thread_pool::builder().workers(workers).clock(clock));
        auto const begin = clock.now();
        std::uint64_t slept = 0;
        block_on(spawn(boost::asio::make_strand(*pool), sleeps_in_a_row(clock, 100, slept)));
        BOOST_TEST((clock.now() - begin == 100s));
        BOOST_TEST(clock.timers() == 0U);
    });
}

BOOST_AUTO_TEST_CASE(a_hold_keeps_it_from_jumping_and_its_end_is_heard_of) {
    wherever_it_jumps([](paused_clock& clock, auto run) {
        auto const begin = clock.now();
        auto hold = std::make_unique<clock_hold>(clock);
        auto const sleeps = clock.sleeps();
        std::thread other([&] {
            wait_until([&] { return clock.timers() == 1 && clock.sleeps() > sleeps; }, "a sleep");
            hold.reset();
        });
        run([]() -> task<> { co_await sleep_for(1h); }());
        other.join();
        BOOST_TEST((clock.now() - begin == 1h));
    });
}

BOOST_AUTO_TEST_CASE(more_threads_do_not_move_it) {
    in_both_modes({2, 4}, [&](mode m, unsigned workers) {
        paused_clock clock;
        pool_home pool(m, rouse::thread_pool::builder().workers(workers).clock(clock));
        constexpr int count = 200;
        std::atomic<int> early{0};
        std::atomic<int> over{0};
        auto const begin = clock.now();
        auto const sleeper = [](paused_clock& c, steady::time_point when, std::atomic<int>& soon,
                                std::atomic<int>& done) -> task<> {
            co_await rouse::sleep_until(when);
            if (c.now() < when) ++soon;
            ++done;
        };
        for (int n = 1; n <= count; ++n)
            rouse::spawn_ok(*pool, sleeper(clock, begin + std::chrono::seconds(n), early, over));
        // While they begin: who is late enters a deadline that is over already.
        int moved = 0;
        for (; moved < count; ++moved) clock.advance(1s);
        wait_until([&] { return over.load() == count; }, "the last sleeper");
        BOOST_TEST(early.load() == 0);
        BOOST_TEST(clock.jumps() == 0U);
        BOOST_TEST((clock.now() - begin == std::chrono::seconds(count)));
    });
}

BOOST_AUTO_TEST_CASE(b81_it_stops_at_the_end_of_time) {
    paused_clock clock(steady::time_point(1h));
    clock.advance(steady::duration::max());
    auto const end = clock.now();
    BOOST_TEST((end <= steady::time_point::max() && steady::time_point::max() - end < 1h));
    clock.advance(steady::duration::max());
    BOOST_TEST((clock.now() == end));
    clock.advance(-1h);
    clock.advance(std::chrono::hours::min());
    clock.advance(0s);
    BOOST_TEST((clock.now() == end));
    paused_clock at_once(steady::time_point(1h));
    at_once.advance(std::chrono::hours::max());
    BOOST_TEST((at_once.now() == end));
    block_on(sleep_for(1ns), clock);
    BOOST_TEST((clock.now() == end));

    // A jump gets there, too, and time does not begin anew.
    paused_clock jumps(steady::time_point(1h));
    block_on(rouse::sleep_until(steady::time_point::max() - 1ns), jumps);
    BOOST_TEST((jumps.now() == steady::time_point::max()));
    jumps.advance(1h);
    BOOST_TEST((jumps.now() == steady::time_point::max()));
}

BOOST_AUTO_TEST_SUITE_END()
