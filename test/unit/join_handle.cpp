// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <barrier>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <rouse/any_future.hpp>
#include <rouse/join_handle.hpp>
#include <rouse/task.hpp>
#include <stdexcept>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>
#include <thread>

BOOST_AUTO_TEST_SUITE(test_join_handle)

using rouse::context;
using rouse::join_handle;
using rouse::pending;
using rouse::poll_fn;
using rouse::poll_result;
using rouse::task;
using namespace rouse_test;

namespace {

template <class T>
bool is_aborted(join_handle<T>& handle) {
    try {
        (void)poll_once(handle);
    } catch (boost::system::system_error const& e) {
        return e.code() == rouse::errc::aborted;
    }
    return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(gives_the_value_once_and_is_empty_then) {
    static_assert(rouse::lending_future<join_handle<int>>);
    static_assert(rouse::lending_future<join_handle<void>>);
    static_assert(!std::is_copy_constructible_v<join_handle<int>>);
    hand_executor ex;
    auto handle = ex.spawn(rouse::ready_future(std::make_unique<int>(4)));
    BOOST_TEST(static_cast<bool>(handle));
    BOOST_TEST(handle.id() > 0U);
    BOOST_TEST(!handle.is_finished());
    BOOST_TEST(poll_once(handle).is_pending());
    ex.run_all();
    BOOST_TEST(handle.is_finished());
    BOOST_TEST(*poll_once(handle).value() == 4);
    BOOST_TEST(!handle);
    BOOST_TEST(handle.is_finished());
    BOOST_CHECK_THROW((void)poll_once(handle), std::logic_error);  // b21
}

BOOST_AUTO_TEST_CASE(b26_the_value_dies_with_the_take_and_not_with_the_last_waker) {
    hand_executor ex;
    ledger book;
    rouse::waker last;
    auto handle = ex.spawn(poll_fn([&](context& cx) -> poll_result<token> {
        last = cx.waker();
        return token(book);
    }));
    ex.run_all();
    BOOST_TEST(book.live() == 1);
    {
        auto r = poll_once(handle);
        BOOST_TEST(book.live() == 1);
    }
    BOOST_TEST(book.exactly_one_died());
}

BOOST_AUTO_TEST_CASE(b30_polled_by_one_task_and_then_by_another_only_the_later_is_woken) {
    hand_executor ex;
    gate g;
    wake_counter a;
    wake_counter b;
    auto handle = ex.spawn(gate_future(g));
    ex.run_all();
    {
        rouse::waker first = a.make();
        rouse::waker second = b.make();
        BOOST_TEST(poll_once(handle, first).is_pending());
        BOOST_TEST(a.live == 2);
        BOOST_TEST(poll_once(handle, first).is_pending());
        BOOST_TEST(a.clones == 1);  // equal wakers are not cloned again
        BOOST_TEST(poll_once(handle, second).is_pending());
        BOOST_TEST(a.live == 1);  // released at once
        g.set();
        ex.run_all();
        BOOST_TEST(a.wakes == 0);
        BOOST_TEST(b.wakes == 1);
    }
    BOOST_TEST(a.live == 0);
    BOOST_TEST(b.live == 0);
    BOOST_TEST(poll_once(handle).is_ready());
}

BOOST_AUTO_TEST_CASE(b13_a_clone_that_throws_leaves_the_handle_usable_and_the_task_alive) {
    hand_executor ex;
    wake_counter bad;
    wake_counter good;
    {
        gate g;
        auto handle = ex.spawn(gate_future(g));
        ex.run_all();
        rouse::waker first = good.make();
        rouse::waker second = bad.make();
        BOOST_TEST(poll_once(handle, first).is_pending());
        bad.refuse = true;
        BOOST_CHECK_THROW((void)poll_once(handle, second), std::bad_alloc);
        BOOST_TEST(static_cast<bool>(handle));
        BOOST_TEST(poll_once(handle, first).is_pending());
        g.set();
        ex.run_all();
        BOOST_TEST(good.wakes == 1);
        BOOST_TEST(poll_once(handle).is_ready());
    }
    BOOST_TEST(good.live == 0);
    BOOST_TEST(bad.live == 0);
}

BOOST_AUTO_TEST_CASE(dropped_it_aborts_its_task_without_waiting) {
    hand_executor ex;
    loan l;
    l.cancels_needed = 2;
    wake_counter counter;
    {
        auto handle = ex.spawn(lending(l));
        ex.run_all();
        rouse::waker w = counter.make();
        BOOST_TEST(poll_once(handle, w).is_pending());
    }
    BOOST_TEST(counter.live == 0);  // nobody waits: the waker is released at once
    BOOST_TEST(l.book.live() == 1);
    BOOST_TEST(l.cancels == 0);
    ex.run_all();
    BOOST_TEST(l.cancels == 1);
    l.wake();
    ex.run_all();
    BOOST_TEST(l.book.exactly_one_died());
    BOOST_TEST(l.dropped_in_flight == 0);
    BOOST_TEST(counter.wakes == 0);
    BOOST_TEST(ex.done == 1);
}

BOOST_AUTO_TEST_CASE(assigned_over_it_drops_what_it_had_at_once) {
    hand_executor ex;
    ledger book;
    auto make = [&] {
        return poll_fn([t = token(book)](context&) -> poll_result<int> { return 1; });
    };
    auto a = ex.spawn(make());
    auto b = ex.spawn(make());
    auto const id = b.id();
    a = std::move(b);
    BOOST_TEST(!b);
    BOOST_TEST(a.id() == id);
    ex.run_one();
    BOOST_TEST(book.died == 1);  // aborted, not polled
    ex.run_all();
    BOOST_TEST(poll_once(a).value() == 1);
    auto& same = a;
    a = std::move(same);
    BOOST_TEST(!a);
}

BOOST_AUTO_TEST_CASE(detached_its_task_lives_on) {
    hand_executor ex;
    gate g;
    ledger book;
    wake_counter counter;
    {
        auto body = [](gate& event, token) -> task<int> {
            co_await gate_future(event);
            co_return 3;
        };
        auto handle = ex.spawn(body(g, token(book)));
        ex.run_all();
        rouse::waker w = counter.make();
        BOOST_TEST(poll_once(handle, w).is_pending());
        handle.detach();
        BOOST_TEST(!handle);
        handle.detach();
        handle.abort();
        BOOST_TEST(handle.is_finished());
    }
    BOOST_TEST(counter.live == 0);
    BOOST_TEST(book.live() == 1);
    g.set();
    ex.run_all();
    BOOST_TEST(book.exactly_one_died());
    BOOST_TEST(counter.wakes == 0);
    BOOST_TEST(ex.unhandled.empty());
}

BOOST_AUTO_TEST_CASE(b08_detached_as_the_last_reference_its_task_dies_on_the_executor) {
    hand_executor ex;
    ledger book;
    auto handle =
        ex.spawn(poll_fn([t = token(book)](context&) -> poll_result<void> { return pending; }));
    ex.run_all();
    handle.detach();
    BOOST_TEST(book.live() == 1);
    BOOST_TEST(ex.queued() == 1U);
    ex.run_all();
    BOOST_TEST(book.exactly_one_died());
    BOOST_TEST(ex.done == 1);
}

BOOST_AUTO_TEST_CASE(detached_or_dropped_after_completion_it_destroys_the_value_at_once) {
    for (bool detach : {false, true}) {
        hand_executor ex;
        ledger book;
        rouse::waker last;
        {
            auto handle = ex.spawn(poll_fn([&](context& cx) -> poll_result<token> {
                last = cx.waker();
                return token(book);
            }));
            ex.run_all();
            BOOST_TEST(book.live() == 1);
            if (detach) handle.detach();
            if (detach) BOOST_TEST(book.exactly_one_died());
        }
        BOOST_TEST(book.exactly_one_died());
    }
}

BOOST_AUTO_TEST_CASE(a_handle_outlives_its_executor) {
    std::optional<join_handle<int>> value;
    std::optional<join_handle<int>> unfinished;
    std::optional<join_handle<int>> dropped;
    ledger book;
    {
        hand_executor ex;
        value.emplace(ex.spawn(rouse::ready_future(4)));
        dropped.emplace(ex.spawn(rouse::ready_future(5)));
        ex.run_all();
        unfinished.emplace(
            ex.spawn(poll_fn([t = token(book)](context&) -> poll_result<int> { return 6; })));
    }
    BOOST_TEST(poll_once(*value).value() == 4);
    BOOST_TEST(book.exactly_one_died());
    unfinished->abort();
    BOOST_TEST(is_aborted(*unfinished));
    dropped.reset();
}

// --- awaited --------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_task_awaits_another_by_value_and_by_name) {
    hand_executor ex;
    gate g;
    auto child = [](gate& event) -> task<int> {
        co_await gate_future(event);
        co_return 20;
    };
    auto parent = [](join_handle<int> owned, join_handle<int>& named) -> task<int> {
        int const a = co_await std::move(owned);
        int const b = co_await named;
        co_return a + b;
    };
    auto named = ex.spawn(child(g));
    auto handle = ex.spawn(parent(ex.spawn(rouse::ready_future(1)), named));
    ex.run_all();
    BOOST_TEST(!handle.is_finished());
    g.set();
    ex.run_all();
    BOOST_TEST(poll_once(handle).value() == 21);
    BOOST_TEST(!named);
}

BOOST_AUTO_TEST_CASE(b23_an_exception_crosses_from_task_to_task) {
    hand_executor ex;
    auto child = []() -> task<int> {
        throw std::runtime_error("far away");
        co_return 0;
    };
    auto parent = [](join_handle<int> owned) -> task<std::string> {
        std::string said;
        try {
            co_await std::move(owned);
        } catch (std::runtime_error const& e) {
            said = e.what();
        }
        co_return said;
    };
    auto handle = ex.spawn(parent(ex.spawn(child())));
    ex.run_all();
    BOOST_TEST(poll_once(handle).value() == "far away");
    BOOST_TEST(ex.unhandled.empty());
}

BOOST_AUTO_TEST_CASE(awaited_by_value_an_abort_aborts_the_child_and_waits_until_it_has_let_go) {
    hand_executor ex;
    loan l;
    l.cancels_needed = 3;
    ledger book;
    auto parent = [](join_handle<int> owned, token) -> task<int> {
        co_return co_await std::move(owned);
    };
    auto handle = ex.spawn(parent(ex.spawn(lending(l)), token(book)));
    ex.run_all();
    handle.abort();
    ex.run_all();
    BOOST_TEST(l.cancels == 1);
    BOOST_TEST(book.live() == 1);
    BOOST_TEST(!handle.is_finished());
    l.wake();
    ex.run_all();
    BOOST_TEST(!handle.is_finished());
    l.wake();
    ex.run_all();
    BOOST_TEST(handle.is_finished());
    BOOST_TEST(l.dropped_in_flight == 0);
    BOOST_TEST(book.exactly_one_died());
    BOOST_TEST(is_aborted(handle));
}

BOOST_AUTO_TEST_CASE(awaited_by_name_an_abort_only_stops_waiting) {
    hand_executor ex;
    gate g;
    auto child = [](gate& event) -> task<int> {
        co_await gate_future(event);
        co_return 20;
    };
    auto parent = [](join_handle<int>& named) -> task<int> { co_return co_await named; };
    auto named = ex.spawn(child(g));
    auto handle = ex.spawn(parent(named));
    ex.run_all();
    handle.abort();
    ex.run_all();
    BOOST_TEST(is_aborted(handle));
    BOOST_TEST(static_cast<bool>(named));
    BOOST_TEST(!named.is_finished());
    g.set();
    BOOST_TEST(ex.run_all() == 1);  // the child only: nobody waits any more
    BOOST_TEST(poll_once(named).value() == 20);
}

BOOST_AUTO_TEST_CASE(stop_waiting_releases_the_waker) {
    hand_executor ex;
    gate g;
    wake_counter counter;
    {
        auto handle = ex.spawn(gate_future(g));
        ex.run_all();
        rouse::waker w = counter.make();
        BOOST_TEST(poll_once(handle, w).is_pending());
        handle.stop_waiting();
        BOOST_TEST(counter.live == 1);
        handle.stop_waiting();
        g.set();
        ex.run_all();
        BOOST_TEST(counter.wakes == 0);
        handle.stop_waiting();  // it is complete: nothing
        BOOST_TEST(poll_once(handle).is_ready());
        handle.stop_waiting();
    }
    BOOST_TEST(counter.live == 0);
}

BOOST_AUTO_TEST_CASE(poll_cancel_gives_what_the_task_had_completed_with) {
    hand_executor ex;
    auto done = ex.spawn(rouse::ready_future(4));
    auto finished = ex.spawn(rouse::ready_future());
    auto failed =
        ex.spawn(poll_fn([](context&) -> poll_result<int> { throw std::logic_error(""); }));
    ex.run_all();
    BOOST_TEST(*cancel_once(done).value() == 4);
    BOOST_TEST(cancel_once(finished).value());
    BOOST_CHECK_THROW((void)cancel_once(failed), std::logic_error);
    BOOST_TEST(!cancel_once(done).value().has_value());  // empty: at once, with nothing

    auto pending_task = ex.spawn(rouse::pending_future<int>());
    ex.run_all();
    wake_counter counter;
    {
        rouse::waker w = counter.make();
        BOOST_TEST(cancel_once(pending_task, w).is_pending());
        ex.run_all();
        BOOST_TEST(counter.wakes == 1);
        auto r = cancel_once(pending_task, w);
        BOOST_TEST(r.is_ready());
        BOOST_TEST(!r.value().has_value());
        BOOST_TEST(!pending_task);
    }
    BOOST_TEST(counter.live == 0);
}

BOOST_AUTO_TEST_CASE(an_any_future_that_owns_a_handle_aborts_and_waits_too) {
    hand_executor ex;
    loan l;
    l.cancels_needed = 2;
    rouse::any_future<int> owner = ex.spawn(lending(l));
    ex.run_all();
    wake_counter counter;
    rouse::waker w = counter.make();
    BOOST_TEST(cancel_once(owner, w).is_pending());
    ex.run_all();
    l.wake();
    ex.run_all();
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(cancel_once(owner, w).is_ready());
    BOOST_TEST(l.dropped_in_flight == 0);
    owner = {};
}

// --- threads --------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(b29_dropped_while_the_task_completes_the_output_dies_exactly_once) {
    int const rounds = scaled(10'000);
    int wrong = 0;
    std::barrier start(2);
    hand_executor ex;
    std::optional<join_handle<token>> handle;
    std::jthread dropper([&] {
        for (int i = 0; i < rounds; ++i) {
            start.arrive_and_wait();
            if (i % 2) handle->detach();
            handle.reset();
            start.arrive_and_wait();
        }
    });
    wake_counter counter;
    for (int i = 0; i < rounds; ++i) {
        ledger book;
        ledger futures;
        handle.emplace(ex.spawn(poll_fn(
            [&, t = token(futures)](context&) -> poll_result<token> { return token(book); })));
        {
            rouse::waker w = counter.make();
            if (i % 3) (void)poll_once(*handle, w);
        }
        start.arrive_and_wait();
        ex.run_all();
        start.arrive_and_wait();
        ex.run_all();
        if (book.live() != 0 || book.made > 1 || !futures.exactly_one_died()) ++wrong;
    }
    BOOST_TEST(wrong == 0);
    BOOST_TEST(counter.live == 0);
    BOOST_TEST(ex.done == rounds);
}

BOOST_AUTO_TEST_CASE(b29_polled_while_the_task_completes_the_joiner_is_never_left_asleep) {
    int const rounds = scaled(10'000);
    std::barrier start(2);
    std::optional<rouse::runnable> next;
    std::jthread runner([&] {
        for (int i = 0; i < rounds; ++i) {
            start.arrive_and_wait();
            std::move(*next).run();
            next.reset();
            start.arrive_and_wait();
        }
    });
    int asleep = 0;
    int wrong = 0;
    hand_executor ex;
    for (int i = 0; i < rounds; ++i) {
        wake_counter counter;
        {
            auto halves = rouse::make_task(ex, rouse::ready_future(i));
            next.emplace(std::move(halves.runnable));
            rouse::waker w = counter.make();
            start.arrive_and_wait();
            auto r = poll_once(halves.handle, w);
            start.arrive_and_wait();
            if (r.is_pending()) {
                if (counter.wakes != 1) ++asleep;
                r = poll_once(halves.handle, w);
            }
            if (r.is_pending() || r.value() != i) ++wrong;
        }
        if (counter.live != 0) ++wrong;
    }
    BOOST_TEST(asleep == 0);
    BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(is_finished_and_abort_are_called_by_any_thread_while_another_waits) {
    int const rounds = scaled(3'000);
    int wrong = 0;
    std::barrier start(3);
    std::optional<join_handle<void>> handle;
    auto const meddle = [&] {
        for (int i = 0; i < rounds; ++i) {
            start.arrive_and_wait();
            (void)handle->is_finished();
            handle->abort();
            start.arrive_and_wait();
        }
    };
    std::jthread one(meddle);
    std::jthread two(meddle);
    hand_executor ex;
    for (int i = 0; i < rounds; ++i) {
        handle.emplace(ex.spawn(rouse::pending_future<>()));
        ex.run_all();
        start.arrive_and_wait();
        (void)ex.run_all();
        start.arrive_and_wait();
        ex.run_all();
        if (!is_aborted(*handle)) ++wrong;
    }
    BOOST_TEST(wrong == 0);
    BOOST_TEST(ex.done == rounds);
}

BOOST_AUTO_TEST_SUITE_END()
