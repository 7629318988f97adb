// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_BLOCKING_WAKER_HPP
#define ROUSE_DETAIL_BLOCKING_WAKER_HPP

#include <rouse/config.hpp>
#include <rouse/context.hpp>
#include <rouse/detail/time_driver.hpp>
#include <rouse/detail/timer_wheel.hpp>
#include <rouse/paused_clock.hpp>
#include <rouse/waker.hpp>
#include <typeinfo>

namespace rouse::detail {

// Throws errc::blocking_in_worker where the calling thread is polling a task.
ROUSE_DECL void refuse_to_block(char const* what);

// A waker that wakes a sleeping thread. The thread's parker is counted: wakers may outlive it.
class ROUSE_DECL blocking_waker final : public clock_sleeper {
public:
    blocking_waker();  // throws std::bad_alloc

    void look_again() noexcept override;

    waker const& get() const noexcept { return waker_; }

    // Sleeps until the waker, or a copy of it, was woken since the last wait, or until the deadline
    // at the longest. True: it was woken.
    bool wait_until(time_point deadline) noexcept;

private:
    waker waker_;
};

// What a thread that blocks offers to the future that it polls: timers that wait in this thread, or for
// a paused clock. The wheel is made when it is asked for.
class ROUSE_DECL blocking_time final : public services, public time_driver {
public:
    explicit blocking_time(paused_clock* clock) noexcept;

    void* find(std::type_info const& type) noexcept override;

    time_point now() noexcept override;
    // The only thread that enters is the one that sleeps.
    void enter(timer_entry& entry, time_point when, waker w) override;

    // Fires what is due.
    void advance() noexcept;

    // Sleeps until the waker was woken, and fires what is due meanwhile.
    void wait(blocking_waker& waker) noexcept;

private:
    void wait_paused(blocking_waker& waker) noexcept;

    paused_clock* const clock_;
    wheel_ptr wheel_;
};

}  // namespace rouse::detail

#endif
