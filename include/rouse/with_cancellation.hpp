// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_WITH_CANCELLATION_HPP
#define ROUSE_WITH_CANCELLATION_HPP

#include <chrono>
#include <rouse/cancellation_source.hpp>
#include <rouse/detail/held.hpp>
#include <rouse/detail/own_cancellation.hpp>
#include <rouse/future.hpp>
#include <utility>

namespace rouse {

namespace detail {

template <class Held>
class [[nodiscard]] cancellable_future {
    using output = output_t<std::remove_reference_t<Held>>;

public:
    template <class X>
    cancellable_future(std::in_place_t, X&& x, cancellation_token const& token)
        : token_(token.cancelled()), future_(std::in_place, std::forward<X>(x)) {}
    // Before the first poll: nothing was requested yet.
    cancellable_future(cancellable_future&& other)
        : token_(std::move(other.token_)), future_(std::move(other.future_)) {
        state_.limit(other.state_.deadline());
    }
    cancellable_future& operator=(cancellable_future&&) = delete;

    poll_result<output> poll(context& cx) {
        look(cx);
        own_cancellation const mine(cx, state_);
        return future_.poll(cx);
    }

    cancel_result<output> poll_cancel(context& cx) {
        look(cx);
        own_cancellation const mine(cx, state_);
        return future_.poll_cancel(cx);
    }

    // The deadline of those around it, if their context does not say so.
    void limit(std::chrono::steady_clock::time_point deadline) noexcept { state_.limit(deadline); }

private:
    // Passes on what was requested of the token, and of whoever is outside.
    void look(context& cx) {
        auto const fresh = token_.look(cx) & ~passed_;
        passed_ = passed_ | fresh;
        request(fresh);
        state_.limit(cx.cancellation().deadline());
        request(outside_.look(cx.cancellation()));
    }
    void request(cancellation_type type) noexcept {
        if (type != cancellation_type::none) state_.request(type);
    }

    cancellation_token::cancelled_future token_;
    cancellation_state state_;
    cancellation_type passed_ = cancellation_type::none;  // of the token's
    outer_requests outside_;
    held_future<Held> future_;  // last: masks in it refer to the state
};

}  // namespace detail

// A future that is cancelled when the token is: cooperatively, so that what it awaits completes with
// operation_aborted, and it decides what to do then.
//
//     co_await rouse::with_cancellation(download(url), stop.token());
//
// Completes as the future does. A request of the task around it reaches the future, too; one of the token
// reaches nothing outside of it. Requests may come from any thread, before the start and at any moment.
// A named future is taken by reference and must outlive this one. Aborted or dropped: as the future.
// Allocates nothing.
template <class X>
auto with_cancellation(X&& x, cancellation_token const& token) {
    return detail::cancellable_future<detail::held_t<X>>(std::in_place, std::forward<X>(x), token);
}

}  // namespace rouse

#endif
