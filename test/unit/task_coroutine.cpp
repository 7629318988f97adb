// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <array>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <rouse/any_future.hpp>
#include <rouse/task.hpp>
#include <stdexcept>
#include <string>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>
#include <vector>

using rouse::context;
using rouse::pending;
using rouse::poll_fn;
using rouse::poll_result;
using rouse::ready_future;
using rouse::task;
using namespace rouse_test;

namespace {

struct no_assignment {
    explicit no_assignment(int v) : value(v) {}
    no_assignment(no_assignment&&) = default;
    no_assignment& operator=(no_assignment&&) = delete;
    int value;
};

// Pending `n` times, waking itself, then ready with how often it was polled.
class pending_times {
public:
    explicit pending_times(int n) : left_(n) {}
    poll_result<int> poll(context& cx) {
        ++polls_;
        if (left_-- == 0) return polls_;
        cx.waker().wake_by_ref();
        return pending;
    }

private:
    int left_;
    int polls_ = 0;
};

template <class F>
auto poll_to_the_end(F& f, int limit = 1000) {
    for (;;) {
        auto r = poll_once(f);
        if (r.is_ready() || limit-- == 0) return r;
    }
}

}  // namespace

// --- values ---------------------------------------------------------------------------------

namespace {

task<int> seven(int& starts) {
    ++starts;
    co_return 7;
}

}  // namespace

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

// --- exceptions -----------------------------------------------------------------------------

namespace {

struct not_an_exception {
    int value;
};

task<int> throws_after(int polls) {
    co_await pending_times(polls);
    throw not_an_exception{polls};
}

class throwing_future {
public:
    explicit throwing_future(int n) : left_(n) {}
    poll_result<int> poll(context& cx) {
        if (left_-- == 0) throw std::runtime_error("from poll");
        cx.waker().wake_by_ref();
        return pending;
    }

private:
    int left_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b23_an_exception_from_the_first_or_nth_poll_of_any_type_leaves_the_task) {
    for (int n : {0, 1, 4}) {
        auto t = throws_after(n);
        for (int i = 0; i < n; ++i) BOOST_TEST(poll_once(t).is_pending());
        BOOST_CHECK_EXCEPTION((void)poll_once(t), not_an_exception,
                              [n](auto const& e) { return e.value == n; });
        BOOST_CHECK_THROW((void)poll_once(t), std::logic_error);  // it has completed
    }
}

BOOST_AUTO_TEST_CASE(b23_an_exception_of_an_awaited_future_is_thrown_where_it_is_awaited) {
    auto body = []() -> task<int> {
        int caught = 0;
        for (int n : {0, 2}) {
            try {
                co_await throwing_future(n);
            } catch (std::runtime_error const&) {
                ++caught;
            }
            try {
                co_await throws_after(n);
            } catch (not_an_exception const& e) {
                caught += 10 * (1 + e.value);
            }
        }
        co_return caught;
    };
    auto t = body();
    BOOST_TEST(poll_to_the_end(t).value() == 2 + 10 + 30);
}

BOOST_AUTO_TEST_CASE(b24_a_local_whose_destructor_throws_after_co_return_makes_an_exception) {
    ledger book;
    auto body = [](ledger& l) -> task<std::unique_ptr<token>> {
        auto boom = [] { throw std::runtime_error("destructor"); };
        at_exit guard(boom);
        co_return std::make_unique<token>(l);
    };
    auto t = body(book);
    BOOST_CHECK_THROW((void)poll_once(t), std::runtime_error);
    BOOST_TEST(book.exactly_one_died());  // the value that was returned already
}

BOOST_AUTO_TEST_CASE(b21_a_task_that_is_polled_or_awaited_after_it_was_ready_says_so) {
    int starts = 0;
    auto t = seven(starts);
    BOOST_TEST(poll_once(t).value() == 7);
    BOOST_CHECK_THROW((void)poll_once(t), std::logic_error);

    auto twice = [](int& s) -> task<int> {
        task<int> child = seven(s);
        int sum = co_await child;
        sum += co_await child;
        co_return sum;
    };
    auto u = twice(starts);
    BOOST_CHECK_THROW((void)poll_once(u), std::logic_error);
    auto moved_from = seven(starts);
    auto taken = std::move(moved_from);
    BOOST_CHECK_THROW((void)poll_once(moved_from), std::logic_error);
}

// --- the order of destruction ---------------------------------------------------------------

namespace {

struct noted {
    noted(std::vector<std::string>& l, std::string n) : log(&l), name(std::move(n)) {}
    noted(noted const&) = delete;
    noted& operator=(noted const&) = delete;
    ~noted() { log->push_back(name); }
    std::vector<std::string>* log;
    std::string name;
};

task<> inner(std::vector<std::string>& log, loan& l) {
    noted a(log, "inner 1");
    noted b(log, "inner 2");
    co_await lending(l);
}
task<> middle(std::vector<std::string>& log, loan& l) {
    noted a(log, "middle");
    co_await inner(log, l);
}
task<> outer(std::vector<std::string>& log, loan& l) {
    noted a(log, "outer");
    co_await middle(log, l);
}

std::vector<std::string> const inside_out{"inner 2", "inner 1", "middle", "outer"};

}  // namespace

BOOST_AUTO_TEST_CASE(an_abort_lets_the_leaf_go_and_then_unwinds_from_the_inside_out) {
    std::vector<std::string> log;
    loan l;
    l.cancels_needed = 3;
    auto t = outer(log, l);
    BOOST_TEST(poll_once(t).is_pending());
    BOOST_TEST(cancel_once(t).is_pending());
    BOOST_TEST(cancel_once(t).is_pending());
    BOOST_TEST(log.empty());
    auto r = cancel_once(t);
    BOOST_TEST(r.is_ready());
    BOOST_TEST(!r.value());
    BOOST_TEST(log == inside_out, boost::test_tools::per_element());
    BOOST_TEST(l.cancels == 3);
    BOOST_TEST(l.dropped_in_flight == 0);
    BOOST_TEST(l.book.exactly_one_died());

    // Once more, as a rule allows: nothing happens.
    BOOST_TEST(cancel_once(t).is_ready());
    BOOST_TEST(l.cancels == 3);
    BOOST_TEST(log.size() == 4U);
}

BOOST_AUTO_TEST_CASE(destroyed_while_pending_it_unwinds_from_the_inside_out_too) {
    std::vector<std::string> log;
    loan l;
    {
        auto t = outer(log, l);
        BOOST_TEST(poll_once(t).is_pending());
    }
    BOOST_TEST(log == inside_out, boost::test_tools::per_element());
    BOOST_TEST(l.dropped_in_flight == 1);
    BOOST_TEST(l.cancels == 0);
}

BOOST_AUTO_TEST_CASE(a_task_that_was_never_polled_lets_go_at_once_and_its_body_never_runs) {
    std::vector<std::string> log;
    loan l;
    auto t = outer(log, l);
    BOOST_TEST(cancel_once(t).is_ready());
    BOOST_TEST(log.empty());
    BOOST_TEST(l.polls == 0);
    BOOST_TEST(l.cancels == 0);
}

BOOST_AUTO_TEST_CASE(what_the_leaf_had_completed_with_is_lost_by_an_abort_and_released) {
    for (bool throws : {false, true}) {
        std::vector<std::string> log;
        loan l;
        l.throws = throws;
        auto t = outer(log, l);
        BOOST_TEST(poll_once(t).is_pending());
        l.finish();
        BOOST_TEST(cancel_once(t).is_ready());
        BOOST_TEST(log == inside_out, boost::test_tools::per_element());
        BOOST_TEST(l.polls == 1);
        BOOST_TEST(l.dropped_in_flight == 0);
        BOOST_TEST(l.book.exactly_one_died());
    }
}

BOOST_AUTO_TEST_CASE(an_abort_reaches_a_named_future_that_is_being_awaited) {
    loan l;
    auto body = [](loan& o) -> task<> {
        lending named(o);
        co_await named;
    };
    auto t = body(l);
    BOOST_TEST(poll_once(t).is_pending());
    BOOST_TEST(cancel_once(t).is_ready());
    BOOST_TEST(l.cancels == 1);
    BOOST_TEST(l.dropped_in_flight == 0);
}

BOOST_AUTO_TEST_CASE(an_abort_reaches_the_leaf_of_a_named_task_that_was_polled_before) {
    loan l;
    l.cancels_needed = 2;
    std::vector<std::string> log;
    auto body = [](std::vector<std::string>& lg, loan& o) -> task<> {
        noted mine(lg, "awaiter");
        task<> child = outer(lg, o);
        auto once = [&child](context& cx) -> poll_result<void> {
            (void)child.poll(cx);
            return rouse::ready();
        };
        poll_fn first_look(once);
        co_await first_look;
        co_await child;
    };
    auto t = body(log, l);
    BOOST_TEST(poll_once(t).is_pending());
    BOOST_TEST(cancel_once(t).is_pending());
    BOOST_TEST(cancel_once(t).is_ready());
    BOOST_TEST(l.cancels == 2);
    BOOST_TEST(l.dropped_in_flight == 0);
    auto expected = inside_out;
    expected.push_back("awaiter");
    BOOST_TEST(log == expected, boost::test_tools::per_element());
}

// Every number of polls, then destruction or an abort: all of it is given back.
BOOST_AUTO_TEST_CASE(b35_dropped_after_every_possible_number_of_polls_it_releases_everything) {
    ledger book;
    auto part = [](ledger& b, int n) -> task<int> {
        token held(b);
        co_return co_await pending_times(n);
    };
    auto whole = [](auto& make_part, ledger& b) -> task<int> {
        token held(b);
        int sum = co_await make_part(b, 2);
        rouse::any_future<int> erased = make_part(b, 1);
        sum += co_await erased;
        task<int> named = make_part(b, 3);
        sum += co_await named;
        co_return sum;
    };
    for (bool abort : {false, true}) {
        for (int polls = 0; polls <= 8; ++polls) {
            book.made = 0;
            book.died = 0;
            bool finished = false;
            {
                auto t = whole(part, book);
                for (int i = 0; i < polls && !finished; ++i) finished = poll_once(t).is_ready();
                if (abort && !finished) BOOST_TEST(cancel_once(t).is_ready());
                if (abort) BOOST_TEST(book.live() == 0);
            }
            BOOST_TEST(finished == (polls >= 7));
            BOOST_TEST(book.live() == 0);
        }
    }
}

BOOST_AUTO_TEST_CASE(b27_the_frame_dies_when_the_task_completes_and_not_with_the_task_object) {
    ledger book;
    auto body = [](token argument) -> task<> {
        token local = std::move(argument);
        co_await ready_future();
    };
    auto t = body(token(book));
    BOOST_TEST(poll_once(t).is_ready());
    BOOST_TEST(book.exactly_one_died());
}

BOOST_AUTO_TEST_CASE(an_awaited_temporary_lives_until_the_end_of_the_await) {
    std::vector<std::string> log;
    auto child = [](std::vector<std::string>& l) -> task<int> {
        noted n(l, "child");
        co_return 1;
    };
    auto body = [](auto& make, std::vector<std::string>& l) -> task<> {
        int const one = co_await make(l);
        l.push_back("after the await");
        static_cast<void>(one);
        co_return;
    };
    auto t = body(child, log);
    BOOST_TEST(poll_once(t).is_ready());
    BOOST_TEST(log.size() == 2U);
    BOOST_TEST(log.front() == "child");
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
