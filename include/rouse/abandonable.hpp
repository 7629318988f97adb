// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_ABANDONABLE_HPP
#define ROUSE_ABANDONABLE_HPP

#include <optional>
#include <rouse/into_future.hpp>
#include <utility>

namespace rouse {

// A future that nobody waits for when it is aborted: it is destroyed instead of asked to let go.
//
//     co_await rouse::abandonable(camera.async_snapshot(rouse::use_poll));
//
// It is for operations that cannot be interrupted, run for long, and lend nothing: whatever they write
// to, they must own themselves. Name resolution is treated so without being asked. Otherwise it is the
// future that it holds: result, errors and threads are that one's. What it would have given is lost if
// it is aborted or dropped. Allocates nothing.
template <future F>
class [[nodiscard]] abandonable {
public:
    template <awaitable_value X>
        requires std::same_as<into_future_t<X>, F>
    explicit abandonable(X&& x) : future_(rouse::into_future(std::forward<X>(x))) {}

    poll_result<output_t<F>> poll(context& cx) {
        if (!future_) detail::throw_misuse("an abandonable was polled after it was abandoned");
        return future_->poll(cx);
    }

    cancel_result<output_t<F>> poll_cancel(context&) {
        future_.reset();
        return typename cancel_value<output_t<F>>::type{};
    }

private:
    std::optional<F> future_;
};

template <class X>
abandonable(X&&) -> abandonable<into_future_t<X>>;

}  // namespace rouse

#endif
