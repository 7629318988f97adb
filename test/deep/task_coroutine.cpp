// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A task as a coroutine: when its body runs, what it may return, and how deep and how long it may
// go.

#include <array>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <rouse/task.hpp>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>
#include <support/unit_task.hpp>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_task_coroutine)

using rouse::poll_result;
using rouse::ready_future;
using rouse::task;
using namespace rouse_test;

// --- values ---------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(nothing_runs_before_the_first_poll) {
    int starts = 0;
    { task<int> never_polled = seven(starts); }
    BOOST_TEST(starts == 0);
    task<int> t = seven(starts);
    task<int> moved = std::move(t);
    BOOST_TEST(starts == 0);
    BOOST_TEST(poll_once(moved).value() == 7);
    BOOST_TEST(starts == 1);
}

BOOST_AUTO_TEST_CASE(a_task_that_is_assigned_over_is_destroyed) {
    ledger book;
    auto holds = [](token mine) -> task<> {
        token kept = std::move(mine);
        co_return;
    };
    task<> t = holds(token(book));
    t = holds(token(book));
    BOOST_TEST(book.made == 2);
    BOOST_TEST(book.died == 1);
    BOOST_TEST(poll_once(t).is_ready());
    BOOST_TEST(book.died == 2);
}

namespace {

struct no_assignment {
    explicit no_assignment(int v) : value(v) {}
    no_assignment(no_assignment&&) = default;
    no_assignment& operator=(no_assignment&&) = delete;
    int value;
};

task<std::unique_ptr<int>> move_only() {
    auto p = std::make_unique<int>(co_await ready_future(4));
    co_return p;
}
task<no_assignment> fixed() { co_return no_assignment(5); }
task<std::optional<int>> nothing() { co_return std::nullopt; }
task<std::vector<int>> braced() { co_return {1, 2, 3}; }
task<std::array<char, 1 << 20>> large() {
    std::array<char, 1 << 20> block{};
    block.back() = 'x';
    co_return block;
}
task<> no_value(int& runs) {
    ++runs;
    co_return;
}

}  // namespace

BOOST_AUTO_TEST_CASE(b28_values_of_every_kind) {
    auto a = move_only();
    BOOST_TEST(*poll_once(a).value() == 4);
    auto b = fixed();
    BOOST_TEST(poll_once(b).value().value == 5);
    auto c = nothing();
    auto none = poll_once(c);
    BOOST_TEST(none.is_ready());
    BOOST_TEST(!none.value().has_value());
    auto d = braced();
    BOOST_TEST(poll_once(d).value().size() == 3U);
    auto e = large();
    auto megabyte = std::make_unique<poll_result<std::array<char, 1 << 20>>>(poll_once(e));
    BOOST_TEST(megabyte->value().back() == 'x');
    int runs = 0;
    auto f = no_value(runs);
    BOOST_TEST(poll_once(f).is_ready());
    BOOST_TEST(runs == 1);
}

BOOST_AUTO_TEST_CASE(b28_values_of_every_kind_arrive_where_they_are_awaited) {
    auto outer = []() -> task<int> {
        auto p = co_await move_only();
        no_assignment f = co_await fixed();
        std::optional<int> n = co_await nothing();
        no_assignment g = co_await ready_future<no_assignment>(no_assignment(6));
        co_return *p + f.value + (n ? 100 : 0) + g.value;
    };
    auto t = outer();
    BOOST_TEST(poll_once(t).value() == 15);
}

// --- depth and length -----------------------------------------------------------------------

namespace {

int const nesting = rouse_test::sanitized ? rouse_test::scaled(1'000'001) : 1'000'001;
int const loop_length = rouse_test::sanitized ? rouse_test::scaled(2'000'000) : 2'000'000;

task<int> nested(int depth, gate* g, ledger& book) {
    token mine(book);
    if (depth == 0) {
        if (g) co_await gate_future(*g);
        co_return 0;
    }
    co_return 1 + co_await nested(depth - 1, g, book);
}

task<int> nested_throw(int depth) {
    if (depth == 0) throw not_an_exception{1};
    co_return co_await nested_throw(depth - 1);
}

}  // namespace

BOOST_AUTO_TEST_CASE(b92_over_a_million_nested_tasks_run_and_return) {
    ledger book;
    auto t = nested(nesting, nullptr, book);
    BOOST_TEST(poll_once(t).value() == nesting);
    BOOST_TEST(book.live() == 0);
}

BOOST_AUTO_TEST_CASE(b92_over_a_million_nested_tasks_wait_and_resume) {
    ledger book;
    gate g;
    auto t = nested(nesting, &g, book);
    BOOST_TEST(poll_once(t).is_pending());
    BOOST_TEST(book.live() == nesting + 1);
    BOOST_TEST(poll_once(t).is_pending());
    BOOST_TEST(g.polls == 2);
    g.set();
    BOOST_TEST(poll_once(t).value() == nesting);
    BOOST_TEST(book.live() == 0);
}

BOOST_AUTO_TEST_CASE(b92_over_a_million_nested_tasks_are_destroyed_without_recursion) {
    ledger book;
    gate g;
    {
        auto t = nested(nesting, &g, book);
        BOOST_TEST(poll_once(t).is_pending());
    }
    BOOST_TEST(book.made == nesting + 1);
    BOOST_TEST(book.live() == 0);
    g.waiting = {};
}

BOOST_AUTO_TEST_CASE(b92_over_a_million_nested_tasks_are_aborted_without_recursion) {
    ledger book;
    gate g;
    auto t = nested(nesting, &g, book);
    BOOST_TEST(poll_once(t).is_pending());
    BOOST_TEST(cancel_once(t).is_ready());
    BOOST_TEST(book.live() == 0);
    g.waiting = {};
}

BOOST_AUTO_TEST_CASE(an_exception_crosses_many_nested_tasks) {
    auto t = nested_throw(rouse_test::scaled(100'000));
    BOOST_CHECK_THROW((void)poll_once(t), not_an_exception);
}

BOOST_AUTO_TEST_CASE(b92_a_loop_over_millions_of_ready_awaits_does_not_grow_the_stack) {
    auto futures = []() -> task<long> {
        long sum = 0;
        for (int i = 0; i < loop_length; ++i) sum += co_await ready_future(1);
        co_return sum;
    };
    auto t = futures();
    BOOST_TEST(poll_once(t).value() == loop_length);
}

BOOST_AUTO_TEST_CASE(b92_a_loop_over_millions_of_tasks_that_return_at_once_does_not_either) {
    auto tasks = []() -> task<long> {
        int starts = 0;
        long sum = 0;
        for (int i = 0; i < loop_length; ++i) sum += co_await seven(starts);
        co_return sum + starts;
    };
    auto t = tasks();
    BOOST_TEST(poll_once(t).value() == 8L * loop_length);
}

BOOST_AUTO_TEST_SUITE_END()
