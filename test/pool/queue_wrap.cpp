// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A thief that stands still between two steps, while the positions of the queue that it robs go on:
// by a few, by whole rings, and almost all the way round to where they were. The queue is compiled
// here under another namespace, with atomics that call the test between the steps.

#define rouse rouse_in_steps

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <functional>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/work_item.hpp>
#include <utility>
#include <vector>

namespace rouse::detail {

// Where a thief can be stopped: the n-th step is the n-th load or exchange of an atomic.
inline unsigned steps = 0;
inline unsigned stop_at = 0;  // 0: nowhere
inline std::function<void()> meanwhile{};

inline void step() {
    if (stop_at == 0 || ++steps != stop_at) return;
    stop_at = 0;
    meanwhile();
}

template <class T>
class stepping : public std::atomic<T> {
public:
    using std::atomic<T>::atomic;
    using std::atomic<T>::operator=;

    T load(std::memory_order order) const noexcept {
        T const value = std::atomic<T>::load(order);
        step();
        return value;
    }
    bool compare_exchange_strong(T& expected, T desired, std::memory_order yes,
                                 std::memory_order no) noexcept {
        step();
        return std::atomic<T>::compare_exchange_strong(expected, desired, yes, no);
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order yes,
                               std::memory_order no) noexcept {
        return compare_exchange_strong(expected, desired, yes, no);
    }
};

}  // namespace rouse::detail

#define atomic stepping
#include <rouse/detail/local_queue.hpp>

#include "../../src/local_queue.cpp"
#undef atomic

#include <support/pool_items.hpp>

using namespace rouse_test;
using rouse::detail::local_queue;
using rouse::detail::work_item;

namespace {

constexpr unsigned capacity = local_queue::capacity;

// The thief's steps: the room in its own queue (two loads), then, of the queue that it robs, the
// head, the tail, and the exchange that claims.
constexpr unsigned after_head = 3;
constexpr unsigned after_tail = 4;
constexpr unsigned before_claim = 5;

// How far the positions go on while the thief stands still. The largest is one short of all the way
// round; those below 2^16 and 2^8 would be all the way round for narrower positions.
std::vector<std::uint32_t> ways() {
    return {1,        7,        8,        9,        127,      128,      255,
            256,      257,      511,      512,      513,      1U << 15, (1U << 16) - 8,
            1U << 16, 1U << 24, 1U << 31, 0U - 513, 0U - 512, 0U - 256, 0U - 255U,
            0U - 16,  0U - 8,   0U - 1};
}

std::vector<std::uint32_t> starts() { return {0U, 0U - 1U, 0U - 8U, 0U - 256U, 1U << 31, 12'345U}; }

// Eight items are in a queue; a thief is stopped at a step; meanwhile these are taken, the
// positions go on by `way` in all, and `fresh` others are pushed.
struct scene {
    scene(std::uint32_t start, unsigned at, std::uint32_t way, unsigned fresh) {
        rouse::detail::stop_at = 0;
        set_positions(queue, start, start, start);
        for (unsigned n = 0; n < old; ++n) BOOST_REQUIRE(queue.push(items[n], true));
        rouse::detail::meanwhile = [this, start, way, fresh] {
            for (unsigned n = 0; n < old && n < way; ++n) gone.push_back(number_of(queue.pop()));
            // What is not taken by then is lost in the jump: nobody has it.
            set_positions(queue, start + way, start + way, start + way);
            for (unsigned n = 0; n < fresh; ++n) BOOST_REQUIRE(queue.push(items[old + n], true));
        };
        rouse::detail::steps = 0;
        rouse::detail::stop_at = at;
        stolen = queue.steal_into(thief);
        BOOST_TEST(rouse::detail::stop_at == 0U);  // it was stopped
    }
    ~scene() { rouse::detail::stop_at = 0; }

    static constexpr unsigned old = 8;
    item_set items{old + capacity};
    local_queue queue{};
    local_queue thief{};
    std::vector<unsigned> gone{};
    work_item* stolen = nullptr;
};

}  // namespace

// After the tail was read the claim alone can tell: it must fail, and the thief look anew.
BOOST_AUTO_TEST_CASE(b41_a_thief_with_an_old_head_looks_anew) {
    for (std::uint32_t const start : starts()) {
        for (std::uint32_t const way : ways()) {
            for (unsigned const at : {after_tail, before_claim}) {
                for (unsigned const fresh : {1U, 2U, 8U, 9U, capacity}) {
                    BOOST_TEST_CONTEXT("from " << start << " by " << way << ", " << fresh
                                               << " new ones, stopped at " << at) {
                        scene s(start, at, way, fresh);
                        unsigned const half = fresh - fresh / 2;
                        BOOST_TEST_REQUIRE(s.stolen);
                        BOOST_TEST(number_of(s.stolen) == scene::old + half - 1);
                        auto all = pop_all(s.thief);
                        BOOST_TEST(all.size() == half - 1);
                        all.push_back(number_of(s.stolen));
                        auto const rest = pop_all(s.queue);
                        all.insert(all.end(), rest.begin(), rest.end());
                        BOOST_TEST(all == from_to(scene::old, scene::old + fresh - 1),
                                   boost::test_tools::per_element());
                    }
                }
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(b41_a_thief_with_an_old_head_finds_the_queue_empty) {
    for (std::uint32_t const start : starts()) {
        for (std::uint32_t const way : ways()) {
            for (unsigned const at : {after_head, after_tail, before_claim}) {
                BOOST_TEST_CONTEXT("from " << start << " by " << way << ", stopped at " << at) {
                    scene s(start, at, way, 0);
                    BOOST_TEST(!s.stolen);
                    BOOST_TEST(s.thief.size() == 0U);
                    BOOST_TEST(s.queue.size() == 0U);
                    BOOST_TEST(!s.queue.pop());
                }
            }
        }
    }
}

// Before the tail was read: a head and a tail that do not belong together. More than a ring of
// items between them is nonsense, and the thief gives up; fewer look right, and then the claim
// fails.
BOOST_AUTO_TEST_CASE(b41_a_head_and_a_tail_of_different_times_are_noticed) {
    for (std::uint32_t const start : starts()) {
        for (std::uint32_t const way : ways()) {
            for (unsigned const fresh : {1U, 2U, 8U, 9U, capacity}) {
                BOOST_TEST_CONTEXT("from " << start << " by " << way << ", " << fresh
                                           << " new ones") {
                    scene s(start, after_head, way, fresh);
                    std::uint32_t const seems = way + fresh;  // modulo 2^32, as the thief sees it
                    BOOST_TEST((s.stolen != nullptr) == (seems != 0 && seems <= capacity));
                    auto all = pop_all(s.thief);
                    if (s.stolen) all.push_back(number_of(s.stolen));
                    auto const rest = pop_all(s.queue);
                    all.insert(all.end(), rest.begin(), rest.end());
                    BOOST_TEST(all == from_to(scene::old, scene::old + fresh - 1),
                               boost::test_tools::per_element());
                }
            }
        }
    }
}

// All the way round, to the same head: 2^32 items have come and gone between two steps of one
// thief. The claim is as good as a new one, since what it claims is read after it.
BOOST_AUTO_TEST_CASE(b41_all_the_way_round_a_thief_gets_what_is_there_now) {
    for (std::uint32_t const start : starts()) {
        for (unsigned const at : {after_head, after_tail, before_claim}) {
            BOOST_TEST_CONTEXT("from " << start << ", stopped at " << at) {
                scene s(start, at, 0, scene::old);
                BOOST_TEST_REQUIRE(s.stolen);
                BOOST_TEST(number_of(s.stolen) == scene::old + 3);
                BOOST_TEST(pop_all(s.thief) == from_to(scene::old, scene::old + 2),
                           boost::test_tools::per_element());
                BOOST_TEST(pop_all(s.queue) == from_to(scene::old + 4, 2 * scene::old - 1),
                           boost::test_tools::per_element());
            }
        }
    }
}

// A thief that has claimed and copies: its part of the head stays where it is while the owner goes
// through everything else, until there is no place left; so no position can come round to it.
BOOST_AUTO_TEST_CASE(b41_no_position_comes_round_to_a_thief_that_copies) {
    for (std::uint32_t const start : starts()) {
        item_set items(8 + 2 * capacity);
        local_queue queue;
        local_queue thief;
        set_positions(queue, start, start, start);
        for (unsigned n = 0; n < 8; ++n) BOOST_REQUIRE(queue.push(items[n], true));
        unsigned next = 8;
        std::vector<unsigned> popped;
        rouse::detail::meanwhile = [&] {
            while (queue.push(items[next], true)) {
                ++next;
                popped.push_back(number_of(queue.pop()));
            }
        };
        rouse::detail::steps = 0;
        rouse::detail::stop_at = before_claim + 1;  // it reads the first of its items
        work_item* const newest = queue.steal_into(thief);
        BOOST_TEST(number_of(newest) == 3U);
        BOOST_TEST(pop_all(thief) == from_to(0, 2), boost::test_tools::per_element());
        BOOST_TEST(next == capacity);  // the thief's four places were never written
        auto const rest = pop_all(queue);
        popped.insert(popped.end(), rest.begin(), rest.end());
        BOOST_TEST(popped == from_to(4, capacity - 1), boost::test_tools::per_element());
    }
}
