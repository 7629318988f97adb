// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The parts of the pool on one thread: the local queue, the inject queue, who is idle, the parker.
// What they do between threads is in stress/pool_queues.cpp.

#include <support/pool_items.hpp>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <rouse/detail/idle.hpp>
#include <rouse/detail/inject_queue.hpp>
#include <rouse/detail/local_queue.hpp>
#include <rouse/detail/parker.hpp>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_queues)

using namespace rouse_test;
using rouse::detail::idle;
using rouse::detail::inject_queue;
using rouse::detail::local_queue;
using rouse::detail::parker;
using rouse::detail::work_list;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

constexpr unsigned capacity = local_queue::capacity;

void push_range(local_queue& queue, item_set& items, unsigned first, unsigned last) {
    for (unsigned n = first; n <= last; ++n) BOOST_REQUIRE(queue.push(items[n], n % 2 == 0));
}

// Positions from which a few hundred items wrap at 2^32.
std::vector<std::uint32_t> starts() {
    return {0U, 1U, 255U, 0U - 1U, 0U - 100U, 0U - 128U, 0U - 255U, 0U - 256U, 0U - 300U,
            (1U << 31) - 100U};
}

}  // namespace

// ---- local queue ---------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_local_queue_is_first_in_first_out) {
    item_set items(10);
    local_queue queue;
    BOOST_TEST(!queue.pop());
    BOOST_TEST(queue.size() == 0U);
    push_range(queue, items, 0, 9);
    BOOST_TEST(queue.size() == 10U);
    BOOST_TEST(pop_all(queue) == from_to(0, 9), boost::test_tools::per_element());
    BOOST_TEST(!queue.pop());
    BOOST_TEST(queue.size() == 0U);
}

BOOST_AUTO_TEST_CASE(a_local_queue_refuses_what_does_not_fit) {
    item_set items(capacity + 1);
    local_queue queue;
    push_range(queue, items, 0, capacity - 1);
    BOOST_TEST(queue.size() == capacity);
    BOOST_TEST(!queue.push(items[capacity], true));
    BOOST_TEST(!queue.push(items[capacity], false));
    BOOST_TEST(number_of(queue.pop()) == 0U);
    BOOST_TEST(queue.push(items[capacity], true));
    BOOST_TEST(pop_all(queue) == from_to(1, capacity), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(b39_positions_wrap_at_their_end) {
    for (std::uint32_t const start : starts()) {
        BOOST_TEST_CONTEXT("from position " << start) {
            item_set items(1000);
            local_queue queue;
            local_queue thief;
            set_positions(queue, start, start, start);
            set_positions(thief, start + 7, start + 7, start + 7);
            BOOST_TEST(queue.size() == 0U);
            BOOST_TEST(!queue.pop());
            BOOST_TEST(!queue.steal_into(thief));

            push_range(queue, items, 0, capacity - 1);
            BOOST_TEST(queue.size() == capacity);
            BOOST_TEST(!queue.push(items[capacity], true));
            for (unsigned n = 0; n < 128; ++n) BOOST_REQUIRE(number_of(queue.pop()) == n);
            push_range(queue, items, capacity, capacity + 127);
            BOOST_TEST(queue.size() == capacity);
            BOOST_TEST(number_of(queue.steal_into(thief)) == 255U);
            BOOST_TEST(pop_all(thief) == from_to(128, 254), boost::test_tools::per_element());
            for (unsigned n = 384; n < 1000; ++n) {
                BOOST_REQUIRE(number_of(queue.pop()) == n - 128);
                BOOST_REQUIRE(queue.push(items[n], true));
            }
            BOOST_TEST(pop_all(queue) == from_to(872, 999), boost::test_tools::per_element());
        }
    }
}

BOOST_AUTO_TEST_CASE(a_thief_takes_the_older_half_and_returns_the_newest_of_it) {
    for (unsigned const count : {1U, 2U, 3U, 4U, 7U, 128U, 255U, 256U}) {
        BOOST_TEST_CONTEXT("of " << count) {
            item_set items(count);
            local_queue queue;
            local_queue thief;
            push_range(queue, items, 0, count - 1);
            unsigned const half = count - count / 2;
            BOOST_TEST(number_of(queue.steal_into(thief)) == half - 1);
            BOOST_TEST(thief.size() == half - 1);
            BOOST_TEST(queue.size() == count - half);
            if (half > 1)
                BOOST_TEST(pop_all(thief) == from_to(0, half - 2),
                           boost::test_tools::per_element());
            if (count > half)
                BOOST_TEST(pop_all(queue) == from_to(half, count - 1),
                           boost::test_tools::per_element());
            BOOST_TEST(!queue.steal_into(thief));
        }
    }
}

BOOST_AUTO_TEST_CASE(b40_a_thief_with_a_queue_more_than_half_full_takes_nothing) {
    item_set items(2 * capacity);
    local_queue queue;
    local_queue thief;
    push_range(queue, items, 0, capacity - 1);
    push_range(thief, items, capacity, capacity + capacity / 2);  // one more than half
    BOOST_TEST(!queue.steal_into(thief));
    BOOST_TEST(queue.size() == capacity);
    BOOST_TEST(number_of(thief.pop()) == capacity);
    BOOST_TEST(number_of(queue.steal_into(thief)) == capacity / 2 - 1);
    BOOST_TEST(thief.size() == capacity - 1);  // and the newest in hand
    static_cast<void>(pop_all(queue));
    static_cast<void>(pop_all(thief));
}

// A thief has claimed the first four of eight, and is about to copy them.
BOOST_AUTO_TEST_CASE(b38_b40_while_a_thief_copies_the_owner_pops_and_others_stay_away) {
    for (std::uint32_t const start : starts()) {
        item_set items(capacity + 8);
        local_queue queue;
        local_queue other;
        set_positions(queue, start, start, start);
        push_range(queue, items, 0, 7);
        set_positions(queue, start, start + 4, start + 8);
        BOOST_TEST(!queue.steal_into(other));
        BOOST_TEST(queue.size() == 4U);
        BOOST_TEST(number_of(queue.pop()) == 4U);

        // The four places that he reads are not written.
        push_range(queue, items, 8, capacity - 1);
        BOOST_TEST(!queue.push(items[capacity], true));

        // The owner empties its queue; the claim stands.
        BOOST_TEST(pop_all(queue) == from_to(5, capacity - 1), boost::test_tools::per_element());
        BOOST_TEST(!queue.steal_into(other));
        BOOST_TEST(queue.size() == 0U);
    }
}

BOOST_AUTO_TEST_CASE(b40_two_queues_rob_each_other) {
    item_set items(64);
    local_queue a;
    local_queue b;
    push_range(a, items, 0, 31);
    push_range(b, items, 32, 63);
    unsigned seen = 0;
    for (int round = 0; round < 100; ++round) {
        for (auto* item : {a.steal_into(b), b.steal_into(a)}) {
            if (!item) continue;
            item->act(item, true);
            ++seen;
        }
    }
    BOOST_TEST(seen == 64U);
    BOOST_TEST(items.each_ran_once());
}

// ---- inject queue --------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_inject_queue_is_first_in_first_out) {
    item_set items(100);
    inject_queue queue;
    BOOST_TEST(queue.empty());
    BOOST_TEST(queue.pop(5).empty());
    for (unsigned n = 0; n < 60; ++n) BOOST_REQUIRE(queue.push(items[n]));
    BOOST_TEST(!queue.empty());
    BOOST_TEST(queue.pop(0).empty());
    BOOST_TEST(numbers_of(queue.pop(1)) == from_to(0, 0), boost::test_tools::per_element());
    BOOST_TEST(numbers_of(queue.pop(32)) == from_to(1, 32), boost::test_tools::per_element());
    BOOST_TEST(!queue.empty());
    for (unsigned n = 60; n < 100; ++n) BOOST_REQUIRE(queue.push(items[n]));
    BOOST_TEST(numbers_of(queue.pop(27)) == from_to(33, 59), boost::test_tools::per_element());
    BOOST_TEST(numbers_of(queue.pop(1000)) == from_to(60, 99), boost::test_tools::per_element());
    BOOST_TEST(queue.empty());
    BOOST_TEST(queue.pop(1).empty());
}

BOOST_AUTO_TEST_CASE(a_batch_keeps_its_order_and_its_place_in_the_inject_queue) {
    item_set items(10);
    inject_queue queue;
    work_list older;
    for (unsigned n = 0; n < 4; ++n) older.push(items[n]);
    queue.push(std::move(older));
    BOOST_TEST(!queue.empty());
    queue.push(work_list());
    BOOST_TEST(!queue.empty());
    for (unsigned n = 4; n < 8; ++n) BOOST_REQUIRE(queue.push(items[n]));
    BOOST_TEST(numbers_of(queue.pop(6)) == from_to(0, 3), boost::test_tools::per_element());
    BOOST_TEST(numbers_of(queue.pop(6)) == from_to(4, 7), boost::test_tools::per_element());
    queue.push(work_list());
    BOOST_TEST(queue.empty());
}

// While batches come again and again, the list of what is ready is never empty.
BOOST_AUTO_TEST_CASE(b50_a_batch_does_not_keep_back_what_was_pushed_before) {
    item_set items(100);
    inject_queue queue;
    auto const overflow = [&](unsigned first) {
        work_list older;
        for (unsigned n = first; n < first + 4; ++n) older.push(items[n]);
        queue.push(std::move(older));
    };
    overflow(0);
    BOOST_REQUIRE(queue.push(items[4]));
    overflow(5);
    BOOST_REQUIRE(queue.push(items[9]));
    for (unsigned n = 0; n < 5; ++n) {
        BOOST_TEST(numbers_of(queue.pop(1)) == from_to(n, n), boost::test_tools::per_element());
        overflow(10 + 4 * n);
    }
    BOOST_TEST(numbers_of(queue.pop(100)) == from_to(5, 29), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(b42_a_closed_inject_queue_gives_back_what_it_had_and_refuses_the_rest) {
    item_set items(10);
    inject_queue queue;
    for (unsigned n = 0; n < 4; ++n) BOOST_REQUIRE(queue.push(items[n]));
    BOOST_TEST(numbers_of(queue.pop(1)) == from_to(0, 0), boost::test_tools::per_element());
    for (unsigned n = 4; n < 8; ++n) BOOST_REQUIRE(queue.push(items[n]));
    BOOST_TEST(numbers_of(queue.close()) == from_to(1, 7), boost::test_tools::per_element());
    BOOST_TEST(queue.empty());
    BOOST_TEST(!queue.push(items[8]));
    BOOST_TEST(queue.empty());
    BOOST_TEST(queue.pop(1).empty());
    BOOST_TEST(queue.close().empty());
    BOOST_TEST((items[8].ran + items[8].destroyed) == 0U);  // the caller's
}

BOOST_AUTO_TEST_CASE(b42_a_batch_that_is_dropped_half_way_destroys_its_rest) {
    item_set items(10);
    {
        inject_queue queue;
        for (unsigned n = 0; n < 10; ++n) BOOST_REQUIRE(queue.push(items[n]));
        {
            work_list batch = queue.pop(6);
            for (int i = 0; i < 2; ++i) {
                auto* item = batch.pop();
                item->act(item, true);
            }
        }
        for (unsigned n = 0; n < 6; ++n) BOOST_TEST(items[n].ran == (n < 2 ? 1U : 0U));
        for (unsigned n = 0; n < 6; ++n) BOOST_TEST(items[n].destroyed == (n < 2 ? 0U : 1U));
        BOOST_TEST(!queue.empty());
    }
    BOOST_TEST(items.each_ended_once());  // those that were left died with the queue
}

// ---- who is idle ---------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(nobody_is_woken_while_all_are_awake) {
    idle workers(3);
    BOOST_TEST(workers.all_awake());
    BOOST_TEST(workers.awake_count() == 3U);
    BOOST_TEST(!workers.worker_to_wake(false));
}

BOOST_AUTO_TEST_CASE(the_last_one_to_park_is_woken_first_and_counts_as_awake_and_searching) {
    idle workers(3);
    workers.to_parked(0, false);
    workers.to_parked(2, false);
    workers.to_parked(1, false);
    BOOST_TEST(workers.awake_count() == 0U);
    BOOST_TEST((workers.worker_to_wake(false) == 1U));
    BOOST_TEST(workers.awake_count() == 1U);
    BOOST_TEST(!workers.worker_to_wake(false));  // that one is searching
    BOOST_TEST(!workers.leave_parked(1));        // it was counted already
    BOOST_TEST(workers.stop_searching());
    BOOST_TEST((workers.worker_to_wake(false) == 2U));
    BOOST_TEST(workers.stop_searching());
    BOOST_TEST((workers.worker_to_wake(false) == 0U));
    BOOST_TEST(workers.awake_count() == 3U);
    BOOST_TEST(workers.all_awake());
}

BOOST_AUTO_TEST_CASE(the_one_in_the_drivers_seat_is_woken_last) {
    idle workers(3);
    workers.to_parked(0, false);
    workers.to_parked(1, false);
    workers.seat(1, true);
    BOOST_TEST((workers.worker_to_wake(false) == 0U));
    BOOST_TEST(workers.stop_searching());
    BOOST_TEST(!workers.worker_to_wake(true));  // it is calling itself
    BOOST_TEST((workers.worker_to_wake(false) == 1U));
    BOOST_TEST(workers.awake_count() == 3U);
    workers.seat(1, false);  // as it leaves the seat: it is in no list any more
    BOOST_TEST(!workers.leave_parked(1));
    BOOST_TEST(workers.stop_searching());
    BOOST_TEST(!workers.worker_to_wake(false));
}

// The event loop may be inside a handler of the application's, which takes its time: that worker cannot
// search, and must not keep others from being woken.
BOOST_AUTO_TEST_CASE(b43_who_is_woken_in_the_drivers_seat_searches_when_it_has_left) {
    idle workers(3);
    workers.to_parked(0, false);
    workers.seat(0, true);
    BOOST_TEST((workers.worker_to_wake(false) == 0U));
    BOOST_TEST(workers.awake_count() == 3U);

    workers.to_parked(1, false);
    workers.to_parked(2, false);
    BOOST_TEST((workers.worker_to_wake(false) == 2U));
    BOOST_TEST(workers.stop_searching());
    BOOST_TEST((workers.worker_to_wake(false) == 1U));
    BOOST_TEST(workers.stop_searching());

    workers.seat(0, false);  // now it searches
    BOOST_TEST(!workers.leave_parked(0));
    BOOST_TEST(workers.stop_searching());
    BOOST_TEST(workers.all_awake());
}

BOOST_AUTO_TEST_CASE(whoever_leaves_the_seat_is_asleep_like_others_until_it_gets_up) {
    idle workers(2);
    workers.to_parked(0, false);
    workers.seat(0, true);
    workers.seat(0, false);
    BOOST_TEST((workers.worker_to_wake(true) == 0U));
    BOOST_TEST(!workers.leave_parked(0));
    BOOST_TEST(workers.stop_searching());

    workers.to_parked(0, false);
    workers.seat(0, true);
    BOOST_TEST(workers.leave_parked(0));
    BOOST_TEST(workers.awake_count() == 2U);
    BOOST_TEST(!workers.worker_to_wake(false));
}

BOOST_AUTO_TEST_CASE(a_worker_that_was_woken_before_it_took_the_seat_is_not_put_back) {
    idle workers(2);
    workers.to_parked(0, false);
    BOOST_TEST((workers.worker_to_wake(false) == 0U));
    workers.seat(0, true);
    BOOST_TEST(workers.stop_searching());
    BOOST_TEST(!workers.worker_to_wake(false));
    workers.seat(0, false);
    BOOST_TEST(!workers.worker_to_wake(false));
    BOOST_TEST(!workers.leave_parked(0));
    BOOST_TEST(workers.all_awake());
}

BOOST_AUTO_TEST_CASE(a_worker_that_gets_up_by_itself_is_not_woken) {
    idle workers(2);
    workers.to_parked(1, false);
    BOOST_TEST(workers.leave_parked(1));
    BOOST_TEST(workers.all_awake());
    BOOST_TEST(!workers.worker_to_wake(false));
}

BOOST_AUTO_TEST_CASE(at_most_half_of_the_workers_search) {
    idle one(1);
    BOOST_TEST(one.start_searching());
    BOOST_TEST(!one.start_searching());

    idle four(4);
    BOOST_TEST(four.start_searching());
    BOOST_TEST(four.start_searching());
    BOOST_TEST(!four.start_searching());
    BOOST_TEST(!four.stop_searching());
    BOOST_TEST(four.start_searching());
}

BOOST_AUTO_TEST_CASE(b45_only_the_last_searcher_is_told_so) {
    idle workers(8);
    BOOST_TEST(workers.start_searching());
    BOOST_TEST(workers.start_searching());
    BOOST_TEST(workers.start_searching());
    BOOST_TEST(!workers.stop_searching());
    workers.to_parked(7, true);  // a searcher that found nothing
    BOOST_TEST(workers.awake_count() == 7U);
    BOOST_TEST(!workers.worker_to_wake(false));  // one still searches
    BOOST_TEST(workers.stop_searching());
    BOOST_TEST((workers.worker_to_wake(false) == 7U));
}

// ---- parker --------------------------------------------------------------------------------------

namespace {

// An event loop that does what it is told when a worker parks in it.
class fake_driver final : public rouse::detail::driver {
public:
    unsigned park(rouse::detail::time_point deadline) noexcept override {
        ++parks;
        last_deadline = deadline;
        if (in_park) in_park();
        return runs;
    }
    unsigned poll(unsigned) noexcept override { return 0; }
    void unpark() noexcept override { ++unparks; }

    std::function<void()> in_park{};
    unsigned runs = 0;
    int parks = 0;
    int unparks = 0;
    rouse::detail::time_point last_deadline{};
};

}  // namespace

BOOST_AUTO_TEST_CASE(b44_a_token_that_comes_first_is_kept) {
    parker p;
    p.unpark();
    p.park();  // returns
    BOOST_TEST(!p.park_until(steady_clock::now()));  // it was taken
}

BOOST_AUTO_TEST_CASE(b44_a_second_token_adds_nothing) {
    parker p;
    p.unpark();
    p.unpark();
    p.park();
    BOOST_TEST(!p.park_until(steady_clock::now() + 1ms));
    p.unpark();
    BOOST_TEST(p.park_until(steady_clock::now() + 1min));
}

BOOST_AUTO_TEST_CASE(b44_a_timed_park_ends_at_its_time_and_not_before) {
    parker p;
    for (auto const wait : {0ms, 1ms, 20ms}) {
        auto const begin = steady_clock::now();
        BOOST_TEST(!p.park_until(begin + wait));
        BOOST_TEST((steady_clock::now() >= begin + wait));
    }
    BOOST_TEST(!p.park_until(steady_clock::now() - 1h));
    BOOST_TEST(!p.park_until(steady_clock::time_point::min()));
    p.unpark();
    BOOST_TEST(p.park_until(steady_clock::now() - 1h));
    p.unpark();
    BOOST_TEST(p.park_until(steady_clock::time_point::max()));
}

BOOST_AUTO_TEST_CASE(b44_a_token_after_a_timed_out_park_is_for_the_next_one) {
    parker p;
    BOOST_TEST(!p.park_until(steady_clock::now() + 1ms));
    p.unpark();
    p.park();
}

BOOST_AUTO_TEST_CASE(b44_a_token_keeps_a_worker_out_of_the_event_loop) {
    parker p;
    fake_driver loop;
    unsigned ran = 99;
    p.unpark();
    BOOST_TEST(p.park_in(loop, steady_clock::now() + 1h, ran));
    BOOST_TEST(ran == 0U);
    BOOST_TEST(loop.parks == 0);
    BOOST_TEST(loop.unparks == 0);
}

BOOST_AUTO_TEST_CASE(b44_an_unpark_of_a_worker_in_the_event_loop_interrupts_it_once) {
    parker p;
    fake_driver loop;
    loop.in_park = [&] {
        p.unpark();
        p.unpark();
    };
    unsigned ran = 99;
    BOOST_TEST(p.park_in(loop, steady_clock::now() + 1h, ran));
    BOOST_TEST(ran == 0U);
    BOOST_TEST(loop.unparks == 1);
    loop.in_park = {};
    BOOST_TEST(!p.park_in(loop, steady_clock::now() + 1h, ran));  // the token was taken
    p.unpark();                                       // outside of the loop
    BOOST_TEST(loop.unparks == 1);
    p.park();
}

BOOST_AUTO_TEST_CASE(an_event_loop_that_returns_by_itself_leaves_no_token) {
    parker p;
    fake_driver loop;
    loop.runs = 3;
    unsigned ran = 0;
    auto const deadline = steady_clock::now() + 1h;
    BOOST_TEST(!p.park_in(loop, deadline, ran));
    BOOST_TEST(ran == 3U);
    BOOST_TEST(loop.parks == 1);
    BOOST_TEST((loop.last_deadline == deadline));
    BOOST_TEST(!p.park_until(steady_clock::now()));
}

BOOST_AUTO_TEST_SUITE_END()
