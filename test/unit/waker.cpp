// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <boost/test/unit_test.hpp>
#include <rouse/waker.hpp>
#include <string>
#include <support/unit_kit.hpp>

BOOST_AUTO_TEST_SUITE(test_waker)

using rouse::waker;
using namespace rouse_test;

BOOST_AUTO_TEST_CASE(is_two_words_and_empty_by_default) {
    static_assert(sizeof(waker) == 2 * sizeof(void*));
    static_assert(std::is_nothrow_move_constructible_v<waker>);
    static_assert(std::is_nothrow_move_assignable_v<waker>);
    waker w;
    BOOST_TEST(w.empty());
    BOOST_TEST(w.data() == nullptr);
    BOOST_TEST(w.vtable() == nullptr);
    w.wake_by_ref();  // nothing
    waker copy = w;
    BOOST_TEST(copy.empty());
    std::move(copy).wake();
    BOOST_TEST(w.will_wake(copy));
}

BOOST_AUTO_TEST_CASE(b07_the_counts_of_clones_wakes_and_drops_balance) {
    wake_counter counter;
    {
        waker w = counter.make();
        BOOST_TEST(counter.live == 1);
        waker copy = w;
        BOOST_TEST(counter.live == 2);
        BOOST_TEST(counter.clones == 1);
        waker moved = std::move(copy);
        BOOST_TEST(counter.live == 2);
        BOOST_TEST(copy.empty());
        moved.wake_by_ref();
        BOOST_TEST(counter.wakes == 1);
        BOOST_TEST(counter.live == 2);
        std::move(moved).wake();
        BOOST_TEST(counter.wakes == 2);
        BOOST_TEST(counter.live == 1);
        BOOST_TEST(moved.empty());
        std::move(moved).wake();
        BOOST_TEST(counter.wakes == 2);
    }
    BOOST_TEST(counter.live == 0);
}

BOOST_AUTO_TEST_CASE(b07_an_equal_waker_is_not_cloned_again) {
    wake_counter a;
    wake_counter b;
    {
        waker one = a.make();
        waker kept = one;
        BOOST_TEST(a.clones == 1);
        kept = one;
        kept = one;
        BOOST_TEST(a.clones == 1);
        waker other = b.make();
        kept = other;
        BOOST_TEST(b.clones == 1);
        BOOST_TEST(a.live == 1);
        auto& same = kept;
        kept = same;
        BOOST_TEST(kept.will_wake(other));
        kept = std::move(other);
        BOOST_TEST(b.live == 1);
        BOOST_TEST(other.empty());
        kept = std::move(same);
        BOOST_TEST(kept.vtable() != nullptr);
    }
    BOOST_TEST(a.live == 0);
    BOOST_TEST(b.live == 0);
}

BOOST_AUTO_TEST_CASE(b07_wakers_of_two_tasks_or_two_kinds_are_never_equal) {
    wake_counter a;
    wake_counter b;
    waker one = a.make();
    waker two = b.make();
    BOOST_TEST(!one.will_wake(two));
    BOOST_TEST(!one.will_wake(waker()));
    static constexpr rouse::waker_vtable other{[](void* d) { return d; }, [](void*) {},
                                               [](void*) {}, [](void*) {}, "other"};
    waker foreign(&a, other);  // the same data
    BOOST_TEST(!one.will_wake(foreign));
    BOOST_TEST(std::string(foreign.vtable()->name) == "other");
}

BOOST_AUTO_TEST_CASE(b13_a_clone_that_throws_leaves_the_old_waker_in_its_place) {
    wake_counter a;
    wake_counter b;
    {
        waker kept = a.make();
        waker other = b.make();
        b.refuse = true;
        BOOST_CHECK_THROW(kept = other, std::bad_alloc);
        BOOST_CHECK_THROW(waker{other}, std::bad_alloc);
        kept.wake_by_ref();
        BOOST_TEST(a.wakes == 1);
    }
    BOOST_TEST(a.live == 0);
    BOOST_TEST(b.live == 0);
}

namespace {

struct holder {
    waker mine{};
    int wakes = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_wake_by_value_may_replace_or_destroy_the_waker_that_it_came_from) {
    static constexpr rouse::waker_vtable replacing{[](void* d) { return d; },
                                                   [](void* d) {
                                                       auto& h = *static_cast<holder*>(d);
                                                       ++h.wakes;
                                                       BOOST_TEST(h.mine.empty());
                                                       h.mine = waker();
                                                   },
                                                   [](void*) {}, [](void*) {}, "replacing"};
    holder h;
    h.mine = waker(&h, replacing);
    std::move(h.mine).wake();
    BOOST_TEST(h.wakes == 1);
}

BOOST_AUTO_TEST_CASE(released_its_data_is_the_callers) {
    wake_counter counter;
    waker w = counter.make();
    auto const* vtable = w.vtable();
    void* data = w.release();
    BOOST_TEST(w.empty());
    BOOST_TEST(data == &counter);
    BOOST_TEST(counter.live == 1);
    { waker again(data, *vtable); }
    BOOST_TEST(counter.live == 0);
}

BOOST_AUTO_TEST_CASE(a_waker_ref_borrows_and_a_copy_of_it_clones) {
    wake_counter counter;
    waker owner = counter.make();
    {
        rouse::waker_ref const ref(owner.data(), *owner.vtable());
        BOOST_TEST(counter.live == 1);
        BOOST_TEST(ref.get().will_wake(owner));
        waker copy = ref.get();
        BOOST_TEST(counter.live == 2);
        ref.get().wake_by_ref();
        BOOST_TEST(counter.wakes == 1);
    }
    BOOST_TEST(counter.live == 1);
}

BOOST_AUTO_TEST_SUITE_END()
