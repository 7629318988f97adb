// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_DETAIL_HELD_HPP
#define ROUSE_DETAIL_HELD_HPP

#include <memory>
#include <rouse/into_future.hpp>
#include <type_traits>
#include <utility>

namespace rouse::detail {

// A future that hears of no request to cancel, and says so; of most futures nobody knows.
template <class F>
inline constexpr bool may_hear_requests = true;
template <class F>
    requires requires { typename std::bool_constant<F::hears_requests>; }
inline constexpr bool may_hear_requests<F> = F::hears_requests;

// How a combinator holds what it was given: a named future by reference, everything else by value.
template <class X>
struct held {
    static_assert(awaitable_value<X>,
                  "rouse: a combinator takes futures (poll(context&) -> poll_result<T>), or what "
                  "into_future_traits converts");
    using type = into_future_t<X>;
};
template <class F>
    requires future<F>
struct held<F&> {
    using type = F&;
};
template <class F>
    requires future<F>
struct held<F const&> {
    static_assert(!future<F>, "rouse: a combinator of a const future: a poll changes it");
};
template <class X>
using held_t = typename held<X>::type;

// A future that a combinator holds. Held is F, or F& for one that somebody else owns.
template <class Held>
class held_future {
    using future_type = std::remove_reference_t<Held>;
    static constexpr bool named = std::is_reference_v<Held>;
    static constexpr bool can_stop_waiting = requires(future_type& f) { f.stop_waiting(); };
    static_assert(named || std::is_nothrow_destructible_v<future_type>,
                  "rouse: a combinator takes no future whose destructor may throw: put it into a "
                  "task of its own");

public:
    using output = output_t<future_type>;
    static constexpr bool hears_requests = may_hear_requests<future_type>;
    using released = cancel_result<output>;

    template <class X>
    explicit held_future(std::in_place_t, X&& x)
        : future_([&]() -> place {
              if constexpr (named) {
                  return std::addressof(x);
              } else {
                  return rouse::into_future(std::forward<X>(x));
              }
          }()) {}

    // Where one stands that somebody else owns; null for its own.
    void const* name() const noexcept {
        if constexpr (named) {
            return future_;
        } else {
            return nullptr;
        }
    }

    poll_result<output> poll(context& cx) { return get().poll(cx); }

    // Asks it to let go. One that somebody else owns lives on if it has only lost, and a join handle
    // that somebody else owns is never more than not waited for.
    released poll_cancel(context& cx) {
        if constexpr (named && can_stop_waiting) {
            get().stop_waiting();
            return typename cancel_value<output>::type{};
        } else {
            if (named && cx.root().losing) return typename cancel_value<output>::type{};
            return detail::cancel(get(), cx);
        }
    }

private:
    using place = std::conditional_t<named, future_type*, future_type>;

    future_type& get() noexcept {
        if constexpr (named) {
            return *future_;
        } else {
            return future_;
        }
    }

    place future_;
};

}  // namespace rouse::detail

#endif
