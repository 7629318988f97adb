// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_BACKGROUND_HPP
#define ROUSE_BACKGROUND_HPP

#include <rouse/detail/held.hpp>
#include <rouse/future.hpp>
#include <utility>

namespace rouse {

namespace detail {

template <class Held>
class [[nodiscard]] background_future {
    using output = output_t<std::remove_reference_t<Held>>;

public:
    template <class X>
    explicit background_future(std::in_place_t, X&& x)
        : future_(std::in_place, std::forward<X>(x)) {}

    poll_result<output> poll(context& cx) {
        mark const in_background(cx);
        return future_.poll(cx);
    }
    cancel_result<output> poll_cancel(context& cx) {
        mark const in_background(cx);
        return future_.poll_cancel(cx);
    }

private:
    class mark {
    public:
        explicit mark(context& cx) noexcept
            : root_(cx.root()), before_(std::exchange(root_.in_background, true)) {}
        mark(mark const&) = delete;
        mark& operator=(mark const&) = delete;
        ~mark() { root_.in_background = before_; }

    private:
        poll_root& root_;
        bool before_;
    };

    held_future<Held> future_;
};

}  // namespace detail

// A future whose operations a paused_clock does not wait for: those that may never end.
//
//     auto sock = co_await rouse::background(acceptor.async_accept(rouse::use_poll));
//
// In everything else it is the future: its result, its cancellation, its threads. With any other clock
// it makes no difference. A named future is taken by reference and must outlive this one. Tasks that it
// spawns are not in the background. Allocates nothing.
template <class X>
auto background(X&& x) {
    return detail::background_future<detail::held_t<X>>(std::in_place, std::forward<X>(x));
}

}  // namespace rouse

#endif
