// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#ifndef ROUSE_INTERVAL_HPP
#define ROUSE_INTERVAL_HPP

#include <chrono>
#include <rouse/config.hpp>
#include <rouse/detail/timer.hpp>
#include <rouse/future.hpp>
#include <utility>

namespace rouse {

// What an interval does when it is asked for a tick more than 5 ms later than that was due.
enum class missed_ticks {
    burst,  // gives all that were missed, one after the other, until it has caught up
    delay,  // begins anew: the next tick is due one period from now
    skip,   // forgets those that were missed: the next tick is due at a multiple of the period
};

// Ticks at a regular distance.
//
//     rouse::interval every(1s);
//     for (;;) {
//         co_await every.tick();
//         report();
//     }
//
// The first tick is due at once, each later one a period after the one before it was due, whatever
// there is between the calls of `tick`, as long as it is asked for in time. The clock is that of the runtime that
// polls, as with sleep_for.
// One thread at a time. It does not move after its first tick was polled. Allocates nothing.
class ROUSE_DECL interval {
public:
    using duration = std::chrono::steady_clock::duration;
    using time_point = std::chrono::steady_clock::time_point;

    // The period is above zero: otherwise it throws std::logic_error.
    template <class Rep, class Period>
    explicit interval(std::chrono::duration<Rep, Period> period,
                      missed_ticks policy = missed_ticks::burst)
        : interval(detail::saturated(period), policy, detail::timer::after(duration::zero())) {}
    // The first tick is due at that moment: of the runtime's clock, or of another one, of which the constructor
    // makes a moment of the runtime's.
    template <class Clock, class Duration, class Rep, class Period>
    interval(std::chrono::time_point<Clock, Duration> first, std::chrono::duration<Rep, Period> period,
             missed_ticks policy = missed_ticks::burst)
        : interval(detail::saturated(period), policy, detail::timer::at_moment(first)) {}

    duration period() const noexcept { return period_; }

    // What `tick` returns: a view of the interval, which must outlive it.
    class [[nodiscard]] ROUSE_DECL tick_future {
    public:
        explicit tick_future(interval& of) noexcept : of_(&of) {}
        tick_future(tick_future&& other) noexcept
            : of_(other.of_), waits_(std::exchange(other.waits_, false)) {}
        tick_future& operator=(tick_future&&) = delete;
        // Nobody is woken for it any more.
        ~tick_future() {
            if (waits_) of_->timer_.stop();
        }

        poll_result<time_point> poll(context& cx);

    private:
        interval* of_;
        bool waits_ = false;  // the timer's waker is its own
    };

    // Completes when the next tick is due, with the time at which it was. Dropped while pending, or
    // lost in a select, no tick is lost. Throws system_error with operation_aborted if the task is
    // cancelled. For one waiter at a time.
    tick_future tick() noexcept { return tick_future(*this); }

    // The next tick is due a period after the next poll. Who waits for one is woken, and waits anew.
    void reset() noexcept { timer_.reset(period_); }

private:
    interval(duration period, missed_ticks policy, detail::timer first);

    duration period_;
    missed_ticks policy_;
    detail::timer timer_;
};

}  // namespace rouse

#endif
