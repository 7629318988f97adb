// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_PAUSED_CLOCK_HPP
#define ROUSE_PAUSED_CLOCK_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <rouse/config.hpp>
#include <rouse/context.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/intrusive_list.hpp>
#include <rouse/detail/saturated.hpp>
#include <rouse/detail/time_driver.hpp>
#include <rouse/detail/timer_wheel.hpp>

namespace rouse {

namespace detail {

class clock_watch;

// A thread that sleeps until a paused clock may be moved by it.
class clock_sleeper : public list_hook {
public:
    // Called by any thread, under a lock: only wakes that thread.
    virtual void look_again() noexcept = 0;

protected:
    ~clock_sleeper() = default;
};

}  // namespace detail

// A clock for tests, which moves when it is told to, or when there is nothing else to do.
//
//     rouse::paused_clock clock;
//     rouse::block_on(rouse::sleep_for(1h), clock);           // returns at once
//     rouse::thread_pool pool(rouse::thread_pool::builder().workers(1).clock(clock));
//
// All timers of the runtime that has it wait for it: sleep_for, timeout, interval and so on. It jumps by
// itself to the next deadline when the runtime has one thread (block_on, a pool with one worker,
// run_with_clock) and nothing is left to run. What is in flight keeps it from jumping, since its end may
// come before: operations begun with use_poll, but for those in `background`, and whatever holds a
// `clock_hold`. Other things that come from outside, such as functions that other threads post, it knows
// nothing of; timers of Asio's keep their own time.
// A runtime with more threads does not move it: `advance` does.
// A service for executors written by hand: let `offered` return it, and call `jump` when idle. (One that other threads
// wake may have looked for work before such a wake, and jump after it.)
// Any thread may use it at any time. It must outlive the runtime that has it, and the operations that were polled
// there. It is for one runtime: of another one that has it, it does not know whether that is busy. It counts in
// microseconds: deadlines in between are rounded up.
class ROUSE_DECL paused_clock final : public services,
                                      private detail::time_driver,
                                      private detail::in_flight {
public:
    using duration = std::chrono::steady_clock::duration;
    using time_point = std::chrono::steady_clock::time_point;

    // Stands at the present.
    paused_clock();
    explicit paused_clock(time_point begin);  // after the epoch; throws std::bad_alloc
    paused_clock(paused_clock const&) = delete;
    paused_clock& operator=(paused_clock const&) = delete;
    ~paused_clock();

    time_point now() noexcept override;

    // Moves by that much, and wakes all whose time has come, the earliest first. Zero or less: it only
    // looks who is due. Past the end of time it stops there.
    template <class Rep, class Period>
    void advance(std::chrono::duration<Rep, Period> d) noexcept {
        advance_by(detail::saturated(d));
    }

    // To the next deadline. False: there is none, or something is in flight.
    bool jump() noexcept;

    // How often it has jumped, and how often a thread has slept since it could not.
    std::uint64_t jumps() const noexcept { return jumps_.load(detail::relaxed); }
    std::uint64_t sleeps() const noexcept { return sleeps_.load(detail::relaxed); }

    // How many timers wait for it.
    std::size_t timers() const noexcept { return wheel_->size(); }

    void* find(std::type_info const& type) noexcept override;

private:
    friend class clock_hold;
    friend class detail::clock_watch;

    void advance_by(duration d) noexcept;
    void enter(detail::timer_entry& entry, time_point when, waker w) override;
    void begin_flight() noexcept override;
    void end_flight() noexcept override;

    detail::wheel_ptr wheel_;
    detail::atomic<std::uint64_t> now_;  // microseconds from the epoch
    detail::atomic<std::uint32_t> in_flight_{0};
    detail::atomic<std::uint64_t> ended_{0};  // of what was in flight
    detail::atomic<std::uint64_t> jumps_{0};
    detail::atomic<std::uint64_t> sleeps_{0};
    detail::mutex lock_;
    detail::intrusive_list<detail::clock_sleeper> sleepers_;  // under the lock
};

// While it lives the clock does not jump by itself: for what comes from outside.
class [[nodiscard]] ROUSE_DECL clock_hold {
public:
    explicit clock_hold(paused_clock& clock) noexcept : clock_(clock) { clock.begin_flight(); }
    clock_hold(clock_hold const&) = delete;
    clock_hold& operator=(clock_hold const&) = delete;
    ~clock_hold() { clock_.end_flight(); }

private:
    paused_clock& clock_;
};

}  // namespace rouse

#endif
