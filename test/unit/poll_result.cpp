// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <any>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <rouse/poll_result.hpp>
#include <string>
#include <variant>

BOOST_AUTO_TEST_SUITE(test_poll_result)

using rouse::pending;
using rouse::poll_result;

namespace {

struct no_assignment {
    explicit no_assignment(int v) : value(v) {}
    no_assignment(no_assignment&&) = default;
    no_assignment& operator=(no_assignment&&) = delete;
    int value;
};

struct alignas(128) over_aligned {
    int value = 3;
};

struct empty {};

struct throws_when_moved {
    throws_when_moved() = default;
    throws_when_moved(throws_when_moved&&) { throw 1; }
};

poll_result<std::optional<int>> nothing() { return std::nullopt; }
poll_result<std::string> text() { return "text"; }
poll_result<std::variant<int, std::string>> second() { return std::string("v"); }
poll_result<void> finished() { return rouse::ready(); }
poll_result<void> unfinished() { return pending; }

}  // namespace

BOOST_AUTO_TEST_CASE(pending_and_ready_are_told_apart) {
    poll_result<int> p = pending;
    poll_result<int> r = 5;
    BOOST_TEST(p.is_pending());
    BOOST_TEST(!p.is_ready());
    BOOST_TEST(r.is_ready());
    BOOST_TEST(!r.is_pending());
    BOOST_TEST(r.value() == 5);
    r.value() = 6;
    BOOST_TEST(std::move(r).value() == 6);
}

BOOST_AUTO_TEST_CASE(void_is_ready_or_pending) {
    BOOST_TEST(finished().is_ready());
    BOOST_TEST(!finished().is_pending());
    BOOST_TEST(unfinished().is_pending());
    finished().value();
    static_assert(std::is_void_v<decltype(finished().value())>);
}

BOOST_AUTO_TEST_CASE(converts_from_everything_that_its_value_converts_from) {
    BOOST_TEST(nothing().is_ready());
    BOOST_TEST(!nothing().value().has_value());
    BOOST_TEST(text().value() == "text");
    BOOST_TEST(std::get<1>(second().value()) == "v");
    static_assert(!std::is_convertible_v<int, poll_result<std::unique_ptr<int>>>);
    static_assert(!std::is_convertible_v<std::string, poll_result<int>>);
}

BOOST_AUTO_TEST_CASE(a_value_that_swallows_everything_is_not_confused_with_pending_or_a_copy) {
    poll_result<std::any> p = pending;
    BOOST_TEST(p.is_pending());
    poll_result<std::any> r = std::any(3);
    poll_result<std::any> copy = r;
    BOOST_TEST(std::any_cast<int>(copy.value()) == 3);
    poll_result<std::any> moved = std::move(r);
    BOOST_TEST(std::any_cast<int>(moved.value()) == 3);
    poll_result<std::function<int()>> f = [] { return 4; };
    auto g = f;
    BOOST_TEST(g.value()() == 4);
}

BOOST_AUTO_TEST_CASE(a_poll_result_can_itself_be_a_value) {
    poll_result<poll_result<int>> outer = poll_result<int>(pending);
    BOOST_TEST(outer.is_ready());
    BOOST_TEST(outer.value().is_pending());
    poll_result<poll_result<int>> none = pending;
    BOOST_TEST(none.is_pending());
}

BOOST_AUTO_TEST_CASE(b28_values_of_every_kind) {
    poll_result<std::unique_ptr<int>> owner = std::make_unique<int>(1);
    std::unique_ptr<int> taken = std::move(owner).value();
    BOOST_TEST(*taken == 1);

    poll_result<no_assignment> fixed = no_assignment(2);
    BOOST_TEST(fixed.value().value == 2);

    poll_result<over_aligned> aligned = over_aligned{};
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(&aligned.value()) % 128 == 0U);

    poll_result<empty> e = empty{};
    BOOST_TEST(e.is_ready());

    poll_result<int const> constant = 9;
    BOOST_TEST(constant.value() == 9);
}

// Whoever polls keeps the result in a variable and assigns the next one to it.
BOOST_AUTO_TEST_CASE(b28_a_result_is_assignable_also_if_its_value_is_not) {
    poll_result<no_assignment> r = pending;
    r = poll_result<no_assignment>(no_assignment(2));
    BOOST_TEST(r.value().value == 2);
    r = poll_result<no_assignment>(no_assignment(3));
    BOOST_TEST(r.value().value == 3);
    r = poll_result<no_assignment>(pending);
    BOOST_TEST(r.is_pending());

    poll_result<std::unique_ptr<int>> p = pending;
    p = std::make_unique<int>(4);
    BOOST_TEST(*p.value() == 4);
}

BOOST_AUTO_TEST_CASE(b24_a_move_that_throws_leaves_through_the_constructor) {
    throws_when_moved value;
    BOOST_CHECK_THROW((void)poll_result<throws_when_moved>(std::move(value)), int);
}

BOOST_AUTO_TEST_CASE(is_as_cheap_as_the_optional_inside) {
    static_assert(sizeof(poll_result<int>) == sizeof(std::optional<int>));
    static_assert(sizeof(poll_result<void>) == 1);
    static_assert(std::is_trivially_destructible_v<poll_result<int>>);
    static_assert(std::is_trivially_copyable_v<poll_result<int>>);
    static_assert(std::is_nothrow_move_constructible_v<poll_result<std::string>>);
    static_assert(!std::is_copy_constructible_v<poll_result<std::unique_ptr<int>>>);
    constexpr poll_result<int> at_compile_time = 4;
    static_assert(at_compile_time.is_ready());
    BOOST_TEST(true);
}

BOOST_AUTO_TEST_CASE(a_cancel_result_says_stopped_or_completed_after_all) {
    static_assert(std::same_as<rouse::cancel_result<int>, poll_result<std::optional<int>>>);
    static_assert(std::same_as<rouse::cancel_result<void>, poll_result<bool>>);
    rouse::cancel_result<int> in_flight = pending;
    rouse::cancel_result<int> stopped = std::optional<int>();
    rouse::cancel_result<int> completed = std::optional<int>(3);
    BOOST_TEST(in_flight.is_pending());
    BOOST_TEST(!stopped.value().has_value());
    BOOST_TEST(*completed.value() == 3);
    rouse::cancel_result<void> done = true;
    BOOST_TEST(done.value());
}

BOOST_AUTO_TEST_SUITE_END()
