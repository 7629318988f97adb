// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#ifndef ROUSE_TIMEOUT_HPP
#define ROUSE_TIMEOUT_HPP

#include <chrono>
#include <exception>
#include <optional>
#include <rouse/detail/child.hpp>
#include <rouse/detail/timer.hpp>
#include <rouse/error.hpp>
#include <rouse/future.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

namespace detail {

// It goes through three states:
//
//   polling    the future; the timer is looked at only if the future is pending
//   expired    the future is asked to let go
//   over
template <class Held>
class [[nodiscard]] timeout_future {
    using output = typename child<Held>::output;

public:
    static constexpr bool hears_requests = child<Held>::hears_requests;

    template <class X>
    timeout_future(std::in_place_t, X&& x, timer limit)
        : future_(std::in_place, std::forward<X>(x)), limit_(std::move(limit)) {}

    poll_result<output> poll(context& cx) {
        if (state_ == state::over) throw_misuse("a timeout was polled after it was ready");
        if (state_ == state::polling) {
            if (!std::exchange(asked_, true) && !cx.spend()) {
                static_cast<void>(limit_.poll(cx));  // the time runs from here
                return pending;
            }
            if (ended(cx)) return result();
            if (!limit_.poll(cx)) return pending;
            state_ = state::expired;
        }
        losing_mark const mark(cx, true);
        if (!future_.cancel(cx)) return pending;
        return result();
    }

    cancel_result<output> poll_cancel(context& cx) {
        if (state_ == state::over) return nothing();
        limit_.stop();
        if (!future_.cancel(cx)) return pending;
        // Whether it was the limit or an abort that stopped it: whoever aborts hears of an abort.
        state_ = state::over;
        auto& end = future_.end();
        if (end.is_stopped()) return nothing();
        if constexpr (std::is_void_v<output>) {
            static_cast<void>(end.value());
            return true;
        } else {
            return std::optional<output>(std::move(end).value());
        }
    }

private:
    enum class state : unsigned char { polling, expired, over };

    // One that has nothing to spend would not be ready, whatever it has.
    bool ended(context& cx) noexcept {
        granted_one const grant(cx);
        return future_.poll(cx);
    }

    static auto nothing() noexcept { return typename cancel_value<output>::type{}; }

    poll_result<output> result() {
        limit_.stop();
        state_ = state::over;
        auto& end = future_.end();
        if (end.is_stopped()) throw_error(errc::timed_out, "rouse::timeout");
        if constexpr (std::is_void_v<output>) {
            static_cast<void>(end.value());
            return ready();
        } else {
            return std::move(end).value();
        }
    }

    child<Held> future_;
    timer limit_;
    state state_ = state::polling;
    bool asked_ = false;  // whether there is something to spend
};

}  // namespace detail

// A future that may take so long and not longer.
//
//     auto n = co_await rouse::timeout(sock.async_read_some(b, rouse::use_poll), 5s);
//
// Completes with the future's result if that is there in time. Otherwise the future is told to let go,
// and when it has, this throws system_error with errc::timed_out; if it turns out then that the future
// has completed after all, its result is given and nothing is lost. The time runs from the first poll,
// and is the runtime's, as with sleep_for; zero or less still gives the future one poll.
// A future that fails at once fails at once: nothing waits for the timer, and it leaves none behind.
// A named future is taken by reference, must outlive this one, and lives on if the time runs out; if it throws
// errc::timed_out itself it does not, and this does not tell which of the two it was.
// Aborted: as the future. Cancelled: the future is, and completes in its own way. One thread at a
// time, like any future. Allocates nothing.
template <class X, class Rep, class Period>
auto timeout(X&& x, std::chrono::duration<Rep, Period> limit) {
    return detail::timeout_future<detail::held_t<X>>(std::in_place, std::forward<X>(x),
                                                     detail::timer::after(detail::saturated(limit)));
}

// The same with a moment, as with sleep_until.
template <class X, class Clock, class Duration>
auto timeout_at(X&& x, std::chrono::time_point<Clock, Duration> limit) {
    return detail::timeout_future<detail::held_t<X>>(std::in_place, std::forward<X>(x),
                                                     detail::timer::at(limit));
}

}  // namespace rouse

#endif
