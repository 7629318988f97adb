// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#include <algorithm>
#include <chrono>
#include <rouse/detail/future_watch.hpp>

namespace rouse::detail {

namespace {
constexpr std::chrono::milliseconds longest_wait{10};
constexpr std::chrono::seconds longest_wait_of_nobody{1};
}  // namespace

constinit waker_vtable const future_watch::table{
    [](void* data) -> void* {
        static_cast<future_watch*>(data)->retain();
        return data;
    },
    [](void* data) {
        auto* const self = static_cast<future_watch*>(data);
        self->look();
        self->release();
    },
    [](void* data) { static_cast<future_watch*>(data)->look(); },
    [](void* data) { static_cast<future_watch*>(data)->release(); },
    "rouse::future_watch",
};

void future_watch::release() noexcept {
    // release: what this owner did; acquire: what the other did, before the object goes
    if (references_.fetch_sub(1, acq_rel) == 1) destroy();
}

bool future_watch::take(context& cx) {
    time_driver* const process = driver_ ? nullptr : &time_driver_of_process();
    if (take_if_ready(process)) return true;
    waiting_.register_waker(cx.waker());
    return take_if_ready(nullptr);
}

bool future_watch::take_if_ready(time_driver* process) {
    {
        lock_guard const guard(lock_);
        if (!is_ready()) {
            if (phase_ == phase::idle) begin(process);
            return false;
        }
        phase_ = phase::over;
        entry_.leave();
    }
    static_cast<void>(waiting_.take());  // somebody else's code
    return true;
}

void future_watch::leave_behind() {
    time_driver* const process = driver_ ? nullptr : &time_driver_of_process();
    {
        lock_guard const guard(lock_);
        if (phase_ == phase::idle) begin(process);
        if (phase_ == phase::watched) phase_ = phase::left_behind;
    }
    static_cast<void>(waiting_.take());
}

void future_watch::leave() noexcept {
    {
        lock_guard const guard(lock_);
        phase_ = phase::over;
        entry_.leave();
    }
    static_cast<void>(waiting_.take());
}

// With the lock.
void future_watch::begin(time_driver* process) noexcept {
    phase_ = phase::watched;
    driver_ = process;
    since_ = driver_->now();
    enter(since_);
}

// With the lock.
void future_watch::enter(time_point now) noexcept {
    auto const longest = phase_ == phase::watched
                             ? std::chrono::steady_clock::duration(longest_wait)
                             : std::chrono::steady_clock::duration(longest_wait_of_nobody);
    auto const wait = std::min((now - since_) / 8, longest);
    waker_ref const self(this, table);
    driver_->enter(entry_, now + wait, self.get());  // that of the process does not throw
}

// By the thread of the timers.
void future_watch::look() noexcept {
    bool ready = false;
    {
        lock_guard const guard(lock_);
        if (phase_ == phase::over) return;
        ready = is_ready();
        if (!ready) enter(driver_->now());
    }
    if (ready) waiting_.wake();
}

}  // namespace rouse::detail
