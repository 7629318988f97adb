// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The combinators over ranges: join_all, try_join_all, select_all and race_all.

#include <support/unit_kit.hpp>

#include <rouse/join_all.hpp>
#include <rouse/select_all.hpp>
#include <rouse/task.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <deque>
#include <list>
#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_join_all)

using rouse::join_all;
using rouse::race_all;
using rouse::select_all;
using rouse::task;
using rouse::try_join_all;
using namespace rouse_test;

namespace {

task<std::unique_ptr<int>> number(int n) {
    if (n < 0) throw std::runtime_error("number " + std::to_string(n));
    co_return std::make_unique<int>(n);
}

template <class F>
std::vector<F> some() {
    return {};
}

std::vector<lending> lenders(std::deque<loan>& loans) {
    std::vector<lending> all;
    for (auto& l : loans) all.emplace_back(l);
    return all;
}

auto says(char const* what) {
    return [what](std::exception const& e) { return std::string(e.what()) == what; };
}

}  // namespace

BOOST_AUTO_TEST_CASE(values_come_in_the_order_of_the_range) {
    std::vector<task<std::unique_ptr<int>>> tasks;
    for (int n = 0; n < 200; ++n) tasks.push_back(number(n));
    auto all = join_all(std::move(tasks));
    for (int turn = 0;; ++turn) {
        auto polled = poll_once(all);
        if (polled.is_pending()) {
            BOOST_REQUIRE(turn < 3);
            continue;
        }
        BOOST_TEST(polled.value().size() == 200U);
        for (std::size_t n = 0; n < 200; ++n)
            BOOST_TEST(*polled.value()[n] == static_cast<int>(n));
        break;
    }
    BOOST_CHECK_EXCEPTION((void)poll_once(all), std::logic_error,
                          says("rouse: a join_all was polled after it was ready"));
}

BOOST_AUTO_TEST_CASE(nothing_is_joined_at_once_but_never_won) {
    auto all = join_all(some<task<int>>());
    BOOST_TEST(poll_once(all).value().empty());
    auto tried = try_join_all(some<task<int>>());
    BOOST_TEST(poll_once(tried).value().empty());
    BOOST_CHECK_EXCEPTION((void)select_all(some<task<int>>()), std::logic_error,
                          says("rouse: a select_all of nothing would wait for ever"));
    BOOST_CHECK_EXCEPTION((void)race_all(some<task<int>>()), std::logic_error,
                          says("rouse: a race_all of nothing has no winner"));
}

BOOST_AUTO_TEST_CASE(any_range_will_do) {
    std::list<rouse::ready_future<int>> list;
    list.emplace_back(1);
    list.emplace_back(2);
    auto all = join_all(std::move(list));
    BOOST_TEST(poll_once(all).value().size() == 2U);
    rouse::ready_future<> array[3];
    auto three = join_all(array);
    BOOST_TEST(poll_once(three).value().size() == 3U);

    // One that makes its elements as they are asked for.
    struct generated {
        struct iterator {
            int n;
            task<std::unique_ptr<int>> operator*() const { return number(n); }
            iterator& operator++() {
                ++n;
                return *this;
            }
            bool operator!=(iterator const& other) const { return n != other.n; }
        };
        iterator begin() const { return {0}; }
        iterator end() const { return {4}; }
    };
    auto made = join_all(generated());
    BOOST_TEST(poll_once(made).value().size() == 4U);
    generated const named;
    auto again = join_all(named);
    BOOST_TEST(*poll_once(again).value()[3] == 3);
}

BOOST_AUTO_TEST_CASE(the_first_failure_in_order_is_thrown_when_all_have_completed) {
    gate g;
    std::vector<task<int>> tasks;
    tasks.push_back([](gate& wait) -> task<int> {
        co_await gate_future(wait);
        throw std::runtime_error("one");
    }(g));
    tasks.push_back([]() -> task<int> {
        throw std::runtime_error("two");
        co_return 0;
    }());
    auto all = join_all(std::move(tasks));
    BOOST_TEST(poll_once(all).is_pending());
    g.set();
    BOOST_CHECK_EXCEPTION((void)poll_once(all), std::runtime_error, says("one"));
}

BOOST_AUTO_TEST_CASE(a_failure_has_the_others_let_go) {
    std::deque<loan> loans(3);
    loans[0].cancels_needed = 2;
    auto all = try_join_all(lenders(loans));
    BOOST_TEST(poll_once(all).is_pending());
    loans[1].throws = true;
    loans[1].finish();
    BOOST_TEST(poll_once(all).is_pending());
    BOOST_TEST(loans[2].released);
    loans[0].wake();
    BOOST_CHECK_EXCEPTION((void)poll_once(all), std::runtime_error, says("lent"));
    for (auto const& l : loans) {
        BOOST_TEST(l.book.exactly_one_died());
        BOOST_TEST(l.dropped_in_flight == 0);
    }
}

BOOST_AUTO_TEST_CASE(aborted_they_let_all_go) {
    std::deque<loan> loans(3);
    loans[1].cancels_needed = 2;
    auto all = join_all(lenders(loans));
    BOOST_TEST(poll_once(all).is_pending());
    loans[2].finish();
    BOOST_TEST(cancel_once(all).is_pending());
    loans[1].wake();
    auto released = cancel_once(all);
    BOOST_REQUIRE(released.is_ready());
    BOOST_TEST(!released.value());
    for (auto const& l : loans) BOOST_TEST(l.dropped_in_flight == 0);

    std::deque<loan> done(2);
    auto kept = join_all(lenders(done));
    BOOST_TEST(poll_once(kept).is_pending());
    for (auto& l : done) l.done = true;
    auto values = cancel_once(kept);
    BOOST_REQUIRE(values.value().has_value());
    BOOST_TEST(values.value()->size() == 2U);

    std::deque<loan> unbegun(2);
    auto never = join_all(lenders(unbegun));
    BOOST_TEST(!cancel_once(never).value());
    BOOST_TEST(unbegun[0].polls == 0);
}

BOOST_AUTO_TEST_CASE(select_all_gives_the_index_and_what_losers_had) {
    std::deque<loan> loans(4);
    loans[3].cancels_needed = 2;
    auto one = select_all(lenders(loans));
    BOOST_TEST(poll_once(one).is_pending());
    loans[1].value = 11;
    loans[1].finish();
    loans[2].done = true;  // nobody is told
    BOOST_TEST(poll_once(one).is_pending());
    loans[3].wake();
    auto polled = poll_once(one);
    BOOST_REQUIRE(polled.is_ready());
    BOOST_TEST(polled.value().index == 1U);
    BOOST_TEST(polled.value().value == 11);
    BOOST_TEST(polled.value().losers.size() == 1U);
    BOOST_TEST(polled.value().losers[0].index == 2U);
    BOOST_TEST(polled.value().losers[0].end.value() == 7);
    for (auto const& l : loans) BOOST_TEST(l.dropped_in_flight == 0);
}

BOOST_AUTO_TEST_CASE(those_of_a_named_range_live_on) {
    std::deque<loan> loans(3);
    auto named = lenders(loans);
    {
        auto one = select_all(named);
        BOOST_TEST(poll_once(one).is_pending());
        loans[1].finish();
        BOOST_TEST(poll_once(one).value().index == 1U);
    }
    BOOST_TEST(loans[0].cancels == 0);
    loans[2].finish();
    BOOST_TEST(poll_once(named[2]).value() == 7);
    loans[0].done = true;
    BOOST_TEST(cancel_once(named[0]).value().value() == 7);
}

// What a view shows belongs to somebody else, but it is the expression that says what is done.
BOOST_AUTO_TEST_CASE(a_view_that_is_a_temporary_is_moved_out_of_and_one_with_a_name_is_not) {
    std::vector<task<std::unique_ptr<int>>> tasks;
    for (int const n : {1, 2}) tasks.push_back(number(n));
    {
        std::span const named(tasks);
        auto const one = join_all(named);  // of references
    }
    auto two = join_all(std::span(tasks));
    tasks.clear();
    BOOST_TEST(*poll_once(two).value()[1] == 2);
}

BOOST_AUTO_TEST_CASE(a_race_of_many) {
    std::vector<task<std::unique_ptr<int>>> tasks;
    for (int const n : {-1, -2, 5, 6}) tasks.push_back(number(n));
    auto one = race_all(std::move(tasks));
    auto polled = poll_once(one);
    BOOST_REQUIRE(polled.is_ready());
    BOOST_TEST(polled.value().index == 2U);
    BOOST_TEST(polled.value().losers.size() == 2U);

    std::vector<task<std::unique_ptr<int>>> hopeless;
    for (int const n : {-1, -2}) hopeless.push_back(number(n));
    auto none = race_all(std::move(hopeless));
    BOOST_CHECK_EXCEPTION((void)poll_once(none), std::runtime_error, says("number -1"));
}

BOOST_AUTO_TEST_CASE(aborted_selections_keep_a_value_that_is_there_after_all) {
    std::deque<loan> loans(3);
    auto one = select_all(lenders(loans));
    BOOST_TEST(poll_once(one).is_pending());
    loans[0].done = loans[0].throws = true;
    loans[2].done = true;
    auto released = cancel_once(one);
    BOOST_REQUIRE(released.value().has_value());
    BOOST_TEST(released.value()->index == 2U);
    BOOST_TEST(released.value()->losers.size() == 1U);

    std::deque<loan> failing(1);
    auto two = race_all(lenders(failing));
    BOOST_TEST(poll_once(two).is_pending());
    failing[0].done = failing[0].throws = true;
    BOOST_CHECK_THROW((void)cancel_once(two), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(an_aborted_race_of_many_throws_a_failure_only_if_all_have_failed) {
    std::deque<loan> loans(3);
    loans[1].throws = true;
    auto one = race_all(lenders(loans));
    BOOST_TEST(poll_once(one).is_pending());
    loans[1].finish();
    BOOST_TEST(poll_once(one).is_pending());
    auto stopped = cancel_once(one);
    BOOST_REQUIRE(stopped.is_ready());
    BOOST_TEST(!stopped.value().has_value());
    for (auto const& l : loans) BOOST_TEST(l.released);
}

BOOST_AUTO_TEST_CASE(they_move_before_and_are_themselves_children) {
    std::deque<loan> loans(2);
    std::vector<decltype(join_all(lenders(loans)))> groups;
    groups.push_back(join_all(lenders(loans)));
    auto all = join_all(std::move(groups));
    BOOST_TEST(poll_once(all).is_pending());
    for (auto& l : loans) l.finish();
    BOOST_TEST(poll_once(all).value()[0].size() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()
