// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_FUTURE_HPP
#define ROUSE_FUTURE_HPP

#include <concepts>
#include <rouse/context.hpp>
#include <rouse/error.hpp>
#include <rouse/poll_result.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

namespace detail {
template <class T>
inline constexpr bool is_poll_result = false;
template <class T>
inline constexpr bool is_poll_result<poll_result<T>> = true;

template <class F>
using polled_t = decltype(std::declval<F&>().poll(std::declval<context&>()));
}  // namespace detail

// A future: an object with `poll(context&) -> poll_result<T>`. It does nothing until it is polled.
//
// The rules of `poll`:
//   - never concurrently for one future, and never again after it was ready;
//   - the object does not move after its first poll;
//   - one poll too many (a spurious one) does no harm;
//   - before it returns pending, the future has arranged for the waker of this very context, the
//     latest one, to be woken when it is worth polling again;
//   - it may throw: the future has then completed with that exception.
template <class F>
concept future = std::is_object_v<F> && !std::is_const_v<F> &&
                 requires(F& f, context& cx) { f.poll(cx); } &&
                 detail::is_poll_result<detail::polled_t<F>>;

// The type of a future's value.
template <future F>
using output_t = typename detail::polled_t<F>::value_type;

// A future that lends something to the outside (buffers to the kernel, a handler to Asio), or holds
// a future that does: it also has `poll_cancel(context&) -> cancel_result<T>`, which asks it to
// stop and let go.
//   - pending: something is still in flight; the waker is registered as in `poll`;
//   - ready with nothing (void: false): stopped;
//   - ready with a value (void: true), or throwing: it had completed after all.
// It may be called again until it is ready; `poll` is not called any more. A future that was never
// polled is ready at once, and its operation never starts. A future without poll_cancel can be
// destroyed at any time.
template <class F>
concept lending_future =
    future<F> && requires(F& f, context& cx) {
        { f.poll_cancel(cx) } -> std::same_as<cancel_result<output_t<F>>>;
    };

namespace detail {

// Asks any future to let go.
template <future F>
cancel_result<output_t<F>> cancel(F& f, context& cx) {
    if constexpr (lending_future<F>) {
        return f.poll_cancel(cx);
    } else {
        static_assert(!requires { f.poll_cancel(cx); },
                      "rouse: poll_cancel must return cancel_result<T>, where T is the value "
                      "that poll gives");
        return typename cancel_value<output_t<F>>::type{};
    }
}

}  // namespace detail

// Ready at once, with a value. `ready_future()` has none.
template <class T = void>
class ready_future {
public:
    explicit ready_future(T value) : value_(std::move(value)) {}

    poll_result<T> poll(context&) {
        if (!value_) detail::throw_misuse("a ready_future was polled after it was ready");
        poll_result<T> result(std::move(*value_));
        value_.reset();
        return result;
    }

private:
    std::optional<T> value_;
};

template <>
class ready_future<void> {
public:
    ready_future() noexcept {}
    poll_result<void> poll(context&) noexcept { return ready(); }
};

ready_future() -> ready_future<void>;
template <class T>
ready_future(T) -> ready_future<T>;

// Never ready.
template <class T = void>
class pending_future {
public:
    static constexpr bool hears_requests = false;

    pending_future() noexcept {}
    poll_result<T> poll(context&) noexcept { return pending; }
};

// A future out of a function: each poll calls it. It must return a poll_result.
template <class F>
class poll_fn {
    static_assert(requires(F& f, context& cx) {
        requires detail::is_poll_result<decltype(f(cx))>;
    }, "rouse: the function of a poll_fn takes a context& and returns a poll_result");

public:
    explicit poll_fn(F f) : function_(std::move(f)) {}
    auto poll(context& cx) { return function_(cx); }

private:
    F function_;
};

}  // namespace rouse

#endif
