// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// delay_queue, with a clock that the test moves.

#include <support/unit_kit.hpp>
#include <support/unit_time.hpp>

#include <rouse/delay_queue.hpp>
#include <rouse/task.hpp>

#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_delay_queue)

using rouse::delay_queue;
using namespace rouse_test;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

namespace {

auto const begin = hand_time::begin();

// What is there; "" if it is pending, "-" if the queue is empty.
std::string next_of(hand_time& time, delay_queue<std::string>& queue, rouse::waker const& w = {}) {
    auto next = queue.next();
    auto polled = time.poll(next, w);
    if (polled.is_pending()) return "";
    return polled.value().value_or("-");
}

}  // namespace

BOOST_AUTO_TEST_CASE(values_come_in_the_order_of_their_times) {
    hand_time time;
    delay_queue<std::string> queue;
    BOOST_TEST(next_of(time, queue) == "-");
    queue.insert_at("c", begin + 30ms);
    queue.insert_at("a", begin + 10ms);
    queue.insert_at("b", begin + 20ms);
    queue.insert_at("a2", begin + 10ms);
    BOOST_TEST(queue.size() == 4U);
    BOOST_TEST(next_of(time, queue) == "");
    time.advance(10ms);
    BOOST_TEST(next_of(time, queue) == "a");
    BOOST_TEST(next_of(time, queue) == "a2");
    BOOST_TEST(next_of(time, queue) == "");
    time.advance(1h);
    BOOST_TEST(next_of(time, queue) == "b");
    BOOST_TEST(next_of(time, queue) == "c");
    BOOST_TEST(next_of(time, queue) == "-");
    BOOST_TEST(queue.empty());
}

BOOST_AUTO_TEST_CASE(who_waits_is_woken_by_the_time_and_by_an_earlier_value) {
    hand_time time;
    wake_counter counter;
    delay_queue<std::string> queue;
    queue.insert_at("late", begin + 1h);
    {
        auto next = queue.next();
        BOOST_TEST(time.poll(next, counter.make()).is_pending());
        BOOST_TEST(time.waiting() == 1U);
        queue.insert_at("early", begin + 10ms);
        BOOST_TEST(counter.wakes == 1);
        BOOST_TEST(time.poll(next, counter.make()).is_pending());
        time.advance(11ms);
        BOOST_TEST(counter.wakes == 2);
        BOOST_TEST(*time.poll(next).value() == "early");
    }
    BOOST_TEST(time.waiting() == 0U);
    BOOST_TEST(counter.live == 0);
    BOOST_TEST(next_of(time, queue, counter.make()) == "");
    BOOST_TEST(counter.live == 0);  // dropped while pending
    time.advance(1h);
    BOOST_TEST(next_of(time, queue) == "late");
}

// Its time has come, and who waits for it was woken, and goes: it is there for the next one.
BOOST_AUTO_TEST_CASE(b94_a_value_that_one_was_woken_for_comes_to_the_next) {
    hand_time time;
    wake_counter counter;
    delay_queue<std::string> queue;
    queue.insert_at("a", begin + 10ms);
    {
        auto next = queue.next();
        BOOST_TEST(time.poll(next, counter.make()).is_pending());
        time.advance(11ms);
        BOOST_TEST(counter.wakes == 1);
    }
    BOOST_TEST(queue.size() == 1U);
    BOOST_TEST(next_of(time, queue) == "a");
    BOOST_TEST(counter.live == 0);
}

// A future that has had its value has nothing to do with those that follow.
BOOST_AUTO_TEST_CASE(the_future_of_an_old_value_goes_and_the_next_one_comes) {
    hand_time time;
    wake_counter counter;
    delay_queue<std::string> queue;
    queue.insert_at("a", begin);
    queue.insert_at("b", begin + 1h);
    std::optional old(queue.next());
    BOOST_TEST(time.poll(*old).is_ready());
    auto next = queue.next();
    BOOST_TEST(time.poll(next, counter.make()).is_pending());
    old.reset();
    BOOST_TEST(time.waiting() == 1U);
    queue.insert_at("c", begin + 1ms);
    BOOST_TEST(counter.wakes == 1);
}

BOOST_AUTO_TEST_CASE(a_value_is_removed_or_put_off) {
    hand_time time;
    delay_queue<std::string> queue;
    auto const a = queue.insert_at("a", begin + 10ms);
    auto const b = queue.insert_at("b", begin + 20ms);
    BOOST_TEST(queue.remove(a).value() == "a");
    BOOST_TEST(!queue.remove(a));
    BOOST_TEST(!queue.reset(a, 1s));
    time.advance(15ms);
    BOOST_TEST(next_of(time, queue) == "");
    // Outside of a task it is by the steady clock.
    BOOST_TEST(queue.reset(b, 24h));
    BOOST_TEST(queue.size() == 1U);
    time.advance(1h);
    BOOST_TEST(queue.remove(b).value() == "b");

    delay_queue<std::string> other;
    auto const c = other.insert_at("c", begin);
    BOOST_TEST(!queue.remove(c));
    BOOST_TEST(!queue.remove({}));
    BOOST_TEST(next_of(time, other) == "c");
    BOOST_TEST(!other.remove(c));
}

BOOST_AUTO_TEST_CASE(who_waits_hears_that_nothing_is_left) {
    hand_time time;
    wake_counter counter;
    delay_queue<std::string> queue;
    auto const only = queue.insert_at("a", begin + 1h);
    auto next = queue.next();
    BOOST_TEST(time.poll(next, counter.make()).is_pending());
    BOOST_TEST(queue.remove(only).has_value());
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(!time.poll(next).value());
}

BOOST_AUTO_TEST_CASE(a_key_outlives_value_and_queue) {
    delay_queue<std::unique_ptr<int>>::key k;
    {
        delay_queue<std::unique_ptr<int>> queue;
        k = queue.insert(std::make_unique<int>(3), 1s);
    }
    delay_queue<std::unique_ptr<int>> other;
    BOOST_TEST(!other.remove(k));
}

BOOST_AUTO_TEST_CASE(b80_b81_delays_of_every_length) {
    hand_time time;
    delay_queue<std::string> queue;
    queue.insert("max", std::chrono::hours::max());
    queue.insert_at("never", steady::time_point::max());
    BOOST_TEST(next_of(time, queue) == "");
    time.advance(std::chrono::hours(24 * 365 * 100));
    BOOST_TEST(next_of(time, queue) == "");
    queue.insert_at("past", steady::time_point::min());
    BOOST_TEST(next_of(time, queue) == "past");
    queue.insert("negative", -1h);
    BOOST_TEST(next_of(time, queue) == "negative");
}

BOOST_AUTO_TEST_CASE(a_task_inserts_by_the_clock_of_its_runtime) {
    hand_time time;
    hand_executor executor;
    executor.services = &time;
    std::vector<std::string> seen;
    auto const handle = executor.spawn([&]() -> rouse::task<> {
        delay_queue<std::string> queue;
        queue.insert("b", 20ms);
        auto const a = queue.insert("a", 1h);
        queue.reset(a, 10ms);
        while (auto value = co_await queue.next()) seen.push_back(*value);
    });
    executor.run_all();
    BOOST_TEST(seen.empty());
    time.advance(11ms);
    executor.run_all();
    BOOST_TEST(seen == std::vector<std::string>{"a"});
    time.advance(10ms);
    executor.run_all();
    BOOST_TEST(handle.is_finished());
    BOOST_TEST(seen.size() == 2U);
}

BOOST_AUTO_TEST_CASE(b36_a_cancelled_task_gets_no_value) {
    hand_time time;
    delay_queue<std::string> queue;
    queue.insert_at("a", begin);
    time.cancellation.request(rouse::cancellation_type::total);
    BOOST_CHECK_THROW(next_of(time, queue), boost::system::system_error);
    time.cancellation.clear();
    BOOST_TEST(next_of(time, queue) == "a");
}

BOOST_AUTO_TEST_SUITE_END()
