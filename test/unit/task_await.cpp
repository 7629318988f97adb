// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What a coroutine may await, what a poll of it does then, and what it says about where it waits.

#include <boost/test/unit_test.hpp>
#include <rouse/any_future.hpp>
#include <rouse/task.hpp>
#include <stdexcept>
#include <support/unit_kit.hpp>
#include <support/unit_task.hpp>

BOOST_AUTO_TEST_SUITE(test_task_await)

using rouse::context;
using rouse::poll_fn;
using rouse::poll_result;
using rouse::ready_future;
using rouse::task;
using namespace rouse_test;

// --- awaiting -------------------------------------------------------------------------------

namespace {

task<int> leaf_at_depth(int depth, gate& g) {
    if (depth == 0) {
        co_await gate_future(g);
        co_return 0;
    }
    int const below = co_await leaf_at_depth(depth - 1, g);
    co_return below + 1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(b19_a_poll_polls_the_innermost_future_once_whatever_the_depth) {
    gate g;
    wake_counter counter;
    rouse::waker w = counter.make();
    auto t = leaf_at_depth(100, g);
    for (int polls = 1; polls <= 5; ++polls) {
        BOOST_TEST(poll_once(t, w).is_pending());
        BOOST_TEST(g.polls == polls);
    }
    g.set();
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(poll_once(t, w).value() == 100);
    BOOST_TEST(g.polls == 6);
}

BOOST_AUTO_TEST_CASE(b20_only_the_latest_waker_is_woken_and_spurious_polls_do_no_harm) {
    gate g;
    wake_counter first;
    wake_counter second;
    {
        auto t = leaf_at_depth(3, g);
        rouse::waker a = first.make();
        rouse::waker b = second.make();
        BOOST_TEST(poll_once(t, a).is_pending());
        BOOST_TEST(poll_once(t, a).is_pending());
        BOOST_TEST(poll_once(t, b).is_pending());
        BOOST_TEST(first.live == 1);  // ours: the future has released it
        g.set();
        BOOST_TEST(first.wakes == 0);
        BOOST_TEST(second.wakes == 1);
        BOOST_TEST(poll_once(t, b).is_ready());
    }
    BOOST_TEST(first.live == 0);
    BOOST_TEST(second.live == 0);
}

BOOST_AUTO_TEST_CASE(awaits_temporaries_moved_and_named_futures) {
    auto body = []() -> task<int> {
        int sum = co_await ready_future(1);
        ready_future<int> given(2);
        sum += co_await std::move(given);
        ready_future<int> named(4);
        sum += co_await named;
        rouse::any_future<int> erased = ready_future(8);
        sum += co_await erased;
        rouse::any_future<int> moved = ready_future(16);
        sum += co_await std::move(moved);
        int starts = 0;
        task<int> child = seven(starts);
        sum += co_await child;
        task<int> other = seven(starts);
        sum += co_await std::move(other);
        sum += co_await pending_times(2);
        co_return sum;
    };
    auto t = body();
    BOOST_TEST(poll_to_the_end(t).value() == 31 + 14 + 3);
}

BOOST_AUTO_TEST_CASE(a_named_future_may_be_polled_before_it_is_awaited) {
    gate g;
    auto body = [](gate& event) -> task<int> {
        task<int> child = leaf_at_depth(2, event);
        auto once = [&child](context& cx) -> poll_result<void> {
            if (child.poll(cx).is_ready()) throw std::logic_error("too early");
            return rouse::ready();
        };
        poll_fn first_look(once);
        co_await first_look;
        co_return co_await child;
    };
    auto t = body(g);
    BOOST_TEST(poll_once(t).is_pending());
    BOOST_TEST(g.polls == 2);  // by hand, and awaited
    BOOST_TEST(poll_once(t).is_pending());
    BOOST_TEST(g.polls == 3);
    g.set();
    BOOST_TEST(poll_once(t).value() == 2);
}

BOOST_AUTO_TEST_CASE(a_named_task_that_was_polled_before_may_be_ready_when_it_is_awaited) {
    gate g;
    auto body = [](gate& event) -> task<int> {
        task<int> child = leaf_at_depth(2, event);
        auto once = [&child](context& cx) -> poll_result<void> {
            (void)child.poll(cx);
            return rouse::ready();
        };
        poll_fn first_look(once);
        co_await first_look;
        event.set();
        co_return co_await child;
    };
    auto t = body(g);
    BOOST_TEST(poll_once(t).value() == 2);
}

BOOST_AUTO_TEST_CASE(a_task_inside_an_any_future_inside_a_task) {
    gate g;
    auto body = [](gate& event) -> task<int> {
        rouse::any_future<int> child = leaf_at_depth(2, event);
        co_return 10 + co_await child;
    };
    auto t = body(g);
    BOOST_TEST(poll_once(t).is_pending());
    g.set();
    BOOST_TEST(poll_once(t).value() == 12);
}

// --- where it waits -------------------------------------------------------------------------

namespace {

struct lines {
    unsigned direct = 0;
    unsigned nested = 0;
    unsigned outer = 0;
};

task<> waits_here(gate& g, lines& l) {
    l.nested = __LINE__ + 1;
    co_await gate_future(g);
}

template <class F>
unsigned awaiting_line(F& f) {
    rouse::waker w;
    context cx(w);
    BOOST_TEST(f.poll(cx).is_pending());
    return cx.root().awaiting.line();
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_context_says_where_the_innermost_pending_await_stands) {
    gate first;
    gate second;
    lines l;
    auto body = [](gate& a, gate& b, lines& where) -> task<> {
        where.direct = __LINE__ + 1;
        co_await gate_future(a);
        where.outer = __LINE__ + 1;
        co_await waits_here(b, where);
    };
    auto t = body(first, second, l);
    BOOST_TEST(awaiting_line(t) == l.direct);
    BOOST_TEST(awaiting_line(t) == l.direct);
    first.set();
    BOOST_TEST(awaiting_line(t) == l.nested);
    BOOST_TEST(awaiting_line(t) == l.nested);
    BOOST_TEST(l.nested != l.outer);
    second.set();
    BOOST_TEST(poll_once(t).is_ready());
}

BOOST_AUTO_TEST_CASE(the_innermost_await_is_named_through_erased_and_named_tasks_too) {
    gate g;
    gate last;
    lines l;
    auto body = [](gate& a, gate& b, lines& where) -> task<> {
        rouse::any_future<> erased = waits_here(a, where);
        co_await erased;
        where.direct = __LINE__ + 1;
        co_await gate_future(b);
    };
    auto t = body(g, last, l);
    BOOST_TEST(awaiting_line(t) == l.nested);
    BOOST_TEST(awaiting_line(t) == l.nested);
    g.set();
    BOOST_TEST(awaiting_line(t) == l.direct);  // nothing of the last wait is left
    last.set();
    BOOST_TEST(poll_once(t).is_ready());
}

BOOST_AUTO_TEST_SUITE_END()
