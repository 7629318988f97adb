// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A spawned future on an executor that the test drives by hand.

#include <atomic>
#include <barrier>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <rouse/make_task.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <stdexcept>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>
#include <thread>

using rouse::context;
using rouse::make_task;
using rouse::pending;
using rouse::poll_fn;
using rouse::poll_result;
using rouse::schedule_reason;
using rouse::task;
using namespace rouse_test;

namespace {

// Pending for ever; each poll does what the test says.
template <class F>
auto never(F each_poll) {
    return poll_fn([each_poll](context& cx) mutable -> poll_result<void> {
        each_poll(cx);
        return pending;
    });
}

template <class T>
bool is_aborted(rouse::join_handle<T>& handle) {
    try {
        (void)poll_once(handle);
    } catch (boost::system::system_error const& e) {
        return e.code() == rouse::errc::aborted;
    }
    return false;
}

}  // namespace

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
        g.waiting.wake_by_ref();  // it is queued now
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

BOOST_AUTO_TEST_CASE(
    b08_the_last_waker_of_a_detached_task_dropped_its_future_dies_on_the_executor) {
    hand_executor ex;
    ledger book;
    rouse::waker last;
    ex.spawn_detached(poll_fn([&, t = token(book)](context& cx) -> poll_result<void> {
        last = cx.waker();
        return pending;
    }));
    ex.run_all();
    BOOST_TEST(book.live() == 1);
    rouse::waker copy = last;
    last = {};
    BOOST_TEST(ex.queued() == 0U);
    copy = {};
    BOOST_TEST(book.live() == 1);  // not inside the dropper's stack
    BOOST_TEST(ex.queued() == 1U);
    ex.run_all();
    BOOST_TEST(book.exactly_one_died());
    BOOST_TEST(ex.done == 1);
}

BOOST_AUTO_TEST_CASE(b08_the_last_waker_woken_by_value_polls_and_then_the_task_is_an_orphan) {
    hand_executor ex;
    ledger book;
    rouse::waker last;
    int polls = 0;
    ex.spawn_detached(poll_fn([&, t = token(book)](context& cx) -> poll_result<void> {
        if (++polls == 1) last = cx.waker();
        return pending;
    }));
    ex.run_all();
    std::move(last).wake();
    BOOST_TEST(ex.queued() == 1U);
    BOOST_TEST(book.live() == 1);
    ex.run_all();
    BOOST_TEST(polls == 2);  // and nobody can wake it any more
    BOOST_TEST(book.exactly_one_died());
    BOOST_TEST(ex.done == 1);
}

BOOST_AUTO_TEST_CASE(b08_a_detached_task_that_keeps_no_waker_dies_at_its_first_poll) {
    hand_executor ex;
    ledger book;
    ex.spawn_detached(
        poll_fn([t = token(book)](context&) -> poll_result<void> { return pending; }));
    ex.run_all();
    BOOST_TEST(book.exactly_one_died());
    BOOST_TEST(ex.done == 1);
    BOOST_TEST(ex.unhandled.empty());
}

BOOST_AUTO_TEST_CASE(b08_an_orphan_that_lends_is_drained_first) {
    hand_executor ex;
    loan l;
    l.cancels_needed = 3;
    ex.spawn_detached(lending(l));
    ex.run_all();
    l.waiting = {};  // the last waker
    BOOST_TEST(ex.run_all() == 1);
    BOOST_TEST(l.cancels == 1);
    BOOST_TEST(l.book.live() == 1);
    l.wake();
    ex.run_all();
    l.wake();
    ex.run_all();
    BOOST_TEST(l.cancels == 3);
    BOOST_TEST(l.dropped_in_flight == 0);
    BOOST_TEST(l.book.exactly_one_died());
    BOOST_TEST(ex.done == 1);
}

BOOST_AUTO_TEST_CASE(b08_an_orphan_that_waits_for_nothing_even_while_it_drains_is_destroyed) {
    struct deaf {
        deaf(ledger& b, int& c) : held(b), cancels(&c) {}
        poll_result<void> poll(context&) { return pending; }
        rouse::cancel_result<void> poll_cancel(context&) {
            ++*cancels;
            return pending;
        }
        token held;
        int* cancels;
    };
    hand_executor ex;
    ledger book;
    int cancels = 0;
    ex.spawn_detached(deaf(book, cancels));
    BOOST_TEST(ex.run_all() == 1);
    BOOST_TEST(cancels == 1);
    BOOST_TEST(book.exactly_one_died());
    BOOST_TEST(ex.done == 1);
}

BOOST_AUTO_TEST_CASE(
    b08_the_exception_of_an_orphan_that_says_only_that_it_was_ended_is_not_reported) {
    struct throws_in_cancel {
        explicit throws_in_cancel(boost::system::error_code e) : error(e) {}
        poll_result<void> poll(context&) { return pending; }
        rouse::cancel_result<void> poll_cancel(context&) {
            throw boost::system::system_error(error);
        }
        boost::system::error_code error;
    };
    hand_executor ex;
    ex.spawn_detached(throws_in_cancel(boost::asio::error::operation_aborted));
    ex.run_all();
    BOOST_TEST(ex.unhandled.size() == 0U);
    ex.spawn_detached(throws_in_cancel(boost::asio::error::connection_reset));
    ex.run_all();
    BOOST_TEST(ex.unhandled.size() == 1U);
    BOOST_TEST(ex.done == 2);
}

BOOST_AUTO_TEST_CASE(b09_an_executor_that_destroys_the_runnable_inside_schedule) {
    for (bool by_value : {false, true}) {
        hand_executor ex;
        ledger book;
        rouse::waker w;
        auto handle = ex.spawn(poll_fn([&, t = token(book)](context& cx) -> poll_result<int> {
            w = cx.waker();
            return pending;
        }));
        ex.run_all();
        ex.drops = true;
        if (by_value) {
            std::move(w).wake();
        } else {
            w.wake_by_ref();
            BOOST_TEST(!w.empty());
            w.wake_by_ref();  // the task is over, the waker is still good
        }
        BOOST_TEST(book.exactly_one_died());
        BOOST_TEST(is_aborted(handle));
        BOOST_TEST(ex.done == 1);
    }
}

BOOST_AUTO_TEST_CASE(b09_the_runnable_destroyed_in_schedule_was_the_only_reference) {
    hand_executor ex;
    ledger book;
    rouse::waker w;
    ex.spawn_detached(poll_fn([&, t = token(book)](context& cx) -> poll_result<void> {
        w = cx.waker();
        return pending;
    }));
    ex.run_all();
    ex.drops = true;
    std::move(w).wake();
    BOOST_TEST(book.exactly_one_died());
    BOOST_TEST(ex.done == 1);
}

BOOST_AUTO_TEST_CASE(b10_a_runnable_destroyed_unrun_ends_its_task_and_tells_the_joiner) {
    hand_executor ex;
    ledger book;
    wake_counter counter;
    {
        auto handle =
            ex.spawn(poll_fn([t = token(book)](context&) -> poll_result<int> { return 1; }));
        rouse::waker w = counter.make();
        BOOST_TEST(poll_once(handle, w).is_pending());
        ex.drop_all();
        BOOST_TEST(counter.wakes == 1);
        BOOST_TEST(book.exactly_one_died());
        BOOST_TEST(is_aborted(handle));
        BOOST_TEST(ex.done == 1);
    }
    BOOST_TEST(counter.live == 0);
}

BOOST_AUTO_TEST_CASE(b10_a_runnable_is_moved_and_knows_its_task) {
    hand_executor ex;
    auto [r, handle] = make_task(ex, rouse::ready_future(4));
    BOOST_TEST(r.id() == handle.id());
    rouse::runnable moved = std::move(r);
    auto* header = moved.release();
    rouse::runnable again(header);
    std::move(again).run();
    BOOST_TEST(poll_once(handle).value() == 4);
}

BOOST_AUTO_TEST_CASE(b16_a_waker_in_a_thread_local_is_woken_and_dropped_at_the_threads_exit) {
    struct wakes_at_exit {
        rouse::waker waker{};
        ~wakes_at_exit() {
            rouse::waker copy = waker;
            std::move(copy).wake();
        }
    };
    hand_executor ex;
    gate g;
    auto handle = ex.spawn(gate_future(g));
    ex.run_all();
    rouse::waker last = std::move(g.waiting);
    std::thread dying([&] {
        thread_local wakes_at_exit mine;
        mine.waker = std::move(last);
    });
    dying.join();
    BOOST_TEST(ex.queued() == 1U);
    g.open = true;
    ex.run_all();
    BOOST_TEST(poll_once(handle).is_ready());

    // Now the task is over before the thread is.
    rouse::waker late;
    auto second = ex.spawn(poll_fn([&](context& cx) -> poll_result<void> {
        late = cx.waker();
        return rouse::ready();
    }));
    ex.run_all();
    BOOST_TEST(poll_once(second).is_ready());
    std::thread dying_later([&] {
        thread_local wakes_at_exit mine;
        mine.waker = std::move(late);
    });
    dying_later.join();
    BOOST_TEST(ex.queued() == 0U);
}

BOOST_AUTO_TEST_CASE(b17_a_destructor_wakes_aborts_and_drops_other_tasks_under_a_lock_of_its_own) {
    hand_executor ex;
    gate g;
    std::mutex user_lock;
    auto woken = ex.spawn(gate_future(g));
    gate h;
    auto aborted = ex.spawn(gate_future(h));
    gate i;
    auto dropped = std::make_unique<rouse::join_handle<void>>(ex.spawn(gate_future(i)));
    ex.run_all();
    int deaths = 0;
    auto on_death = [&] {
        std::lock_guard guard(user_lock);
        g.set();
        aborted.abort();
        dropped.reset();
        ++deaths;
    };
    auto killer = ex.spawn(poll_fn([held = std::make_unique<at_exit<decltype(on_death)>>(on_death)](
                                       context&) -> poll_result<void> { return rouse::ready(); }));
    ex.run_all();
    BOOST_TEST(deaths == 1);
    BOOST_TEST(poll_once(killer).is_ready());
    BOOST_TEST(poll_once(woken).is_ready());
    BOOST_TEST(is_aborted(aborted));
    BOOST_TEST(ex.done == 4);
    h.waiting = {};
    i.waiting = {};
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

// --- abort at every moment ------------------------------------------------------------------

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

BOOST_AUTO_TEST_CASE(b92_a_million_nested_tasks_are_aborted_on_the_executor) {
    hand_executor ex;
    gate g;
    ledger book;
    struct chain {
        static task<> nested(int depth, gate& event, ledger& b) {
            token mine(b);
            if (depth == 0) co_await gate_future(event);
            if (depth > 0) co_await nested(depth - 1, event, b);
        }
    };
    int const depth = sanitized ? scaled(1'000'000) : 1'000'000;
    auto handle = ex.spawn(chain::nested(depth, g, book));
    ex.run_all();
    BOOST_TEST(book.live() == depth + 1);
    handle.abort();
    ex.run_all();
    BOOST_TEST(book.live() == 0);
    BOOST_TEST(is_aborted(handle));
    g.waiting = {};
}

// --- exceptions -----------------------------------------------------------------------------

namespace {

struct not_an_exception {
    int value;
};

class throws_at_poll {
public:
    throws_at_poll(int n, ledger& book) : left_(n), token_(book) {}
    poll_result<int> poll(context& cx) {
        if (--left_ == 0) throw not_an_exception{1};
        cx.waker().wake_by_ref();
        return pending;
    }

private:
    int left_;
    token token_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b23_an_exception_from_the_first_or_nth_poll_goes_to_the_joiner) {
    for (int n : {1, 2, 4, 5, 9}) {
        hand_executor ex;
        ledger book;
        auto handle = ex.spawn(throws_at_poll(n, book));
        ex.run_all();
        BOOST_TEST(book.exactly_one_died());  // at completion, not when the handle dies
        BOOST_CHECK_EXCEPTION((void)poll_once(handle), not_an_exception,
                              [](auto const& e) { return e.value == 1; });
        BOOST_TEST(ex.unhandled.empty());
        BOOST_TEST(ex.done == 1);
    }
}

BOOST_AUTO_TEST_CASE(b25_an_exception_that_nobody_waits_for_is_reported_once_with_the_place) {
    hand_executor ex;
    ledger book;
    auto const line = std::source_location::current().line() + 1;
    ex.spawn_detached(throws_at_poll(1, book));
    ex.run_all();
    BOOST_TEST(ex.unhandled.size() == 1U);
    BOOST_TEST(ex.unhandled_from.at(0).line() == line);
    BOOST_CHECK_THROW(std::rethrow_exception(ex.unhandled.at(0)), not_an_exception);
    BOOST_TEST(book.exactly_one_died());
}

namespace {

std::vector<std::string> reported;
std::vector<unsigned> reported_from;

struct reports {
    reports() {
        reported.clear();
        reported_from.clear();
        before = rouse::set_unhandled_handler([](std::exception_ptr e, std::source_location where) {
            reported.emplace_back(what_of(e));
            reported_from.push_back(where.line());
        });
    }
    ~reports() { rouse::set_unhandled_handler(before); }
    rouse::unhandled_handler before;
};

// An executor that does not say what becomes of exceptions.
class plain_executor final : public rouse::scheduler {
public:
    void schedule(rouse::runnable task, rouse::schedule_reason) noexcept override {
        queue.push_back(std::move(task));
    }
    std::deque<rouse::runnable> queue{};
};

}  // namespace

BOOST_AUTO_TEST_CASE(b25_an_executor_that_says_nothing_reports_to_the_handler_of_the_process) {
    reports heard;
    plain_executor ex;
    ex.schedule(rouse::make_detached_task(ex, poll_fn([](context&) -> poll_result<void> {
                                              throw std::runtime_error("alone");
                                          })),
                schedule_reason::spawned);
    rouse::runnable r = std::move(ex.queue.front());
    std::move(r).run();
    BOOST_TEST(reported.size() == 1U);
    BOOST_TEST(reported.at(0) == "alone");
    BOOST_TEST(ex.offered() == nullptr);
}

BOOST_AUTO_TEST_CASE(b25_an_exception_whose_handle_is_dropped_or_detached_is_reported) {
    for (bool detach : {false, true}) {
        for (bool before : {false, true}) {
            reports heard;
            hand_executor ex;
            auto handle = std::make_unique<rouse::join_handle<void>>(ex.spawn(poll_fn(
                [](context&) -> poll_result<void> { throw std::runtime_error("nobody"); })));
            auto const let_go = [&] {
                if (detach) handle->detach();
                handle.reset();
            };
            if (before) let_go();
            ex.run_all();
            if (!before) let_go();
            // Dropped before, it is aborted, and never polled.
            std::size_t const expected = before && !detach ? 0 : 1;
            BOOST_TEST(ex.unhandled.size() + reported.size() == expected);
            BOOST_TEST(ex.done == 1);
        }
    }
}

BOOST_AUTO_TEST_CASE(b25_the_echo_of_an_abort_is_not_reported_but_anything_else_is) {
    struct case_of {
        boost::system::error_code error;
        bool cancel;
        bool abort;
        std::size_t reports;
    };
    boost::system::error_code const ended = boost::asio::error::operation_aborted;
    boost::system::error_code const other = boost::asio::error::connection_reset;
    boost::system::error_code const aborted = rouse::errc::aborted;
    for (case_of c : {case_of{ended, false, false, 1}, case_of{ended, true, false, 0},
                      case_of{ended, false, true, 0}, case_of{aborted, false, true, 0},
                      case_of{aborted, false, false, 1}, case_of{other, true, true, 1}}) {
        hand_executor ex;
        auto r = rouse::make_detached_task(ex, poll_fn([c](context&) -> poll_result<void> {
                                               auto* self = rouse::detail::current_task();
                                               if (c.abort) self->request_abort();
                                               throw boost::system::system_error(c.error);
                                           }));
        auto* header = r.release();
        if (c.cancel) header->cancellation.request(rouse::cancellation_type::terminal);
        ex.schedule(rouse::runnable(header), schedule_reason::spawned);
        ex.run_all();
        BOOST_TEST(ex.unhandled.size() == c.reports);
    }
}

BOOST_AUTO_TEST_CASE(b24_a_futures_destructor_that_throws_is_reported_and_the_value_stands) {
    struct bomb {
        explicit bomb(ledger& b) : token_(b) {}
        bomb(bomb&&) noexcept = default;
        ~bomb() noexcept(false) {
            if (token_) throw std::runtime_error("destructor");
        }
        poll_result<int> poll(context&) { return 6; }
        token token_;
    };
    hand_executor ex;
    ledger book;
    auto handle = ex.spawn(bomb(book));
    ex.run_all();
    BOOST_TEST(ex.unhandled.size() == 1U);
    BOOST_TEST(std::string(what_of(ex.unhandled.at(0))) == "destructor");
    BOOST_TEST(poll_once(handle).value() == 6);
    BOOST_TEST(book.exactly_one_died());

    auto dropped = ex.spawn(bomb(book));
    ex.drop_all();
    BOOST_TEST(ex.unhandled.size() == 2U);
    BOOST_TEST(is_aborted(dropped));
    BOOST_TEST(ex.done == 2);
    BOOST_TEST(book.live() == 0);
}

namespace {

// Its nth move throws.
struct fragile {
    fragile(ledger& b, int* moves_left) : held(b), left(moves_left) {}
    fragile(fragile&& other) : held(check(other)), left(other.left) {}
    static token check(fragile& other) {
        if (--*other.left == 0) throw std::runtime_error("moved once too often");
        return std::move(other.held);
    }
    token held;
    int* left;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b24_a_value_whose_move_throws_gives_that_exception_and_loses_nothing) {
    for (int good_moves = 1; good_moves <= 12; ++good_moves) {
        hand_executor ex;
        ledger book;
        ledger future_book;
        bool threw = false;
        {
            int left = good_moves;
            auto handle =
                ex.spawn(poll_fn([&, t = token(future_book)](context&) -> poll_result<fragile> {
                    return fragile(book, &left);
                }));
            ex.run_all();
            BOOST_TEST(future_book.exactly_one_died());
            try {
                auto r = poll_once(handle);
                BOOST_TEST(r.is_ready());
            } catch (std::runtime_error const&) {
                threw = true;
            }
            if (good_moves == 1) BOOST_TEST(threw);
            if (good_moves == 12) BOOST_TEST(!threw);
            BOOST_TEST(!handle);  // one outcome, whichever it was
        }
        BOOST_TEST(book.live() == 0);
        BOOST_TEST(ex.unhandled.empty());
        BOOST_TEST(ex.done == 1);
    }
}

namespace {

struct bad_value {
    explicit bad_value(ledger& b) : held(b) {}
    bad_value(bad_value&&) noexcept = default;
    ~bad_value() noexcept(false) {
        if (held) throw std::runtime_error("value's destructor");
    }
    token held;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b24_a_values_destructor_that_throws_when_nobody_takes_it_is_reported) {
    reports heard;
    ledger book;
    hand_executor ex;
    auto make = [&] {
        return poll_fn([&](context&) -> poll_result<bad_value> { return bad_value(book); });
    };
    ex.spawn_detached(make());
    ex.run_all();
    BOOST_TEST(reported.size() == 1U);
    {
        auto handle = ex.spawn(make());
        ex.run_all();
    }
    BOOST_TEST(reported.size() == 2U);
    BOOST_TEST(reported.at(1) == "value's destructor");
    BOOST_TEST(book.made == 2);
    BOOST_TEST(book.live() == 0);
    BOOST_TEST(ex.done == 2);
}

// --- values ---------------------------------------------------------------------------------

namespace {

struct alignas(256) over_aligned {
    over_aligned() noexcept = default;
    int value = 3;
};
struct no_default {
    explicit no_default(int v) : value(v) {}
    int value;
};
struct empty {};

}  // namespace

BOOST_AUTO_TEST_CASE(b28_values_and_futures_of_every_kind_are_spawned_and_joined) {
    hand_executor ex;
    auto a = ex.spawn(rouse::ready_future(std::make_unique<int>(1)));
    auto b = ex.spawn(rouse::ready_future(no_default(2)));
    auto c = ex.spawn(rouse::ready_future(over_aligned{}));
    auto d = ex.spawn(rouse::ready_future(empty{}));
    auto e = ex.spawn(rouse::ready_future());
    auto f = ex.spawn(rouse::ready_future(std::optional<int>()));
    auto g = ex.spawn(poll_fn([](context&) -> poll_result<std::array<char, 1 << 20>> {
        std::array<char, 1 << 20> block{};
        block.back() = 'x';
        return block;
    }));
    bool aligned = false;
    over_aligned inside;
    auto h = ex.spawn(poll_fn([inside, &aligned](context&) -> poll_result<void> {
        aligned = reinterpret_cast<std::uintptr_t>(&inside) % 256 == 0;
        return rouse::ready();
    }));
    ex.run_all();
    BOOST_TEST(*poll_once(a).value() == 1);
    BOOST_TEST(poll_once(b).value().value == 2);
    BOOST_TEST(poll_once(c).value().value == 3);
    BOOST_TEST(poll_once(d).is_ready());
    BOOST_TEST(poll_once(e).is_ready());
    BOOST_TEST(!poll_once(f).value().has_value());
    auto block = std::make_unique<poll_result<std::array<char, 1 << 20>>>(poll_once(g));
    BOOST_TEST(block->value().back() == 'x');
    BOOST_TEST(aligned);
    BOOST_TEST(poll_once(h).is_ready());
}

BOOST_AUTO_TEST_CASE(b27_the_future_dies_at_completion_before_the_joiner_is_woken) {
    hand_executor ex;
    ledger book;
    int alive_at_wake = -1;
    struct looks {
        ledger* book;
        int* alive;
    };
    looks eye{&book, &alive_at_wake};
    static constexpr rouse::waker_vtable looking{[](void* d) { return d; },
                                                 [](void* d) {
                                                     auto& l = *static_cast<looks*>(d);
                                                     *l.alive = l.book->live();
                                                 },
                                                 [](void* d) {
                                                     auto& l = *static_cast<looks*>(d);
                                                     *l.alive = l.book->live();
                                                 },
                                                 [](void*) {}, "looking"};
    auto handle = ex.spawn(poll_fn([t = token(book)](context&) -> poll_result<int> { return 1; }));
    rouse::waker w(&eye, looking);
    BOOST_TEST(poll_once(handle, w).is_pending());
    ex.run_all();
    BOOST_TEST(alive_at_wake == 0);
    BOOST_TEST(poll_once(handle).value() == 1);
}

BOOST_AUTO_TEST_CASE(a_callable_is_called_by_the_first_poll_and_lives_as_long_as_its_coroutine) {
    hand_executor ex;
    ledger book;
    gate g;
    int calls = 0;
    auto handle =
        ex.spawn([t = token(book), &g, &calls,
                  text = std::string("captured text that is long")]() mutable -> task<std::string> {
            ++calls;
            co_await gate_future(g);
            co_return text;
        });
    BOOST_TEST(calls == 0);
    ex.run_all();
    BOOST_TEST(calls == 1);
    BOOST_TEST(book.live() == 1);
    g.set();
    ex.run_all();
    BOOST_TEST(calls == 1);
    BOOST_TEST(book.exactly_one_died());
    BOOST_TEST(poll_once(handle).value() == "captured text that is long");

    auto throwing = ex.spawn([]() -> task<> { throw std::logic_error("from the body"); });
    auto refusing = ex.spawn([]() -> rouse::ready_future<int> { throw std::logic_error("no"); });
    ex.run_all();
    BOOST_CHECK_THROW((void)poll_once(throwing), std::logic_error);
    BOOST_CHECK_THROW((void)poll_once(refusing), std::logic_error);
}

BOOST_AUTO_TEST_CASE(a_callable_whose_task_is_aborted_before_its_first_poll_is_never_called) {
    hand_executor ex;
    ledger book;
    auto handle = ex.spawn([t = token(book)]() -> task<> { throw std::logic_error("called"); });
    handle.abort();
    ex.run_all();
    BOOST_TEST(is_aborted(handle));
    BOOST_TEST(book.exactly_one_died());
}

BOOST_AUTO_TEST_CASE(a_cell_knows_where_it_was_spawned_and_where_it_waits) {
    hand_executor ex;
    gate g;
    unsigned waits = 0;
    auto body = [](gate& event, unsigned& line) -> task<> {
        line = __LINE__ + 1;
        co_await gate_future(event);
    };
    auto const here = std::source_location::current().line() + 1;
    auto r = rouse::make_detached_task(ex, body(g, waits));
    auto* header = r.release();
    BOOST_TEST(header->spawned_at.line() == here);
    ex.schedule(rouse::runnable(header), schedule_reason::spawned);
    ex.run_all();
    BOOST_TEST(header->awaiting.load().line() == waits);
    g.set();
    ex.run_all();
}

// --- late functions -------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_tasks_late_functions_run_in_its_polls_and_die_with_it) {
    hand_executor ex;
    gate g;
    std::string order;
    ledger book;
    rouse::detail::shared_inbox* inbox = nullptr;
    auto handle = ex.spawn(poll_fn([&](context& cx) -> poll_result<void> {
        if (!inbox) inbox = cx.root().inbox->acquire_inbox();
        order += 'p';
        g.waiting = cx.waker();
        if (!g.open) return pending;
        return rouse::ready();
    }));
    ex.run_all();
    BOOST_TEST(inbox->items.push(*make_work([&] { order += '1'; })));
    BOOST_TEST(inbox->items.push(*make_work([&] { order += '2'; })));
    BOOST_TEST(order == "p");
    g.waiting.wake_by_ref();
    ex.run_all();
    BOOST_TEST(order == "p12p");
    // One that comes too late: the task completes first.
    g.set();
    ex.run_all();
    BOOST_TEST(order == "p12pp");
    auto* late = make_work([t = token(book)] {});
    BOOST_TEST(!inbox->items.push(*late));
    late->act(late, false);
    BOOST_TEST(book.exactly_one_died());
    inbox->drop();
    BOOST_TEST(poll_once(handle).is_ready());
}

BOOST_AUTO_TEST_CASE(a_late_function_that_throws_is_reported_and_those_behind_it_still_run) {
    hand_executor ex;
    gate g;
    std::string order;
    rouse::detail::shared_inbox* inbox = nullptr;
    auto handle = ex.spawn(poll_fn([&](context& cx) -> poll_result<void> {
        if (!inbox) inbox = cx.root().inbox->acquire_inbox();
        g.waiting = cx.waker();
        return pending;
    }));
    ex.run_all();
    BOOST_TEST(inbox->items.push(*make_work([&] { order += '1'; })));
    BOOST_TEST(inbox->items.push(*make_work([] { throw std::runtime_error("late"); })));
    BOOST_TEST(inbox->items.push(*make_work([&] { order += '3'; })));
    BOOST_TEST(inbox->items.push(*make_work([] { throw std::runtime_error("later"); })));
    BOOST_TEST(inbox->items.push(*make_work([&] { order += '5'; })));
    g.waiting.wake_by_ref();
    ex.run_all();
    BOOST_TEST(order == "135");
    BOOST_TEST(ex.unhandled.size() == 2U);
    g.waiting = {};
    handle.abort();
    ex.run_all();
    BOOST_TEST(is_aborted(handle));
    inbox->drop();
}

BOOST_AUTO_TEST_CASE(late_functions_run_during_a_drain_too) {
    hand_executor ex;
    loan l;
    l.cancels_needed = 2;
    std::string order;
    rouse::detail::shared_inbox* inbox = nullptr;
    auto body = [](loan& o, rouse::detail::shared_inbox*& place) -> task<> {
        auto take = [&place](context& cx) -> poll_result<void> {
            place = cx.root().inbox->acquire_inbox();
            return rouse::ready();
        };
        poll_fn first(take);
        co_await first;
        co_await lending(o);
    };
    auto handle = ex.spawn(body(l, inbox));
    ex.run_all();
    handle.abort();
    ex.run_all();
    BOOST_TEST(l.cancels == 1);
    BOOST_TEST(inbox->items.push(*make_work([&] { order += 'd'; })));
    l.wake();
    ex.run_all();
    BOOST_TEST(order == "d");
    BOOST_TEST(is_aborted(handle));
    inbox->drop();
}
