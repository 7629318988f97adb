// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// sleep_for, sleep_until, timeout and timeout_at with a clock that the test moves.

#include <support/unit_kit.hpp>
#include <support/unit_time.hpp>

#include <rouse/cancellation_source.hpp>
#include <rouse/paused_clock.hpp>
#include <rouse/select.hpp>
#include <rouse/sleep.hpp>
#include <rouse/task.hpp>
#include <rouse/then.hpp>
#include <rouse/timeout.hpp>
#include <rouse/with_deadline.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <ratio>
#include <stdexcept>

BOOST_AUTO_TEST_SUITE(test_timeout)

using rouse::sleep_for;
using rouse::sleep_until;
using rouse::task;
using rouse::timeout;
using rouse::timeout_at;
using namespace rouse_test;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

namespace {

bool timed_out(boost::system::system_error const& e) { return e.code() == rouse::errc::timed_out; }
bool cancelled(boost::system::system_error const& e) {
    return e.code() == boost::asio::error::operation_aborted;
}

class failing {
public:
    explicit failing() {}
    rouse::poll_result<int> poll(rouse::context&) { throw std::runtime_error("at once"); }
};

}  // namespace

// ---- sleeps -------------------------------------------------------------------------------------

// A time point of the steady clock in another unit is one of the runtime's clock as well, whose present may be another
// than the steady clock's.
BOOST_AUTO_TEST_CASE(b81_moments_of_every_unit_and_clock) {
    hand_time time;
    auto const in_seconds = std::chrono::ceil<std::chrono::seconds>(hand_time::begin()) + 2s;
    auto const in_doubles = hand_time::begin() + std::chrono::duration<double>(2.0);
    auto const waits_two_seconds = [&](auto make) {
        auto one = make();
        BOOST_TEST(time.poll(one).is_pending());
        time.advance(2s - 1ms);
        BOOST_TEST(time.poll(one).is_pending());
        time.advance(2ms);
        try {
            BOOST_TEST(time.poll(one).is_ready());
        } catch (boost::system::system_error const& e) {
            BOOST_TEST(timed_out(e));
        }
        time.advance(-2s - 1ms);
    };
    waits_two_seconds([&] { return sleep_until(in_seconds); });
    waits_two_seconds([&] { return sleep_until(in_doubles); });
    waits_two_seconds([&] { return timeout_at(rouse::pending_future<>(), in_seconds); });
    waits_two_seconds([&] { return timeout_at(rouse::pending_future<>(), in_doubles); });
    waits_two_seconds([&] { return rouse::with_deadline(sleep_for(1h), in_seconds); });

    // What is further away than the clock can tell is never, in any unit of any clock.
    auto const never = [&](auto when) {
        auto sleep = sleep_until(when);
        BOOST_TEST(time.poll(sleep).is_pending());
        auto limit = timeout_at(rouse::pending_future<>(), when);
        BOOST_TEST(time.poll(limit).is_pending());
        auto deadline = rouse::with_deadline(sleep_for(1h), when);
        BOOST_TEST(time.poll(deadline).is_pending());
    };
    using namespace std::chrono;
    never(sys_days{year(9999) / 12 / 31});
    never(sys_days{year(2500) / 1 / 1});
    never(sys_seconds::max());
    never(time_point<system_clock, hours>::max());
    never(system_clock::time_point::max());
    never(time_point<steady_clock, hours>::max());
    never(time_point<steady_clock, duration<double>>::max());
    auto past = sleep_until(sys_seconds::min());
    BOOST_TEST(time.poll(past).is_ready());
    auto long_ago = sleep_until(time_point<steady_clock, hours>::min());
    BOOST_TEST(time.poll(long_ago).is_ready());
}

BOOST_AUTO_TEST_CASE(a_sleep_ends_when_its_time_has_come_and_not_before) {
    hand_time time;
    wake_counter counter;
    auto one = sleep_for(100ms);
    BOOST_TEST(time.poll(one, counter.make()).is_pending());
    BOOST_TEST(time.waiting() == 1U);
    time.advance(100ms - 1ns);
    BOOST_TEST(counter.wakes == 0);
    BOOST_TEST(time.poll(one, counter.make()).is_pending());
    time.advance(100us);
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(time.poll(one).is_ready());
    BOOST_TEST(time.waiting() == 0U);
    BOOST_TEST(counter.live == 0);
}

BOOST_AUTO_TEST_CASE(the_time_of_a_sleep_runs_from_its_first_poll) {
    hand_time time;
    auto one = sleep_for(1s);
    time.advance(1h);
    BOOST_TEST(time.poll(one).is_pending());
    time.advance(1s + 1ms);
    BOOST_TEST(time.poll(one).is_ready());
}

// A unit of which neither is a multiple of the other.
BOOST_AUTO_TEST_CASE(b81_sleeps_in_frames) {
    using frames = std::chrono::duration<std::int64_t, std::ratio<1, 60>>;
    using rouse::detail::saturated;
    BOOST_TEST(saturated(frames(0)).count() == 0);
    BOOST_TEST(saturated(frames(1)).count() == 16'666'667);
    BOOST_TEST(saturated(frames(2)).count() == 33'333'334);
    BOOST_TEST(saturated(frames(3)).count() == 50'000'000);
    BOOST_TEST(saturated(frames(-1)).count() == -16'666'666);
    BOOST_TEST((saturated(frames::max()) == steady::duration::max()));
    BOOST_TEST((saturated(frames::min()) == steady::duration::min()));
    std::int64_t const year = std::int64_t{365} * 24 * 3600;
    BOOST_TEST((saturated(frames(150 * year * 60)) == std::chrono::seconds(150 * year)));
    BOOST_TEST((saturated(frames(292 * year * 60)) == std::chrono::seconds(292 * year)));
    // One whose counts do not fit where the result does.
    using tiny = std::chrono::duration<std::uint64_t, std::ratio<2, 3'000'000'000>>;
    BOOST_TEST(saturated(tiny(13'000'000'000'000'000'000U)).count() == 8'666'666'666'666'666'667);
    BOOST_TEST((saturated(tiny::max()) == steady::duration::max()));
    hand_time time;
    auto long_one = sleep_for(frames(100 * year * 60));
    BOOST_TEST(time.poll(long_one).is_pending());
    time.advance(std::chrono::seconds(99 * year));
    BOOST_TEST(time.poll(long_one).is_pending());
    time.advance(std::chrono::seconds(2 * year));
    BOOST_TEST(time.poll(long_one).is_ready());
}

BOOST_AUTO_TEST_CASE(b80_b81_sleeps_of_every_length) {
    hand_time time;
    auto nothing = sleep_for(0s);
    BOOST_TEST(time.poll(nothing).is_ready());
    auto negative = sleep_for(-1h);
    BOOST_TEST(time.poll(negative).is_ready());
    auto least = sleep_for(steady::duration::min());
    BOOST_TEST(time.poll(least).is_ready());
    auto past = sleep_until(steady::time_point::min());
    BOOST_TEST(time.poll(past).is_ready());
    auto nan = sleep_for(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN()));
    BOOST_TEST(time.poll(nan).is_ready());
    auto long_ago = sleep_until(std::chrono::system_clock::time_point::min());
    BOOST_TEST(time.poll(long_ago).is_ready());

    auto hours = sleep_for(std::chrono::hours::max());
    auto most = sleep_for(steady::duration::max());
    auto infinite = sleep_for(std::chrono::duration<double>(std::numeric_limits<double>::infinity()));
    auto end = sleep_until(steady::time_point::max());
    auto other_clock = sleep_until(std::chrono::system_clock::time_point::max());
    auto file_clock = sleep_until(std::chrono::file_clock::time_point::max());
    BOOST_TEST(time.poll(file_clock).is_pending());
    for (auto* s : {&hours, &most, &infinite, &end, &other_clock}) BOOST_TEST(time.poll(*s).is_pending());
    time.advance(std::chrono::hours(24 * 365 * 100));
    for (auto* s : {&hours, &most, &infinite, &end, &other_clock}) BOOST_TEST(time.poll(*s).is_pending());

    // Rounded up, in each unit.
    auto third = sleep_for(std::chrono::duration<double, std::milli>(1.0 / 3));
    auto picoseconds = sleep_for(std::chrono::duration<long long, std::pico>(1));
    BOOST_TEST(time.poll(third).is_pending());
    BOOST_TEST(time.poll(picoseconds).is_pending());
    time.advance(1ms);
    BOOST_TEST(time.poll(third).is_ready());
    BOOST_TEST(time.poll(picoseconds).is_ready());
}

BOOST_AUTO_TEST_CASE(a_sleep_wakes_the_task_that_polled_it_last) {
    hand_time time;
    wake_counter first;
    wake_counter second;
    auto one = sleep_for(10ms);
    BOOST_TEST(time.poll(one, first.make()).is_pending());
    BOOST_TEST(time.poll(one, second.make()).is_pending());
    BOOST_TEST(first.live == 0);
    time.advance(11ms);
    BOOST_TEST(first.wakes == 0);
    BOOST_TEST(second.wakes == 1);
}

// Another task's waker may stand where an old one stood, which only its copy outlives.
BOOST_AUTO_TEST_CASE(a_sleep_wakes_who_polled_it_last_wherever_its_waker_stands) {
    hand_time time;
    mailbox first;
    mailbox second;
    auto one = sleep_for(10ms);
    std::optional<lent_waker> place(first);
    BOOST_TEST(time.poll(one, place->borrowed().get()).is_pending());
    place.emplace(second);
    BOOST_TEST(time.poll(one, place->borrowed().get()).is_pending());
    place.reset();
    BOOST_TEST(first.live == 0);
    BOOST_TEST(time.waiting() == 1U);
    time.advance(11ms);
    BOOST_TEST(first.wakes == 0);
    BOOST_TEST(second.wakes == 1);
    BOOST_TEST(second.live == 0);

    // Also if there was none in between.
    auto two = sleep_for(1h);
    rouse::waker const nobody;
    place.emplace(first);
    BOOST_TEST(time.poll(two, place->borrowed().get()).is_pending());
    BOOST_TEST(time.poll(two, nobody).is_pending());
    BOOST_TEST(time.poll(two, place->borrowed().get()).is_pending());
    BOOST_TEST(first.live == 1);
    time.advance(2h);
    BOOST_TEST(first.wakes == 1);
}

// The time comes while the new waker is copied: the wheel has woken the old one then, and wakes nobody any more.
BOOST_AUTO_TEST_CASE(b84_a_sleep_is_over_while_its_waker_is_replaced) {
    hand_time time;
    wake_counter old;
    rouse::waker const before = old.make();
    auto sleep = rouse::sleep_for(1s);
    BOOST_TEST(time.poll(sleep, before).is_pending());
    acting_waker fresh;
    rouse::waker const after = fresh.make();
    fresh.when_copied = [&] { time.advance(2s); };
    BOOST_TEST(time.poll(sleep, after).is_ready());
}

BOOST_AUTO_TEST_CASE(b84_a_paused_clock_moves_while_a_sleep_begins) {
    rouse::paused_clock clock;
    bool woken = false;
    acting_waker acting;
    acting.when_copied = [&] { clock.advance(2s); };
    acting.when_woken = [&] { woken = true; };
    rouse::waker const w = acting.make();
    rouse::cancellation_state cancellation;
    rouse::poll_root root;
    root.waker = &w;
    root.cancellation = &cancellation;
    root.offered = &clock;
    rouse::context cx(root);
    auto sleep = rouse::sleep_for(1s);
    BOOST_TEST((sleep.poll(cx).is_ready() || woken));
}

BOOST_AUTO_TEST_CASE(a_sleep_that_is_dropped_leaves_nothing_behind) {
    hand_time time;
    wake_counter counter;
    {
        auto one = sleep_for(10ms);
        BOOST_TEST(time.poll(one, counter.make()).is_pending());
    }
    BOOST_TEST(time.waiting() == 0U);
    BOOST_TEST(counter.live == 0);
    time.advance(1s);
    BOOST_TEST(counter.wakes == 0);
}

BOOST_AUTO_TEST_CASE(a_sleep_goes_on_in_another_runtime) {
    hand_time other;
    auto one = sleep_for(10ms);
    wake_counter counter;
    {
        hand_time time;
        BOOST_TEST(time.poll(one, counter.make()).is_pending());
    }
    BOOST_TEST(counter.wakes == 1);  // its runtime has ended
    BOOST_TEST(other.poll(one, counter.make()).is_pending());
    BOOST_TEST(other.waiting() == 1U);
    other.advance(20ms);
    BOOST_TEST(counter.wakes == 2);
    BOOST_TEST(other.poll(one).is_ready());

    hand_time third;
    auto two = sleep_for(10ms);
    BOOST_TEST(other.poll(two).is_pending());
    BOOST_TEST(third.poll(two).is_pending());
    BOOST_TEST(other.waiting() == 0U);
    BOOST_TEST(third.waiting() == 1U);
}

BOOST_AUTO_TEST_CASE(b36_a_cancelled_task_does_not_sleep) {
    hand_time time;
    auto one = sleep_for(1h);
    BOOST_TEST(time.poll(one).is_pending());
    time.cancellation.request(rouse::cancellation_type::total);
    BOOST_CHECK_EXCEPTION((void)time.poll(one), boost::system::system_error, cancelled);
    BOOST_TEST(time.waiting() == 0U);
    auto sticky = sleep_for(1h);
    BOOST_CHECK_EXCEPTION((void)time.poll(sticky), boost::system::system_error, cancelled);
}

BOOST_AUTO_TEST_CASE(a_loop_of_sleeps_that_are_over_at_once_spends_the_budget) {
    hand_time time;
    time.budget = 2;
    auto loop = []() -> task<> {
        for (int n = 0; n < 3; ++n) co_await sleep_for(0s);
    }();
    BOOST_TEST(time.poll(loop).is_pending());
    BOOST_TEST(time.poll(loop).is_ready());
}

// ---- timeouts -----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_is_there_in_time_is_the_result) {
    hand_time time;
    gate g;
    auto at_once = timeout(rouse::ready_future(3), 0s);
    BOOST_TEST(time.poll(at_once).value() == 3);
    BOOST_TEST(time.entered == 0);
    auto later = timeout(gate_future(g), 5s);
    BOOST_TEST(time.poll(later).is_pending());
    BOOST_TEST(time.waiting() == 1U);
    g.set();
    BOOST_TEST(time.poll(later).is_ready());
    BOOST_TEST(time.waiting() == 0U);
    BOOST_CHECK_THROW((void)time.poll(later), std::logic_error);
}

BOOST_AUTO_TEST_CASE(a_failure_passes_at_once_and_leaves_no_timer_behind) {
    hand_time time;
    auto one = timeout(failing(), 1h);
    BOOST_CHECK_THROW((void)time.poll(one), std::runtime_error);
    gate g;
    auto two = timeout([](gate& wait) -> task<> {
        co_await gate_future(wait);
        throw std::runtime_error("later");
    }(g), 1h);
    BOOST_TEST(time.poll(two).is_pending());
    g.set();
    BOOST_CHECK_THROW((void)time.poll(two), std::runtime_error);
    BOOST_TEST(time.waiting() == 0U);
    BOOST_TEST((time.now() == time.begin()));
}

BOOST_AUTO_TEST_CASE(a_deadline_that_was_not_reached_leaves_no_timer_behind) {
    hand_time time;
    gate g;
    auto f = rouse::with_deadline(gate_future(g), 1h);
    BOOST_TEST(time.poll(f).is_pending());
    BOOST_TEST(time.waiting() == 1U);
    g.open = true;
    BOOST_TEST(time.poll(f).is_ready());
    BOOST_TEST(time.waiting() == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_late_lets_go_before_timed_out_is_thrown) {
    hand_time time;
    loan l;
    l.cancels_needed = 2;
    wake_counter counter;
    auto one = timeout(lending(l), 5s);
    BOOST_TEST(time.poll(one, counter.make()).is_pending());
    time.advance(5s + 1ms);
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(time.poll(one, counter.make()).is_pending());
    BOOST_TEST(l.cancels == 1);
    l.wake();
    BOOST_TEST(counter.wakes == 2);
    BOOST_CHECK_EXCEPTION((void)time.poll(one), boost::system::system_error, timed_out);
    BOOST_TEST(l.dropped_in_flight == 0);
    BOOST_TEST(l.book.exactly_one_died());
    BOOST_CHECK_THROW((void)time.poll(one), std::logic_error);
}

BOOST_AUTO_TEST_CASE(b36_a_value_that_arrives_while_it_lets_go_is_the_result) {
    hand_time time;
    loan value;
    value.cancels_needed = 2;
    auto one = timeout(lending(value), 5s);
    BOOST_TEST(time.poll(one).is_pending());
    time.advance(6s);
    BOOST_TEST(time.poll(one).is_pending());
    value.done = true;
    BOOST_TEST(time.poll(one).value() == 7);

    loan failure;
    failure.cancels_needed = 2;
    auto two = timeout(lending(failure), 5s);
    BOOST_TEST(time.poll(two).is_pending());
    time.advance(6s);
    BOOST_TEST(time.poll(two).is_pending());
    failure.done = failure.throws = true;
    BOOST_CHECK_THROW((void)time.poll(two), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(b80_no_time_at_all_still_gives_one_poll) {
    hand_time time;
    loan l;
    for (auto const limit : {steady::duration(0), steady::duration(-5s), steady::duration::min()}) {
        auto one = timeout(lending(l), limit);
        BOOST_CHECK_EXCEPTION((void)time.poll(one), boost::system::system_error, timed_out);
    }
    BOOST_TEST(l.polls == 3);
    auto past = timeout_at(lending(l), time.begin() - 1s);
    BOOST_CHECK_EXCEPTION((void)time.poll(past), boost::system::system_error, timed_out);
    auto other_clock = timeout_at(lending(l), std::chrono::system_clock::time_point::min());
    BOOST_CHECK_EXCEPTION((void)time.poll(other_clock), boost::system::system_error, timed_out);
}

// Without anything left to spend a future has no chance to be ready: it has one before the limit counts.
BOOST_AUTO_TEST_CASE(what_is_there_in_time_is_the_result_whatever_there_is_to_spend) {
    hand_time time;
    rouse::cancellation_source stop;
    stop.cancel();
    time.budget = 0;
    auto at_once = rouse::timeout(stop.token().cancelled(), 0s);
    BOOST_TEST(time.poll(at_once).is_pending());
    gate g;
    auto later = rouse::timeout(rouse::then(gate_future(g), [&] { return stop.token().cancelled(); }), 1s);
    time.budget = 1;
    BOOST_TEST(time.poll(at_once).is_ready());
    BOOST_TEST(time.poll(later).is_pending());
    time.advance(2s);
    g.open = true;
    time.budget = 0;
    BOOST_TEST(time.poll(later).is_ready());
}

BOOST_AUTO_TEST_CASE(b81_a_timeout_may_be_as_long_as_it_likes) {
    hand_time time;
    gate g;
    auto one = timeout(gate_future(g), std::chrono::hours::max());
    auto two = timeout_at(gate_future(g), steady::time_point::max());
    BOOST_TEST(time.poll(one).is_pending());
    BOOST_TEST(time.poll(two).is_pending());
    time.advance(std::chrono::hours(24 * 365 * 100));
    BOOST_TEST(time.poll(one).is_pending());
    g.open = true;
    BOOST_TEST(time.poll(one).is_ready());
    BOOST_TEST(time.poll(two).is_ready());
    BOOST_TEST(time.waiting() == 0U);
}

BOOST_AUTO_TEST_CASE(a_named_future_that_is_late_lives_on) {
    hand_time time;
    loan l;
    lending named(l);
    {
        auto one = timeout(named, 5s);
        BOOST_TEST(time.poll(one).is_pending());
        time.advance(6s);
        BOOST_CHECK_EXCEPTION((void)time.poll(one), boost::system::system_error, timed_out);
    }
    BOOST_TEST(l.cancels == 0);
    l.finish();
    BOOST_TEST(poll_once(named).value() == 7);
}

BOOST_AUTO_TEST_CASE(aborted_a_timeout_is_its_future) {
    hand_time time;
    loan l;
    l.cancels_needed = 2;
    auto one = timeout(lending(l), 5s);
    BOOST_TEST(time.poll(one).is_pending());
    BOOST_TEST(time.cancel(one).is_pending());
    BOOST_TEST(time.waiting() == 0U);
    BOOST_TEST(!time.cancel(one).value());
    BOOST_TEST(!time.cancel(one).value());

    loan done;
    auto two = timeout(lending(done), 5s);
    BOOST_TEST(time.poll(two).is_pending());
    done.done = true;
    BOOST_TEST(time.cancel(two).value().value() == 7);

    loan unbegun;
    auto three = timeout(lending(unbegun), 5s);
    BOOST_TEST(!time.cancel(three).value());
    BOOST_TEST(unbegun.polls == 0);

    // In the middle of letting go.
    loan late;
    late.cancels_needed = 2;
    auto four = timeout(lending(late), 5s);
    BOOST_TEST(time.poll(four).is_pending());
    time.advance(6s);
    BOOST_TEST(time.poll(four).is_pending());
    BOOST_TEST(!time.cancel(four).value());
    BOOST_TEST(late.dropped_in_flight == 0);
}

// A value that is an exception is not one that was thrown.
BOOST_AUTO_TEST_CASE(a_value_that_is_an_exception) {
    auto const give = [](std::exception_ptr e) -> task<std::exception_ptr> { co_return e; };
    auto const fail = []() -> task<std::exception_ptr> {
        throw std::runtime_error("thrown");
        co_return std::exception_ptr();
    };
    auto const given = std::make_exception_ptr(std::runtime_error("given"));
    hand_time time;
    auto one = timeout(give(given), 1s);
    BOOST_TEST((time.poll(one).value() == given));
    auto two = timeout(fail(), 1s);
    BOOST_CHECK_THROW((void)time.poll(two), std::runtime_error);
    auto three = timeout(
        [](task<std::exception_ptr> first) -> task<std::exception_ptr> {
            co_await sleep_for(1h);
            co_return co_await std::move(first);
        }(give(given)),
        1s);
    BOOST_TEST(time.poll(three).is_pending());
    time.advance(1s + 1ms);
    BOOST_CHECK_EXCEPTION((void)time.poll(three), boost::system::system_error, timed_out);
}

// One that failed has only dropped out: it does not say what the race would have given.
BOOST_AUTO_TEST_CASE(a_race_that_is_late_is_late_also_if_one_has_failed) {
    hand_time time;
    auto one = timeout(rouse::race(failing(), rouse::pending_future<int>()), 50ms);
    BOOST_TEST(time.poll(one).is_pending());
    time.advance(51ms);
    BOOST_CHECK_EXCEPTION((void)time.poll(one), boost::system::system_error, timed_out);
}

BOOST_AUTO_TEST_CASE(timeouts_in_timeouts) {
    hand_time time;
    loan l;
    auto inner_first = timeout(timeout(lending(l), 1s), 2s);
    BOOST_TEST(time.poll(inner_first).is_pending());
    BOOST_TEST(time.waiting() == 2U);
    time.advance(1100ms);
    BOOST_CHECK_EXCEPTION((void)time.poll(inner_first), boost::system::system_error, timed_out);
    BOOST_TEST(time.waiting() == 0U);

    auto outer_first = timeout(timeout(lending(l), 2s), 1s);
    BOOST_TEST(time.poll(outer_first).is_pending());
    time.advance(1100ms);
    BOOST_CHECK_EXCEPTION((void)time.poll(outer_first), boost::system::system_error, timed_out);
    BOOST_TEST(time.waiting() == 0U);
}

BOOST_AUTO_TEST_CASE(the_time_runs_from_the_first_poll_also_if_that_has_nothing_to_spend) {
    hand_time time;
    loan l;
    auto one = timeout(lending(l), 1s);
    time.budget = 0;
    BOOST_TEST(time.poll(one).is_pending());
    BOOST_TEST(l.polls == 0);
    BOOST_TEST(time.waiting() == 1U);
    time.advance(1100ms);
    time.budget = 1;
    BOOST_CHECK_EXCEPTION((void)time.poll(one), boost::system::system_error, timed_out);
    BOOST_TEST(l.polls == 1);
    BOOST_TEST(time.waiting() == 0U);
}

// ---- without a runtime --------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(where_there_is_no_runtime_the_process_keeps_the_time) {
    hand_executor executor;
    auto const begin = steady::now();
    auto handle = executor.spawn([]() -> task<> { co_await sleep_for(20ms); });
    wait_until([&] {
        executor.run_all();
        return handle.is_finished();
    });
    BOOST_TEST((steady::now() - begin >= 20ms));
}

BOOST_AUTO_TEST_SUITE_END()
