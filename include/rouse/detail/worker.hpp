// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_WORKER_HPP
#define ROUSE_DETAIL_WORKER_HPP

#include <cstdint>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/local_queue.hpp>
#include <rouse/detail/parker.hpp>
#include <rouse/detail/thread.hpp>
#include <rouse/detail/work_item.hpp>
#include <rouse/metrics.hpp>
#include <rouse/paused_clock.hpp>
#include <vector>

namespace rouse::detail {

class pool_core;

// A number that one thread counts and any thread reads.
class counter {
public:
    void add(std::uint64_t n) noexcept { value_.store(get() + n, relaxed); }  // statistics only
    std::uint64_t get() const noexcept { return value_.load(relaxed); }

private:
    atomic<std::uint64_t> value_{0};
};

// One worker of a pool: its queues and its loop.
//
// Where it looks for work, in this order:
//   1. every k-th turn: the event loop if nobody is in it, and a rotation with the shared queue
//   2. the LIFO slot, what its current task has woken last; a few times in a row at most
//   3. its own queue
//   4. the shared queue, a batch
//   5. other workers' queues, half of one of them, beginning with a random one
//   6. it parks: in the event loop if the driver's seat is free, else by itself
//
// ROTATION  What does not fit a worker's queue waits in the shared one, and must not wait for ever while
// the queue is never empty. So, every k-th turn, some turns alternate between the two: a task that came
// out of the shared queue goes to the back of the worker's when it yields, one that came out of the
// worker's goes to the back of the shared queue. In the long run all have the same number of turns, and
// only a few of these touch what workers share.
class ROUSE_DECL worker final : public clock_sleeper {
public:
    worker(pool_core& core, unsigned index, unsigned of);
    worker(worker const&) = delete;
    worker& operator=(worker const&) = delete;

    // The thread's body.
    void run() noexcept;

    // By this worker's thread. What was woken or spawned last runs next, unless it is `at_back`.
    void push_next(work_item& item) noexcept;
    void push_back(work_item& item, bool announced) noexcept;
    void push_last(work_item& item) noexcept;

    // The worker that the calling thread is, or null. Not to be kept across a suspension.
    static worker* current() noexcept;

    void look_again() noexcept override { sleeper.unpark(); }

    bool in_driver() const noexcept { return in_driver_; }
    pool_core& core() const noexcept { return core_; }
    unsigned index() const noexcept { return index_; }
    worker_metrics metrics() const noexcept;
    // By any thread.
    bool has_lifo_work() const noexcept { return lifo_.load(acquire) != nullptr; }
    std::uint64_t polls() const noexcept { return polls_.get(); }
    // What is left when the threads have ended.
    work_list leftovers() noexcept;

    thread os_thread;
    parker sleeper;
    local_queue queue;

private:
    void stop_searching() noexcept;
    work_item* next() noexcept;
    work_item* next_of_lifo() noexcept;
    work_item* from_inject() noexcept;
    work_item* steal() noexcept;
    void execute(work_item& item) noexcept;
    void park() noexcept;
    bool sleep(bool watching, time_point now) noexcept;
    bool has_own_work() const noexcept;
    bool has_more_than_one() const noexcept;
    worker* find_stuck() noexcept;
    unsigned poll_driver() noexcept;  // how much it has run
    void fire_timers(bool busy) noexcept;
    std::uint32_t random() noexcept;

    pool_core& core_;
    unsigned const index_;
    bool searching_ = false;
    bool in_driver_ = false;  // inside the event loop; when parked there, counted as asleep
    unsigned rotation_ = 0;   // turns that are left of a rotation
    bool of_shared_ = false;  // the item of this turn came out of the shared queue by a rotation
    unsigned lifo_in_a_row_ = 0;
    bool firing_ = false;     // what is woken is announced afterwards
    unsigned time_looks_ = 0;
    std::uint32_t tick_ = 0;
    std::uint32_t looked_ = 0;  // the tick of the last look at the event loop
    std::uint32_t random_;
    work_item* rescued_ = nullptr;  // taken from a stuck worker's LIFO slot
    struct seen {
        work_item* lifo = nullptr;
        std::uint64_t polls = 0;
    };
    std::vector<seen> seen_;  // of each worker, at the last look around
    time_point looked_around_{};

    alignas(64) atomic<work_item*> lifo_{nullptr};
    counter polls_;
    counter steals_;
    counter parks_;
    counter overflows_;
};

}  // namespace rouse::detail

#endif
