// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What follows a future: map, then, map_error, catch_all and finally.

#include <support/unit_kit.hpp>

#include <rouse/catch_all.hpp>
#include <rouse/finally.hpp>
#include <rouse/futures_unordered.hpp>
#include <rouse/select.hpp>
#include <rouse/task.hpp>
#include <rouse/task_group.hpp>
#include <rouse/then.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>

BOOST_AUTO_TEST_SUITE(test_then)

using rouse::catch_all;
using rouse::finally;
using rouse::map;
using rouse::map_error;
using rouse::task;
using rouse::then;
using namespace rouse_test;

namespace {

class failing {
public:
    explicit failing(char const* what) : what_(what) {}
    rouse::poll_result<int> poll(rouse::context&) { throw std::runtime_error(what_); }

private:
    char const* what_;
};

auto says(std::string what) {
    return [what](std::exception const& e) { return e.what() == what; };
}

std::string text_of(std::exception_ptr const& error) { return what_of(error); }

}  // namespace

// ---- map ----------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(map_gives_what_the_function_returns) {
    auto f = map(rouse::ready_future(std::make_unique<int>(3)),
                 [](std::unique_ptr<int> p) { return std::to_string(*p); });
    static_assert(std::is_same_v<rouse::output_t<decltype(f)>, std::string>);
    BOOST_TEST(poll_once(f).value() == "3");

    bool called = false;
    auto without = map(rouse::ready_future(), [&] { called = true; });
    static_assert(std::is_same_v<rouse::output_t<decltype(without)>, void>);
    BOOST_TEST(poll_once(without).is_ready());
    BOOST_TEST(called);

    // A reference that is returned is copied: a future's value is an object.
    static int const five = 5;
    auto copied = map(rouse::ready_future(1), [](int) -> int const& { return five; });
    static_assert(std::is_same_v<rouse::output_t<decltype(copied)>, int>);
    BOOST_TEST(poll_once(copied).value() == 5);
}

BOOST_AUTO_TEST_CASE(map_lets_exceptions_pass_and_throws_those_of_the_function) {
    bool called = false;
    auto f = map(failing("one"), [&](int) { called = true; });
    BOOST_CHECK_EXCEPTION((void)poll_once(f), std::runtime_error, says("one"));
    BOOST_TEST(!called);
    auto g = map(rouse::ready_future(1), [](int) -> int { throw std::runtime_error("two"); });
    BOOST_CHECK_EXCEPTION((void)poll_once(g), std::runtime_error, says("two"));
}

BOOST_AUTO_TEST_CASE(map_lends_what_its_future_lends) {
    loan l;
    auto f = map(lending(l), [](int n) { return n + 1; });
    static_assert(rouse::lending_future<decltype(f)>);
    BOOST_TEST(poll_once(f).is_pending());
    BOOST_TEST(!cancel_once(f).value());
    BOOST_TEST(l.released);

    loan completed;
    auto g = map(lending(completed), [](int n) { return n + 1; });
    BOOST_TEST(poll_once(g).is_pending());
    completed.done = true;
    BOOST_TEST(cancel_once(g).value().value() == 8);

    bool called = false;
    auto h = map(map(lending(completed), [](int) {}), [&] { called = true; });
    BOOST_TEST(poll_once(h).is_ready());
    BOOST_TEST(called);
}

BOOST_AUTO_TEST_CASE(map_of_a_named_future_leaves_it_to_its_owner) {
    loan l;
    lending named(l);
    {
        auto f = map(named, [](int n) { return n; });
        BOOST_TEST(poll_once(f).is_pending());
    }
    l.finish();
    BOOST_TEST(poll_once(named).value() == 7);
}

// ---- then ---------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(then_runs_one_after_the_other) {
    gate first;
    gate second;
    bool made = false;
    auto f = then(map(gate_future(first), [] { return 4; }), [&](int n) {
        made = true;
        return map(gate_future(second), [n] { return n + 1; });
    });
    BOOST_TEST(poll_once(f).is_pending());
    BOOST_TEST(!made);
    second.open = true;
    first.set();
    BOOST_TEST(poll_once(f).value() == 5);
    BOOST_TEST(second.polls == 1);
}

BOOST_AUTO_TEST_CASE(the_function_of_then_lives_as_long_as_its_coroutine) {
    gate g;
    ledger book;
    {
        auto f = then(rouse::ready_future(2), [&g, kept = std::make_shared<token>(book)](int n)
                                                  -> task<int> {
            co_await gate_future(g);
            co_return *kept ? n + 1 : 0;
        });
        BOOST_TEST(poll_once(f).is_pending());
        BOOST_TEST(book.live() == 1);
        g.set();
        BOOST_TEST(poll_once(f).value() == 3);
    }
    BOOST_TEST(book.exactly_one_died());
}

BOOST_AUTO_TEST_CASE(then_makes_nothing_of_a_failure) {
    bool made = false;
    auto f = then(failing("one"), [&](int) {
        made = true;
        return rouse::ready_future();
    });
    BOOST_CHECK_EXCEPTION((void)poll_once(f), std::runtime_error, says("one"));
    BOOST_TEST(!made);
    auto g = then(rouse::ready_future(),
                  []() -> rouse::ready_future<> { throw std::runtime_error("two"); });
    BOOST_CHECK_EXCEPTION((void)poll_once(g), std::runtime_error, says("two"));
}

BOOST_AUTO_TEST_CASE(then_lets_go_of_the_one_that_runs) {
    struct two {
        loan first{};
        loan second{};
        auto both() {
            return then(lending(first), [this](int) { return lending(second); });
        }
    };
    two unbegun;
    auto never = unbegun.both();
    BOOST_TEST(!cancel_once(never).value());
    BOOST_TEST(unbegun.first.polls == 0);

    two early;
    early.first.cancels_needed = 2;
    auto f = early.both();
    BOOST_TEST(poll_once(f).is_pending());
    BOOST_TEST(cancel_once(f).is_pending());
    BOOST_TEST(!cancel_once(f).value());
    BOOST_TEST(early.second.polls == 0);

    two late;
    late.first.done = true;
    auto g = late.both();
    BOOST_TEST(poll_once(g).is_pending());
    BOOST_TEST(late.second.polls == 1);
    late.second.done = true;
    BOOST_TEST(cancel_once(g).value().value() == 7);
}

// ---- catch_all and map_error --------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(catch_all_makes_up_for_an_exception) {
    auto f = catch_all(failing("one"), [](std::exception_ptr e) { return text_of(e) == "one"; });
    BOOST_TEST(poll_once(f).value() == 1);

    gate g;
    auto later = catch_all(failing("one"), [&](std::exception_ptr) {
        return map(gate_future(g), [] { return 8; });
    });
    BOOST_TEST(poll_once(later).is_pending());
    g.set();
    BOOST_TEST(poll_once(later).value() == 8);

    bool called = false;
    auto none = catch_all(map(failing("one"), [](int) {}), [&](std::exception_ptr) { called = true; });
    static_assert(std::is_same_v<rouse::output_t<decltype(none)>, void>);
    BOOST_TEST(poll_once(none).is_ready());
    BOOST_TEST(called);
}

BOOST_AUTO_TEST_CASE(catch_all_lets_values_pass_and_throws_what_the_function_throws) {
    auto f = catch_all(rouse::ready_future(4), [](std::exception_ptr) { return 5; });
    BOOST_TEST(poll_once(f).value() == 4);
    auto g = catch_all(failing("one"),
                       [](std::exception_ptr) -> int { throw std::runtime_error("two"); });
    BOOST_CHECK_EXCEPTION((void)poll_once(g), std::runtime_error, says("two"));
    auto h = catch_all(failing("one"), [](std::exception_ptr) { return failing("three"); });
    BOOST_CHECK_EXCEPTION((void)poll_once(h), std::runtime_error, says("three"));
}

BOOST_AUTO_TEST_CASE(catch_all_in_an_abort) {
    loan l;
    auto f = catch_all(lending(l), [](std::exception_ptr) { return 5; });
    BOOST_TEST(poll_once(f).is_pending());
    BOOST_TEST(!cancel_once(f).value());

    loan failed;
    auto g = catch_all(lending(failed), [](std::exception_ptr) { return 5; });
    BOOST_TEST(poll_once(g).is_pending());
    failed.done = failed.throws = true;
    BOOST_TEST(cancel_once(g).value().value() == 5);

    // But no second future begins.
    loan again;
    bool made = false;
    auto h = catch_all(lending(again), [&](std::exception_ptr) {
        made = true;
        return rouse::ready_future(5);
    });
    BOOST_TEST(poll_once(h).is_pending());
    again.done = again.throws = true;
    BOOST_CHECK_EXCEPTION((void)cancel_once(h), std::runtime_error, says("lent"));
    BOOST_TEST(!made);

    loan second;
    auto i = catch_all(failing("one"), [&](std::exception_ptr) { return lending(second); });
    BOOST_TEST(poll_once(i).is_pending());
    BOOST_TEST(!cancel_once(i).value());
    BOOST_TEST(second.released);
}

BOOST_AUTO_TEST_CASE(map_error_puts_another_exception_in_its_place) {
    auto f = map_error(failing("one"), [](std::exception_ptr e) {
        return std::make_exception_ptr(std::runtime_error("not " + text_of(e)));
    });
    BOOST_CHECK_EXCEPTION((void)poll_once(f), std::runtime_error, says("not one"));
    auto g = map_error(rouse::ready_future(3), [](std::exception_ptr e) { return e; });
    BOOST_TEST(poll_once(g).value() == 3);
    auto h = map_error(failing("one"), [](std::exception_ptr) { return std::exception_ptr(); });
    BOOST_CHECK_THROW((void)poll_once(h), std::logic_error);

    loan l;
    auto i = map_error(lending(l), [](std::exception_ptr) -> std::exception_ptr {
        throw std::runtime_error("mine");
    });
    BOOST_TEST(poll_once(i).is_pending());
    l.done = l.throws = true;
    BOOST_CHECK_EXCEPTION((void)cancel_once(i), std::runtime_error, says("mine"));
}

// ---- finally ------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(finally_cleans_up_after_a_value_and_after_an_exception) {
    int cleaned = 0;
    auto f = finally(rouse::ready_future(3), [&] { ++cleaned; });
    BOOST_TEST(poll_once(f).value() == 3);
    BOOST_TEST(cleaned == 1);
    auto g = finally(failing("one"), [&] { ++cleaned; });
    BOOST_CHECK_EXCEPTION((void)poll_once(g), std::runtime_error, says("one"));
    BOOST_TEST(cleaned == 2);
    auto h = finally(rouse::ready_future(), [&] { ++cleaned; });
    BOOST_TEST(poll_once(h).is_ready());
    BOOST_TEST(cleaned == 3);
}

BOOST_AUTO_TEST_CASE(a_clean_up_that_is_a_future_is_waited_for) {
    gate g;
    auto f = finally(rouse::ready_future(3), [&] { return gate_future(g); });
    BOOST_TEST(poll_once(f).is_pending());
    g.set();
    BOOST_TEST(poll_once(f).value() == 3);
}

BOOST_AUTO_TEST_CASE(what_the_clean_up_throws_takes_the_place_of_the_result) {
    auto f = finally(rouse::ready_future(3), [] { throw std::runtime_error("clean"); });
    BOOST_CHECK_EXCEPTION((void)poll_once(f), std::runtime_error, says("clean"));
    auto g = finally(failing("one"),
                     [] { return map(failing("two"), [](int) {}); });
    BOOST_CHECK_EXCEPTION((void)poll_once(g), std::runtime_error, says("two"));
}

BOOST_AUTO_TEST_CASE(finally_cleans_up_in_an_abort_when_the_future_has_let_go) {
    loan l;
    l.cancels_needed = 2;
    gate g;
    int cleaned = 0;
    auto f = finally(lending(l), [&] {
        ++cleaned;
        return gate_future(g);
    });
    BOOST_TEST(poll_once(f).is_pending());
    BOOST_TEST(cancel_once(f).is_pending());
    BOOST_TEST(cleaned == 0);
    BOOST_TEST(cancel_once(f).is_pending());
    BOOST_TEST(l.released);
    BOOST_TEST(cleaned == 1);
    BOOST_TEST(cancel_once(f).is_pending());
    g.set();
    BOOST_TEST(!cancel_once(f).value());
    BOOST_TEST(cleaned == 1);

    // An abort in the middle of the clean-up; and a result that was there before it is kept.
    gate other;
    auto h = finally(rouse::ready_future(3), [&] { return gate_future(other); });
    BOOST_TEST(poll_once(h).is_pending());
    BOOST_TEST(cancel_once(h).is_pending());
    other.set();
    BOOST_TEST(cancel_once(h).value().value() == 3);

    // What never began needs no clean-up.
    auto never = finally(lending(l), [&] { ++cleaned; });
    BOOST_TEST(!cancel_once(never).value());
    BOOST_TEST(cleaned == 1);
}

// What a join handle stands for runs whether anybody has polled the handle or not.
BOOST_AUTO_TEST_CASE(finally_lets_go_of_what_runs_before_its_first_poll) {
    hand_executor executor;
    loan l;
    l.cancels_needed = 2;
    int cleaned = 0;
    auto const clean_up = [&] { ++cleaned; };
    wake_counter waiting;
    {
        auto f = finally(executor.spawn(lending(l)), clean_up);
        executor.run_all();
        BOOST_TEST(cancel_once(f, waiting.make()).is_pending());
        executor.run_all();
        BOOST_TEST(cancel_once(f, waiting.make()).is_pending());
        l.wake();
        executor.run_all();
        BOOST_TEST(waiting.wakes == 1);
        BOOST_TEST(l.released);
        BOOST_TEST(!cancel_once(f, waiting.make()).value());
    }
    BOOST_TEST(waiting.live == 0);

    // In a select, which it loses before it is polled.
    loan loses;
    loses.cancels_needed = 2;
    auto one = rouse::select_biased(rouse::ready_future(5), finally(executor.spawn(lending(loses)), clean_up));
    executor.run_all();
    BOOST_TEST(poll_once(one).is_pending());
    executor.run_all();
    loses.wake();
    executor.run_all();
    BOOST_TEST(loses.released);
    BOOST_TEST(std::get<0>(poll_once(one).value()) == 5);

    // What it had completed with is not lost.
    auto value = finally(executor.spawn(rouse::ready_future(3)), clean_up);
    auto failure = finally(executor.spawn(failing("one")), clean_up);
    executor.run_all();
    BOOST_TEST(cancel_once(value).value().value() == 3);
    BOOST_CHECK_EXCEPTION((void)cancel_once(failure), std::runtime_error, says("one"));
    BOOST_TEST(cleaned == 0);
}

BOOST_AUTO_TEST_CASE(finally_in_a_task_that_is_aborted) {
    hand_executor executor;
    loan l;
    gate g;
    bool cleaned = false;
    auto handle = executor.spawn([&]() -> task<> {
        co_await finally(lending(l), [&]() -> task<> {
            co_await gate_future(g);
            cleaned = true;
        });
    });
    executor.run_all();
    handle.abort();
    executor.run_all();
    BOOST_TEST(!handle.is_finished());
    g.set();
    executor.run_all();
    BOOST_TEST(handle.is_finished());
    BOOST_TEST(cleaned);
    BOOST_TEST(l.dropped_in_flight == 0);
}

// What has lost is the future, not the clean-up: who is let go in that is let go for good.
BOOST_AUTO_TEST_CASE(finally_loses_and_its_clean_up_does_not) {
    loan work;
    loan cleaning;
    gate fails;
    gate ready;
    bool thrown = false;
    auto const clean_up = [&]() -> task<> {
        rouse::futures_unordered<lending> set;
        set.push(lending(cleaning));
        try {
            // The group aborts its body, which waits for something of this coroutine.
            co_await rouse::with_group([&](rouse::task_group& g) {
                g.spawn(map(gate_future(fails), [] { throw std::runtime_error("task"); }));
                return map(set.next(), [](std::optional<int>) {});
            });
        } catch (std::runtime_error const&) {
            thrown = true;
        }
    };
    {
        auto one = rouse::select_biased(gate_future(ready), finally(lending(work), clean_up));
        BOOST_TEST(poll_once(one).is_pending());
        ready.set();
        BOOST_TEST(poll_once(one).is_pending());
        BOOST_TEST(cleaning.polls == 1);
        fails.set();
        BOOST_TEST(poll_once(one).is_ready());
    }
    BOOST_TEST(thrown);
    BOOST_TEST(work.dropped_in_flight == 0);
    BOOST_TEST(cleaning.cancels == 1);
    BOOST_TEST(cleaning.dropped_in_flight == 0);
}

BOOST_AUTO_TEST_SUITE_END()
