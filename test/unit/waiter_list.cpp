// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <support/unit_kit.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <functional>
#include <memory>
#include <new>
#include <rouse/detail/waiter_list.hpp>
#include <string>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_waiter_list)

using rouse::waker;
using rouse::detail::waiter;
using rouse::detail::waiter_list;
using namespace rouse_test;

namespace {

// Does something when it is woken.
struct acting {
    std::function<void()> what{};

    inline waker make();
};

inline constexpr rouse::waker_vtable acting_table{
    [](void* data) -> void* { return data; },
    [](void* data) { static_cast<acting*>(data)->what(); },
    [](void* data) { static_cast<acting*>(data)->what(); },
    [](void*) {},
    "acting",
};

waker acting::make() { return waker(this, acting_table); }

// More than are woken at a time.
constexpr std::size_t many = 40;

}  // namespace

BOOST_AUTO_TEST_CASE(b95_everybody_who_waits_is_woken_once_the_oldest_first) {
    waiter_list list;
    std::array<waiter, many> waiters;
    std::vector<acting> woken(many);
    std::vector<std::size_t> order;
    for (std::size_t n = 0; n < many; ++n) {
        woken[n].what = [&order, n] { order.push_back(n); };
        list.add(waiters[n], woken[n].make());
    }
    list.wake_all();
    BOOST_REQUIRE(order.size() == many);
    for (std::size_t n = 0; n < many; ++n) BOOST_TEST(order[n] == n);
    list.wake_all();
    BOOST_TEST(order.size() == many);
}

// A waiter that is polled by its own wake and waits again, as one does that finds nothing.
BOOST_AUTO_TEST_CASE(b95_who_comes_back_during_the_wakes_is_woken_by_the_next_ones) {
    waiter_list list;
    std::array<waiter, many> waiters;
    std::vector<acting> woken(many);
    std::size_t wakes = 0;
    for (std::size_t n = 0; n < many; ++n) {
        woken[n].what = [&, n] {
            ++wakes;
            list.add(waiters[n], woken[n].make());
        };
        list.add(waiters[n], woken[n].make());
    }
    list.wake_all();
    BOOST_TEST(wakes == many);
    list.wake_all();
    BOOST_TEST(wakes == 2 * many);
    for (auto& w : waiters) list.remove(w);
}

// It was to be woken, but went: nobody's news depends on it.
BOOST_AUTO_TEST_CASE(b94_b95_who_goes_during_the_wakes_is_not_woken_and_the_others_are) {
    waiter_list list;
    std::array<std::unique_ptr<waiter>, many> waiters;
    std::vector<acting> woken(many);
    std::size_t wakes = 0;
    for (std::size_t n = 0; n < many; ++n) {
        waiters[n] = std::make_unique<waiter>();
        woken[n].what = [&wakes] { ++wakes; };
    }
    // The first takes every other one of those with it whose turn comes in another batch.
    woken[0].what = [&] {
        ++wakes;
        for (std::size_t n = many - 2; n > 16; n -= 2) {
            list.remove(*waiters[n]);
            waiters[n].reset();
        }
    };
    for (std::size_t n = 0; n < many; ++n) list.add(*waiters[n], woken[n].make());
    std::size_t gone = 0;
    list.wake_all();
    for (auto const& w : waiters) gone += w == nullptr;
    BOOST_TEST(gone > 5U);
    BOOST_TEST(wakes == many - gone);
}

BOOST_AUTO_TEST_CASE(the_last_wake_may_destroy_the_list) {
    for (std::size_t const size : {std::size_t{1}, std::size_t{15}, std::size_t{16}, many}) {
        BOOST_TEST_INFO(size << " waiters");
        auto list = std::make_unique<waiter_list>();
        std::vector<waiter> waiters(size);
        std::vector<acting> woken(size);
        for (std::size_t n = 0; n < size; ++n) {
            woken[n].what = [&, n] {
                if (n + 1 == size) list.reset();
            };
            list->add(waiters[n], woken[n].make());
        }
        list->wake_all();
        BOOST_TEST(!list);
    }
}

BOOST_AUTO_TEST_CASE(b07_a_waker_that_is_there_is_not_copied_again) {
    wake_counter a;
    wake_counter b;
    {
        waiter_list list;
        waiter mine;
        waker const one = a.make();
        waker const two = b.make();
        list.add(mine, one);
        list.add(mine, one);
        BOOST_TEST(a.clones == 1);
        list.add(mine, two);  // in its place
        BOOST_TEST(a.live == 1);
        list.wake_all();
        BOOST_TEST(a.wakes == 0);
        BOOST_TEST(b.wakes == 1);
        list.add(mine, two);  // it was taken
        BOOST_TEST(b.clones == 2);
        list.remove(mine);
        BOOST_TEST(b.live == 1);
        list.wake_all();
        BOOST_TEST(b.wakes == 1);
        list.remove(mine);  // and once more: nothing
        list.add(mine, two);
        list.remove(mine);
    }
    BOOST_TEST(a.live == 0);
    BOOST_TEST(b.live == 0);
}

BOOST_AUTO_TEST_CASE(b13_a_clone_that_throws_leaves_the_waker_before_it) {
    wake_counter before;
    wake_counter refusing;
    {
        waiter_list list;
        waiter mine;
        waker const one = before.make();
        waker const two = refusing.make();
        list.add(mine, one);
        refusing.refuse = true;
        BOOST_CHECK_THROW(list.add(mine, two), std::bad_alloc);
        list.wake_all();
        BOOST_TEST(before.wakes == 1);
        BOOST_TEST(refusing.wakes == 0);
        BOOST_CHECK_THROW(list.add(mine, two), std::bad_alloc);
        list.wake_all();
        refusing.refuse = false;
        list.add(mine, two);
        list.wake_all();
        BOOST_TEST(refusing.wakes == 1);
    }
    BOOST_TEST(before.live == 0);
    BOOST_TEST(refusing.live == 0);
}

// What is destroyed as a waker is dropped may look at the list: its lock is free.
BOOST_AUTO_TEST_CASE(b17_wakers_are_dropped_outside_of_the_lock) {
    struct in_the_waker {
        waiter_list* list = nullptr;
        waiter other{};
        int died = 0;
    } last;
    static constexpr rouse::waker_vtable table{
        [](void* data) -> void* { return data; },
        [](void*) {},
        [](void*) {},
        [](void* data) {
            auto& self = *static_cast<in_the_waker*>(data);
            ++self.died;
            if (self.list) self.list->remove(self.other);
        },
        "in_the_waker",
    };
    waiter_list list;
    waiter mine;
    wake_counter counter;
    waker const counted = counter.make();
    {
        waker const w(&last, table);
        last.list = &list;
        list.add(mine, w);
        list.add(mine, counted);  // drops the one before it
        BOOST_TEST(last.died == 1);
        list.add(mine, w);
        list.remove(mine);
        BOOST_TEST(last.died == 2);
    }
    last.list = nullptr;
    BOOST_TEST(last.died == 3);
}

BOOST_AUTO_TEST_SUITE_END()
