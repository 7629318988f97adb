// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <pthread.h>

#include <rouse/detail/take_over.hpp>
#include <rouse/detail/timer_wheel.hpp>
#include <utility>

namespace rouse::detail {

// Wheels that wait for another runtime. There are never more of them than there were runtimes at a time.
class recycled_wheels {
public:
    void put(timer_wheel& wheel) noexcept {
        wheel.orphan_all();
        lock_guard const guard(lock_);
        wheel.next_retired_ = std::exchange(first_, &wheel);
    }
    timer_wheel* take(tick now) noexcept {
        timer_wheel* wheel = nullptr;
        {
            lock_guard const guard(lock_);
            wheel = first_;
            if (!wheel) return nullptr;
            first_ = std::exchange(wheel->next_retired_, nullptr);
        }
        wheel->begin(now);
        return wheel;
    }

    // If somebody is in the middle of it for ever, those here are lost.
    void begin_in_child() noexcept {
        if (!take_over(lock_)) first_ = nullptr;
        for (timer_wheel* wheel = first_; wheel; wheel = wheel->next_retired_) wheel->begin_in_child();
    }

private:
    mutex lock_;
    timer_wheel* first_ = nullptr;
};

namespace {
constinit recycled_wheels retired;
// No memory: a child may hang.
[[maybe_unused]] int const wheels_watch_forks =
    ::pthread_atfork(nullptr, nullptr, [] { retired.begin_in_child(); });
}  // namespace

void retire_wheel::operator()(timer_wheel* wheel) const noexcept { retired.put(*wheel); }

wheel_ptr make_wheel(tick now) {
    if (timer_wheel* const again = retired.take(now)) return wheel_ptr(again);
    return wheel_ptr(new timer_wheel(now));
}

}  // namespace rouse::detail
