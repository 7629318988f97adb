// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The spawned task under real threads: storms of wakes, wakers that are dropped and that outlive
// the task, what an aborted task has lent, and coroutines that spawn and join. Each race that has
// two outcomes must have been seen with both. stress_delays.cpp runs the same cases with delays
// inside the library.

#include <support/stress_executor.hpp>

#include <rouse/atomic_waker.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_stress_task)

namespace {

using rouse_test::counted;
using rouse_test::ending;
using rouse_test::run_threads;
using rouse_test::scaled;
using rouse_test::stress_executor;
using rouse_test::stress_random;
using rouse_test::stress_threads;
using rouse_test::wait_for;

// A place where a task leaves its waker for others.
class waker_box {
public:
    void put(rouse::waker const& waker) {
        {
            std::lock_guard guard(mutex_);
            if (waker_.empty()) waker_ = waker;
        }
        changed_.notify_all();
    }
    // Waits until there is one.
    rouse::waker copy() {
        std::unique_lock lock(mutex_);
        rouse_test::wait_or_die(
            changed_, lock, [this] { return !waker_.empty(); }, "a waker");
        return waker_;
    }
    void clear() {
        rouse::waker doomed;  // dropped without the lock
        std::lock_guard guard(mutex_);
        doomed.swap(waker_);
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    rouse::waker waker_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b2_b3_no_wake_of_a_storm_is_lost_and_polls_never_overlap) {
    constexpr unsigned wakers = stress_threads;
    unsigned const rounds = scaled(400U);
    constexpr unsigned wakes = 100;
    struct shared {
        std::array<std::atomic<unsigned>, wakers> sent{};
        waker_box box;
        std::atomic<int> polls_at_once{0};
        std::atomic<unsigned> overlapping{0};
    };
    class receiver {
    public:
        explicit receiver(shared& s) noexcept : shared_(&s) {}
        rouse::poll_result<unsigned> poll(rouse::context& cx) {
            if (shared_->polls_at_once.fetch_add(1, std::memory_order_relaxed) != 0) {
                ++shared_->overlapping;
            }
            if (++polls_ == 1) shared_->box.put(cx.waker());
            bool const all = std::ranges::all_of(shared_->sent, [](auto const& n) {
                return n.load(std::memory_order_relaxed) == wakes;
            });
            rouse_test::random_delay();  // what comes now must have the task polled again
            shared_->polls_at_once.fetch_sub(1, std::memory_order_relaxed);
            if (all) return polls_;
            return rouse::pending;
        }

    private:
        shared* shared_;
        unsigned polls_ = 0;
    };

    stress_executor executor(2);
    unsigned overlapping = 0;
    unsigned too_many_polls = 0;
    std::set<unsigned> poll_counts;
    for (unsigned r = 0; r < rounds; ++r) {
        shared s;
        auto handle = executor.spawn(receiver(s));
        rouse::waker const waker = s.box.copy();
        run_threads(wakers, [&](unsigned index) {
            stress_random random(r * wakers + index);
            rouse::waker mine = waker;
            for (unsigned w = 1; w <= wakes; ++w) {
                s.sent[index].store(w, std::memory_order_relaxed);
                if (random.below(2)) {
                    mine.wake_by_ref();
                } else {
                    rouse::waker(mine).wake();
                }
                random.delay();
            }
        });
        s.box.clear();
        rouse_test::thread_waker const wakes_me;
        rouse::waker const mine = wakes_me.make();
        for (;;) {
            rouse::context cx(mine);
            auto polled = handle.poll(cx);
            if (polled.is_ready()) {
                poll_counts.insert(polled.value());
                if (polled.value() > wakers * wakes + 1) ++too_many_polls;
                break;
            }
            wakes_me.wait();
        }
        overlapping += s.overlapping;
    }
    BOOST_TEST(overlapping == 0U);
    BOOST_TEST(too_many_polls == 0U);
    BOOST_TEST(poll_counts.size() > 1U);  // wakes did meet polls
}

namespace {

// Stores nothing but what its first polls put into a box: when all copies are gone, nobody can wake
// it any more.
struct orphan_record {
    waker_box box;
    std::atomic<long> futures{0};
    std::thread::id died_on;
};

class orphan {
public:
    explicit orphan(orphan_record& r) noexcept : record_(&r) { ++r.futures; }
    orphan(orphan&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
    ~orphan() {
        if (!record_) return;
        record_->died_on = std::this_thread::get_id();
        --record_->futures;
    }

    rouse::poll_result<void> poll(rouse::context& cx) {
        if (++polls_ == 1) record_->box.put(cx.waker());
        return rouse::pending;
    }

private:
    orphan_record* record_;
    unsigned polls_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b8_a_task_whose_last_waker_is_dropped_dies_once_on_its_executor) {
    unsigned const rounds = scaled(1000U);
    constexpr std::size_t tasks = 16;
    constexpr unsigned droppers = 4;
    stress_executor executor(3);
    long alive = 0;
    unsigned on_a_dropper = 0;
    for (unsigned r = 0; r < rounds; ++r) {
        std::array<orphan_record, tasks> records;
        std::array<std::array<rouse::waker, tasks>, droppers> wakers;
        std::set<std::thread::id> dropping;
        std::mutex mutex;
        for (std::size_t t = 0; t < tasks; ++t) {
            executor.spawn_ok(orphan(records[t]));
            rouse::waker const waker = records[t].box.copy();
            records[t].box.clear();
            for (auto& of_one : wakers) of_one[t] = waker;
        }
        run_threads(droppers, [&](unsigned index) {
            {
                std::lock_guard guard(mutex);
                dropping.insert(std::this_thread::get_id());
            }
            stress_random random(r * droppers + index);
            for (auto& waker : wakers[index]) {
                switch (random.below(4)) {
                    case 0: std::move(waker).wake(); break;
                    case 1: waker.wake_by_ref(); [[fallthrough]];
                    default: waker = {}; break;
                }
                random.delay();
            }
        });
        executor.wait_until_idle();
        for (auto const& record : records) {
            alive += record.futures;
            on_a_dropper += static_cast<unsigned>(dropping.count(record.died_on));
        }
    }
    BOOST_TEST(alive == 0);
    BOOST_TEST(on_a_dropper == 0U);
}

BOOST_AUTO_TEST_CASE(b6_wakers_and_handles_outlive_the_task_and_its_executor) {
    unsigned const rounds = scaled(300U);
    constexpr std::size_t tasks = 16;
    unsigned finished = 0;
    for (unsigned r = 0; r < rounds; ++r) {
        std::vector<rouse::waker> wakers;
        std::deque<rouse::join_handle<int>> handles;
        std::optional<stress_executor> executor(std::in_place, 2U);
        std::array<waker_box, tasks> boxes;
        for (auto& box : boxes) {
            auto const first_poll =
                [&box, polls = 0](rouse::context& cx) mutable -> rouse::poll_result<int> {
                box.put(cx.waker());
                if (++polls == 1) return rouse::pending;
                return 42;
            };
            handles.push_back(executor->spawn(rouse::poll_fn(first_poll)));
            wakers.push_back(box.copy());
            box.clear();
        }
        std::atomic<bool> destroyed{false};
        run_threads(stress_threads, [&](unsigned index) {
            stress_random random(r * stress_threads + index);
            if (index == 0) {
                // Wakes that race with the end of the executor are of tasks that have ended.
                for (auto& waker : wakers) waker.wake_by_ref();
                executor.reset();
                destroyed = true;
                return;
            }
            for (bool last = false; !last;) {
                last = destroyed;
                for (std::size_t t = 0; t < tasks; ++t) {
                    if (!handles[t].is_finished()) continue;
                    rouse::waker copy = wakers[t];
                    if (random.below(2)) std::move(copy).wake();
                    if (random.below(2)) wakers[t].wake_by_ref();
                    handles[t].abort();
                }
            }
        });
        for (auto& handle : handles) finished += wait_for(handle) == ending::value;
    }
    BOOST_TEST(finished == rounds * tasks);
}

namespace {

// An operation that has lent something to a thread of its own: that thread completes it, or, asked
// to, lets go; until then the future must stay.
struct lent {
    std::atomic<bool> cancelled{false};
    std::atomic<bool> completed{false};
    std::atomic<bool> let_go{false};
    std::atomic<bool> in_flight{false};
    rouse::atomic_waker waker;
    std::atomic<unsigned> polled_after_cancel{0};
    std::atomic<unsigned> destroyed_in_flight{0};
};

class lending {
public:
    explicit lending(lent& l) noexcept : lent_(&l) {}
    lending(lending&& other) noexcept : lent_(std::exchange(other.lent_, nullptr)) {}
    ~lending() {
        if (lent_ && lent_->in_flight) ++lent_->destroyed_in_flight;
    }

    rouse::poll_result<int> poll(rouse::context& cx) {
        if (cancelled_) ++lent_->polled_after_cancel;
        lent_->waker.register_waker(cx.waker());
        if (!started_) {
            started_ = true;
            lent_->in_flight = true;
        }
        if (lent_->completed) return 42;
        return rouse::pending;
    }
    rouse::cancel_result<int> poll_cancel(rouse::context& cx) {
        cancelled_ = true;
        if (!started_) return std::nullopt;
        lent_->waker.register_waker(cx.waker());
        lent_->cancelled = true;
        if (lent_->completed) return 42;
        if (lent_->let_go) return std::nullopt;
        return rouse::pending;
    }

private:
    lent* lent_;
    bool started_ = false;
    bool cancelled_ = false;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b32_an_aborted_task_stays_until_what_it_has_lent_is_back) {
    unsigned const rounds = scaled(1000U);
    constexpr std::size_t tasks = 16;
    stress_executor executor(3);
    unsigned values = 0;
    unsigned aborted = 0;
    unsigned completed_while_aborting = 0;
    unsigned broken = 0;
    for (unsigned r = 0; r < rounds; ++r) {
        std::array<lent, tasks> lents;
        std::deque<rouse::join_handle<int>> handles;
        for (auto& l : lents) handles.push_back(executor.spawn(lending(l)));
        std::array<ending, tasks> endings{};
        std::atomic<bool> all_joined{false};
        run_threads(3, [&](unsigned index) {
            stress_random random(r * 3 + index);
            switch (index) {
                case 0:  // the other side
                    while (!all_joined) {
                        for (auto& l : lents) {
                            if (!l.in_flight) continue;
                            bool const lets_go = l.cancelled && random.below(4);
                            if (!lets_go && random.below(4)) {
                                l.waker.wake();  // for nothing
                                continue;
                            }
                            l.in_flight = false;  // first: the task may be gone afterwards
                            (lets_go ? l.let_go : l.completed) = true;
                            l.waker.wake();
                        }
                        std::this_thread::yield();
                    }
                    break;
                case 1:
                    for (auto& handle : handles) {
                        random.delay();
                        handle.abort();
                    }
                    break;
                default:
                    for (std::size_t i = 0; i < tasks; ++i) endings[i] = wait_for(handles[i]);
                    all_joined = true;
                    break;
            }
        });
        executor.wait_until_idle();
        for (std::size_t i = 0; i < tasks; ++i) {
            lent const& l = lents[i];
            values += endings[i] == ending::value;
            aborted += endings[i] == ending::aborted;
            completed_while_aborting += endings[i] == ending::value && l.cancelled;
            broken += l.polled_after_cancel + l.destroyed_in_flight +
                      (l.completed && endings[i] != ending::value);
        }
    }
    BOOST_TEST(values + aborted == rounds * tasks);
    BOOST_TEST(broken == 0U);
    BOOST_TEST(aborted > 0U);
    BOOST_TEST(values > 0U);
    BOOST_TEST(completed_while_aborting > 0U);
}

namespace {

rouse::task<unsigned> leaf(unsigned n) {
    counted const alive = [] {
        static std::atomic<long> live{0};
        return counted(live);
    }();
    for (unsigned i = 0; i < n % 3; ++i) co_await rouse::this_task::yield_now();
    co_return n;
}

// Spawns two tasks, awaits one itself, and adds up.
rouse::task<unsigned> tree(unsigned depth) {
    if (depth == 0) {
        unsigned const one = co_await leaf(1);
        co_return one;
    }
    auto left = rouse::this_task::spawn(tree(depth - 1));
    auto right = rouse::this_task::spawn(tree(depth - 1));
    unsigned const own = co_await leaf(depth);
    unsigned const of_right = co_await right;
    unsigned const of_left = co_await std::move(left);
    co_return own + of_right + of_left;
}

}  // namespace

BOOST_AUTO_TEST_CASE(coroutines_that_spawn_and_join_across_threads_lose_nothing) {
    unsigned const rounds = scaled(100U);
    constexpr unsigned depth = 7;
    unsigned expected = 1;
    for (unsigned d = 1; d <= depth; ++d) expected = 2 * expected + d;

    stress_executor executor;
    unsigned wrong = 0;
    unsigned aborted = 0;
    for (unsigned r = 0; r < rounds; ++r) {
        stress_random random(r);
        auto kept = executor.spawn(tree(depth));
        auto doomed = executor.spawn(tree(depth));
        random.delay();
        // A whole tree of tasks that wait for each other, aborted at its root.
        if (r % 2) {
            doomed.abort();
        } else {
            auto const dropped = std::move(doomed);
        }
        rouse_test::thread_waker const wakes;
        rouse::waker const waker = wakes.make();
        for (;;) {
            rouse::context cx(waker);
            auto polled = kept.poll(cx);
            if (polled.is_ready()) {
                wrong += polled.value() != expected;
                break;
            }
            wakes.wait();
        }
        if (doomed) aborted += wait_for(doomed) == ending::aborted;
    }
    BOOST_TEST(wrong == 0U);
    BOOST_TEST(aborted > 0U);
    BOOST_TEST(executor.unhandled() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
