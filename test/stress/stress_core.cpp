// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// atomic_waker, waiter_list, inbox and slab under more threads than there are processors.

#include <support/stress_threads.hpp>

#include <rouse/atomic_waker.hpp>
#include <rouse/detail/inbox.hpp>
#include <rouse/detail/slab.hpp>
#include <rouse/detail/waiter_list.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>

BOOST_AUTO_TEST_SUITE(test_stress_core)

using rouse_test::run_threads;
using rouse_test::scaled;
using rouse_test::stress_random;
using rouse_test::stress_threads;

namespace {

// Rounds in which one thread registers and `producers` threads bring one thing each, and wake. A
// wake that is lost is not made up for by a later one: the registrant then waits for ever.
void every_wake_reaches_the_registrant(unsigned producers, unsigned rounds, bool change_wakers) {
    rouse::atomic_waker slot;
    std::atomic<unsigned> round{0};
    std::atomic<unsigned> brought{0};
    std::atomic<unsigned> waits{0};

    run_threads(producers + 1, [&](unsigned index) {
        stress_random random(index + 1);
        if (index != 0) {
            for (unsigned r = 1; r <= rounds; ++r) {
                while (round.load(std::memory_order_relaxed) != r) std::this_thread::yield();
                random.delay();
                // relaxed: what makes it visible is the wake
                brought.fetch_add(1, std::memory_order_relaxed);
                slot.wake();
            }
            return;
        }
        rouse_test::thread_waker const wakes;
        std::array<rouse::waker, 2> const wakers{wakes.make(), wakes.make()};
        for (unsigned r = 1; r <= rounds; ++r) {
            round.store(r, std::memory_order_relaxed);
            random.delay();
            for (;;) {
                slot.register_waker(wakers[change_wakers ? random.below(2) : 0]);
                if (brought.load(std::memory_order_relaxed) == r * producers) break;
                wakes.wait();
                waits.fetch_add(1, std::memory_order_relaxed);
            }
        }
    });
    BOOST_TEST(brought == rounds * producers);
    BOOST_TEST(waits > 0U);
}

}  // namespace

BOOST_AUTO_TEST_CASE(b11_a_wake_racing_a_registration_is_not_lost) {
    every_wake_reaches_the_registrant(1, scaled(200'000U), false);
}

BOOST_AUTO_TEST_CASE(b11_a_wake_racing_a_registration_of_another_waker_is_not_lost) {
    every_wake_reaches_the_registrant(1, scaled(200'000U), true);
}

BOOST_AUTO_TEST_CASE(b11_of_many_wakes_racing_a_registration_the_last_is_not_lost) {
    every_wake_reaches_the_registrant(stress_threads - 1, scaled(20'000U), true);
}

// The sanitizers judge: every clone is dropped once, and nobody touches the slot beside another.
BOOST_AUTO_TEST_CASE(b12_two_threads_registering_at_once_corrupt_nothing) {
    unsigned const rounds = scaled(20'000U);
    for (unsigned part = 0; part < 4; ++part) {
        rouse::atomic_waker slot;
        std::atomic<unsigned> registering{4};
        run_threads(stress_threads, [&](unsigned index) {
            stress_random random(100 * part + index);
            if (index < 4) {
                rouse_test::thread_waker const wakes;
                rouse::waker const waker = wakes.make();
                for (unsigned r = 0; r < rounds; ++r) {
                    slot.register_waker(random.below(2) ? waker : rouse::waker(waker));
                    random.delay();
                }
                --registering;
            } else {
                while (registering != 0) {
                    random.below(2) ? slot.wake() : static_cast<void>(slot.take());
                    random.delay();
                }
            }
        });
    }
    BOOST_TEST(true);
}

// --- waiter_list

// Rounds in which one thread brings something and wakes all others, who wait for it, and of whom some go and
// come back before that. A wake that is lost is not made up for by a later one: that waiter waits for ever.
BOOST_AUTO_TEST_CASE(b95_all_who_wait_hear_of_what_comes_while_others_come_and_go) {
    unsigned const rounds = scaled(50'000U);
    unsigned const waiters = stress_threads - 1;
    rouse::detail::waiter_list list;
    std::atomic<unsigned> brought{0};
    std::atomic<unsigned> heard{0};
    std::atomic<unsigned> waits{0};

    run_threads(waiters + 1, [&](unsigned index) {
        stress_random random(index + 1);
        if (index == 0) {
            for (unsigned r = 1; r <= rounds; ++r) {
                while (heard.load(std::memory_order_relaxed) != (r - 1) * waiters) std::this_thread::yield();
                random.delay();
                // relaxed: what makes it visible is the wake
                brought.store(r, std::memory_order_relaxed);
                list.wake_all();
            }
            return;
        }
        rouse_test::thread_waker const wakes;
        std::array<rouse::waker, 2> const wakers{wakes.make(), wakes.make()};
        rouse::detail::waiter mine;
        for (unsigned r = 1; r <= rounds; ++r) {
            random.delay();
            for (;;) {
                list.add(mine, wakers[random.below(2)]);
                if (brought.load(std::memory_order_relaxed) == r) break;
                if (random.below(4) == 0) {
                    list.remove(mine);
                    continue;
                }
                wakes.wait();
                waits.fetch_add(1, std::memory_order_relaxed);
            }
            heard.fetch_add(1, std::memory_order_relaxed);
        }
        list.remove(mine);
    });
    BOOST_TEST(heard == rounds * waiters);
    BOOST_TEST(waits > 0U);
}

// --- inbox

namespace {

enum fate : unsigned char { unknown, run, destroyed, refused };

struct inbox_record {
    std::vector<std::vector<fate>> fates;  // of each pusher's items; written without a lock
    std::vector<unsigned> last_run;        // the number of the item that ran last, per pusher
    unsigned out_of_order = 0;
    unsigned twice = 0;
};

struct recorded_item : rouse::detail::work_item {
    recorded_item(inbox_record& r, unsigned p, unsigned n)
        : work_item(nullptr), record(r), pusher(p), number(n) {
        act = [](rouse::detail::work_item* base, bool run_it) {
            auto* self = static_cast<recorded_item*>(base);
            self->ends_as(run_it ? fate::run : fate::destroyed);
            if (run_it) {
                unsigned& last = self->record.last_run[self->pusher];
                if (self->number + 1 <= last) ++self->record.out_of_order;
                last = self->number + 1;
            }
            delete self;
        };
    }
    void ends_as(fate what) {
        fate& mine = record.fates[pusher][number];
        if (mine != unknown) ++record.twice;
        mine = what;
    }

    inbox_record& record;
    unsigned const pusher;
    unsigned const number;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b42_an_item_pushed_into_a_closing_inbox_runs_or_dies_once) {
    constexpr unsigned pushers = stress_threads - 1;
    constexpr unsigned items = 24;
    unsigned const rounds = scaled(20'000U);
    std::array<std::atomic<std::uint64_t>, 4> seen{};
    std::atomic<unsigned> pushed_after_close{0};
    inbox_record record;
    rouse::detail::inbox* inbox = nullptr;
    unsigned out_of_order = 0;
    unsigned twice = 0;

    std::barrier step(static_cast<std::ptrdiff_t>(stress_threads));
    run_threads(stress_threads, [&](unsigned index) {
        stress_random random(index + 1);
        for (unsigned r = 0; r < rounds; ++r) {
            if (index == 0) {
                record.fates.assign(pushers, std::vector<fate>(items, unknown));
                record.last_run.assign(pushers, 0);
                inbox = new rouse::detail::inbox;
            }
            step.arrive_and_wait();
            if (index == 0) {
                unsigned const takes = random.below(20);
                for (unsigned t = 0; t < takes; ++t) {
                    auto batch = inbox->take();
                    // Some of a batch may be left unrun.
                    unsigned const leave = random.below(8) == 0 ? random.below(4) : 0;
                    for (unsigned n = 0; !batch.empty() && (leave == 0 || n < leave); ++n) {
                        auto* const item = batch.pop();
                        item->act(item, true);
                    }
                    random.delay();
                }
                if (random.below(2)) std::this_thread::yield();
                inbox->close();
            } else {
                bool closed = false;
                for (unsigned n = 0; n < items; ++n) {
                    auto* const item = new recorded_item(record, index - 1, n);
                    if (inbox->push(*item)) {
                        if (closed) ++pushed_after_close;
                    } else {
                        closed = true;
                        item->ends_as(refused);
                        delete item;
                    }
                    if (random.below(4) == 0) random.delay();
                }
            }
            step.arrive_and_wait();
            if (index == 0) {
                delete inbox;
                for (auto const& of_one : record.fates) {
                    for (fate f : of_one) ++seen[f];
                }
                out_of_order = record.out_of_order;
                twice = record.twice;
            }
        }
    });
    BOOST_TEST(seen[unknown] == 0U);
    BOOST_TEST(seen[run] + seen[destroyed] + seen[refused] ==
               std::uint64_t{rounds} * pushers * items);
    BOOST_TEST(pushed_after_close == 0U);
    BOOST_TEST(out_of_order == 0U);
    BOOST_TEST(twice == 0U);
    // The race was there to be seen.
    BOOST_TEST(seen[run] > 0U);
    BOOST_TEST(seen[destroyed] > 0U);
    BOOST_TEST(seen[refused] > 0U);
}

// --- slab

namespace {

struct parcel {
    unsigned char* memory;
    std::size_t size;
    unsigned char pattern;
};

struct letter_box {
    std::mutex mutex;
    std::deque<parcel> parcels;
};

}  // namespace

BOOST_AUTO_TEST_CASE(slab_memory_that_changes_threads_belongs_to_one_at_a_time) {
    unsigned const generations = 4;  // threads end and others begin: their caches move on
    unsigned const rounds = scaled(40'000U);
    std::vector<letter_box> boxes(stress_threads);
    std::atomic<unsigned> damaged{0};
    std::atomic<unsigned> misaligned{0};
    std::atomic<std::uint64_t> released{0};

    auto const release = [&](parcel const& p) {
        if (std::any_of(p.memory, p.memory + p.size,
                        [&](unsigned char byte) { return byte != p.pattern; })) {
            ++damaged;
        }
        rouse::detail::slab_deallocate(p.memory, p.size);
        ++released;
    };
    for (unsigned g = 0; g < generations; ++g) {
        run_threads(stress_threads, [&](unsigned index) {
            stress_random random(stress_threads * g + index);
            for (unsigned r = 0; r < rounds; ++r) {
                std::size_t const size = random.below(8) ? 1 + random.below(200)  // few classes
                                                         : 1 + random.below(1100);
                auto* const memory =
                    static_cast<unsigned char*>(rouse::detail::slab_allocate(size));
                if (reinterpret_cast<std::uintptr_t>(memory) % 16 != 0) ++misaligned;
                parcel const mine{memory, size, static_cast<unsigned char>(random.below(256))};
                std::memset(memory, mine.pattern, size);
                // Half of the threads send more than they receive: surplus goes round in batches.
                unsigned const to = random.below(4)
                                        ? stress_threads / 2 + random.below(stress_threads / 2)
                                        : random.below(stress_threads);
                {
                    std::lock_guard guard(boxes[to].mutex);
                    boxes[to].parcels.push_back(mine);
                }
                std::deque<parcel> arrived;
                if (random.below(16) == 0) {
                    std::lock_guard guard(boxes[index].mutex);
                    arrived.swap(boxes[index].parcels);
                }
                std::for_each(arrived.begin(), arrived.end(), release);
            }
        });
    }
    for (auto const& box : boxes) std::for_each(box.parcels.begin(), box.parcels.end(), release);
    BOOST_TEST(damaged == 0U);
    BOOST_TEST(misaligned == 0U);
    BOOST_TEST(released == std::uint64_t{generations} * rounds * stress_threads);
}

BOOST_AUTO_TEST_SUITE_END()
