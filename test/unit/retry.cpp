// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// retry and backoff, with a clock that the test moves.

#include <support/unit_kit.hpp>
#include <support/unit_time.hpp>

#include <rouse/block_on.hpp>
#include <rouse/retry.hpp>
#include <rouse/task.hpp>
#include <rouse/then.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>

BOOST_AUTO_TEST_SUITE(test_retry)

using rouse::backoff;
using rouse::retry;
using rouse::task;
using namespace rouse_test;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

namespace {

// Fails so many times, each time with its number.
struct flaky {
    int failures;
    int calls = 0;

    auto operator()() {
        int const n = ++calls;
        return rouse::map(rouse::ready_future(), [this, n] {
            if (n <= failures) throw std::runtime_error("attempt " + std::to_string(n));
            return n;
        });
    }
};

auto says(std::string what) {
    return [what](std::exception const& e) { return e.what() == what; };
}

backoff exact(steady::duration first) { return backoff(first).jitter(0); }

}  // namespace

BOOST_AUTO_TEST_CASE(it_is_tried_until_it_succeeds) {
    hand_time time;
    flaky f{3};
    auto one = retry(exact(100ms), std::ref(f));
    BOOST_TEST(time.poll(one).is_pending());
    BOOST_TEST(f.calls == 1);
    time.advance(99ms);
    BOOST_TEST(time.poll(one).is_pending());
    BOOST_TEST(f.calls == 1);
    time.advance(2ms);
    BOOST_TEST(time.poll(one).is_pending());
    BOOST_TEST(f.calls == 2);
    time.advance(201ms);
    BOOST_TEST(time.poll(one).is_pending());
    BOOST_TEST(f.calls == 3);
    time.advance(399ms);
    BOOST_TEST(time.poll(one).is_pending());
    BOOST_TEST(f.calls == 3);
    time.advance(2ms);
    BOOST_TEST(time.poll(one).value() == 4);
    BOOST_TEST(time.waiting() == 0U);
}

BOOST_AUTO_TEST_CASE(the_last_failure_is_thrown) {
    hand_time time;
    flaky f{100};
    auto one = retry(exact(0s).attempts(3), std::ref(f));
    BOOST_CHECK_EXCEPTION((void)time.poll(one), std::runtime_error, says("attempt 3"));
    flaky g{100};
    auto two = retry(backoff(1h).attempts(1), std::ref(g));
    BOOST_CHECK_EXCEPTION((void)time.poll(two), std::runtime_error, says("attempt 1"));
}

BOOST_AUTO_TEST_CASE(a_function_that_throws_has_failed_as_well) {
    int calls = 0;
    int asked = 0;
    auto const value = rouse::block_on(rouse::retry(
        rouse::backoff(1us).attempts(4),
        [&] {
            if (++calls < 3) throw std::runtime_error("no socket");
            return rouse::ready_future<int>(7);
        },
        [&](std::exception_ptr const&) {
            ++asked;
            return true;
        }));
    BOOST_TEST(value == 7);
    BOOST_TEST(calls == 3);
    BOOST_TEST(asked == 2);
}

BOOST_AUTO_TEST_CASE(only_what_is_worth_it_is_tried_again) {
    hand_time time;
    flaky f{100};
    auto one = retry(exact(0s), std::ref(f),
                     [](std::exception_ptr const& e) { return what_of(e) != std::string("attempt 2"); });
    BOOST_CHECK_EXCEPTION((void)time.poll(one), std::runtime_error, says("attempt 2"));

    int calls = 0;
    auto two = retry(exact(0s), [&] {
        ++calls;
        return rouse::map(rouse::ready_future(), [] {
            throw boost::system::system_error(boost::asio::error::operation_aborted);
        });
    });
    BOOST_CHECK_THROW((void)time.poll(two), boost::system::system_error);
    BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(pauses_grow_to_their_limit_and_are_shortened_by_chance) {
    auto pauses = exact(100ms).times(3).at_most(500ms).attempts(5);
    BOOST_TEST((pauses.next() == 100ms));
    BOOST_TEST((pauses.next() == 300ms));
    BOOST_TEST((pauses.next() == 500ms));
    BOOST_TEST((pauses.next() == 500ms));
    BOOST_TEST(!pauses.next());

    steady::duration least = 1h;
    steady::duration most = 0s;
    for (int n = 0; n < 1000; ++n) {
        auto const pause = *backoff(100ms).jitter(0.5).next();
        least = std::min(least, pause);
        most = std::max(most, pause);
    }
    BOOST_TEST((least >= 50ms && least < 60ms));
    BOOST_TEST((most <= 100ms && most > 90ms));
}

BOOST_AUTO_TEST_CASE(b80_b81_pauses_of_every_length) {
    BOOST_CHECK_THROW(backoff(-1ms), std::logic_error);
    BOOST_CHECK_THROW(backoff(1s).at_most(-1s), std::logic_error);
    BOOST_CHECK_THROW(backoff(1s).times(0.5), std::logic_error);
    BOOST_CHECK_THROW(backoff(1s).times(std::numeric_limits<double>::quiet_NaN()), std::logic_error);
    BOOST_CHECK_THROW(backoff(1s).attempts(0), std::logic_error);
    BOOST_CHECK_THROW(backoff(1s).jitter(-0.1), std::logic_error);
    BOOST_CHECK_THROW(backoff(1s).jitter(1.1), std::logic_error);
    auto longest = exact(std::chrono::hours::max() > 0h ? steady::duration::max() : 0s)
                       .at_most(std::chrono::hours::max())
                       .times(1e300)
                       .attempts(4);
    for (int n = 0; n < 3; ++n) BOOST_TEST((longest.next() == steady::duration::max()));

    hand_time time;
    flaky f{1};
    auto one = retry(exact(steady::duration::max()).at_most(steady::duration::max()), std::ref(f));
    BOOST_TEST(time.poll(one).is_pending());
    time.advance(24h * 365 * 100);
    BOOST_TEST(time.poll(one).is_pending());
}

BOOST_AUTO_TEST_CASE(aborted_the_attempt_lets_go) {
    hand_time time;
    loan l;
    l.cancels_needed = 2;
    auto one = retry(exact(1s), [&] { return lending(l); });
    BOOST_TEST(time.poll(one).is_pending());
    BOOST_TEST(time.cancel(one).is_pending());
    BOOST_TEST(!time.cancel(one).value());
    BOOST_TEST(l.dropped_in_flight == 0);

    // In a pause, and before the first attempt, nothing is in flight.
    flaky f{1};
    auto two = retry(exact(1s), std::ref(f));
    BOOST_TEST(!time.cancel(two).value());
    auto three = retry(exact(1s), std::ref(f));
    BOOST_TEST(time.poll(three).is_pending());
    BOOST_TEST(!time.cancel(three).value());
    BOOST_TEST(f.calls == 1);
}

BOOST_AUTO_TEST_CASE(b36_a_cancelled_task_does_not_wait_for_another_attempt) {
    hand_time time;
    flaky f{1};
    auto one = retry(exact(1h), std::ref(f));
    BOOST_TEST(time.poll(one).is_pending());
    time.cancellation.request(rouse::cancellation_type::total);
    BOOST_CHECK_EXCEPTION((void)time.poll(one), std::runtime_error, says("attempt 1"));
    BOOST_TEST(time.waiting() == 0U);
}

BOOST_AUTO_TEST_CASE(b36_a_cancelled_task_begins_no_other_attempt) {
    hand_time time;
    time.cancellation.request(rouse::cancellation_type::total);
    flaky f{100};
    auto one = retry(exact(0s), std::ref(f));
    BOOST_CHECK_EXCEPTION((void)time.poll(one), std::runtime_error, says("attempt 1"));
    BOOST_TEST(f.calls == 1);
}

BOOST_AUTO_TEST_CASE(the_function_lives_as_long_as_the_coroutines_that_it_makes) {
    hand_time time;
    gate g;
    auto one = retry(exact(0s), [&g, text = std::string(100, 'x')]() -> task<std::size_t> {
        co_await gate_future(g);
        co_return text.size();
    });
    BOOST_TEST(time.poll(one).is_pending());
    g.set();
    BOOST_TEST(time.poll(one).value() == 100U);
}

BOOST_AUTO_TEST_CASE(attempts_without_pauses_let_others_have_their_turn) {
    hand_time time;
    time.budget = 10;
    flaky f{1'000'000};
    auto one = retry(exact(0s).attempts(1'000'000), std::ref(f));
    BOOST_TEST(time.poll(one).is_pending());
    BOOST_TEST(f.calls == 11);
}

BOOST_AUTO_TEST_SUITE_END()
