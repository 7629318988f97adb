// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A spawned future that is aborted at every moment of its life, on an executor that the test drives
// by hand. task.cpp has the abort of a very deep one.

#include <atomic>
#include <barrier>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <rouse/task.hpp>
#include <stdexcept>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>
#include <support/unit_task.hpp>
#include <thread>

BOOST_AUTO_TEST_SUITE(test_task_abort)

using rouse::context;
using rouse::pending;
using rouse::poll_fn;
using rouse::poll_result;
using rouse::task;
using namespace rouse_test;

BOOST_AUTO_TEST_CASE(b31_aborted_before_its_first_poll_it_is_never_polled) {
    hand_executor ex;
    loan l;
    auto handle = ex.spawn(lending(l));
    handle.abort();
    handle.abort();
    BOOST_TEST(ex.queued() == 1U);
    ex.run_all();
    BOOST_TEST(l.polls == 0);
    BOOST_TEST(l.book.exactly_one_died());
    BOOST_TEST(is_aborted(handle));
    BOOST_TEST(ex.done == 1);
}

BOOST_AUTO_TEST_CASE(b31_aborted_between_polls_it_is_drained_by_the_executor) {
    hand_executor ex;
    loan l;
    l.cancels_needed = 2;
    auto handle = ex.spawn(lending(l));
    ex.run_all();
    handle.abort();
    BOOST_TEST(ex.queued() == 1U);
    BOOST_TEST(l.cancels == 0);
    handle.abort();
    BOOST_TEST(ex.queued() == 1U);
    ex.run_all();
    BOOST_TEST(l.cancels == 1);
    BOOST_TEST(!handle.is_finished());
    handle.abort();  // during the drain: nothing
    BOOST_TEST(ex.queued() == 0U);
    l.wake();
    ex.run_all();
    BOOST_TEST(l.cancels == 2);
    BOOST_TEST(l.polls == 1);
    BOOST_TEST(l.dropped_in_flight == 0);
    BOOST_TEST(is_aborted(handle));
    handle.abort();
}

BOOST_AUTO_TEST_CASE(b31_aborted_during_a_poll_it_ends_at_the_end_of_that_poll) {
    hand_executor ex;
    ledger book;
    rouse::join_handle<void>* self = nullptr;
    int polls = 0;
    rouse::waker kept;
    auto handle = ex.spawn(poll_fn([&, t = token(book)](context& cx) -> poll_result<void> {
        ++polls;
        kept = cx.waker();
        self->abort();
        BOOST_TEST(book.live() == 1);
        return pending;
    }));
    self = &handle;
    BOOST_TEST(ex.run_all() == 1);
    BOOST_TEST(polls == 1);
    BOOST_TEST(book.exactly_one_died());
    BOOST_TEST(is_aborted(handle));
}

BOOST_AUTO_TEST_CASE(b31_aborted_during_the_poll_that_yields) {
    hand_executor ex;
    rouse::join_handle<void>* self = nullptr;
    int polls = 0;
    auto handle = ex.spawn(never([&](context& cx) {
        ++polls;
        cx.yield();
        self->abort();
    }));
    self = &handle;
    ex.run_all();
    BOOST_TEST(polls == 1);
    BOOST_TEST(is_aborted(handle));
}

BOOST_AUTO_TEST_CASE(b31_aborted_during_the_poll_that_completes_the_value_counts) {
    hand_executor ex;
    rouse::join_handle<int>* self = nullptr;
    auto handle = ex.spawn(poll_fn([&](context&) -> poll_result<int> {
        self->abort();
        return 5;
    }));
    self = &handle;
    ex.run_all();
    BOOST_TEST(poll_once(handle).value() == 5);
}

BOOST_AUTO_TEST_CASE(b31_aborted_after_completion_and_after_the_result_was_taken_nothing_happens) {
    hand_executor ex;
    auto handle = ex.spawn(rouse::ready_future(3));
    ex.run_all();
    handle.abort();
    BOOST_TEST(ex.queued() == 0U);
    BOOST_TEST(poll_once(handle).value() == 3);
    handle.abort();
    BOOST_TEST(!handle);
}

BOOST_AUTO_TEST_CASE(b32_what_completes_while_it_lets_go_is_not_lost) {
    for (bool throws : {false, true}) {
        hand_executor ex;
        loan l;
        l.throws = throws;
        l.cancels_needed = 100;
        auto handle = ex.spawn(lending(l));
        ex.run_all();
        handle.abort();
        ex.run_all();
        BOOST_TEST(l.cancels == 1);
        l.finish();
        ex.run_all();
        if (throws) {
            BOOST_CHECK_THROW((void)poll_once(handle), std::runtime_error);
        } else {
            BOOST_TEST(poll_once(handle).value() == 7);
        }
        BOOST_TEST(l.dropped_in_flight == 0);
    }
}

BOOST_AUTO_TEST_CASE(b32_abort_and_wake_in_both_orders_make_one_queue_entry) {
    for (bool abort_first : {false, true}) {
        hand_executor ex;
        gate g;
        auto handle = ex.spawn(gate_future(g));
        ex.run_all();
        if (abort_first) handle.abort();
        g.set();
        if (!abort_first) handle.abort();
        BOOST_TEST(ex.queued() == 1U);
        ex.run_all();
        BOOST_TEST(g.polls == 1);  // the abort is seen before the poll in both orders
        BOOST_TEST(is_aborted(handle));
    }
}

BOOST_AUTO_TEST_CASE(b32_abort_racing_the_last_wake_gives_one_outcome) {
    int const rounds = scaled(5000);
    int completed = 0;
    int aborted = 0;
    int wrong = 0;
    std::barrier start(2);
    hand_executor ex;
    std::atomic<rouse::join_handle<int>*> target{nullptr};
    std::jthread aborter([&] {
        for (int i = 0; i < rounds; ++i) {
            start.arrive_and_wait();
            target.load()->abort();
            start.arrive_and_wait();
        }
    });
    for (int i = 0; i < rounds; ++i) {
        ledger book;
        auto handle =
            ex.spawn(poll_fn([t = token(book), polls = 0](context& cx) mutable -> poll_result<int> {
                cx.waker().wake_by_ref();
                if (++polls < 4) return pending;
                return 1;
            }));
        target = &handle;
        start.arrive_and_wait();
        ex.run_all();
        start.arrive_and_wait();
        ex.run_all();
        try {
            auto r = poll_once(handle);
            if (r.is_ready()) ++completed;
        } catch (boost::system::system_error const&) {
            ++aborted;
        }
        if (!book.exactly_one_died()) ++wrong;
    }
    BOOST_TEST(completed + aborted == rounds);
    BOOST_TEST(wrong == 0);
    BOOST_TEST_MESSAGE("completed " << completed << ", aborted " << aborted);
    BOOST_TEST(ex.done == rounds);
}

BOOST_AUTO_TEST_CASE(b33_a_task_drops_its_own_handle) {
    hand_executor ex;
    ledger book;
    auto handle = std::make_unique<rouse::join_handle<void>>(
        ex.spawn(poll_fn([&](context&) -> poll_result<void> { return pending; })));
    *handle = ex.spawn(poll_fn([&, t = token(book)](context& cx) -> poll_result<void> {
        cx.waker().wake_by_ref();
        handle.reset();
        return pending;
    }));
    ex.run_all();
    BOOST_TEST(book.exactly_one_died());
    BOOST_TEST(ex.done == 2);
}

BOOST_AUTO_TEST_CASE(b33_a_task_that_holds_its_own_handle_ends_when_it_is_aborted) {
    hand_executor ex;
    ledger book;
    auto place = std::make_shared<std::optional<rouse::join_handle<void>>>();
    gate g;
    auto body = [](auto own, gate& event, token) -> task<> {
        co_await gate_future(event);
        static_cast<void>(own);
    };
    place->emplace(ex.spawn(body(place, g, token(book))));
    ex.run_all();
    (*place)->abort();
    place.reset();
    ex.run_all();
    BOOST_TEST(book.exactly_one_died());
    BOOST_TEST(ex.done == 1);
    g.waiting = {};
}

BOOST_AUTO_TEST_CASE(an_abort_unwinds_a_coroutine_on_the_executor) {
    hand_executor ex;
    loan l;
    l.cancels_needed = 2;
    ledger book;
    auto inner = [](loan& o, token) -> task<int> { co_return co_await lending(o); };
    auto outer = [](auto& make, loan& o, ledger& b) -> task<int> {
        token mine(b);
        co_return co_await make(o, token(b));
    };
    auto handle = ex.spawn(outer(inner, l, book));
    ex.run_all();
    handle.abort();
    BOOST_TEST(book.live() == 2);
    ex.run_all();
    BOOST_TEST(book.live() == 2);
    l.wake();
    ex.run_all();
    BOOST_TEST(book.live() == 0);
    BOOST_TEST(l.dropped_in_flight == 0);
    BOOST_TEST(is_aborted(handle));
}

BOOST_AUTO_TEST_SUITE_END()
