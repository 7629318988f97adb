// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#ifndef ROUSE_DETAIL_FUTURE_WATCH_HPP
#define ROUSE_DETAIL_FUTURE_WATCH_HPP

#include <cstdint>
#include <rouse/atomic_waker.hpp>
#include <rouse/config.hpp>
#include <rouse/context.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/time_driver.hpp>
#include <rouse/detail/timer_wheel.hpp>

namespace rouse::detail {

// Looks from time to time whether something is ready that cannot tell by itself, from the process's
// timer thread: the first time after a tick, later each time after an eighth of what it has waited
// so far, but every ten milliseconds at least.
//
// REFERENCES  one each: the future that waits, and the waker in the wheel. The watched object lives
// here, so that it may be left behind: it is then looked at every second, and dies when it is ready.
//
// WHO MAY TOUCH WHAT  everything but the waker and the count: under the lock. A timer entry has one
// owner at a time, whoever has the lock. The wheel wakes outside of its own lock.
class ROUSE_DECL future_watch {
public:
    future_watch(future_watch const&) = delete;
    future_watch& operator=(future_watch const&) = delete;

    void retain() noexcept { references_.fetch_add(1, relaxed); }  // the caller has a reference
    void release() noexcept;

    // By the future. True: the object is ready, and its own from now on. False: the context's waker
    // will be woken. Throws what time_driver_of_process throws.
    bool take(context& cx);

    // Nobody waits any more. The object is kept until it is ready; throws as take() if that was never
    // called. Or it is not.
    void leave_behind();
    void leave() noexcept;

protected:
    future_watch() noexcept = default;
    ~future_watch() = default;

private:
    virtual bool is_ready() const = 0;
    virtual void destroy() noexcept = 0;

    bool take_if_ready(time_driver* process);
    void begin(time_driver* process) noexcept;
    void enter(time_point now) noexcept;
    void look() noexcept;

    static waker_vtable const table;

    mutex lock_;
    enum class phase : unsigned char { idle, watched, left_behind, over } phase_ = phase::idle;
    time_driver* driver_ = nullptr;
    time_point since_{};
    timer_entry entry_;
    atomic<std::uint32_t> references_{1};
    atomic_waker waiting_;
};

}  // namespace rouse::detail

#endif
