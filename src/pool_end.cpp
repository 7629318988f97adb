// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <algorithm>
#include <chrono>
#include <rouse/detail/futex.hpp>
#include <rouse/detail/hooks.hpp>
#include <rouse/detail/pool_core.hpp>
#include <thread>
#include <utility>

// How a pool ends: how it is found that nothing is left, what stop() does to the tasks, and how the
// threads are waited for. The order as users see it is in doc/guarantees.md.

namespace rouse::detail {

// What is done is summed up first. Since both only grow, equal sums mean that between the two there
// was a moment when nothing was left.
template <class Begun, class Done>
bool pool_core::none_left(Begun begun, Done done) const noexcept {
    std::uint64_t difference = 0;
    for (unsigned i = 0; i <= outside(); ++i) difference -= done(counts_[i]).load(seq_cst);
    for (unsigned i = 0; i <= outside(); ++i) difference += begun(counts_[i]).load(seq_cst);
    return difference == 0;
}

bool pool_core::is_reachable() const noexcept {
    return !none_left([](counts const& c) -> auto& { return c.work_begun; },
                      [](counts const& c) -> auto& { return c.work_done; }) ||
           visitors_.load(acquire) != 0;
}

std::uint64_t pool_core::polls() const noexcept {
    std::uint64_t sum = 0;
    for (auto const& w : workers()) sum += w->polls();
    return sum;
}

bool pool_core::has_lifo_work() const noexcept {
    for (auto const& w : workers()) {
        if (w->has_lifo_work()) return true;
    }
    return false;
}

bool pool_core::has_work() const noexcept {
    if (!inject_.empty()) return true;
    for (auto const& w : workers()) {
        if (w->queue.size() != 0) return true;
    }
    return false;
}

// Work of others may end up as a function in a queue: it is queued first and given up second, so
// this looks for the work first and into the queues second. What is in no queue any more is in the
// hands of a worker: it is awake, or it was and has polled meanwhile.
void pool_core::check_finished() noexcept {
    if (!ending_.load(seq_cst)) return;
    std::uint64_t const before = polls();
    if (idle_.awake_count() != 0) return;
    if (!none_left([](counts const& c) -> auto& { return c.tasks_begun; },
                   [](counts const& c) -> auto& { return c.tasks_done; }))
        return;
    if (!stopping_.load(acquire) &&
        !none_left([](counts const& c) -> auto& { return c.work_begun; },
                   [](counts const& c) -> auto& { return c.work_done; }))
        return;
    if (has_work() || has_lifo_work() || idle_.awake_count() != 0 || polls() != before) return;
    finish();
}

void pool_core::finish() noexcept {
    ROUSE_AT(before_finish);
    // A function that comes between the look at the queue and this is destroyed unrun.
    work_list late = inject_.close();
    // seq_cst: a thread that is being attached sees it, or is among those that are woken.
    finished_.store(1, seq_cst);
    futex_wake_all(finished_);
    wake_all();
    while (work_item* item = late.pop()) destroy_unrun(*item);
}

void pool_core::end_when_idle() noexcept {
    ending_.store(true, seq_cst);
    wake_all();
}

void pool_core::stop() noexcept {
    refuse_in_child();
    // Whoever waits in join() may destroy the pool as soon as nothing is left, while this one still
    // goes through the lists.
    visit const announced(*this);
    // release: workers that see it find the shards closed, or will be told task by task
    if (stopping_.exchange(true, acq_rel)) return;
    ending_.store(true, seq_cst);
    ROUSE_AT(stop_begun);
    for (unsigned i = 0; i <= outside(); ++i) {
        shard& list = shards_[i];
        work_list told;
        {
            // Nobody's code runs here: a task that is parked becomes a runnable, which is queued
            // below. A task in the list is alive; see detail/task_state.hpp.
            lock_guard guard(list.lock);
            list.closed = true;
            list.tasks.for_each([&told](task_header& task) {
                if (task.state.to_aborting() == task_state::duty::schedule) told.push(task);
            });
        }
        inject_.push(std::move(told));
    }
    wake_all();
}

void pool_core::drop_tasks() noexcept {
    for (unsigned i = 0; i <= outside(); ++i) {
        shard& list = shards_[i];
        work_list doomed;  // destroyed, which ends them, outside of the lock
        lock_guard guard(list.lock);
        list.tasks.for_each([&doomed](task_header& task) {
            if (task.state.wake_by_ref() == task_state::duty::schedule) doomed.push(task);
        });
    }
}

bool pool_core::wait_finished(time_point deadline) noexcept {
    while (!finished()) {
        auto const now = std::chrono::steady_clock::now();
        if (now >= deadline) return false;
        futex_wait_until(finished_, 0, std::min(deadline, now + longest_sleep));
    }
    return true;
}

void pool_core::join_threads() noexcept {
    work_list rest = end_of_threads();
    while (work_item* item = rest.pop()) destroy_unrun(*item);
}

// Returns what nobody has run: to be destroyed outside of the lock, where user code may submit
// more, or end tasks.
work_list pool_core::end_of_threads() noexcept {
    work_list rest;
    lock_guard guard(joining_);
    {
        lock_guard const no_more(attaching_);
        attachable_ = false;
    }
    // The wake for the end may have been lost, too. acquire: pairs with the end of run()
    while (std::uint32_t const n = running_.load(acquire)) {
        futex_wait_until(running_, n, std::chrono::steady_clock::now() + longest_sleep);
        wake_again();
    }
    for (auto& w : workers()) w->os_thread.join();
    // acquire: pairs with the end of attach_thread(), which is a few instructions away
    while (attached_.load(acquire) != 0) std::this_thread::yield();
    await_visitors();
    rest.append(inject_.close());
    for (auto& w : workers()) rest.append(w->leftovers());
    return rest;
}

// A visit is a few instructions long, or the rest of a stop(), and waits for nobody.
void pool_core::await_visitors() const noexcept {
    while (visitors_.load(acquire) != 0) std::this_thread::yield();
}

pool_core::~pool_core() {
    stop();
    join_threads();
}

}  // namespace rouse::detail
