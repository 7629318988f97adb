// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <new>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/blocking_waker.hpp>
#include <rouse/detail/clock_watch.hpp>
#include <rouse/detail/parker.hpp>
#include <rouse/detail/slab.hpp>
#include <rouse/detail/task_cell.hpp>
#include <rouse/detail/worker.hpp>
#include <rouse/error.hpp>

namespace rouse::detail {

namespace {

struct counted_parker {
    parker sleeper;
    atomic<std::uint32_t> references{1};

    static void drop(void* data) {
        auto* self = static_cast<counted_parker*>(data);
        // release: what this owner did; acquire: what the others did, before the memory goes
        if (self->references.fetch_sub(1, acq_rel) == 1) {
            self->~counted_parker();
            slab_deallocate(self, sizeof(counted_parker));
        }
    }
};

counted_parker& counted(void* data) noexcept { return *static_cast<counted_parker*>(data); }

constexpr waker_vtable thread_waker{
    [](void* data) -> void* {
        counted(data).references.fetch_add(1, relaxed);  // the caller has a reference
        return data;
    },
    [](void* data) {
        counted(data).sleeper.unpark();
        counted_parker::drop(data);
    },
    [](void* data) { counted(data).sleeper.unpark(); },
    &counted_parker::drop,
    "rouse block_on",
};

}  // namespace

void refuse_to_block(char const* what) {
    if (current_task() || worker::current()) throw_error(errc::blocking_in_worker, what);
}

blocking_waker::blocking_waker()
    : waker_(::new (slab_allocate(sizeof(counted_parker))) counted_parker, thread_waker) {}

void blocking_waker::look_again() noexcept { counted(waker_.data()).sleeper.unpark(); }

bool blocking_waker::wait_until(time_point deadline) noexcept {
    return counted(waker_.data()).sleeper.park_until(deadline);
}

blocking_time::blocking_time(paused_clock* clock) noexcept : clock_(clock) {
    if (clock) hears_of_operations_ = clock->hears_of_operations();
}

void* blocking_time::find(std::type_info const& type) noexcept {
    if (clock_) return clock_->find(type);
    return type == typeid(time_driver) ? static_cast<time_driver*>(this) : nullptr;
}

time_point blocking_time::now() noexcept { return std::chrono::steady_clock::now(); }

void blocking_time::enter(timer_entry& entry, time_point when, waker w) {
    if (!wheel_) wheel_ = make_wheel(present_tick(now()));
    wheel_->enter(entry, deadline_tick(when), std::move(w));
}

void blocking_time::advance() noexcept {
    if (wheel_ && wheel_->next() != no_tick) wheel_->advance(present_tick(now()));
}

void blocking_time::wait(blocking_waker& waker) noexcept {
    if (clock_) return wait_paused(waker);
    for (;;) {
        time_point deadline = now() + longest_sleep;
        if (wheel_) deadline = std::min(deadline, time_of(wheel_->next()));
        bool const woken = waker.wait_until(deadline);
        advance();  // also if it is woken all the time
        if (woken) return;
    }
}

void blocking_time::wait_paused(blocking_waker& waker) noexcept {
    clock_watch watch(*clock_, waker, clock_watch::ended(*clock_));
    while (!waker.wait_until(time_point())) {
        if (watch.jump()) continue;
        watch.count_sleep();
        if (waker.wait_until(now() + longest_sleep)) return;
    }
}

}  // namespace rouse::detail
