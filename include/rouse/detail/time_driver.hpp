// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_TIME_DRIVER_HPP
#define ROUSE_DETAIL_TIME_DRIVER_HPP

#include <rouse/config.hpp>
#include <rouse/context.hpp>
#include <rouse/detail/timer_wheel.hpp>

namespace rouse::detail {

// The clock of a runtime, and where its timers wait: a service of the contexts of its polls. It
// outlives every poll in which it is visible; entries may outlive it.
class ROUSE_DECL time_driver {
public:
    virtual time_point now() noexcept = 0;

    // Has the waker woken at that time, unless the entry leaves before. Any thread; the entry is the
    // caller's. Throws std::bad_alloc; the entry is where it was then.
    virtual void enter(timer_entry& entry, time_point when, waker w) = 0;

protected:
    ~time_driver() = default;
};

// That of the runtime that polls; where it has none, that of a thread of this process, which starts
// on demand and ends with the process. Throws std::bad_alloc and std::system_error if it cannot start.
ROUSE_DECL time_driver& time_driver_of_process();
inline time_driver& time_driver_of(context& cx) {
    if (auto* driver = cx.service<time_driver>()) return *driver;
    return time_driver_of_process();
}

// Before a fork: whoever sleeps in that thread's wheel is woken, and enters its timer anew with its next poll, there or
// in the child, which has no such thread and starts its own.
ROUSE_DECL void enter_timers_anew() noexcept;

// A moment as late as `now + d`, or as late as there is one.
ROUSE_DECL time_point later(time_point now, std::chrono::steady_clock::duration d) noexcept;

}  // namespace rouse::detail

#endif
