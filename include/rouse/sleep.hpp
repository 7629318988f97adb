// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#ifndef ROUSE_SLEEP_HPP
#define ROUSE_SLEEP_HPP

#include <chrono>
#include <rouse/config.hpp>
#include <rouse/detail/timer.hpp>
#include <rouse/future.hpp>

namespace rouse {

// Completes at a moment: what sleep_for and sleep_until return.
//
//     co_await rouse::sleep_for(100ms);
//
// It never completes early; how late depends on how busy the threads are, and it rounds up to
// 65.536 microseconds. Its clock is that of the runtime that polls it: a pool's, or that of block_on;
// where there is none, the steady clock. It throws system_error with operation_aborted if the task is
// cancelled, also if it was before. Dropped or aborted it leaves nothing behind. One thread at a time,
// like any future; it may be dropped by any thread. Allocates nothing.
class [[nodiscard]] ROUSE_DECL sleep_future {
public:
    // `how_long` after the first poll. Zero or less: at once. As long as the clock can tell, if it
    // cannot tell as much.
    explicit sleep_future(std::chrono::steady_clock::duration how_long) noexcept
        : timer_(detail::timer::after(how_long)) {}
    // At that time of the runtime's clock. In the past: at once.
    template <class Clock, class Duration>
    explicit sleep_future(std::chrono::time_point<Clock, Duration> when) : timer_(detail::timer::at(when)) {}

    poll_result<void> poll(context& cx);

private:
    detail::timer timer_;
};

// Of any unit, rounded up.
template <class Rep, class Period>
sleep_future sleep_for(std::chrono::duration<Rep, Period> how_long) noexcept {
    return sleep_future(detail::saturated(how_long));
}

// A time point of the steady clock is one of the runtime's, in any unit. One of another clock is turned into a
// duration by the call; a clock that is set later does not change it.
template <class Clock, class Duration>
sleep_future sleep_until(std::chrono::time_point<Clock, Duration> when) {
    return sleep_future(when);
}

// The time by the clock of the task that this thread polls, or of block_on; elsewhere by the steady clock. A
// deadline that is computed from it is one of that clock, be it paused or not.
namespace this_task {
inline std::chrono::steady_clock::time_point now() noexcept { return detail::time_here(); }
}  // namespace this_task

}  // namespace rouse

#endif
