// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The pool's queues and its parking between real threads: nothing is lost, nothing comes twice,
// the order holds, and nobody sleeps while there is work.

#include <support/pool_items.hpp>
#include <support/stress_threads.hpp>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <deque>
#include <rouse/detail/idle.hpp>
#include <rouse/detail/inject_queue.hpp>
#include <rouse/detail/local_queue.hpp>
#include <rouse/detail/parker.hpp>
#include <rouse/detail/pool_core.hpp>
#include <rouse/runnable.hpp>

BOOST_AUTO_TEST_SUITE(test_pool_queues)

using namespace rouse_test;
using rouse::detail::idle;
using rouse::detail::inject_queue;
using rouse::detail::local_queue;
using rouse::detail::parker;
using rouse::detail::work_item;
using rouse::detail::work_list;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

// Each test runs once from 0, and once over the wrap of the positions.
std::uint32_t const first_positions[] = {0U, 0U - 5000U};

void run(work_item& item) { item.act(&item, true); }

// What a thief has got, one theft after the other.
struct thief {
    local_queue queue{};
    std::uint32_t last = 0;  // the newest number so far, plus one
    bool ordered = true;

    // One theft, and all that came with it. False: there was nothing.
    bool steal(local_queue& victim) {
        work_item* const newest = victim.steal_into(queue);
        if (!newest) return false;
        while (work_item* item = queue.pop()) {
            in_order(number_of(item));
            run(*item);
        }
        in_order(number_of(newest));
        run(*newest);
        return true;
    }

private:
    void in_order(unsigned number) {
        ordered = ordered && number >= last;
        last = number + 1;
    }
};

struct race_result {
    bool owner_ordered = true;
    bool thieves_ordered = true;
};

// An owner that pushes `burst` items and then pops what it can, against thieves.
race_result race(item_set& items, unsigned thieves, unsigned burst, std::uint32_t position) {
    local_queue queue;
    set_positions(queue, position, position, position);
    std::deque<thief> robbers(thieves);
    std::atomic<bool> done{false};
    race_result result;
    run_threads(thieves + 1, [&](unsigned who) {
        stress_random random(who);
        if (who != 0) {
            thief& self = robbers[who - 1];
            set_positions(self.queue, position, position, position);
            while (!done) {
                if (!self.steal(queue)) random.delay();
            }
            while (self.steal(queue)) {
            }
            return;
        }
        unsigned next = 0;
        std::uint32_t last = 0;
        while (next < items.size()) {
            for (unsigned i = 0; i < burst && next < items.size(); ++i) {
                if (!queue.push(items[next], i % 2 == 0)) break;
                ++next;
            }
            if (random.below(8) == 0) random.delay();
            while (work_item* item = queue.pop()) {
                result.owner_ordered = result.owner_ordered && number_of(item) >= last;
                last = number_of(item) + 1;
                run(*item);
                if (burst > 8 && random.below(4) != 0) break;  // and let the queue grow
            }
        }
        done = true;
        while (work_item* item = queue.pop()) run(*item);
    });
    for (auto const& robber : robbers) result.thieves_ordered &= robber.ordered;
    return result;
}

void check_race(unsigned count, unsigned thieves, unsigned burst) {
    for (std::uint32_t const position : first_positions) {
        item_set items(scaled(count));
        race_result const result = race(items, thieves, burst, position);
        BOOST_TEST(items.each_ran_once());
        BOOST_TEST(result.owner_ordered);
        BOOST_TEST(result.thieves_ordered);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(b37_owner_and_thief_want_the_last_item) { check_race(1'000'000, 1, 1); }

BOOST_AUTO_TEST_CASE(b37_b40_owner_and_two_thieves_want_the_last_item) {
    check_race(500'000, 2, 1);
}

BOOST_AUTO_TEST_CASE(b40_two_thieves_at_a_queue_that_is_often_full) {
    check_race(1'000'000, 2, local_queue::capacity + 10);
}

BOOST_AUTO_TEST_CASE(b40_a_stampede_of_eight) { check_race(500'000, 8, 40); }

// The owner does as a worker does: what does not fit goes to the shared queue.
BOOST_AUTO_TEST_CASE(b38_overflow_while_thieves_copy) {
    for (std::uint32_t const position : first_positions) {
        item_set items(scaled(1'000'000U));
        local_queue queue;
        inject_queue shared;
        set_positions(queue, position, position, position);
        std::deque<thief> robbers(2);
        std::atomic<bool> done{false};
        unsigned overflows = 0;
        std::atomic<bool> full_once{false};  // the thieves wait until it has overflowed once
        run_threads(3, [&](unsigned who) {
            stress_random random(who);
            if (who != 0) {
                while (!full_once) std::this_thread::yield();
                while (!done) {
                    if (!robbers[who - 1].steal(queue)) random.delay();
                    work_list batch = shared.pop(random.below(8));
                    while (work_item* item = batch.pop()) run(*item);
                }
                return;
            }
            for (unsigned n = 0; n < items.size(); ++n) {
                if (!queue.push(items[n], true)) {
                    ++overflows;
                    shared.overflow(items[n]);
                    full_once = true;
                }
                if (random.below(8) == 0) {
                    if (work_item* item = queue.pop()) run(*item);
                }
            }
            done = true;
            while (work_item* item = queue.pop()) run(*item);
        });
        work_list rest = shared.close();
        while (work_item* item = rest.pop()) run(*item);
        BOOST_TEST(items.each_ran_once());
        BOOST_TEST(overflows > 0U);
        for (auto const& robber : robbers) BOOST_TEST(robber.ordered);
    }
}

// Now with the lock, now without it, which another one holds as he takes.
BOOST_AUTO_TEST_CASE(b39_what_overflows_keeps_its_order_while_another_takes) {
    item_set items(scaled(1'000'000U));
    inject_queue shared;
    std::uint32_t last = 0;
    bool ordered = true;
    auto const take = [&](work_list batch) {
        while (work_item* item = batch.pop()) {
            ordered = ordered && number_of(item) >= last;
            last = number_of(item) + 1;
            run(*item);
        }
    };
    std::atomic<bool> done{false};
    run_threads(2, [&](unsigned who) {
        stress_random random(who);
        if (who == 0) {
            for (unsigned n = 0; n < items.size(); ++n) shared.overflow(items[n]);
            done = true;
        } else {
            while (!done) take(shared.pop(1 + random.below(64)));
        }
    });
    take(shared.close());
    BOOST_TEST(items.each_ran_once());
    BOOST_TEST(ordered);
}

// Each robs the next: A steals from B while C steals from A.
BOOST_AUTO_TEST_CASE(b40_a_ring_of_thieves) {
    for (unsigned const count : {2U, 3U, stress_threads}) {
        item_set items(scaled(300'000U));
        std::deque<local_queue> queues(count);
        std::atomic<unsigned> next{0};
        std::atomic<unsigned> left{items.size()};
        run_threads(count, [&](unsigned who) {
            stress_random random(who);
            local_queue& mine = queues[who];
            while (left != 0) {
                for (unsigned burst = random.below(20); burst != 0; --burst) {
                    if (mine.size() >= local_queue::capacity / 2) break;  // room for what is stolen
                    unsigned const n = next++;
                    if (n >= items.size()) break;
                    if (mine.push(items[n], true)) continue;
                    run(items[n]);  // a thief has not yet given back the places he took
                    --left;
                }
                work_item* item = random.below(2) ? mine.pop() : nullptr;
                if (!item) item = queues[(who + 1) % count].steal_into(mine);
                if (!item) item = mine.pop();
                if (!item) continue;
                run(*item);
                --left;
            }
        });
        BOOST_TEST(items.each_ran_once());
    }
}

BOOST_AUTO_TEST_CASE(the_shared_queue_keeps_each_pushers_order) {
    constexpr unsigned pushers = 3;
    unsigned const each = scaled(200'000U);
    item_set items(pushers * each);
    inject_queue shared;
    std::atomic<unsigned> left{items.size()};
    bool ordered = true;
    run_threads(pushers + 1, [&](unsigned who) {
        if (who != 0) {
            for (unsigned n = 0; n < each; ++n) {
                if (!shared.push(items[(who - 1) * each + n])) std::abort();
            }
            return;
        }
        std::array<unsigned, pushers> expected{};
        while (left != 0) {
            work_list batch = shared.pop(32);
            while (work_item* item = batch.pop()) {
                unsigned const pusher = number_of(item) / each;
                ordered = ordered && number_of(item) % each == expected[pusher]++;
                run(*item);
                --left;
            }
        }
    });
    BOOST_TEST(ordered);
    BOOST_TEST(shared.empty());
    BOOST_TEST(items.each_ran_once());
}

BOOST_AUTO_TEST_CASE(b42_close_races_push_and_pop) {
    for (unsigned round = 0; round < scaled(3000U); ++round) {
        constexpr unsigned each = 40;
        item_set items(3 * each);
        inject_queue shared;
        run_threads(5, [&](unsigned who) {
            stress_random random(who + 5 * round);
            if (who < 3) {
                for (unsigned n = 0; n < each; ++n) {
                    numbered& item = items[who * each + n];
                    if (!shared.push(item)) item.act(&item, false);
                }
            } else if (who == 3) {
                for (unsigned n = 0; n < each; ++n) {
                    work_list batch = shared.pop(4);
                    if (random.below(4) == 0) continue;  // dropped: its items are destroyed
                    while (work_item* item = batch.pop()) run(*item);
                }
            } else {
                random.delay();
                random.delay();
                static_cast<void>(shared.close());
            }
        });
        BOOST_TEST(shared.empty());
        BOOST_REQUIRE(items.each_ended_once());
    }
}

namespace {

// Workers that do nothing but park and look into one shared queue, by the pool's protocol.
class parkers {
public:
    explicit parkers(unsigned count) : idle_(count), sleepers_(count) {
        for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this, i] { work(i); });
    }
    ~parkers() {
        done_ = true;
        for (auto& sleeper : sleepers_) sleeper.unpark();
        for (auto& thread : threads_) thread.join();
    }

    void push(numbered& item) {
        if (!shared_.push(item)) std::abort();
        wake_one();
    }

private:
    void wake_one() {
        if (auto const who = idle_.worker_to_wake(false)) sleepers_[*who].unpark();
    }
    void work(unsigned self) {
        bool searching = false;
        while (!done_) {
            work_list batch = shared_.pop(1);
            if (work_item* item = batch.pop()) {
                if (std::exchange(searching, false) && idle_.stop_searching()) wake_one();
                run(*item);
                continue;
            }
            if (!searching && idle_.start_searching()) {
                searching = true;
                continue;
            }
            idle_.to_parked(self, std::exchange(searching, false));
            if (shared_.empty() && !done_) sleepers_[self].park();
            if (!idle_.leave_parked(self)) searching = true;
        }
    }

    idle idle_;
    inject_queue shared_{};
    std::atomic<bool> done_{false};
    std::deque<parker> sleepers_;
    std::vector<std::thread> threads_{};
};

void wait_until_run(numbered const& item) {
    auto const end = steady_clock::now() + 2min;
    while (item.ran == 0) {
        if (steady_clock::now() > end) {
            std::fprintf(stderr, "item %u waits for ever\n", item.number);
            std::abort();
        }
        std::this_thread::yield();
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(b43_work_that_comes_as_a_worker_falls_asleep_is_run) {
    for (unsigned const workers : {1U, 2U, 4U}) {
        item_set items(scaled(100'000U));
        parkers pool(workers);
        stress_random random(workers);
        for (unsigned n = 0; n < items.size(); ++n) {
            pool.push(items[n]);
            wait_until_run(items[n]);  // the workers fall asleep again
            random.delay();
        }
        BOOST_TEST(items.each_ran_once());
    }
}

BOOST_AUTO_TEST_CASE(b43_b45_work_from_many_threads_leaves_nobody_asleep) {
    for (unsigned const workers : {1U, 2U, 4U}) {
        constexpr unsigned pushers = 3;
        unsigned const rounds = scaled(20'000U);
        constexpr unsigned burst = 3;
        item_set items(pushers * rounds * burst);
        {
            parkers pool(workers);
            run_threads(pushers, [&](unsigned who) {
                stress_random random(who);
                for (unsigned r = 0; r < rounds; ++r) {
                    unsigned const first = (who * rounds + r) * burst;
                    for (unsigned n = first; n < first + burst; ++n) pool.push(items[n]);
                    wait_until_run(items[first + burst - 1]);
                    random.delay();
                }
            });
            for (unsigned n = 0; n < items.size(); ++n) wait_until_run(items[n]);
        }
        BOOST_TEST(items.each_ran_once());
    }
}

BOOST_AUTO_TEST_CASE(b44_two_threads_hand_a_value_to_each_other) {
    std::array<parker, 2> sleepers;
    unsigned value = 0;  // plain: what is written before an unpark is seen after the park
    unsigned const rounds = scaled(200'000U);
    run_threads(2, [&](unsigned who) {
        stress_random random(who);
        for (unsigned r = 0; r < rounds; ++r) {
            if (who == 1 || r != 0) sleepers[who].park();
            ++value;
            if (r % 2) random.delay();
            sleepers[1 - who].unpark();
        }
    });
    BOOST_TEST(value == 2 * rounds);
}

BOOST_AUTO_TEST_CASE(b44_an_unpark_races_a_timed_park) {
    parker sleeper;
    std::atomic<unsigned> asked{0};
    unsigned payload = 0;
    std::atomic<unsigned> taken{0};
    unsigned const rounds = scaled(50'000U);
    run_threads(2, [&](unsigned who) {
        stress_random random(who);
        if (who == 0) {
            for (unsigned r = 0; r < rounds; ++r) {
                random.delay();
                ++payload;
                asked = r + 1;
                sleeper.unpark();
                while (taken != r + 1) std::this_thread::yield();
            }
            return;
        }
        unsigned tokens = 0;
        while (tokens < rounds) {
            auto const until = steady_clock::now() + std::chrono::microseconds(random.below(60));
            if (!sleeper.park_until(until)) continue;
            ++tokens;
            // One token for each unpark, none is lost or made up.
            if (asked != tokens || payload != tokens) std::abort();
            taken = tokens;
        }
    });
    BOOST_TEST(taken == rounds);
    BOOST_TEST(!sleeper.park_until(steady_clock::now()));
}

namespace {

// An event loop that sleeps until it is interrupted; now and then it returns by itself.
class waiting_loop final : public rouse::detail::driver {
public:
    unsigned park(rouse::detail::time_point) noexcept override {
        std::unique_lock lock(mutex_);
        if (random_.below(8) == 0) return 1;
        wait_or_die(changed_, lock, [this] { return interrupted_; }, "an unpark");
        interrupted_ = false;
        return 0;
    }
    unsigned poll(unsigned) noexcept override { return 0; }
    void unpark() noexcept override {
        {
            std::lock_guard guard(mutex_);
            interrupted_ = true;
        }
        changed_.notify_one();
    }

private:
    std::mutex mutex_{};
    std::condition_variable changed_{};
    bool interrupted_ = false;
    stress_random random_{77};
};

}  // namespace

BOOST_AUTO_TEST_CASE(b44_an_unpark_races_the_way_into_the_event_loop_and_out_of_it) {
    parker sleeper;
    waiting_loop loop;
    unsigned payload = 0;
    std::atomic<unsigned> taken{0};
    unsigned const rounds = scaled(100'000U);
    run_threads(2, [&](unsigned who) {
        stress_random random(who);
        if (who == 0) {
            for (unsigned r = 0; r < rounds; ++r) {
                random.delay();
                ++payload;
                sleeper.unpark();
                while (taken != r + 1) std::this_thread::yield();
            }
            return;
        }
        unsigned tokens = 0;
        while (tokens < rounds) {
            unsigned ran = 0;
            bool token = false;
            switch (random.below(4)) {
                case 0: sleeper.park(); token = true; break;
                case 1: token = sleeper.park_until(steady_clock::now()); break;
                default: token = sleeper.park_in(loop, rouse::detail::time_point::max(), ran); break;
            }
            if (!token) continue;
            ++tokens;
            if (payload != tokens) std::abort();
            taken = tokens;
        }
    });
    BOOST_TEST(taken == rounds);
}

// The whole scheduler without an event loop: all workers sleep by themselves.
BOOST_AUTO_TEST_CASE(b43_a_pool_without_event_loop_runs_everything) {
    for (unsigned const workers : {1U, 2U, stress_threads}) {
        rouse::detail::pool_options options;
        options.workers = workers;
        unsigned const each = scaled(20'000U);
        item_set items(3 * each);
        {
            rouse::detail::pool_core core(options, nullptr, nullptr);
            core.start();
            run_threads(3, [&](unsigned who) {
                stress_random random(who);
                for (unsigned n = who * each; n < (who + 1) * each; ++n) {
                    core.submit(items[n], n % 2 != 0);
                    if (n % 16 == 0) {
                        wait_until_run(items[n]);
                        random.delay();
                    }
                }
            });
            core.end_when_idle();
            core.join_threads();
        }
        BOOST_TEST(items.each_ran_once());
    }
}

BOOST_AUTO_TEST_SUITE_END()
