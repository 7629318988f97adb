// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <boost/test/unit_test.hpp>
#include <memory>
#include <rouse/any_future.hpp>
#include <rouse/into_future.hpp>
#include <rouse/make_task.hpp>
#include <rouse/task.hpp>
#include <support/unit_kit.hpp>

namespace test_into_future {
namespace {

// What another library calls a result to come.
struct foreign {
    int value;
};
struct foreign_move_only {
    std::unique_ptr<int> value;
};
template <class T>
struct wrapped {
    T value;
};
struct unrelated {};
int conversions = 0;

}  // namespace
}  // namespace test_into_future

template <>
struct rouse::into_future_traits<test_into_future::foreign> {
    static auto convert(test_into_future::foreign const& f) {
        ++test_into_future::conversions;
        return rouse::ready_future(f.value);
    }
};
template <>
struct rouse::into_future_traits<test_into_future::foreign_move_only> {
    static auto convert(test_into_future::foreign_move_only&& f) { return rouse::ready_future(std::move(f.value)); }
};
template <class T>
struct rouse::into_future_traits<test_into_future::wrapped<T>> {
    static auto convert(test_into_future::wrapped<T> w) { return rouse::ready_future(std::move(w.value)); }
};

BOOST_AUTO_TEST_SUITE(test_into_future)

using namespace rouse_test;

namespace {

static_assert(rouse::awaitable_value<foreign>);
static_assert(rouse::awaitable_value<foreign&>);
static_assert(rouse::awaitable_value<foreign const&>);
static_assert(rouse::awaitable_value<foreign_move_only>);
static_assert(!rouse::awaitable_value<foreign_move_only&>);
static_assert(!rouse::awaitable_value<unrelated>);
static_assert(rouse::awaitable_value<rouse::ready_future<int>>);
static_assert(std::same_as<rouse::into_future_t<foreign>, rouse::ready_future<int>>);
static_assert(std::same_as<rouse::into_future_t<rouse::task<int>>, rouse::task<int>>);
static_assert(rouse::spawnable<foreign>);
static_assert(!rouse::spawnable<unrelated>);

}  // namespace

BOOST_AUTO_TEST_CASE(a_future_is_itself_and_what_is_none_is_converted) {
    auto same = rouse::into_future(rouse::ready_future(std::make_unique<int>(3)));
    BOOST_TEST(*poll_once(same).value() == 3);
    auto converted = rouse::into_future(foreign{4});
    BOOST_TEST(poll_once(converted).value() == 4);
    foreign named{5};
    auto copied = rouse::into_future(named);
    BOOST_TEST(poll_once(copied).value() == 5);
    auto generic = rouse::into_future(wrapped<std::string>{"text"});
    BOOST_TEST(poll_once(generic).value() == "text");
}

BOOST_AUTO_TEST_CASE(a_coroutine_awaits_what_converts) {
    auto body = []() -> rouse::task<int> {
        foreign named{1};
        int sum = co_await named;
        sum += co_await std::move(named);
        foreign_move_only owner;
        owner.value = std::make_unique<int>(10);
        auto taken = co_await std::move(owner);
        co_return sum + *taken;
    };
    conversions = 0;
    auto t = body();
    BOOST_TEST(conversions == 0);  // lazily
    BOOST_TEST(poll_once(t).value() == 12);
    BOOST_TEST(conversions == 2);
}

BOOST_AUTO_TEST_CASE(what_converts_is_spawned_and_erased_and_made_by_a_callable) {
    hand_executor ex;
    auto a = ex.spawn(foreign{2});
    auto b = ex.spawn([] { return foreign{3}; });
    rouse::any_future<int> c = foreign{4};
    ex.run_all();
    BOOST_TEST(poll_once(a).value() == 2);
    BOOST_TEST(poll_once(b).value() == 3);
    BOOST_TEST(poll_once(c).value() == 4);
}

BOOST_AUTO_TEST_SUITE_END()
