// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <pthread.h>

#include <algorithm>
#include <rouse/detail/fatal.hpp>
#include <rouse/detail/futex.hpp>
#include <rouse/detail/hooks.hpp>
#include <rouse/detail/pool_core.hpp>
#include <rouse/error.hpp>
#include <rouse/runnable.hpp>
#include <stdexcept>
#include <thread>
#include <utility>

namespace rouse::detail {

namespace {

// How many forks have led to this process since its first pool was made. Changes only in a child,
// by the one thread that it has.
constinit atomic<unsigned> forks{0};

}  // namespace

void pool_core::after_fork() noexcept {
    forks.fetch_add(1, relaxed);
    // A worker that has forked, and does not exec, must not go on with what belongs to the parent.
    if (worker* w = worker::current()) w->core().finished_.store(1, relaxed);
}

unsigned pool_core::forks_so_far() noexcept {
    static int const watched = ::pthread_atfork(nullptr, nullptr, &pool_core::after_fork);
    static_cast<void>(watched);  // no memory: then nobody notices
    return forks.load(relaxed);
}

void pool_core::refuse_in_child() const noexcept {
    if (forks.load(relaxed) != forks_)
        fatal("a thread_pool was used in a child of fork: its workers are threads of the parent");
}

pool_core::pool_core(pool_options options, driver* loop, services* offered_services)
    : options_(std::move(options)),
      driver_(loop),
      services_(offered_services),
      idle_(options_.workers, options_.workers + most_attached),
      workers_(options_.workers + most_attached),
      active_(options_.workers),
      shards_(new shard[outside() + 1]),
      counts_(new counts[outside() + 1]) {
    for (unsigned i = 0; i < options_.workers; ++i)
        workers_[i] = std::make_unique<worker>(*this, i, outside());
}

void pool_core::start() {
    try {
        for (unsigned i = 0; i < options_.workers; ++i) {
            worker& w = *workers_[i];
            w.os_thread.start(options_.thread_name + std::to_string(i), options_.stack_size,
                              [&w, run = options_.run_thread] {
                                  auto const body = [&w] { w.run(); };
                                  run ? run(body) : body();
                              });
        }
    } catch (...) {
        finish();
        join_threads();
        throw;
    }
}

void pool_core::attach_thread() {
    worker* added = nullptr;
    {
        lock_guard const one_at_a_time(attaching_);
        if (!attachable_ || finished()) return;
        unsigned const index = size();
        if (index == outside())
            throw std::length_error("rouse: at most 16 threads can be attached to a thread_pool");
        workers_[index] = std::make_unique<worker>(*this, index, outside());
        added = workers_[index].get();
        attached_.fetch_add(1, relaxed);
        idle_.add_worker();
        active_.store(index + 1, seq_cst);  // see finish()
    }
    auto const body = [added] { added->run(); };
    options_.run_thread ? options_.run_thread(body) : body();
    attached_.fetch_sub(1, release);  // pairs with join_threads(); the last touch
}

pool_core::~pool_core() {
    stop();
    join_threads();
}

worker* pool_core::here() const noexcept {
    worker* w = worker::current();
    return w && &w->core() == this ? w : nullptr;
}

bool pool_core::running_here() const noexcept { return here() != nullptr; }

void pool_core::count(atomic<std::uint64_t> counts::*which) noexcept {
    worker* w = here();
    auto& number = counts_[w ? w->index() : outside()].*which;
    // release: none_left() reads what is done first, and must see what was begun before it.
    if (w) {
        number.store(number.load(relaxed) + 1, release);  // this thread's alone
    } else {
        number.fetch_add(1, seq_cst);  // whoever ends something looks for sleepers next
    }
}

bool pool_core::has_lifo_work() const noexcept {
    for (auto const& w : workers()) {
        if (w->has_lifo_work()) return true;
    }
    return false;
}

std::uint64_t pool_core::polls() const noexcept {
    std::uint64_t sum = 0;
    for (auto const& w : workers()) sum += w->polls();
    return sum;
}

// What is done is summed up first. Since both only grow, equal sums mean that between the two there
// was a moment when nothing was left.
template <class Begun, class Done>
bool pool_core::none_left(Begun begun, Done done) const noexcept {
    std::uint64_t difference = 0;
    for (unsigned i = 0; i <= outside(); ++i) difference -= done(counts_[i]).load(seq_cst);
    for (unsigned i = 0; i <= outside(); ++i) difference += begun(counts_[i]).load(seq_cst);
    return difference == 0;
}

bool pool_core::in_driver_here() const noexcept {
    worker* w = here();
    return w && w->in_driver();
}

bool pool_core::attach(task_header& task, worker* w) noexcept {
    unsigned const index = w ? w->index() : outside();
    task.shard = static_cast<std::uint16_t>(index);
    shard& list = shards_[index];
    lock_guard guard(list.lock);
    if (list.closed) return false;
    list.tasks.push_back(task);
    return true;
}

void pool_core::schedule(runnable r, schedule_reason why) noexcept {
    worker* w = here();
    task_header& task = *r.get();
    if (why == schedule_reason::spawned) {
        refuse_in_child();
        count(&counts::tasks_begun);
        if (options_.task_begins) options_.task_begins();
        if (!attach(task, w)) return;  // the runnable ends the task as aborted
        ROUSE_AT(task_entered);
    }
    static_cast<void>(r.release());
    if (!w) {
        if (!push_from_outside(task)) runnable ended_unrun(&task);
    } else if (why == schedule_reason::yielded) {
        w->push_last(task);
    } else {
        w->push_next(task);
    }
}

void pool_core::task_done(task_header& task) noexcept {
    refuse_in_child();
    {
        shard& list = shards_[task.shard];
        lock_guard guard(list.lock);
        if (task.linked()) intrusive_list<task_header>::erase(task);
    }
    if (options_.task_has_ended) options_.task_has_ended();
    count_end(&counts::tasks_done);
}

void pool_core::submit(work_item& function, bool continuation) noexcept {
    if (worker* w = here()) {
        if (continuation) {
            w->push_next(function);
        } else {
            w->push_back(function, true);
            wake_one(w->in_driver());
        }
    } else if (!push_from_outside(function)) {
        destroy_unrun(function);
    }
}

bool pool_core::push_from_outside(work_item& item) noexcept {
    refuse_in_child();
    visit const v(*this);  // the item may run, and the pool end, before this returns
    if (!inject_.push(item)) return false;
    ROUSE_AT(pushed_from_outside);
    wake_one();
    return true;
}

void pool_core::count_end(atomic<std::uint64_t> counts::*which) noexcept {
    if (here()) {
        count(which);
        return;
    }
    if (forks.load(relaxed) != forks_) return;  // what a child destroys is nobody's work any more
    visit const v(*this);  // the pool may end as soon as it was counted
    count(which);
    if (ending_.load(seq_cst)) wake_one();  // to find that nothing is left; pairs with end_when_idle()
}

void pool_core::destroy_unrun(work_item& item) noexcept {
    try {
        item.act(&item, false);
    } catch (...) {
        unhandled_exception(std::current_exception(), {});
    }
}

void pool_core::work_started() noexcept { count(&counts::work_begun); }

void pool_core::work_finished() noexcept { count_end(&counts::work_done); }

bool pool_core::is_reachable() const noexcept {
    return !none_left([](counts const& c) -> auto& { return c.work_begun; },
                      [](counts const& c) -> auto& { return c.work_done; }) ||
           visitors_.load(acquire) != 0;
}

void pool_core::unhandled_exception(std::exception_ptr e, std::source_location where) noexcept {
    if (!options_.on_unhandled_exception) {
        report_unhandled(std::move(e), where);
        return;
    }
    try {
        options_.on_unhandled_exception(std::move(e), where);
    } catch (...) {
        fatal("on_unhandled_exception threw an exception");
    }
}

void pool_core::stop() noexcept {
    refuse_in_child();
    // release: workers that see it find the shards closed, or will be told task by task
    if (stopping_.exchange(true, acq_rel)) return;
    ROUSE_AT(stop_begun);
    ending_.store(true, seq_cst);
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

std::vector<task_info> pool_core::tasks() const {
    std::vector<task_info> all;
    for (unsigned i = 0; i <= outside(); ++i) {
        shard& list = shards_[i];
        lock_guard guard(list.lock);
        list.tasks.for_each([&all](task_header const& task) {
            all.push_back({task.id, task.spawned_at, task.awaiting.load(relaxed)});
        });
    }
    return all;
}

bool pool_core::wait_finished(time_point deadline) noexcept {
    while (!finished()) {
        auto const now = std::chrono::steady_clock::now();
        if (now >= deadline) return false;
        futex_wait_until(finished_, 0, std::min(deadline, now + longest_sleep));
    }
    return true;
}

void pool_core::end_when_idle() noexcept {
    ending_.store(true, seq_cst);
    wake_all();
}

void pool_core::join_threads() noexcept {
    work_list rest = end_of_threads();
    while (work_item* item = rest.pop()) destroy_unrun(*item);
}

// Returns what nobody has run: to be destroyed outside of the lock, where user code may submit more, or
// end tasks.
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
    // A visit is a few instructions long, and waits for nobody.
    while (visitors_.load(acquire) != 0) std::this_thread::yield();
    rest.append(inject_.close());
    for (auto& w : workers()) rest.append(w->leftovers());
    return rest;
}

void pool_core::wake_one(bool from_driver) noexcept {
    refuse_in_child();
    if (auto const who = idle_.worker_to_wake(from_driver)) workers_[*who]->sleeper.unpark();
}

void pool_core::wake_again() noexcept {
    for (auto& w : workers()) w->sleeper.wake_again();
}

void pool_core::wake_all() noexcept {
    for (auto& w : workers()) w->sleeper.unpark();
}

void pool_core::ensure_watch(bool from_driver) noexcept {
    if (!idle_.all_awake() && !watched_.load(seq_cst)) wake_one(from_driver);
}

bool pool_core::has_work() const noexcept {
    if (!inject_.empty()) return true;
    for (auto const& w : workers()) {
        if (w->queue.size() != 0) return true;
    }
    return false;
}

// Work of others may end up as a function in a queue: it is queued first and given up second, so this
// looks for the work first and into the queues second. What is in no queue any more is in the hands of
// a worker: it is awake, or it was and has polled meanwhile.
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

bool pool_core::take_seat() noexcept {
    // acquire: pairs with leave_seat(); the event loop's state passes from one to the next
    return driver_ && !seat_taken_.load(relaxed) && !seat_taken_.exchange(true, acquire);
}

void pool_core::leave_seat() noexcept { seat_taken_.store(false, release); }

pool_metrics pool_core::metrics() const {
    pool_metrics result;
    result.workers.reserve(outside());
    for (auto const& w : workers()) result.workers.push_back(w->metrics());
    for (unsigned i = 0; i <= outside(); ++i) {
        result.tasks_done += counts_[i].tasks_done.load(acquire);
    }
    for (unsigned i = 0; i <= outside(); ++i) {
        result.tasks_spawned += counts_[i].tasks_begun.load(acquire);
    }
    result.inject_queue_empty = inject_.empty();
    return result;
}

}  // namespace rouse::detail
