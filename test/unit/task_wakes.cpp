// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// When a spawned future is polled: the first time, for each wake, and after it has given way. On an
// executor that the test drives by hand.

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <string>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>
#include <support/unit_task.hpp>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_task_wakes)

using rouse::context;
using rouse::pending;
using rouse::poll_fn;
using rouse::poll_result;
using rouse::schedule_reason;
using rouse::task;
using namespace rouse_test;

// --- polls and wakes ------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(b19_one_initial_poll_and_one_for_each_wake) {
    hand_executor ex;
    gate g;
    auto handle = ex.spawn(gate_future(g));
    BOOST_TEST(g.polls == 0);  // nothing before the executor runs it
    BOOST_TEST(ex.run_all() == 1);
    BOOST_TEST(g.polls == 1);
    for (int wakes = 1; wakes <= 5; ++wakes) {
        g.waiting.wake_by_ref();
        BOOST_TEST(ex.queued() == 1U);
        BOOST_TEST(g.polls == wakes);
        BOOST_TEST(ex.run_all() == 1);
        BOOST_TEST(g.polls == wakes + 1);
    }
    g.set();
    BOOST_TEST(ex.run_all() == 1);
    BOOST_TEST(g.polls == 7);
    BOOST_TEST(poll_once(handle).is_ready());
    BOOST_TEST(ex.done == 1);
    auto const reasons = ex.reasons();
    BOOST_TEST((reasons.front() == schedule_reason::spawned));
    BOOST_TEST((reasons.back() == schedule_reason::woken));
}

BOOST_AUTO_TEST_CASE(b01_a_wake_during_its_own_poll_makes_exactly_one_more_poll_not_nested) {
    hand_executor ex;
    int polls = 0;
    int depth = 0;
    int deepest = 0;
    rouse::waker kept;
    auto handle = ex.spawn(never([&](context& cx) {
        deepest = std::max(deepest, ++depth);
        kept = cx.waker();
        if (++polls == 1) cx.waker().wake_by_ref();
        --depth;
    }));
    BOOST_TEST(ex.run_all() == 1);
    BOOST_TEST(polls == 2);
    BOOST_TEST(deepest == 1);
    BOOST_TEST(ex.queued() == 0U);
}

BOOST_AUTO_TEST_CASE(b01_a_future_that_wakes_itself_is_polled_again_three_times_and_then_queues) {
    hand_executor ex;
    int polls = 0;
    int others = 0;
    auto greedy = ex.spawn(never([&](context& cx) {
        ++polls;
        cx.waker().wake_by_ref();
    }));
    auto other = ex.spawn(poll_fn([&](context&) -> poll_result<void> {
        ++others;
        return rouse::ready();
    }));
    BOOST_TEST(ex.run_one());
    BOOST_TEST(polls == 4);
    BOOST_TEST(others == 0);
    BOOST_TEST(ex.queued() == 2U);
    BOOST_TEST(ex.run_one());  // the other has its turn
    BOOST_TEST(others == 1);
    BOOST_TEST(ex.run_one());
    BOOST_TEST(polls == 8);
    BOOST_TEST((ex.reasons().back() == schedule_reason::yielded));
    greedy.abort();
    ex.run_all();
    BOOST_TEST(is_aborted(greedy));
    BOOST_TEST(poll_once(other).is_ready());
}

BOOST_AUTO_TEST_CASE(b02_a_wake_from_another_thread_during_a_poll_is_requeued_by_the_poller_only) {
    hand_executor ex;
    int polls = 0;
    std::size_t queued_during_poll = 99;
    auto handle = ex.spawn(never([&](context& cx) {
        if (++polls > 1) return;
        std::thread other([w = cx.waker()] { w.wake_by_ref(); });
        other.join();
        queued_during_poll = ex.queued();
        cx.yield();  // so that the second poll goes through the queue
    }));
    BOOST_TEST(ex.run_one());
    BOOST_TEST(queued_during_poll == 0U);
    BOOST_TEST(ex.queued() == 1U);
    BOOST_TEST(ex.run_all() == 1);
    BOOST_TEST(polls == 2);
}

BOOST_AUTO_TEST_CASE(b03_many_wakes_during_one_poll_make_one_more_poll) {
    hand_executor ex;
    int polls = 0;
    rouse::waker kept;
    auto handle = ex.spawn(never([&](context& cx) {
        kept = cx.waker();
        if (++polls > 1) return;
        for (int i = 0; i < 100; ++i) cx.waker().wake_by_ref();
        for (int i = 0; i < 100; ++i) rouse::waker(cx.waker()).wake();
    }));
    BOOST_TEST(ex.run_all() == 1);
    BOOST_TEST(polls == 2);
}

BOOST_AUTO_TEST_CASE(b03_many_wakes_while_queued_make_one_queue_entry) {
    hand_executor ex;
    gate g;
    auto handle = ex.spawn(gate_future(g));
    BOOST_TEST(ex.queued() == 1U);
    ex.run_all();
    for (int i = 0; i < 100; ++i) g.waiting.wake_by_ref();
    for (int i = 0; i < 100; ++i) rouse::waker(g.waiting).wake();
    BOOST_TEST(ex.queued() == 1U);
    BOOST_TEST(ex.run_all() == 1);
    BOOST_TEST(g.polls == 2);
}

BOOST_AUTO_TEST_CASE(b05_a_wake_of_an_already_woken_task_makes_its_writes_visible) {
    int const rounds = scaled(2000);
    int wrong = 0;
    for (int round = 0; round < rounds; ++round) {
        hand_executor ex;
        gate g;
        int seen = -1;
        int data = 0;  // not atomic: the wake publishes it
        std::atomic<bool> second_has_woken{false};
        auto handle = ex.spawn(poll_fn([&](context& cx) -> poll_result<void> {
            if (!g.open) {
                g.open = true;
                g.waiting = cx.waker();
                return pending;
            }
            seen = data;
            return rouse::ready();
        }));
        ex.run_all();
        g.waiting.wake_by_ref();           // it is queued now
        rouse::waker const w = g.waiting;  // outlives the thread: no drop must publish
        std::thread second([&] {
            data = 5;
            w.wake_by_ref();
            second_has_woken.store(true, std::memory_order_relaxed);  // orders nothing
        });
        while (!second_has_woken.load(std::memory_order_relaxed)) std::this_thread::yield();
        ex.run_all();
        second.join();
        if (seen != 5) ++wrong;
        g.waiting = {};
    }
    BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(b06_a_wake_after_completion_does_nothing) {
    hand_executor ex;
    gate g;
    auto handle = ex.spawn(gate_future(g));
    ex.run_all();
    rouse::waker late = g.waiting;
    rouse::waker later = late;
    g.set();
    ex.run_all();
    BOOST_TEST(poll_once(handle).is_ready());
    late.wake_by_ref();
    std::move(late).wake();
    rouse::waker copy = later;
    copy.wake_by_ref();
    BOOST_TEST(ex.queued() == 0U);
    BOOST_TEST(g.polls == 2);
}

BOOST_AUTO_TEST_CASE(b06_a_wake_after_an_abort_and_after_the_executor_is_gone_does_nothing) {
    rouse::waker late;
    {
        hand_executor ex;
        gate g;
        auto handle = ex.spawn(gate_future(g));
        ex.run_all();
        late = g.waiting;
        g.waiting = {};
        handle.abort();
        ex.run_all();
        BOOST_TEST(is_aborted(handle));
        late.wake_by_ref();
        BOOST_TEST(ex.queued() == 0U);
        BOOST_TEST(ex.done == 1);
    }
    late.wake_by_ref();
    rouse::waker copy = late;
    std::move(copy).wake();
    std::move(late).wake();
}

BOOST_AUTO_TEST_CASE(b07_wakers_of_one_task_are_equal_and_those_of_two_are_not) {
    hand_executor ex;
    gate a;
    gate b;
    auto first = ex.spawn(gate_future(a));
    auto second = ex.spawn(gate_future(b));
    ex.run_all();
    rouse::waker copy = a.waiting;
    BOOST_TEST(copy.will_wake(a.waiting));
    BOOST_TEST(!copy.will_wake(b.waiting));
    BOOST_TEST(std::string(copy.vtable()->name) == "rouse task");
    a.waiting = {};
    b.waiting = {};
}

// --- budget and yield -----------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_yield_always_goes_through_the_queue_behind_the_others) {
    hand_executor ex;
    std::string order;
    auto body = [](std::string& o, char name) -> task<> {
        for (int i = 0; i < 3; ++i) {
            o += name;
            co_await rouse::this_task::yield_now();
        }
    };
    auto a = ex.spawn(body(order, 'a'));
    auto b = ex.spawn(body(order, 'b'));
    BOOST_TEST(ex.run_all() == 8);
    BOOST_TEST(order == "ababab");
    auto const reasons = ex.reasons();
    BOOST_TEST((reasons[2] == schedule_reason::yielded));
    BOOST_TEST(poll_once(a).is_ready());
    BOOST_TEST(poll_once(b).is_ready());
}

BOOST_AUTO_TEST_CASE(each_poll_has_a_budget_and_who_spends_it_queues) {
    hand_executor ex;
    int spent = 0;
    auto eager = [](int& n) -> task<> {
        for (int i = 0; i < 300; ++i) {
            auto one = [&n](context& cx) -> poll_result<void> {
                if (!cx.spend()) return pending;
                ++n;
                return rouse::ready();
            };
            poll_fn operation(one);
            co_await operation;
        }
    };
    auto handle = ex.spawn(eager(spent));
    BOOST_TEST(ex.run_one());
    BOOST_TEST(spent == 128);
    BOOST_TEST(ex.queued() == 1U);
    BOOST_TEST((ex.reasons().back() == schedule_reason::yielded));
    BOOST_TEST(ex.run_one());
    BOOST_TEST(spent == 256);
    BOOST_TEST(ex.run_all() == 1);
    BOOST_TEST(spent == 300);
    BOOST_TEST(poll_once(handle).is_ready());
}

BOOST_AUTO_TEST_CASE(a_budget_is_fresh_at_each_poll_at_once) {
    hand_executor ex;
    std::vector<unsigned> budgets;
    auto handle = ex.spawn(never([&](context& cx) {
        budgets.push_back(cx.root().budget);
        (void)cx.spend();
        cx.waker().wake_by_ref();
    }));
    BOOST_TEST(ex.run_one());
    BOOST_TEST(budgets == std::vector<unsigned>(4, 128U), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
