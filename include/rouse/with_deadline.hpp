// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#ifndef ROUSE_WITH_DEADLINE_HPP
#define ROUSE_WITH_DEADLINE_HPP

#include <chrono>
#include <exception>
#include <rouse/detail/held.hpp>
#include <rouse/detail/own_cancellation.hpp>
#include <rouse/detail/timer.hpp>
#include <rouse/error.hpp>
#include <rouse/future.hpp>
#include <rouse/unhandled.hpp>
#include <utility>

namespace rouse {

namespace detail {

template <class Held>
class [[nodiscard]] deadline_future {
    using output = output_t<std::remove_reference_t<Held>>;

public:
    template <class X>
    deadline_future(std::in_place_t, X&& x, timer limit)
        : limit_(std::move(limit)), future_(std::in_place, std::forward<X>(x)) {}
    // Before the first poll: nothing was requested yet.
    deadline_future(deadline_future&& other)
        : limit_(std::move(other.limit_)), future_(std::move(other.future_)) {}
    deadline_future& operator=(deadline_future&&) = delete;

    poll_result<output> poll(context& cx) {
        return limited(cx, [&] { return future_.poll(cx); });
    }
    cancel_result<output> poll_cancel(context& cx) {
        return limited(cx, [&] { return future_.poll_cancel(cx); });
    }

private:
    template <class Poll>
    auto limited(context& cx, Poll poll) {
        look(cx);
        own_cancellation const mine(cx, state_);
        try {
            auto polled = poll();
            if (polled.is_ready()) limit_.stop();
            return polled;
        } catch (...) {
            limit_.stop();
            // That it was cancelled is told by its own name; what it makes of that is its own result.
            if (!expired_ || !is_cancellation(std::current_exception())) throw;
        }
        throw_error(errc::timed_out, "rouse::with_deadline");
    }

    void look(context& cx) {
        state_.limit(cx.cancellation().deadline());
        request(outside_.look(cx.cancellation()));
        if (expired_) return;
        expired_ = limit_.poll(cx);
        state_.limit(limit_.when());
        if (expired_) request(cancellation_type::terminal);
    }
    void request(cancellation_type type) noexcept {
        if (type != cancellation_type::none) state_.request(type);
    }

    timer limit_;
    cancellation_state state_{};
    outer_requests outside_{};
    bool expired_ = false;
    held_future<Held> future_;  // last: masks in it refer to the state
};

}  // namespace detail

// A future that is cancelled when the time is up, with everything that it has begun.
//
//     auto page = co_await rouse::with_deadline(fetch(url), 5s);
//
// When the time is up a terminal request to cancel is made: what the future awaits completes with
// operation_aborted, and so do the tasks of groups that it has opened, and what they await. The future
// may still clean up. If it ends with a cancellation then, this throws system_error with errc::timed_out
// in its place; any other result is its own. `timeout` does not ask the future, but aborts it: it is for
// single operations, this is for parts of a program.
// Inside, this_task::deadline() says when that is; of several deadlines around each other the nearest
// counts. The time runs from the first poll and is the runtime's, as with sleep_for; zero or less is a
// request before the start. A request from outside reaches the future too. Aborted or dropped: as the
// future; no timer is left behind. A named future is taken by reference and must outlive this one.
// One thread at a time, like any future. Allocates nothing.
template <class X, class Rep, class Period>
auto with_deadline(X&& x, std::chrono::duration<Rep, Period> limit) {
    return detail::deadline_future<detail::held_t<X>>(std::in_place, std::forward<X>(x),
                                                      detail::timer::after(detail::saturated(limit)));
}

// The same with a moment, as with sleep_until.
template <class X, class Clock, class Duration>
auto with_deadline(X&& x, std::chrono::time_point<Clock, Duration> limit) {
    return detail::deadline_future<detail::held_t<X>>(std::in_place, std::forward<X>(x),
                                                      detail::timer::at(limit));
}

}  // namespace rouse

#endif
