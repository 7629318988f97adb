// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <boost/test/unit_test.hpp>
#include <memory>
#include <rouse/any_future.hpp>
#include <rouse/task.hpp>
#include <stdexcept>
#include <support/unit_kit.hpp>

BOOST_AUTO_TEST_SUITE(test_any_future)

using rouse::any_future;
using rouse::context;
using rouse::poll_result;
using namespace rouse_test;

namespace {

struct alignas(256) over_aligned_future {
    over_aligned_future() noexcept {}
    poll_result<bool> poll(context&) { return reinterpret_cast<std::uintptr_t>(this) % 256 == 0; }
};

struct address_of_self {
    explicit address_of_self(ledger& b) : held(b) {}
    poll_result<void*> poll(context&) { return static_cast<void*>(this); }
    token held;
};

struct throws_on_construction {
    throws_on_construction() noexcept {}
    throws_on_construction(throws_on_construction&&) { throw std::runtime_error("moved"); }
    poll_result<int> poll(context&) { return 1; }
};

}  // namespace

BOOST_AUTO_TEST_CASE(owns_any_future_of_its_value) {
    static_assert(sizeof(any_future<int>) == sizeof(void*));
    static_assert(rouse::lending_future<any_future<int>>);
    static_assert(!std::is_copy_constructible_v<any_future<int>>);
    any_future<int> a = rouse::ready_future(1);
    BOOST_TEST(poll_once(a).value() == 1);
    any_future<int> b = []() -> rouse::task<int> { co_return 2; }();
    BOOST_TEST(poll_once(b).value() == 2);
    any_future<> c = rouse::ready_future();
    BOOST_TEST(poll_once(c).is_ready());
    any_future<std::unique_ptr<int>> d = rouse::ready_future(std::make_unique<int>(4));
    BOOST_TEST(*poll_once(d).value() == 4);
    any_future<bool> e = over_aligned_future();
    BOOST_TEST(poll_once(e).value());
}

BOOST_AUTO_TEST_CASE(b21_empty_or_moved_from_it_says_so) {
    any_future<int> empty;
    BOOST_TEST(!empty);
    BOOST_CHECK_THROW((void)poll_once(empty), std::logic_error);
    BOOST_TEST(!cancel_once(empty).value().has_value());
    any_future<int> full = rouse::ready_future(1);
    BOOST_TEST(static_cast<bool>(full));
    any_future<int> taken = std::move(full);
    BOOST_TEST(!full);
    BOOST_CHECK_THROW((void)poll_once(full), std::logic_error);
    BOOST_TEST(poll_once(taken).value() == 1);
}

BOOST_AUTO_TEST_CASE(it_may_move_after_its_first_poll_since_the_future_does_not) {
    ledger book;
    any_future<void*> a = address_of_self(book);
    void* const place = poll_once(a).value();
    any_future<void*> b = std::move(a);
    BOOST_TEST(poll_once(b).value() == place);
    BOOST_TEST(book.live() == 1);

    gate g;
    auto body = [](gate& event) -> rouse::task<int> {
        co_await gate_future(event);
        co_return 3;
    };
    any_future<int> t = body(g);
    BOOST_TEST(poll_once(t).is_pending());
    any_future<int> u = std::move(t);
    g.set();
    BOOST_TEST(poll_once(u).value() == 3);
}

BOOST_AUTO_TEST_CASE(assigned_over_it_destroys_what_it_had_at_once_and_the_source_is_empty) {
    ledger book;
    any_future<void*> a = address_of_self(book);
    any_future<void*> b = address_of_self(book);
    a = std::move(b);
    BOOST_TEST(book.died == 1);
    BOOST_TEST(!b);
    auto& same = a;
    a = std::move(same);
    BOOST_TEST(static_cast<bool>(a));
    a = any_future<void*>();
    BOOST_TEST(book.live() == 0);
    BOOST_TEST(!a);
}

BOOST_AUTO_TEST_CASE(it_lends_when_what_it_owns_lends) {
    loan l;
    l.cancels_needed = 2;
    any_future<int> f = lending(l);
    BOOST_TEST(poll_once(f).is_pending());
    BOOST_TEST(cancel_once(f).is_pending());
    BOOST_TEST(cancel_once(f).is_ready());
    BOOST_TEST(l.dropped_in_flight == 0);
    l.done = true;

    loan completed;
    any_future<int> g = lending(completed);
    BOOST_TEST(poll_once(g).is_pending());
    completed.done = true;
    BOOST_TEST(*cancel_once(g).value() == 7);  // the value is not lost

    any_future<int> h = rouse::pending_future<int>();
    BOOST_TEST(cancel_once(h).is_ready());
}

BOOST_AUTO_TEST_CASE(an_any_future_of_an_any_future) {
    any_future<int> inner = rouse::ready_future(5);
    any_future<any_future<int>> outer = rouse::ready_future(std::move(inner));
    auto r = poll_once(outer);
    BOOST_TEST(poll_once(r.value()).value() == 5);
}

BOOST_AUTO_TEST_CASE(a_future_whose_move_throws_is_not_owned_and_nothing_leaks) {
    throws_on_construction source;
    BOOST_CHECK_THROW((void)any_future<int>(std::move(source)), std::runtime_error);
}

namespace {
[[maybe_unused]] int taken_as(any_future<int> const&) { return 1; }
[[maybe_unused]] int taken_as(any_future<std::string> const&) { return 2; }
}  // namespace

BOOST_AUTO_TEST_CASE(it_is_made_of_futures_of_its_own_value_only) {
    static_assert(std::is_convertible_v<rouse::ready_future<int>, any_future<int>>);
    static_assert(!std::is_convertible_v<rouse::ready_future<int>, any_future<std::string>>);
    static_assert(!std::is_convertible_v<any_future<int>, any_future<>>);
    BOOST_TEST(taken_as(rouse::ready_future(5)) == 1);
    BOOST_TEST(taken_as(rouse::ready_future(std::string("five"))) == 2);
}

BOOST_AUTO_TEST_SUITE_END()
