// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A spawned future whose wakers or runnable are dropped before it has completed, and what is woken
// and dropped while something dies. On an executor that the test drives by hand.

#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <mutex>
#include <rouse/make_task.hpp>
#include <support/unit_kit.hpp>
#include <support/unit_task.hpp>
#include <thread>

BOOST_AUTO_TEST_SUITE(test_task_dropped)

using rouse::context;
using rouse::make_task;
using rouse::pending;
using rouse::poll_fn;
using rouse::poll_result;
using namespace rouse_test;

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

BOOST_AUTO_TEST_SUITE_END()
