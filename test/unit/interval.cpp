// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// interval, with a clock that the test moves.

#include <support/unit_kit.hpp>
#include <support/unit_time.hpp>

#include <rouse/interval.hpp>
#include <rouse/select.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_interval)

using rouse::interval;
using rouse::missed_ticks;
using namespace rouse_test;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

namespace {

// The times of the ticks that are there, in milliseconds since the beginning.
std::vector<long> ticks_of(hand_time& time, interval& every) {
    std::vector<long> all;
    for (;;) {
        auto tick = every.tick();
        auto polled = time.poll(tick);
        if (polled.is_pending()) return all;
        all.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(polled.value() -
                                                                            hand_time::begin())
                          .count());
    }
}

std::vector<long> list(std::initializer_list<long> all) { return all; }

}  // namespace

BOOST_AUTO_TEST_CASE(the_first_tick_is_there_at_once_and_the_others_a_period_apart) {
    hand_time time;
    interval every(10ms);
    BOOST_TEST(ticks_of(time, every) == list({0}));
    time.advance(9ms);
    BOOST_TEST(ticks_of(time, every) == list({}));
    time.advance(2ms);
    BOOST_TEST(ticks_of(time, every) == list({10}));
    time.advance(9ms);
    BOOST_TEST(ticks_of(time, every) == list({20}));  // though the one before was taken late
    BOOST_TEST((every.period() == 10ms));
}

BOOST_AUTO_TEST_CASE(the_first_tick_may_be_later) {
    hand_time time;
    interval every(hand_time::begin() + 5ms, 10ms);
    BOOST_TEST(ticks_of(time, every) == list({}));
    time.advance(5ms);
    BOOST_TEST(ticks_of(time, every) == list({5}));
    time.advance(10ms);
    BOOST_TEST(ticks_of(time, every) == list({15}));
}

// Made outside of a task, it does not know yet whose clock that will be. The moment stays the same, be it over.
BOOST_AUTO_TEST_CASE(the_first_tick_may_be_at_a_moment_of_another_clock) {
    using std::chrono::system_clock;
    hand_time time;
    rouse::interval later(system_clock::now() + 1h, 1s);
    auto tick = later.tick();
    BOOST_TEST(time.poll(tick).is_pending());
    time.advance(59min);
    BOOST_TEST(time.poll(tick).is_pending());
    time.advance(1min + 1ms);
    BOOST_TEST(time.poll(tick).is_ready());
    rouse::interval since(system_clock::now() - 1h, 1s);
    auto over = since.tick();
    auto due = time.poll(over);
    BOOST_REQUIRE(due.is_ready());
    BOOST_TEST((time.now() - due.value() > 59min && time.now() - due.value() < 61min));
    rouse::interval anew(system_clock::now() + 1h, 1s);
    anew.reset();
    auto first = anew.tick();
    BOOST_TEST(time.poll(first).is_pending());
    time.advance(1s + 1ms);
    BOOST_TEST(time.poll(first).is_ready());
    for (auto const far : {system_clock::time_point::min(), system_clock::time_point::max()}) {
        rouse::interval every(far, 1s);
        auto never = every.tick();
        BOOST_TEST(time.poll(never).is_ready() == (far < system_clock::now()));
    }
}

BOOST_AUTO_TEST_CASE(ticks_that_were_missed_come_at_once) {
    hand_time time;
    interval every(10ms, missed_ticks::burst);
    ticks_of(time, every);
    time.advance(35ms);
    BOOST_TEST(ticks_of(time, every) == list({10, 20, 30}));
    time.advance(5ms);
    BOOST_TEST(ticks_of(time, every) == list({40}));
}

BOOST_AUTO_TEST_CASE(ticks_that_were_missed_delay_those_that_follow) {
    hand_time time;
    interval every(10ms, missed_ticks::delay);
    ticks_of(time, every);
    time.advance(35ms);
    BOOST_TEST(ticks_of(time, every) == list({10}));
    time.advance(9ms);
    BOOST_TEST(ticks_of(time, every) == list({}));
    time.advance(1ms);
    BOOST_TEST(ticks_of(time, every) == list({45}));
}

// Less than a period late is late, too, beyond what threads need to get there.
BOOST_AUTO_TEST_CASE(a_tick_that_is_late_delays_the_next_one) {
    hand_time time;
    interval every(10s, missed_ticks::delay);
    ticks_of(time, every);
    time.advance(19s);
    BOOST_TEST(ticks_of(time, every).size() == 1U);
    time.advance(10s - 1ms);
    BOOST_TEST(ticks_of(time, every).size() == 0U);
    time.advance(2ms);
    BOOST_TEST(ticks_of(time, every).size() == 1U);  // that of 29 s
    interval steady_one(10s, missed_ticks::delay);
    ticks_of(time, steady_one);
    time.advance(10s + 4ms);
    BOOST_TEST(ticks_of(time, steady_one).size() == 1U);
    time.advance(10s - 4ms);
    BOOST_TEST(ticks_of(time, steady_one).size() == 1U);
}

// A future that has had its tick has nothing to do with those that follow.
BOOST_AUTO_TEST_CASE(the_future_of_an_old_tick_goes_and_the_next_one_comes) {
    hand_time time;
    wake_counter counter;
    interval every(10ms);
    std::optional old(every.tick());
    BOOST_TEST(time.poll(*old).is_ready());
    auto next = every.tick();
    BOOST_TEST(time.poll(next, counter.make()).is_pending());
    old.reset();
    BOOST_TEST(time.waiting() == 1U);
    time.advance(11ms);
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(time.poll(next).is_ready());
}

// Nor has one that was cancelled.
BOOST_AUTO_TEST_CASE(the_future_of_a_tick_that_was_cancelled_goes_and_the_next_one_comes) {
    hand_time time;
    wake_counter counter;
    interval every(10ms);
    ticks_of(time, every);
    std::optional old(every.tick());
    BOOST_TEST(time.poll(*old).is_pending());
    time.cancellation.request(rouse::cancellation_type::terminal);
    BOOST_CHECK_THROW((void)time.poll(*old), boost::system::system_error);
    time.cancellation.clear();
    auto next = every.tick();
    BOOST_TEST(time.poll(next, counter.make()).is_pending());
    old.reset();
    time.advance(11ms);
    BOOST_TEST(counter.wakes == 1);
}

BOOST_AUTO_TEST_CASE(ticks_that_were_missed_are_skipped) {
    hand_time time;
    interval every(10ms, missed_ticks::skip);
    ticks_of(time, every);
    time.advance(35ms);
    BOOST_TEST(ticks_of(time, every) == list({10}));
    time.advance(5ms);
    BOOST_TEST(ticks_of(time, every) == list({40}));
    time.advance(20ms);  // exactly at a multiple, the one after it
    BOOST_TEST(ticks_of(time, every) == list({50}));
    time.advance(10ms);
    BOOST_TEST(ticks_of(time, every) == list({70}));
}

BOOST_AUTO_TEST_CASE(b85_a_clock_that_jumps_makes_no_storm_but_with_bursts) {
    for (auto const policy : {missed_ticks::delay, missed_ticks::skip}) {
        hand_time time;
        interval every(1ms, policy);
        ticks_of(time, every);
        time.advance(24h);
        BOOST_TEST(ticks_of(time, every).size() == 1U);
    }
}

BOOST_AUTO_TEST_CASE(b94_a_tick_that_is_dropped_is_not_lost) {
    hand_time time;
    wake_counter counter;
    interval every(10ms);
    ticks_of(time, every);
    {
        auto tick = every.tick();
        BOOST_TEST(time.poll(tick, counter.make()).is_pending());
        auto const one = rouse::select(every.tick(), rouse::ready_future());
    }
    BOOST_TEST(time.waiting() == 0U);
    BOOST_TEST(counter.live == 0);
    time.advance(10ms);
    BOOST_TEST(ticks_of(time, every) == list({10}));
}

BOOST_AUTO_TEST_CASE(reset_begins_anew) {
    hand_time time;
    interval every(10ms);
    ticks_of(time, every);
    time.advance(7ms);
    every.reset();
    BOOST_TEST(ticks_of(time, every) == list({}));
    time.advance(9ms);
    BOOST_TEST(ticks_of(time, every) == list({}));
    time.advance(1ms);
    BOOST_TEST(ticks_of(time, every) == list({17}));
}

BOOST_AUTO_TEST_CASE(who_waits_hears_of_a_reset_and_is_not_disturbed_by_others) {
    hand_time time;
    wake_counter counter;
    interval every(10ms);
    ticks_of(time, every);
    auto tick = every.tick();
    BOOST_TEST(time.poll(tick, counter.make()).is_pending());
    {
        auto const unpolled = every.tick();
    }
    BOOST_TEST(time.waiting() == 1U);
    every.reset();
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(time.poll(tick, counter.make()).is_pending());
    time.advance(11ms);
    BOOST_TEST(counter.wakes == 2);
    BOOST_TEST(time.poll(tick).is_ready());
}

BOOST_AUTO_TEST_CASE(b80_b81_periods_of_every_length) {
    for (auto const period : {steady::duration(0), steady::duration(-1s), steady::duration::min()})
        BOOST_CHECK_THROW(interval every(period), std::logic_error);
    for (auto const policy : {missed_ticks::burst, missed_ticks::delay, missed_ticks::skip}) {
        hand_time time;
        interval every(std::chrono::hours::max(), policy);
        BOOST_TEST(ticks_of(time, every) == list({0}));
        time.advance(std::chrono::hours(24 * 365 * 100));
        BOOST_TEST(ticks_of(time, every) == list({}));
        interval long_ago(steady::time_point::min(), std::chrono::hours(24 * 365 * 300), policy);
        for (int n = 0; n < 2; ++n) {
            auto tick = long_ago.tick();
            BOOST_TEST(time.poll(tick).is_ready() == (n == 0 || policy == missed_ticks::burst));
        }
        interval never(steady::time_point::max(), 1s, policy);
        BOOST_TEST(ticks_of(time, never) == list({}));
    }
}

BOOST_AUTO_TEST_CASE(b36_a_cancelled_task_gets_no_tick) {
    hand_time time;
    interval every(10ms);
    time.cancellation.request(rouse::cancellation_type::total);
    auto tick = every.tick();
    BOOST_CHECK_EXCEPTION((void)time.poll(tick), boost::system::system_error, [](auto const& e) {
        return e.code() == boost::asio::error::operation_aborted;
    });
}

BOOST_AUTO_TEST_CASE(a_burst_lets_others_have_their_turn) {
    hand_time time;
    interval every(1ms);
    ticks_of(time, every);
    time.advance(100ms);
    time.budget = 0;
    BOOST_TEST(ticks_of(time, every) == list({}));
    time.budget = 1;
    auto tick = every.tick();
    BOOST_TEST(time.poll(tick).is_ready());
}

BOOST_AUTO_TEST_SUITE_END()
