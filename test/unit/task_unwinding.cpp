// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// How a coroutine ends: by an exception, by an abort, or destroyed while it waits; what dies then,
// and in which order.

#include <boost/test/unit_test.hpp>
#include <memory>
#include <rouse/any_future.hpp>
#include <rouse/task.hpp>
#include <stdexcept>
#include <string>
#include <support/unit_kit.hpp>
#include <support/unit_task.hpp>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_task_unwinding)

using rouse::context;
using rouse::pending;
using rouse::poll_fn;
using rouse::poll_result;
using rouse::ready_future;
using rouse::task;
using namespace rouse_test;

// --- exceptions -----------------------------------------------------------------------------

namespace {

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

BOOST_AUTO_TEST_SUITE_END()
