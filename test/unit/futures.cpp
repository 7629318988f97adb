// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <boost/test/unit_test.hpp>
#include <memory>
#include <rouse/future.hpp>
#include <rouse/task.hpp>
#include <stdexcept>
#include <support/unit_kit.hpp>

BOOST_AUTO_TEST_SUITE(test_futures)

using rouse::context;
using rouse::future;
using rouse::lending_future;
using rouse::output_t;
using rouse::pending;
using rouse::poll_fn;
using rouse::poll_result;
using namespace rouse_test;

namespace {

struct minimal {
    poll_result<int> poll(context&) { return 1; }
};
struct wrong_result {
    int poll(context&) { return 1; }
};
struct wrong_argument {
    poll_result<int> poll(int) { return 1; }
};
struct lends_void {
    poll_result<void> poll(context&) { return pending; }
    rouse::cancel_result<void> poll_cancel(context&) { return false; }
};
struct wrong_cancel {
    poll_result<int> poll(context&) { return 1; }
    poll_result<bool> poll_cancel(context&) { return true; }
};

static_assert(future<minimal>);
static_assert(!future<minimal&>);
static_assert(!future<minimal const>);
static_assert(!future<int>);
static_assert(!future<wrong_result>);
static_assert(!future<wrong_argument>);
static_assert(!lending_future<minimal>);
static_assert(lending_future<lends_void>);
static_assert(lending_future<lending>);
static_assert(future<wrong_cancel> && !lending_future<wrong_cancel>);
static_assert(std::same_as<output_t<minimal>, int>);
static_assert(std::same_as<output_t<lends_void>, void>);
static_assert(lending_future<rouse::task<int>>);
static_assert(std::same_as<output_t<rouse::task<>>, void>);

}  // namespace

BOOST_AUTO_TEST_CASE(a_ready_future_is_ready_once) {
    rouse::ready_future a(5);
    static_assert(std::same_as<output_t<decltype(a)>, int>);
    BOOST_TEST(poll_once(a).value() == 5);
    BOOST_CHECK_THROW((void)poll_once(a), std::logic_error);  // b21

    rouse::ready_future b(std::make_unique<int>(6));
    BOOST_TEST(*poll_once(b).value() == 6);

    rouse::ready_future<> c;
    BOOST_TEST(poll_once(c).is_ready());
    BOOST_TEST(poll_once(c).is_ready());
    static_assert(std::same_as<decltype(rouse::ready_future()), rouse::ready_future<void>>);
}

BOOST_AUTO_TEST_CASE(a_pending_future_never_is) {
    rouse::pending_future<> a;
    rouse::pending_future<std::unique_ptr<int>> b;
    wake_counter counter;
    {
        rouse::waker w = counter.make();
        for (int i = 0; i < 3; ++i) {
            BOOST_TEST(poll_once(a, w).is_pending());
            BOOST_TEST(poll_once(b, w).is_pending());
        }
    }
    BOOST_TEST(counter.clones == 0);
    BOOST_TEST(counter.live == 0);
}

BOOST_AUTO_TEST_CASE(a_poll_fn_calls_its_function_at_each_poll) {
    int calls = 0;
    poll_fn f([&calls, owner = std::make_unique<int>(9)](context&) -> poll_result<int> {
        if (++calls < 3) return pending;
        return *owner;
    });
    static_assert(std::same_as<output_t<decltype(f)>, int>);
    BOOST_TEST(poll_once(f).is_pending());
    auto moved = std::move(f);
    BOOST_TEST(poll_once(moved).is_pending());
    BOOST_TEST(poll_once(moved).value() == 9);
    BOOST_TEST(calls == 3);
    poll_fn throwing([](context&) -> poll_result<void> { throw std::runtime_error("x"); });
    BOOST_CHECK_THROW((void)poll_once(throwing), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(a_future_without_poll_cancel_lets_go_at_once) {
    minimal m;
    rouse::waker w;
    context cx(w);
    auto r = rouse::detail::cancel(m, cx);
    BOOST_TEST(r.is_ready());
    BOOST_TEST(!r.value().has_value());
    rouse::pending_future<> p;
    auto v = rouse::detail::cancel(p, cx);
    BOOST_TEST(v.is_ready());
    BOOST_TEST(!v.value());
}

BOOST_AUTO_TEST_CASE(a_lending_future_is_asked_until_it_has_let_go) {
    loan l;
    l.cancels_needed = 2;
    lending f(l);
    rouse::waker w;
    context cx(w);
    BOOST_TEST(f.poll(cx).is_pending());
    BOOST_TEST(rouse::detail::cancel(f, cx).is_pending());
    auto r = rouse::detail::cancel(f, cx);
    BOOST_TEST(r.is_ready());
    BOOST_TEST(!r.value().has_value());
    BOOST_TEST(l.cancels == 2);
}

BOOST_AUTO_TEST_SUITE_END()
