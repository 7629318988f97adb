// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#ifndef ROUSE_DETAIL_TIMER_HPP
#define ROUSE_DETAIL_TIMER_HPP

#include <algorithm>
#include <chrono>
#include <rouse/config.hpp>
#include <rouse/context.hpp>
#include <rouse/detail/saturated.hpp>
#include <rouse/detail/time_driver.hpp>
#include <rouse/detail/timer_wheel.hpp>
#include <type_traits>

namespace rouse::detail {

// By the clock of the task that this thread polls; outside of a task, by the steady clock.
ROUSE_DECL time_point time_here() noexcept;
ROUSE_DECL bool has_clock_here() noexcept;  // false: outside of a task

// What is left until then, by that clock. Neither may be near its clock's epoch, and in another unit they, or the
// difference, may be more than fits; nothing is too far away for a long double.
using exact_time = std::chrono::duration<long double, std::nano>;
template <class Clock, class Duration>
exact_time left_until(std::chrono::time_point<Clock, Duration> when) {
    exact_time const now(Clock::now().time_since_epoch());
    return exact_time(when.time_since_epoch()) - now;
}

// The same, as long as fits; not less than `least`.
template <class Clock, class Duration>
std::chrono::steady_clock::duration until(std::chrono::time_point<Clock, Duration> when,
                                          std::chrono::steady_clock::duration least = {}) {
    return std::max(saturated(detail::left_until(when)), least);
}

// When that much is over. Who asks for `left` before it asks for `now` is never too early.
inline time_point later_by(time_point now, exact_time left) noexcept {
    return time_point(saturated(exact_time(now.time_since_epoch()) + left));
}

// When that is by the clock of the task that this thread polls: one of the steady clock is one of that clock.
template <class Clock, class Duration>
time_point at_runtime(std::chrono::time_point<Clock, Duration> when) {
    if constexpr (std::is_same_v<Clock, std::chrono::steady_clock>) {
        return time_point(saturated(when.time_since_epoch()));
    } else {
        exact_time const left = detail::left_until(when);  // with its sign: what is over is as long ago by that clock
        return detail::later_by(time_here(), left);
    }
}

// One deadline of a future: an entry in the wheel of the runtime that polls it. It may move before
// the first poll.
class ROUSE_DECL timer {
public:
    static timer after(std::chrono::steady_clock::duration d) noexcept { return timer(d); }
    static timer at(time_point when) noexcept { return timer(when); }
    // A time of another clock is turned into a duration at once; a clock that is set later does not change it.
    template <class Clock, class Duration>
    static timer at(std::chrono::time_point<Clock, Duration> when) {
        if constexpr (std::is_same_v<Clock, std::chrono::steady_clock>) {
            return timer(at_runtime(when));
        } else {
            return timer(until(when));
        }
    }

    // The same, but a moment that is over is as long ago. Outside of a task it is kept by the steady clock until
    // the first poll, which knows the runtime's.
    template <class Clock, class Duration>
    static timer at_moment(std::chrono::time_point<Clock, Duration> when) {
        timer made(at_runtime(when));
        made.begun_ = std::is_same_v<Clock, std::chrono::steady_clock> || has_clock_here();
        made.since_steady_ = !made.begun_;
        return made;
    }

    timer(timer&& other) noexcept;
    timer& operator=(timer&&) = delete;

    // True: the time has come. Otherwise the context's waker will be woken then. Throws what copying
    // the waker throws, and what time_driver_of_process throws.
    bool poll(context& cx);

    // Not to be woken any more.
    void stop() noexcept { entry_.leave(); }

    // Begins once more; whoever waits is woken.
    void reset(std::chrono::steady_clock::duration d) noexcept;
    void reset(time_point when) noexcept;

    // True after the first poll.
    bool has_begun() const noexcept { return polled_; }

    // Of the runtime's clock; known after the first poll.
    time_point when() const noexcept { return time_point(since_); }

private:
    void begin_anew() noexcept;

    explicit timer(std::chrono::steady_clock::duration d) noexcept : since_(d) {}
    explicit timer(time_point when) noexcept : begun_(true), since_(when.time_since_epoch()) {}

    // In this order they take little room: every coroutine that sleeps has them in its frame.
    [[no_unique_address]] timer_entry entry_;
    bool begun_ = false;
    bool since_steady_ = false;  // before it has begun, its deadline is one of the steady clock
    bool polled_ = false;
    time_driver* driver_ = nullptr;  // in whose wheel the entry is
    // The deadline, from the clock's epoch; before it has begun, from its beginning.
    std::chrono::steady_clock::duration since_;
};

}  // namespace rouse::detail

#endif
