// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A spawned future on an executor that the test drives by hand: the values and callables that it
// may have, the abort of a very deep one, and the late functions of its operations.

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <rouse/make_task.hpp>
#include <rouse/task.hpp>
#include <source_location>
#include <stdexcept>
#include <string>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>
#include <support/unit_task.hpp>

BOOST_AUTO_TEST_SUITE(test_task)

using rouse::context;
using rouse::pending;
using rouse::poll_fn;
using rouse::poll_result;
using rouse::schedule_reason;
using rouse::task;
using namespace rouse_test;

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

// --- depth ----------------------------------------------------------------------------------

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

BOOST_AUTO_TEST_SUITE_END()
