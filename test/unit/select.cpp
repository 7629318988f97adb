// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// select, select_biased and race: who wins, what becomes of the others.

#include <support/unit_kit.hpp>

#include <rouse/select.hpp>
#include <rouse/task.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <variant>

BOOST_AUTO_TEST_SUITE(test_select)

using rouse::race;
using rouse::select;
using rouse::select_biased;
using rouse::task;
using namespace rouse_test;

namespace {

class failing {
public:
    explicit failing(char const* what) : what_(what) {}
    rouse::poll_result<int> poll(rouse::context&) { throw std::runtime_error(what_); }

private:
    char const* what_;
};

auto says(char const* what) {
    return [what](std::exception const& e) { return std::string(e.what()) == what; };
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_winner_is_a_variant_by_index) {
    auto one = select(rouse::pending_future<int>(), rouse::ready_future(std::make_unique<int>(3)),
                      rouse::pending_future<>());
    auto polled = poll_once(one);
    BOOST_REQUIRE(polled.is_ready());
    auto first = std::move(polled).value();
    BOOST_TEST(first.index() == 1U);
    BOOST_TEST(*std::get<1>(first) == 3);
    BOOST_TEST(std::visit([](auto const& v) { return sizeof v; }, first) == sizeof(void*));
    std::variant<int, std::unique_ptr<int>, std::monostate> plain = std::move(first);
    BOOST_TEST(*std::get<1>(plain) == 3);
    BOOST_CHECK_EXCEPTION((void)poll_once(one), std::logic_error,
                          says("rouse: a select was polled after it was ready"));

    // The same type twice.
    auto same = select_biased(rouse::pending_future<int>(), rouse::ready_future(4));
    BOOST_TEST(std::get<1>(poll_once(same).value()) == 4);
}

BOOST_AUTO_TEST_CASE(the_losers_have_let_go_before_the_result_is_there) {
    loan l;
    l.cancels_needed = 3;
    gate g;
    wake_counter parent;
    auto one = select(lending(l), gate_future(g));
    rouse::waker const waker = parent.make();
    BOOST_TEST(poll_once(one, waker).is_pending());
    g.set();
    BOOST_TEST(poll_once(one, waker).is_pending());
    BOOST_TEST(l.cancels == 1);
    BOOST_TEST(poll_once(one, waker).is_pending());
    BOOST_TEST(l.cancels == 1);
    l.wake();
    BOOST_TEST(poll_once(one, waker).is_pending());
    l.wake();
    auto polled = poll_once(one, waker);
    BOOST_REQUIRE(polled.is_ready());
    BOOST_TEST(polled.value().index() == 1U);
    BOOST_TEST(std::get<0>(polled.value().losers).is_stopped());
    BOOST_TEST(l.book.exactly_one_died());
    BOOST_TEST(l.dropped_in_flight == 0);
}

BOOST_AUTO_TEST_CASE(b36_what_a_loser_has_completed_with_is_not_lost) {
    loan value;
    loan failure;
    gate g;
    auto one = select(lending(value), gate_future(g), lending(failure));
    BOOST_TEST(poll_once(one).is_pending());
    g.set();
    value.done = true;
    failure.done = failure.throws = true;
    auto polled = poll_once(one);
    BOOST_REQUIRE(polled.is_ready());
    auto& first = polled.value();
    BOOST_TEST(first.index() == 1U);
    BOOST_TEST(std::get<0>(first.losers).has_value());
    BOOST_TEST(std::get<0>(first.losers).value() == 7);
    BOOST_TEST(std::get<1>(first.losers).is_stopped());
    BOOST_TEST(std::get<2>(first.losers).has_error());
    BOOST_CHECK_EXCEPTION((void)std::get<2>(first.losers).value(), std::runtime_error, says("lent"));
    BOOST_CHECK_THROW((void)std::get<1>(first.losers).value(), std::logic_error);
}

BOOST_AUTO_TEST_CASE(a_failure_wins_too) {
    loan l;
    auto one = select_biased(failing("one"), lending(l));
    BOOST_CHECK_EXCEPTION((void)poll_once(one), std::runtime_error, says("one"));
    BOOST_TEST(l.polls == 0);
}

BOOST_AUTO_TEST_CASE(chance_decides_among_those_that_are_ready) {
    std::array<int, 3> wins{};
    for (int n = 0; n < 3000; ++n) {
        auto one = select(rouse::ready_future(), rouse::ready_future(), rouse::ready_future());
        ++wins[poll_once(one).value().index()];
    }
    for (int const w : wins) BOOST_TEST((w > 800 && w < 1200));
}

BOOST_AUTO_TEST_CASE(with_a_bias_the_first_wins) {
    for (int n = 0; n < 20; ++n) {
        auto one =
            select_biased(rouse::pending_future<>(), rouse::ready_future(), rouse::ready_future());
        BOOST_TEST(poll_once(one).value().index() == 1U);
    }
    // Also of those that are woken at once, in the other order.
    gate a;
    gate b;
    auto one = select_biased(gate_future(a), gate_future(b));
    BOOST_TEST(poll_once(one).is_pending());
    b.set();
    a.set();
    BOOST_TEST(poll_once(one).value().index() == 0U);
}

BOOST_AUTO_TEST_CASE(a_named_future_that_loses_lives_on) {
    loan l;
    gate g;
    lending named(l);
    wake_counter parent;
    rouse::waker const waker = parent.make();
    {
        auto one = select(named, gate_future(g));
        BOOST_TEST(poll_once(one, waker).is_pending());
        g.set();
        auto polled = poll_once(one, waker);
        BOOST_REQUIRE(polled.is_ready());
        BOOST_TEST(std::get<0>(polled.value().losers).is_stopped());
    }
    BOOST_TEST(l.cancels == 0);
    l.wake();  // the waker that the select has given it
    BOOST_TEST(poll_once(named, waker).is_pending());
    BOOST_TEST(l.polls == 2);
    l.finish();
    BOOST_TEST(poll_once(named, waker).value() == 7);
}

BOOST_AUTO_TEST_CASE(a_named_future_can_win_and_then_has_completed) {
    loan l;
    l.done = true;
    lending named(l);
    auto one = select(rouse::pending_future<>(), named);
    auto polled = poll_once(one);
    BOOST_REQUIRE(polled.is_ready());
    BOOST_TEST(std::get<1>(polled.value()) == 7);
}

BOOST_AUTO_TEST_CASE(the_same_future_in_a_loop_of_selects_loses_nothing) {
    hand_executor executor;
    std::array<gate, 5> ticks;
    gate last;
    int seen = 0;
    auto handle = executor.spawn([&]() -> task<int> {
        auto work = [](gate& g) -> task<int> {
            co_await gate_future(g);
            co_return 42;
        }(last);
        for (auto& tick : ticks) {
            auto first = co_await select(work, gate_future(tick));
            if (first.index() == 0) co_return std::get<0>(first);
            ++seen;
        }
        co_return 0;
    });
    executor.run_all();
    for (std::size_t n = 0; n < 3; ++n) {
        ticks[n].set();
        executor.run_all();
        BOOST_TEST(seen == static_cast<int>(n) + 1);
    }
    BOOST_TEST(last.polls == 4);  // once by each select
    last.set();
    executor.run_all();
    BOOST_TEST(poll_once(handle).value() == 42);
}

// ---- an abort -----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(aborted_it_lets_all_go) {
    loan a;
    loan b;
    b.cancels_needed = 2;
    auto one = select(lending(a), lending(b));
    BOOST_TEST(poll_once(one).is_pending());
    BOOST_TEST(cancel_once(one).is_pending());
    b.wake();
    auto released = cancel_once(one);
    BOOST_REQUIRE(released.is_ready());
    BOOST_TEST(!released.value());
    BOOST_TEST(a.cancels == 1);
    BOOST_TEST(b.cancels == 2);
    BOOST_TEST(!cancel_once(one).value());
}

BOOST_AUTO_TEST_CASE(aborted_before_the_first_poll_it_starts_nothing) {
    loan l;
    auto one = select(lending(l), rouse::ready_future());
    BOOST_TEST(!cancel_once(one).value());
    BOOST_TEST(l.polls == 0);
}

BOOST_AUTO_TEST_CASE(b36_aborted_it_keeps_a_value_that_is_there_after_all) {
    loan failure;
    loan value;
    auto one = select(lending(failure), lending(value));
    BOOST_TEST(poll_once(one).is_pending());
    failure.done = failure.throws = true;
    value.done = true;
    auto released = cancel_once(one);
    BOOST_REQUIRE(released.is_ready());
    BOOST_REQUIRE(released.value().has_value());
    BOOST_TEST(released.value()->index() == 1U);
    BOOST_TEST(std::get<0>(released.value()->losers).has_error());

    loan alone;
    auto two = select(lending(alone), rouse::pending_future<>());
    BOOST_TEST(poll_once(two).is_pending());
    alone.done = alone.throws = true;
    BOOST_CHECK_EXCEPTION((void)cancel_once(two), std::runtime_error, says("lent"));
}

BOOST_AUTO_TEST_CASE(aborted_while_a_loser_lets_go_it_keeps_what_has_won) {
    loan l;
    l.cancels_needed = 2;
    auto one = select_biased(lending(l), rouse::ready_future(5));
    BOOST_TEST(poll_once(one).is_pending());
    BOOST_TEST(l.cancels == 1);
    l.wake();
    auto released = cancel_once(one);
    BOOST_REQUIRE(released.is_ready());
    BOOST_REQUIRE(released.value().has_value());
    BOOST_TEST(std::get<1>(*released.value()) == 5);
}

BOOST_AUTO_TEST_CASE(aborted_a_task_that_selects_lets_go_and_dies) {
    hand_executor executor;
    loan l;
    l.cancels_needed = 2;
    auto handle = executor.spawn([&]() -> task<int> {
        auto first = co_await select(lending(l), rouse::pending_future<int>());
        co_return std::get<0>(first);
    });
    executor.run_all();
    handle.abort();
    executor.run_all();
    BOOST_TEST(!handle.is_finished());
    l.wake();
    executor.run_all();
    BOOST_TEST(handle.is_finished());
    BOOST_TEST(l.book.exactly_one_died());
}

// A value that is an exception is not one that was thrown.
BOOST_AUTO_TEST_CASE(a_value_that_is_an_exception) {
    auto const give = [](std::exception_ptr e) -> task<std::exception_ptr> { co_return e; };
    auto const fail = []() -> task<std::exception_ptr> {
        throw std::runtime_error("thrown");
        co_return std::exception_ptr();
    };
    auto const given = std::make_exception_ptr(std::runtime_error("given"));
    loan l;
    auto one = select_biased(lending(l), give(given));
    auto const first = poll_once(one).value();
    BOOST_TEST((std::get<1>(first) == given));
    auto two = select(fail());
    BOOST_CHECK_EXCEPTION((void)poll_once(two), std::runtime_error, says("thrown"));
    auto three = race(fail(), give(given));
    auto const won = poll_once(three).value();
    BOOST_TEST((std::get<1>(won) == given));
}

BOOST_AUTO_TEST_CASE(a_value_that_cannot_be_assigned) {
    struct fixed {
        int const x;
    };
    static_assert(!std::is_move_assignable_v<fixed>);
    class lends_fixed {
    public:
        explicit lends_fixed(loan& l) : lent_(l) {}
        rouse::poll_result<fixed> poll(rouse::context& cx) {
            auto polled = lent_.poll(cx);
            if (polled.is_pending()) return rouse::pending;
            return fixed{polled.value()};
        }
        rouse::cancel_result<fixed> poll_cancel(rouse::context& cx) {
            auto released = lent_.poll_cancel(cx);
            if (released.is_pending()) return rouse::pending;
            if (!released.value()) return std::optional<fixed>();
            return std::optional<fixed>(fixed{*released.value()});
        }

    private:
        lending lent_;
    };
    loan late;
    loan stopped;
    gate g;
    auto const give_after = [](gate& wait, int n) -> task<fixed> {
        co_await gate_future(wait);
        co_return fixed{n};
    };
    auto one = select_biased(lends_fixed(late), lends_fixed(stopped), give_after(g, 5));
    BOOST_TEST(poll_once(one).is_pending());
    late.done = true;
    g.set();
    auto const first = poll_once(one).value();
    BOOST_TEST(std::get<2>(first).x == 5);
    auto [had_completed, was_stopped, winner] = first.losers;
    BOOST_TEST(had_completed.value().x == 7);
    BOOST_TEST(was_stopped.is_stopped());
    BOOST_TEST(winner.is_stopped());
}

// ---- race ---------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_race_is_won_by_the_first_success) {
    gate g;
    loan l;
    auto one = race(failing("one"), gate_future(g), lending(l));
    BOOST_TEST(poll_once(one).is_pending());
    g.set();
    auto polled = poll_once(one);
    BOOST_REQUIRE(polled.is_ready());
    BOOST_TEST(polled.value().index() == 1U);
    BOOST_TEST(std::get<0>(polled.value().losers).has_error());
    BOOST_TEST(l.released);
    BOOST_CHECK_EXCEPTION((void)poll_once(one), std::logic_error,
                          says("rouse: a race was polled after it was ready"));
}

BOOST_AUTO_TEST_CASE(a_race_that_nobody_wins_throws_the_first_failure_in_order) {
    gate g;
    auto one = race(
        [](gate& wait) -> task<int> {
            co_await gate_future(wait);
            throw std::runtime_error("one");
        }(g),
        failing("two"));
    BOOST_TEST(poll_once(one).is_pending());
    g.set();
    BOOST_CHECK_EXCEPTION((void)poll_once(one), std::runtime_error, says("one"));
}

BOOST_AUTO_TEST_CASE(an_aborted_race_throws_a_failure_only_if_all_have_failed) {
    loan l;
    auto one = race(failing("one"), lending(l));
    BOOST_TEST(poll_once(one).is_pending());
    auto stopped = cancel_once(one);
    BOOST_REQUIRE(stopped.is_ready());
    BOOST_TEST(!stopped.value().has_value());
    BOOST_TEST(l.released);

    loan done;
    auto two = race(failing("one"), lending(done), rouse::pending_future<>());
    BOOST_TEST(poll_once(two).is_pending());
    done.done = true;
    auto released = cancel_once(two);
    BOOST_REQUIRE(released.value().has_value());
    BOOST_TEST(std::get<1>(*released.value()) == 7);

    loan fails;
    auto three = race(failing("one"), lending(fails));
    BOOST_TEST(poll_once(three).is_pending());
    fails.done = fails.throws = true;
    BOOST_CHECK_EXCEPTION((void)cancel_once(three), std::runtime_error, says("one"));
}

BOOST_AUTO_TEST_SUITE_END()
