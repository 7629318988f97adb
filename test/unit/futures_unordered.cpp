// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// futures_unordered: what it gives, whom it polls and how often, and how it lets go.

#include <support/unit_kit.hpp>

#include <rouse/futures_unordered.hpp>
#include <rouse/join.hpp>
#include <rouse/select.hpp>
#include <rouse/task.hpp>
#include <rouse/then.hpp>

#include <boost/test/unit_test.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_futures_unordered)

using rouse::futures_unordered;
using rouse::task;
using namespace rouse_test;

namespace {

// Gives its number once its gate is open.
class numbered {
public:
    numbered(gate& g, int n) : gate_(g), number_(n) {}
    rouse::poll_result<int> poll(rouse::context& cx) {
        if (gate_.poll(cx).is_pending()) return rouse::pending;
        if (number_ < 0) throw std::runtime_error("negative");
        return number_;
    }

private:
    gate_future gate_;
    int number_;
};

// Wakes itself at each poll.
class restless {
public:
    explicit restless(int& polls) : polls_(&polls) {}
    rouse::poll_result<int> poll(rouse::context& cx) {
        ++*polls_;
        cx.waker().wake_by_ref();
        return rouse::pending;
    }

private:
    int* polls_;
};

// The next value, by one poll; -1: pending; -2: the set is empty.
template <class F>
int next_of(futures_unordered<F>& set, rouse::waker const& waker = {}) {
    auto next = set.next();
    auto polled = poll_once(next, waker);
    if (polled.is_pending()) return -1;
    return polled.value() ? *polled.value() : -2;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_empty_set_gives_nothing_at_once) {
    futures_unordered<numbered> set;
    BOOST_TEST(set.empty());
    BOOST_TEST(next_of(set) == -2);
    auto next = set.next();
    BOOST_TEST(!cancel_once(next).value());
}

BOOST_AUTO_TEST_CASE(values_come_in_the_order_of_completion) {
    std::deque<gate> gates(4);
    futures_unordered<numbered> set;
    for (int n = 0; n < 4; ++n) set.push(numbered(gates[static_cast<std::size_t>(n)], n));
    BOOST_TEST(set.size() == 4U);
    BOOST_TEST(next_of(set) == -1);
    gates[2].set();
    BOOST_TEST(next_of(set) == 2);
    BOOST_TEST(set.size() == 3U);
    BOOST_TEST(next_of(set) == -1);
    gates[3].set();
    gates[0].set();
    BOOST_TEST(next_of(set) == 3);
    BOOST_TEST(next_of(set) == 0);
    gates[1].set();
    BOOST_TEST(next_of(set) == 1);
    BOOST_TEST(next_of(set) == -2);
}

BOOST_AUTO_TEST_CASE(those_only_are_polled_that_were_woken) {
    std::deque<gate> gates(100);
    wake_counter parent;
    rouse::waker const waker = parent.make();
    futures_unordered<numbered> set;
    for (int n = 0; n < 100; ++n) set.push(numbered(gates[static_cast<std::size_t>(n)], n));
    while (parent.wakes < 1) BOOST_TEST(next_of(set, waker) == -1);  // it takes turns
    BOOST_TEST(next_of(set, waker) == -1);
    for (auto const& g : gates) BOOST_TEST(g.polls == 1);
    parent.wakes = 0;
    gates[50].waiting.wake_by_ref();
    gates[50].waiting.wake_by_ref();
    gates[51].waiting.wake_by_ref();
    BOOST_TEST(parent.wakes == 1);
    BOOST_TEST(next_of(set, waker) == -1);
    BOOST_TEST(gates[50].polls == 2);
    BOOST_TEST(gates[51].polls == 2);
    BOOST_TEST(gates[52].polls == 1);
}

BOOST_AUTO_TEST_CASE(each_is_polled_once_at_most_in_a_poll) {
    int polls = 0;
    wake_counter parent;
    futures_unordered<restless> set;
    set.push(restless(polls));
    set.push(restless(polls));
    BOOST_TEST(next_of(set, parent.make()) == -1);
    BOOST_TEST(polls == 2);
    BOOST_TEST(parent.wakes > 0);
    BOOST_TEST(next_of(set, parent.make()) == -1);
    BOOST_TEST(polls == 4);
}

BOOST_AUTO_TEST_CASE(after_a_bounded_number_of_polls_it_asks_for_another_turn) {
    constexpr std::size_t count = 1000;
    std::deque<gate> gates(count);
    wake_counter parent;
    rouse::waker const waker = parent.make();
    futures_unordered<numbered> set;
    for (std::size_t n = 0; n < count; ++n) set.push(numbered(gates[n], 1));
    int turns = 1;
    for (int wakes = 0;; ++turns) {
        int before = 0;
        for (auto const& g : gates) before += g.polls;
        BOOST_REQUIRE(next_of(set, waker) == -1);
        int after = 0;
        for (auto const& g : gates) after += g.polls;
        BOOST_REQUIRE(after - before <= 64);
        if (parent.wakes == wakes) break;
        wakes = parent.wakes;
    }
    BOOST_TEST(turns == 16);
    for (auto const& g : gates) BOOST_TEST(g.polls == 1);
}

BOOST_AUTO_TEST_CASE(a_future_may_be_added_at_any_time) {
    gate first;
    gate second;
    futures_unordered<numbered> set;
    set.push(numbered(first, 1));
    BOOST_TEST(next_of(set) == -1);
    set.push(numbered(second, 2));
    second.open = true;
    BOOST_TEST(next_of(set) == 2);
    BOOST_TEST(first.polls == 1);
    first.set();
    BOOST_TEST(next_of(set) == 1);
    set.push(numbered(second, 3));
    BOOST_TEST(next_of(set) == 3);
}

BOOST_AUTO_TEST_CASE(it_may_move_between_awaits) {
    gate g;
    futures_unordered<numbered> set;
    set.push(numbered(g, 1));
    BOOST_TEST(next_of(set) == -1);
    futures_unordered<numbered> moved = std::move(set);
    g.set();
    BOOST_TEST(next_of(moved) == 1);
    set.push(numbered(g, 2));
    moved = std::move(set);
    BOOST_TEST(next_of(moved) == 2);
    BOOST_TEST(set.empty());
}

BOOST_AUTO_TEST_CASE(a_failure_is_thrown_and_the_others_stay) {
    gate g;
    futures_unordered<numbered> set;
    set.push(numbered(g, -5));
    set.push(numbered(g, 2));
    g.open = true;
    BOOST_CHECK_THROW(next_of(set), std::runtime_error);
    BOOST_TEST(set.size() == 1U);
    BOOST_TEST(next_of(set) == 2);
}

BOOST_AUTO_TEST_CASE(wakers_outlive_the_set) {
    std::deque<gate> gates(3);
    {
        wake_counter parent;
        futures_unordered<numbered> set;
        for (auto& g : gates) set.push(numbered(g, 1));
        BOOST_TEST(next_of(set, parent.make()) == -1);
        gates[0].waiting.wake_by_ref();  // is in the queue when the set goes
    }
    for (auto& g : gates) g.set();
}

BOOST_AUTO_TEST_CASE(dropped_it_drops_each_future_once) {
    std::deque<loan> loans(3);
    {
        futures_unordered<lending> set;
        for (auto& l : loans) set.push(lending(l));
        auto next = set.next();
        BOOST_TEST(poll_once(next).is_pending());
        loans[0].wake();
    }
    for (auto const& l : loans) {
        BOOST_TEST(l.dropped_in_flight == 1);
        BOOST_TEST(l.book.exactly_one_died());
    }
}

BOOST_AUTO_TEST_CASE(aborted_it_lets_all_go_and_is_empty) {
    std::deque<loan> loans(3);
    loans[1].cancels_needed = 2;
    futures_unordered<lending> set;
    for (auto& l : loans) set.push(lending(l));
    auto next = set.next();
    BOOST_TEST(poll_once(next).is_pending());
    BOOST_TEST(cancel_once(next).is_pending());
    BOOST_TEST(loans[0].released);
    BOOST_TEST(cancel_once(next).is_pending());
    BOOST_TEST(loans[1].cancels == 1);
    loans[1].wake();
    auto released = cancel_once(next);
    BOOST_REQUIRE(released.is_ready());
    BOOST_TEST(!released.value());
    BOOST_TEST(set.empty());
    for (auto const& l : loans) {
        BOOST_TEST(l.dropped_in_flight == 0);
        BOOST_TEST(l.book.exactly_one_died());
    }
    loan again;
    again.done = true;
    set.push(lending(again));
    BOOST_TEST(next_of(set) == 7);
}

BOOST_AUTO_TEST_CASE(b36_aborted_it_keeps_a_value_that_is_there_after_all) {
    std::deque<loan> loans(3);
    futures_unordered<lending> set;
    for (auto& l : loans) set.push(lending(l));
    auto next = set.next();
    BOOST_TEST(poll_once(next).is_pending());
    loans[0].done = loans[0].throws = true;
    loans[1].done = true;
    loans[1].value = 8;
    auto released = cancel_once(next);
    BOOST_REQUIRE(released.is_ready());
    BOOST_REQUIRE(released.value().has_value());
    BOOST_TEST(released.value()->value() == 8);

    loan alone;
    set.push(lending(alone));
    auto other = set.next();
    BOOST_TEST(poll_once(other).is_pending());
    alone.done = alone.throws = true;
    BOOST_CHECK_THROW((void)cancel_once(other), std::runtime_error);
}

// A poll that does nothing, since the budget is spent, is one: what is in flight from before is let go.
BOOST_AUTO_TEST_CASE(aborted_after_a_poll_without_budget_it_lets_all_go) {
    loan in_flight;
    rouse::futures_unordered<lending> set;
    set.push(lending(in_flight));
    {
        auto first = set.next();
        BOOST_TEST(poll_once(first).is_pending());
    }
    rouse::waker const nobody;
    rouse::cancellation_state cancellation;
    rouse::poll_root root;
    root.waker = &nobody;
    root.cancellation = &cancellation;
    root.budget = 0;
    rouse::context cx(root);
    auto next = set.next();
    BOOST_TEST(next.poll(cx).is_pending());
    BOOST_TEST(in_flight.polls == 1);
    BOOST_TEST(next.poll_cancel(cx).is_ready());
    BOOST_TEST(in_flight.cancels == 1);
    BOOST_TEST(in_flight.dropped_in_flight == 0);
    BOOST_TEST(set.empty());
}

BOOST_AUTO_TEST_CASE(b94_a_select_that_it_loses_leaves_the_set_as_it_is) {
    loan l;
    gate g;
    futures_unordered<lending> set;
    set.push(lending(l));
    auto one = rouse::select(set.next(), gate_future(g));
    BOOST_TEST(poll_once(one).is_pending());
    g.set();
    BOOST_TEST(poll_once(one).value().index() == 1U);
    BOOST_TEST(l.cancels == 0);
    BOOST_TEST(set.size() == 1U);
    l.finish();
    BOOST_TEST(next_of(set) == 7);

    // But if the select is aborted, so are the futures.
    loan doomed;
    set.push(lending(doomed));
    auto two = rouse::select(set.next(), rouse::pending_future<>());
    BOOST_TEST(poll_once(two).is_pending());
    BOOST_TEST(cancel_once(two).is_ready());
    BOOST_TEST(doomed.cancels == 1);
    BOOST_TEST(set.empty());
}

// The adaptors between the select and the set do not know of each other.
BOOST_AUTO_TEST_CASE(the_loss_of_what_is_made_of_the_next_value_leaves_the_set_as_it_is) {
    std::deque<loan> loans(3);
    futures_unordered<lending> set;
    for (auto& l : loans) set.push(lending(l));
    auto const value = [](std::optional<int> v) { return v.value_or(-1); };
    {
        gate ready;
        auto one = rouse::select(rouse::map(set.next(), value), gate_future(ready));
        BOOST_TEST(poll_once(one).is_pending());
        ready.set();
        BOOST_TEST(poll_once(one).value().index() == 1U);
    }
    {
        gate ready;
        loan beside;
        auto one = rouse::select(rouse::join(rouse::map(set.next(), value), lending(beside)),
                                 gate_future(ready));
        BOOST_TEST(poll_once(one).is_pending());
        ready.set();
        BOOST_TEST(poll_once(one).value().index() == 1U);
        BOOST_TEST(beside.cancels == 1);  // who is owned has lost for good
    }
    {
        gate ready;
        auto one = rouse::select(rouse::select(rouse::join(set.next()), rouse::pending_future<>()),
                                 gate_future(ready));
        BOOST_TEST(poll_once(one).is_pending());
        ready.set();
        BOOST_TEST(poll_once(one).value().index() == 1U);
    }
    for (auto const& l : loans) BOOST_TEST(l.cancels == 0);
    BOOST_TEST(set.size() == 3U);
    loans[1].finish();
    BOOST_TEST(next_of(set) == 7);
    BOOST_TEST(set.size() == 2U);

    // Aborted, all is told, through the same adaptors.
    auto doomed = rouse::select(rouse::join(rouse::map(set.next(), value)), rouse::pending_future<>());
    BOOST_TEST(poll_once(doomed).is_pending());
    BOOST_TEST(cancel_once(doomed).is_ready());
    BOOST_TEST(loans[0].cancels == 1);
    BOOST_TEST(loans[2].cancels == 1);
    BOOST_TEST(set.empty());
    for (auto const& l : loans) BOOST_TEST(l.dropped_in_flight == 0);
}

BOOST_AUTO_TEST_CASE(a_next_that_was_never_polled_is_aborted_without_a_trace) {
    loan l;
    futures_unordered<lending> set;
    set.push(lending(l));
    BOOST_TEST(next_of(set) == -1);  // in flight
    auto next = set.next();
    auto released = cancel_once(next);
    BOOST_REQUIRE(released.is_ready());
    BOOST_TEST(!released.value());
    BOOST_TEST(l.cancels == 0);
    BOOST_TEST(set.size() == 1U);
    l.finish();
    BOOST_TEST(next_of(set) == 7);
}

// Its frame goes, and the set with it.
BOOST_AUTO_TEST_CASE(a_coroutine_that_owns_the_set_and_loses_has_all_of_it_let_go) {
    std::deque<loan> loans(3);
    loans[1].cancels_needed = 2;
    gate ready;
    auto const owner = [&]() -> task<int> {
        futures_unordered<lending> set;
        for (auto& l : loans) set.push(lending(l));
        auto first = co_await rouse::map(set.next(), [](std::optional<int> v) { return *v; });
        co_return first;
    };
    auto one = rouse::select(rouse::join(owner()), gate_future(ready));
    BOOST_TEST(poll_once(one).is_pending());
    ready.set();
    BOOST_TEST(poll_once(one).is_pending());
    for (auto const& l : loans) BOOST_TEST(l.cancels == 1);
    loans[1].wake();
    BOOST_TEST(poll_once(one).value().index() == 1U);
    for (auto const& l : loans) {
        BOOST_TEST(l.dropped_in_flight == 0);
        BOOST_TEST(l.book.exactly_one_died());
    }
}

BOOST_AUTO_TEST_CASE(what_an_abort_has_begun_the_following_next_ends) {
    std::deque<loan> loans(3);
    for (auto& l : loans) l.cancels_needed = 2;
    futures_unordered<lending> set;
    for (auto& l : loans) set.push(lending(l));
    {
        auto next = set.next();
        BOOST_TEST(poll_once(next).is_pending());
        BOOST_TEST(cancel_once(next).is_pending());
    }
    // Nobody is polled any more, woken or not.
    wake_counter parent;
    loans[2].wake();
    BOOST_TEST(next_of(set, parent.make()) == -1);
    BOOST_TEST(loans[2].released);
    BOOST_TEST(!loans[0].released);
    loans[0].wake();
    BOOST_TEST(parent.wakes == 1);
    loans[1].wake();
    BOOST_TEST(next_of(set, parent.make()) == -2);
    BOOST_TEST(set.empty());
    for (auto const& l : loans) {
        BOOST_TEST(l.polls == 1);
        BOOST_TEST(l.cancels == 2);
        BOOST_TEST(l.dropped_in_flight == 0);
        BOOST_TEST(l.book.exactly_one_died());
    }
    // And it is as good as new.
    loan again;
    set.push(lending(again));
    BOOST_TEST(next_of(set) == -1);
    again.finish();
    BOOST_TEST(next_of(set) == 7);
}

BOOST_AUTO_TEST_CASE(who_waits_is_woken_for_a_future_that_a_sibling_adds) {
    hand_executor executor;
    gate never;
    gate go;
    gate at_once;
    at_once.open = true;
    auto handle = executor.spawn([&]() -> task<int> {
        futures_unordered<numbered> set;
        set.push(numbered(never, 1));
        auto const push_later = [&]() -> task<> {
            co_await gate_future(go);
            set.push(numbered(at_once, 2));
        };
        auto [value, nothing] = co_await rouse::join(set.next(), push_later());
        static_cast<void>(nothing);
        co_return value.value_or(-2);
    });
    executor.run_all();
    BOOST_TEST(!handle.is_finished());
    go.set();
    executor.run_all();
    BOOST_REQUIRE(handle.is_finished());
    BOOST_TEST(poll_once(handle).value() == 2);
    BOOST_TEST(never.polls == 1);
}

BOOST_AUTO_TEST_CASE(b36_a_change_of_the_cancellation_has_all_polled) {
    rouse::cancellation_state cancellation;
    rouse::waker const nobody;
    std::deque<gate> gates(3);
    futures_unordered<numbered> set;
    for (auto& g : gates) set.push(numbered(g, 1));
    auto const poll = [&] {
        rouse::poll_root root;
        root.waker = &nobody;
        root.cancellation = &cancellation;
        rouse::context cx(root);
        auto next = set.next();
        return next.poll(cx).is_ready();
    };
    BOOST_TEST(!poll());
    BOOST_TEST(!poll());
    for (auto const& g : gates) BOOST_TEST(g.polls == 1);
    cancellation.request(rouse::cancellation_type::terminal);
    BOOST_TEST(!poll());
    for (auto const& g : gates) BOOST_TEST(g.polls == 2);
    BOOST_TEST(!poll());
    for (auto const& g : gates) BOOST_TEST(g.polls == 2);
}

BOOST_AUTO_TEST_CASE(values_that_cannot_be_copied_and_none_at_all) {
    futures_unordered<task<std::unique_ptr<int>>> pointers;
    pointers.push([]() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); }());
    auto next = pointers.next();
    auto polled = poll_once(next);
    BOOST_REQUIRE(polled.value().has_value());
    BOOST_TEST(**polled.value() == 3);

    futures_unordered<rouse::ready_future<>> nothings;
    nothings.push(rouse::ready_future());
    auto one = nothings.next();
    BOOST_TEST(poll_once(one).value().has_value());
}

BOOST_AUTO_TEST_CASE(a_task_that_waits_for_a_set_is_aborted) {
    hand_executor executor;
    loan l;
    l.cancels_needed = 2;
    auto handle = executor.spawn([&]() -> task<int> {
        futures_unordered<lending> set;
        set.push(lending(l));
        int sum = 0;
        while (auto value = co_await set.next()) sum += *value;
        co_return sum;
    });
    executor.run_all();
    handle.abort();
    executor.run_all();
    BOOST_TEST(!handle.is_finished());
    l.wake();
    executor.run_all();
    BOOST_TEST(handle.is_finished());
    BOOST_TEST(l.dropped_in_flight == 0);
    BOOST_TEST(l.book.exactly_one_died());
}

BOOST_AUTO_TEST_SUITE_END()
