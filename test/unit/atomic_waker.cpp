// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <barrier>
#include <boost/test/unit_test.hpp>
#include <rouse/atomic_waker.hpp>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>
#include <thread>

BOOST_AUTO_TEST_SUITE(test_atomic_waker)

using rouse::atomic_waker;
using rouse::waker;
using namespace rouse_test;

BOOST_AUTO_TEST_CASE(wakes_what_is_registered_once_and_forgets_it) {
    wake_counter counter;
    {
        atomic_waker slot;
        slot.wake();  // nothing is there
        waker w = counter.make();
        slot.register_waker(w);
        BOOST_TEST(counter.wakes == 0);
        slot.wake();
        slot.wake();
        BOOST_TEST(counter.wakes == 1);
        BOOST_TEST(counter.live == 1);
        slot.register_waker(w);
        slot.wake();
        BOOST_TEST(counter.wakes == 2);
        slot.register_waker(w);
    }
    BOOST_TEST(counter.live == 0);
}

BOOST_AUTO_TEST_CASE(b20_only_the_last_registered_is_woken_and_equal_ones_are_not_cloned) {
    wake_counter a;
    wake_counter b;
    {
        atomic_waker slot;
        waker one = a.make();
        waker two = b.make();
        slot.register_waker(one);
        slot.register_waker(one);
        BOOST_TEST(a.clones == 1);
        slot.register_waker(two);
        BOOST_TEST(a.live == 1);
        slot.wake();
        BOOST_TEST(a.wakes == 0);
        BOOST_TEST(b.wakes == 1);
    }
    BOOST_TEST(a.live == 0);
    BOOST_TEST(b.live == 0);
}

BOOST_AUTO_TEST_CASE(what_is_taken_out_is_woken_by_nobody_else) {
    wake_counter counter;
    atomic_waker slot;
    BOOST_TEST(slot.take().empty());
    waker w = counter.make();
    slot.register_waker(w);
    waker taken = slot.take();
    BOOST_TEST(taken.will_wake(w));
    slot.wake();
    BOOST_TEST(counter.wakes == 0);
    BOOST_TEST(slot.take().empty());
}

namespace {

// A waker whose clone does something in the middle of a registration.
struct meddler {
    atomic_waker* slot = nullptr;
    void (*during_clone)(meddler&) = nullptr;
    int wakes = 0;
    int live = 0;
    bool meddle = false;

    waker make();
};

constexpr rouse::waker_vtable meddler_table{
    [](void* d) -> void* {
        auto& self = *static_cast<meddler*>(d);
        if (std::exchange(self.meddle, false)) self.during_clone(self);
        ++self.live;
        return d;
    },
    [](void* d) {
        ++static_cast<meddler*>(d)->wakes;
        --static_cast<meddler*>(d)->live;
    },
    [](void* d) { ++static_cast<meddler*>(d)->wakes; },
    [](void* d) { --static_cast<meddler*>(d)->live; },
    "meddler",
};

waker meddler::make() {
    ++live;
    return waker(this, meddler_table);
}

}  // namespace

BOOST_AUTO_TEST_CASE(b11_a_wake_in_the_middle_of_a_registration_is_done_by_the_registration) {
    meddler m;
    {
        atomic_waker slot;
        m.slot = &slot;
        m.during_clone = [](meddler& self) { self.slot->wake(); };
        waker w = m.make();
        m.meddle = true;
        slot.register_waker(w);
        BOOST_TEST(m.wakes == 1);
        slot.wake();  // it was forgotten with its wake
        BOOST_TEST(m.wakes == 1);
        slot.register_waker(w);
        slot.wake();
        BOOST_TEST(m.wakes == 2);
    }
    BOOST_TEST(m.live == 0);
}

BOOST_AUTO_TEST_CASE(b11_a_take_in_the_middle_of_a_registration_gives_nothing_and_wakes) {
    meddler m;
    atomic_waker slot;
    m.slot = &slot;
    m.during_clone = [](meddler& self) { BOOST_TEST(self.slot->take().empty()); };
    waker w = m.make();
    m.meddle = true;
    slot.register_waker(w);
    BOOST_TEST(m.wakes == 1);
}

BOOST_AUTO_TEST_CASE(b12_of_two_registrations_at_once_one_registers_and_the_other_is_woken) {
    meddler first;
    static wake_counter second;
    atomic_waker slot;
    first.slot = &slot;
    first.during_clone = [](meddler& self) {
        waker other = second.make();
        self.slot->register_waker(other);
    };
    waker w = first.make();
    first.meddle = true;
    slot.register_waker(w);
    BOOST_TEST(second.wakes == 1);
    BOOST_TEST(second.live == 0);
    BOOST_TEST(first.wakes == 0);
    slot.wake();
    BOOST_TEST(first.wakes == 1);
}

BOOST_AUTO_TEST_CASE(b13_a_clone_that_throws_keeps_the_old_waker_and_the_slot_usable) {
    wake_counter old;
    wake_counter bad;
    {
        atomic_waker slot;
        waker a = old.make();
        waker b = bad.make();
        slot.register_waker(a);
        bad.refuse = true;
        BOOST_CHECK_THROW(slot.register_waker(b), std::bad_alloc);
        slot.wake();
        BOOST_TEST(old.wakes == 1);
        BOOST_CHECK_THROW(slot.register_waker(b), std::bad_alloc);
        slot.register_waker(a);
        slot.wake();
        BOOST_TEST(old.wakes == 2);
    }
    BOOST_TEST(old.live == 0);
    BOOST_TEST(bad.live == 0);
}

BOOST_AUTO_TEST_CASE(b13_a_wake_during_a_clone_that_throws_is_not_lost) {
    wake_counter old;
    meddler m;
    atomic_waker slot;
    waker a = old.make();
    slot.register_waker(a);
    m.slot = &slot;
    m.during_clone = [](meddler& self) {
        self.slot->wake();
        throw std::bad_alloc();
    };
    waker w = m.make();
    m.meddle = true;
    BOOST_CHECK_THROW(slot.register_waker(w), std::bad_alloc);
    BOOST_TEST(old.wakes == 1);
    slot.wake();
    BOOST_TEST(old.wakes == 1);
}

BOOST_AUTO_TEST_CASE(a_waker_whose_drop_comes_back_to_the_slot_does_no_harm) {
    struct comes_back {
        atomic_waker slot{};
        int drops = 0;
    };
    static constexpr rouse::waker_vtable table{[](void* d) { return d; }, [](void*) {},
                                               [](void*) {},
                                               [](void* d) {
                                                   auto& self = *static_cast<comes_back*>(d);
                                                   if (++self.drops < 5) self.slot.wake();
                                               },
                                               "comes_back"};
    comes_back c;
    wake_counter counter;
    {
        waker w(&c, table);
        c.slot.register_waker(w);
        waker other = counter.make();
        c.slot.register_waker(other);  // drops the first, which wakes the second
    }
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(counter.live == 0);
}

// The race that the header tells of: after both are done, the task knows of the data or was woken.
BOOST_AUTO_TEST_CASE(b11_register_racing_wake_at_least_one_wake_reaches_the_registrant) {
    int const rounds = scaled(100'000);
    int lost = 0;
    std::barrier start(2);
    atomic_waker slot;
    bool seen = false;
    std::atomic<bool> data{false};
    wake_counter counter;
    {
        waker w = counter.make();
        std::jthread other([&] {
            for (int i = 0; i < rounds; ++i) {
                start.arrive_and_wait();
                data.store(true, std::memory_order_relaxed);  // the slot publishes it
                slot.wake();
                start.arrive_and_wait();
            }
        });
        for (int i = 0; i < rounds; ++i) {
            data = false;
            counter.wakes = 0;
            start.arrive_and_wait();
            slot.register_waker(w);
            seen = data.load(std::memory_order_relaxed);
            start.arrive_and_wait();
            if (!seen && counter.wakes == 0) ++lost;
            (void)slot.take();
        }
    }
    BOOST_TEST(lost == 0);
    BOOST_TEST(counter.live == 0);
}

BOOST_AUTO_TEST_CASE(b12_many_threads_wake_and_take_while_one_registers) {
    int const rounds = scaled(50'000);
    wake_counter counter;
    std::atomic<bool> stop{false};
    {
        atomic_waker slot;
        waker w = counter.make();
        auto const disturb = [&] {
            while (!stop) {
                slot.wake();
                (void)slot.take();
            }
        };
        std::jthread a(disturb);
        std::jthread b(disturb);
        wake_counter others;
        {
            waker v = others.make();
            for (int i = 0; i < rounds; ++i) slot.register_waker(i % 2 ? w : v);
            stop = true;
            a.join();
            b.join();
            (void)slot.take();
        }
        BOOST_TEST(others.live == 0);
    }
    BOOST_TEST(counter.live == 0);
}

BOOST_AUTO_TEST_SUITE_END()
