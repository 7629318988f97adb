// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <pthread.h>

#include <rouse/detail/fatal.hpp>
#include <rouse/detail/hooks.hpp>
#include <rouse/detail/pool_core.hpp>
#include <rouse/runnable.hpp>
#include <stdexcept>
#include <string>
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
      time_(options_.workers),
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
