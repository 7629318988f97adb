// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_SHIELDED_HPP
#define ROUSE_SHIELDED_HPP

#include <rouse/detail/held.hpp>
#include <rouse/detail/own_cancellation.hpp>
#include <rouse/future.hpp>
#include <utility>

namespace rouse {

namespace detail {

template <class Held>
class [[nodiscard]] shielded_future {
    using output = output_t<std::remove_reference_t<Held>>;

public:
    template <class X>
    explicit shielded_future(std::in_place_t, X&& x) : future_(std::in_place, std::forward<X>(x)) {}
    shielded_future(shielded_future&& other) : future_(std::move(other.future_)) {}  // not polled yet
    shielded_future& operator=(shielded_future&&) = delete;

    poll_result<output> poll(context& cx) {
        own_cancellation const mine(cx, never_requested_);
        return future_.poll(cx);
    }

    cancel_result<output> poll_cancel(context& cx) {
        own_cancellation const mine(cx, never_requested_);
        return future_.poll_cancel(cx);
    }

private:
    cancellation_state never_requested_{};
    held_future<Held> future_;  // last: masks in it refer to the state
};

}  // namespace detail

// A future that no cancellation reaches: what must run to its end although the task is cancelled.
//
//     co_await rouse::shielded(connection.async_shutdown(rouse::use_poll));
//
// Completes as the future does, whatever is requested of the task, before or meanwhile; the request is
// not lost, and seen by what is awaited afterwards. Unlike this_task::cancellation_mask it shields this
// one future only, not those beside it in a join. An abort does reach the future: it lets go. A named
// future is taken by reference and must outlive this one. Dropped: as the future. Allocates nothing.
template <class X>
auto shielded(X&& x) {
    return detail::shielded_future<detail::held_t<X>>(std::in_place, std::forward<X>(x));
}

}  // namespace rouse

#endif
