// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// join and try_join: what they give, whom they poll, and how they let go.

#include <support/unit_kit.hpp>

#include <rouse/any_future.hpp>
#include <rouse/join.hpp>
#include <rouse/task.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <variant>

BOOST_AUTO_TEST_SUITE(test_join)

using rouse::join;
using rouse::task;
using rouse::try_join;
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

// Asks for one more poll each time, through the waker of its context.
class yielding {
public:
    explicit yielding(int times) : left_(times) {}
    rouse::poll_result<int> poll(rouse::context& cx) {
        ++polls;
        if (left_-- == 0) return polls;
        cx.yield();
        return rouse::pending;
    }
    int polls = 0;

private:
    int left_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_join_of_nothing_is_ready) {
    auto none = join();
    BOOST_TEST(poll_once(none).is_ready());
    static_assert(std::is_same_v<rouse::output_t<decltype(none)>, std::tuple<>>);
    auto nobody = try_join();
    BOOST_TEST(poll_once(nobody).is_ready());
}

BOOST_AUTO_TEST_CASE(values_come_as_a_tuple_in_the_order_of_the_arguments) {
    auto all = join(rouse::ready_future(std::make_unique<int>(3)), rouse::ready_future(),
                    rouse::ready_future(std::string("x")));
    static_assert(std::is_same_v<rouse::output_t<decltype(all)>,
                                 std::tuple<std::unique_ptr<int>, std::monostate, std::string>>);
    auto polled = poll_once(all);
    BOOST_REQUIRE(polled.is_ready());
    auto [number, nothing, text] = std::move(polled).value();
    BOOST_TEST(*number == 3);
    BOOST_TEST(text == "x");
    static_assert(std::is_same_v<decltype(nothing), std::monostate>);
}

BOOST_AUTO_TEST_CASE(it_is_a_future_that_lends_and_joins_can_be_joined) {
    auto inner = join(rouse::ready_future(1));
    static_assert(rouse::lending_future<decltype(inner)>);
    auto outer = join(std::move(inner), join());
    auto polled = poll_once(outer);
    BOOST_REQUIRE(polled.is_ready());
    BOOST_TEST(std::get<0>(std::get<0>(polled.value())) == 1);
    rouse::any_future<std::tuple<int>> const erased(join(rouse::ready_future(1)));
    BOOST_TEST(static_cast<bool>(erased));
}

BOOST_AUTO_TEST_CASE(all_are_polled_at_first_and_then_only_who_was_woken) {
    wake_counter parent;
    gate a;
    gate b;
    gate c;
    auto all = join(gate_future(a), gate_future(b), gate_future(c));
    rouse::waker const waker = parent.make();
    BOOST_TEST(poll_once(all, waker).is_pending());
    BOOST_TEST(a.polls == 1);
    BOOST_TEST(b.polls == 1);
    BOOST_TEST(c.polls == 1);

    b.set();
    BOOST_TEST(parent.wakes == 1);
    BOOST_TEST(poll_once(all, waker).is_pending());
    BOOST_TEST(a.polls == 1);
    BOOST_TEST(b.polls == 2);
    BOOST_TEST(c.polls == 1);

    BOOST_TEST(poll_once(all, waker).is_pending());  // for nothing
    BOOST_TEST(a.polls + b.polls + c.polls == 4);

    // Two wakes before the next poll: the parent hears of the first.
    a.set();
    c.set();
    BOOST_TEST(parent.wakes == 2);
    BOOST_TEST(poll_once(all, waker).is_ready());
    BOOST_TEST(a.polls == 2);
    BOOST_TEST(b.polls == 2);
    BOOST_TEST(c.polls == 2);
}

BOOST_AUTO_TEST_CASE(the_latest_waker_of_the_parent_is_woken) {
    wake_counter first;
    wake_counter second;
    gate g;
    {
        auto all = join(gate_future(g), rouse::pending_future<int>());
        BOOST_TEST(poll_once(all, first.make()).is_pending());
        BOOST_TEST(poll_once(all, second.make()).is_pending());
        g.set();
        BOOST_TEST(first.wakes == 0);
        BOOST_TEST(second.wakes == 1);
    }
    BOOST_TEST(first.live == 0);
    BOOST_TEST(second.live == 0);
}

BOOST_AUTO_TEST_CASE(a_childs_waker_outlives_the_join) {
    wake_counter parent;
    gate g;
    {
        auto all = join(gate_future(g), rouse::ready_future(1));
        BOOST_TEST(poll_once(all, parent.make()).is_pending());
    }
    rouse::waker const copy = g.waiting;
    g.set();
    copy.wake_by_ref();
    BOOST_TEST(parent.wakes <= 1);
}

BOOST_AUTO_TEST_CASE(a_child_that_yields_is_polled_again) {
    wake_counter parent;
    gate g;
    auto all = join(yielding(3), gate_future(g));
    rouse::waker const waker = parent.make();
    for (int n = 1; n <= 3; ++n) {
        BOOST_TEST(poll_once(all, waker).is_pending());
        BOOST_TEST(parent.wakes == n);
    }
    BOOST_TEST(poll_once(all, waker).is_pending());
    BOOST_TEST(parent.wakes == 3);
    BOOST_TEST(g.polls == 1);
    g.set();
    auto polled = poll_once(all, waker);
    BOOST_REQUIRE(polled.is_ready());
    BOOST_TEST(std::get<0>(polled.value()) == 4);
}

// The last child of the 64.
BOOST_AUTO_TEST_CASE(sixty_four_children) {
    std::array<gate, 64> gates;
    wake_counter parent;
    auto all = [&]<std::size_t... I>(std::index_sequence<I...>) {
        return join(gate_future(gates[I])...);
    }(std::make_index_sequence<64>{});
    rouse::waker const waker = parent.make();
    BOOST_TEST(poll_once(all, waker).is_pending());
    gates[63].set();
    BOOST_TEST(poll_once(all, waker).is_pending());
    BOOST_TEST(gates[63].polls == 2);
    BOOST_TEST(gates[0].polls == 1);
    for (std::size_t n = 0; n < 63; ++n) gates[n].set();
    BOOST_TEST(poll_once(all, waker).is_ready());
    BOOST_TEST(gates[0].polls == 2);
    BOOST_TEST(gates[63].polls == 2);
}

BOOST_AUTO_TEST_CASE(b36_a_change_of_the_cancellation_has_all_children_polled) {
    rouse::cancellation_state cancellation;
    rouse::waker const nobody;
    gate a;
    gate b;
    auto all = join(gate_future(a), gate_future(b));
    auto const poll = [&] {
        rouse::poll_root root;
        root.waker = &nobody;
        root.cancellation = &cancellation;
        rouse::context cx(root);
        return all.poll(cx).is_ready();
    };
    BOOST_TEST(!poll());
    BOOST_TEST(!poll());
    BOOST_TEST(a.polls == 1);
    cancellation.request(rouse::cancellation_type::total);
    BOOST_TEST(!poll());
    BOOST_TEST(a.polls == 2);
    BOOST_TEST(b.polls == 2);
    BOOST_TEST(!poll());
    BOOST_TEST(a.polls == 2);
}

BOOST_AUTO_TEST_CASE(a_failure_is_thrown_when_all_have_completed_and_it_is_the_first_in_order) {
    gate g;
    auto all = join(gate_future(g), failing("one"), failing("two"));
    BOOST_TEST(poll_once(all).is_pending());
    g.set();
    BOOST_CHECK_EXCEPTION((void)poll_once(all), std::runtime_error, says("one"));
    BOOST_CHECK_EXCEPTION((void)poll_once(all), std::logic_error,
                          says("rouse: a join was polled after it was ready"));
}

BOOST_AUTO_TEST_CASE(try_join_lets_the_others_go_before_it_throws) {
    loan l;
    l.cancels_needed = 3;
    wake_counter parent;
    auto all = try_join(lending(l), failing("one"));
    rouse::waker const waker = parent.make();
    BOOST_TEST(poll_once(all, waker).is_pending());
    BOOST_TEST(l.cancels == 1);
    BOOST_TEST(poll_once(all, waker).is_pending());  // nobody has woken the child
    BOOST_TEST(l.cancels == 1);
    l.wake();
    BOOST_TEST(parent.wakes == 1);
    BOOST_TEST(poll_once(all, waker).is_pending());
    BOOST_TEST(l.cancels == 2);
    l.wake();
    BOOST_CHECK_EXCEPTION((void)poll_once(all, waker), std::runtime_error, says("one"));
    BOOST_TEST(l.polls == 1);
    BOOST_TEST(l.book.exactly_one_died());
    BOOST_TEST(l.dropped_in_flight == 0);
}

BOOST_AUTO_TEST_CASE(try_join_polls_nobody_after_a_failure) {
    loan l;
    auto all = try_join(failing("one"), lending(l));
    BOOST_CHECK_THROW((void)poll_once(all), std::runtime_error);
    BOOST_TEST(l.polls == 0);
    BOOST_TEST(l.cancels == 1);
}

BOOST_AUTO_TEST_CASE(the_first_failure_is_thrown_also_if_another_fails_while_it_lets_go) {
    loan l;
    gate g;
    auto all = try_join(lending(l), [](gate& wait) -> task<int> {
        co_await gate_future(wait);
        throw std::runtime_error("one");
    }(g));
    BOOST_TEST(poll_once(all).is_pending());
    l.done = true;
    l.throws = true;
    g.set();
    BOOST_CHECK_EXCEPTION((void)poll_once(all), std::runtime_error, says("one"));
}

BOOST_AUTO_TEST_CASE(try_join_of_successes_is_a_join) {
    auto all = try_join(rouse::ready_future(1), rouse::ready_future());
    auto polled = poll_once(all);
    BOOST_REQUIRE(polled.is_ready());
    BOOST_TEST(std::get<0>(polled.value()) == 1);
    BOOST_CHECK_EXCEPTION((void)poll_once(all), std::logic_error,
                          says("rouse: a try_join was polled after it was ready"));
}

// ---- an abort -----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(aborted_before_the_first_poll_nothing_has_begun) {
    loan l;
    auto all = join(lending(l), lending(l));
    auto released = cancel_once(all);
    BOOST_REQUIRE(released.is_ready());
    BOOST_TEST(!released.value());
    BOOST_TEST(l.polls == 0);
    BOOST_TEST(l.cancels == 2);
}

BOOST_AUTO_TEST_CASE(aborted_it_waits_for_all_and_asks_those_who_were_woken) {
    wake_counter parent;
    loan a;
    loan b;
    a.cancels_needed = 1;
    b.cancels_needed = 2;
    auto all = join(lending(a), lending(b));
    rouse::waker const waker = parent.make();
    BOOST_TEST(poll_once(all, waker).is_pending());
    BOOST_TEST(cancel_once(all, waker).is_pending());
    BOOST_TEST(a.cancels == 1);
    BOOST_TEST(b.cancels == 1);
    BOOST_TEST(cancel_once(all, waker).is_pending());
    BOOST_TEST(b.cancels == 1);
    b.wake();
    auto released = cancel_once(all, waker);
    BOOST_REQUIRE(released.is_ready());
    BOOST_TEST(!released.value());
    BOOST_TEST(a.book.exactly_one_died());
    BOOST_TEST(b.book.exactly_one_died());
    BOOST_TEST(a.dropped_in_flight + b.dropped_in_flight == 0);
    BOOST_TEST(!cancel_once(all, waker).value());  // idempotent
}

BOOST_AUTO_TEST_CASE(what_had_completed_after_all_is_kept_if_it_is_everything) {
    loan a;
    loan b;
    auto all = join(lending(a), lending(b));
    BOOST_TEST(poll_once(all).is_pending());
    a.done = true;
    b.done = true;
    auto released = cancel_once(all);
    BOOST_REQUIRE(released.is_ready());
    BOOST_REQUIRE(released.value().has_value());
    BOOST_TEST(std::get<0>(*released.value()) == 7);
}

BOOST_AUTO_TEST_CASE(what_fails_while_it_lets_go_is_thrown) {
    loan a;
    loan b;
    auto all = join(lending(a), lending(b));
    BOOST_TEST(poll_once(all).is_pending());
    b.done = true;
    b.throws = true;
    BOOST_CHECK_EXCEPTION((void)cancel_once(all), std::runtime_error, says("lent"));
    BOOST_TEST(a.released);
}

BOOST_AUTO_TEST_CASE(dropped_it_drops_its_children) {
    loan l;
    {
        auto all = join(lending(l), rouse::ready_future(1));
        BOOST_TEST(poll_once(all).is_pending());
    }
    BOOST_TEST(l.dropped_in_flight == 1);
    BOOST_TEST(l.book.exactly_one_died());
}

// ---- named futures ------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_named_future_is_taken_by_reference_and_asked_to_let_go_in_an_abort) {
    loan l;
    lending named(l);
    {
        auto all = join(named, rouse::pending_future<int>());
        BOOST_TEST(poll_once(all).is_pending());
        BOOST_TEST(cancel_once(all).is_ready());
        BOOST_TEST(l.cancels == 1);
    }
    BOOST_TEST(l.book.died == 0);
}

BOOST_AUTO_TEST_CASE(a_named_future_survives_the_failure_of_another) {
    loan l;
    lending named(l);
    {
        auto all = try_join(named, failing("one"));
        BOOST_CHECK_THROW((void)poll_once(all), std::runtime_error);
        BOOST_TEST(l.cancels == 0);
    }
    l.done = true;
    BOOST_TEST(poll_once(named).value() == 7);
}

BOOST_AUTO_TEST_CASE(a_named_join_handle_is_only_not_waited_for_any_more) {
    hand_executor executor;
    gate g;
    auto handle = executor.spawn(gate_future(g));
    executor.run_all();
    {
        auto all = join(handle, rouse::pending_future<int>());
        BOOST_TEST(poll_once(all).is_pending());
        BOOST_TEST(cancel_once(all).is_ready());
    }
    executor.run_all();
    BOOST_TEST(!handle.is_finished());
    g.set();
    executor.run_all();
    BOOST_TEST(poll_once(handle).is_ready());

    // One that is owned is aborted, and waited for.
    loan l;
    l.cancels_needed = 2;
    auto doomed = executor.spawn(lending(l));
    executor.run_all();
    auto owning = join(std::move(doomed));
    BOOST_TEST(poll_once(owning).is_pending());
    BOOST_TEST(cancel_once(owning).is_pending());
    executor.run_all();
    BOOST_TEST(cancel_once(owning).is_pending());
    l.wake();
    executor.run_all();
    BOOST_TEST(cancel_once(owning).is_ready());
    BOOST_TEST(l.cancels == 2);
}

// ---- values and memory --------------------------------------------------------------------------

namespace {
struct unmovable_value {
    unmovable_value() = default;
    unmovable_value(unmovable_value&&) { throw std::runtime_error("no move"); }
};
class gives_unmovable {
public:
    explicit gives_unmovable() {}
    rouse::poll_result<std::optional<unmovable_value>> poll(rouse::context&) {
        return std::optional<unmovable_value>(std::in_place);
    }
};
}  // namespace

// A value that is an exception is not one that was thrown.
BOOST_AUTO_TEST_CASE(a_value_that_is_an_exception) {
    auto const give = [](std::exception_ptr e) -> task<std::exception_ptr> { co_return e; };
    auto const fail = []() -> task<std::exception_ptr> {
        throw std::runtime_error("thrown");
        co_return std::exception_ptr();
    };
    auto const given = std::make_exception_ptr(std::runtime_error("given"));
    auto one = join(give(given), give(nullptr));
    auto const [first, second] = poll_once(one).value();
    BOOST_TEST((first == given));
    BOOST_TEST((second == nullptr));
    auto two = join(give(given), fail());
    BOOST_CHECK_EXCEPTION((void)poll_once(two), std::runtime_error, says("thrown"));
}

BOOST_AUTO_TEST_CASE(a_value_that_cannot_be_moved_is_a_failure) {
    auto all = join(gives_unmovable(), rouse::ready_future(1));
    BOOST_CHECK_EXCEPTION((void)poll_once(all), std::runtime_error, says("no move"));
}

BOOST_AUTO_TEST_CASE(a_parents_waker_that_cannot_be_copied_is_told_and_loses_nothing) {
    wake_counter parent;
    gate g;
    auto all = join(gate_future(g), rouse::ready_future(1));
    rouse::waker const waker = parent.make();
    parent.refuse = true;
    BOOST_CHECK_THROW((void)poll_once(all, waker), std::bad_alloc);
    BOOST_TEST(g.polls == 1);
    parent.refuse = false;
    BOOST_TEST(poll_once(all, waker).is_pending());
    BOOST_TEST(g.polls == 2);
    g.set();
    BOOST_TEST(parent.wakes == 1);
    BOOST_TEST(poll_once(all, waker).is_ready());
}

namespace {
struct rude {
    rude() noexcept {}
    ~rude() noexcept(false) {}
    rouse::poll_result<int> poll(rouse::context&) { return 1; }
};
}  // namespace

// It is never destroyed here.
BOOST_AUTO_TEST_CASE(a_named_future_may_have_a_destructor_that_throws) {
    rude one;
    auto both = rouse::join(one, rouse::ready_future(2));
    auto polled = poll_once(both);
    BOOST_TEST(std::get<0>(polled.value()) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
