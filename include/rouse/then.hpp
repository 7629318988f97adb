// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_THEN_HPP
#define ROUSE_THEN_HPP

#include <functional>
#include <optional>
#include <rouse/detail/held.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

namespace detail {

// What becomes of a function that is called with the value of a future: without one, if it has none.
template <class Function, class T>
struct called {
    static constexpr bool possible = false;
    using type = void;
};
template <class Function, class T>
    requires std::is_invocable_v<Function&, T>
struct called<Function, T> {
    static constexpr bool possible = true;
    using type = std::invoke_result_t<Function&, T>;
};
template <class Function>
    requires std::is_invocable_v<Function&>
struct called<Function, void> {
    static constexpr bool possible = true;
    using type = std::invoke_result_t<Function&>;
};

template <class Function, class Result>
decltype(auto) call(Function& function, Result&& result) {
    if constexpr (std::is_void_v<decltype(result.value())>) {
        return std::invoke(function);
    } else {
        return std::invoke(function, std::forward<Result>(result).value());
    }
}

template <class Held, class Function>
class [[nodiscard]] map_future {
    using input = output_t<std::remove_reference_t<Held>>;
    static_assert(called<Function, input>::possible,
                  "rouse: map: the function takes the value of the future (nothing, if it has none)");
    using output = std::remove_cvref_t<typename called<Function, input>::type>;

public:
    static constexpr bool hears_requests = held_future<Held>::hears_requests;

    template <class X, class Fn>
    map_future(std::in_place_t, X&& x, Fn&& function)
        : future_(std::in_place, std::forward<X>(x)), function_(std::forward<Fn>(function)) {}

    poll_result<output> poll(context& cx) {
        auto polled = future_.poll(cx);
        if (polled.is_pending()) return pending;
        if constexpr (std::is_void_v<output>) {
            detail::call(function_, std::move(polled));
            return ready();
        } else {
            return detail::call(function_, std::move(polled));
        }
    }

    cancel_result<output> poll_cancel(context& cx) {
        auto released = future_.poll_cancel(cx);
        if (released.is_pending()) return pending;
        if (!released.value()) return typename cancel_value<output>::type{};
        if constexpr (std::is_void_v<input>) {
            return mapped(poll_result<void>(ready()));
        } else {
            return mapped(poll_result<input>(*std::move(released).value()));
        }
    }

private:
    typename cancel_value<output>::type mapped(poll_result<input> value) {
        if constexpr (std::is_void_v<output>) {
            detail::call(function_, std::move(value));
            return true;
        } else {
            return detail::call(function_, std::move(value));
        }
    }

    held_future<Held> future_;
    Function function_;
};

template <class Held, class Function>
class [[nodiscard]] then_future {
    using input = output_t<std::remove_reference_t<Held>>;
    static_assert(called<Function, input>::possible,
                  "rouse: then: the function takes the value of the future (nothing, if it has none)");
    static_assert(awaitable_value<typename called<Function, input>::type>,
                  "rouse: then: the function returns a future; `map` is for one that returns a value");
    using second = into_future_t<typename called<Function, input>::type>;
    using output = output_t<second>;

public:
    template <class X, class Fn>
    then_future(std::in_place_t, X&& x, Fn&& function)
        : first_(std::in_place, std::in_place, std::forward<X>(x)),
          function_(std::forward<Fn>(function)) {}

    poll_result<output> poll(context& cx) {
        if (first_) {
            auto polled = first_->poll(cx);
            if (polled.is_pending()) return pending;
            first_.reset();
            second_.emplace(rouse::into_future(detail::call(function_, std::move(polled))));
        }
        if (!second_) throw_misuse("a then was polled after it was ready");
        return second_->poll(cx);
    }

    cancel_result<output> poll_cancel(context& cx) {
        if (second_) return detail::cancel(*second_, cx);
        if (first_ && first_->poll_cancel(cx).is_pending()) return pending;
        return typename cancel_value<output>::type{};
    }

private:
    std::optional<held_future<Held>> first_;
    Function function_;  // lives as long as the future that it has returned
    std::optional<second> second_;
};

}  // namespace detail

// The future's value through a function.
//
//     auto size = rouse::map(sock.async_read_some(b, rouse::use_poll), [](std::size_t n) { ... });
//
// `function` is called with the value, without an argument if there is none, inside of the poll that
// has it; what it returns or throws is the result. An exception of the future passes by.
// A named future is taken by reference and must outlive this one. Aborted: as the future; if that had
// completed after all, the function is called. Dropped: as the future. Threads: as the future.
// Allocates nothing.
template <class X, class Function>
auto map(X&& x, Function&& function) {
    return detail::map_future<detail::held_t<X>, std::decay_t<Function>>(
        std::in_place, std::forward<X>(x), std::forward<Function>(function));
}

// One future after the other: `function` makes the second of the value of the first, and its value
// is the result.
//
//     auto page = rouse::then(resolve(host), [](endpoint e) { return fetch(e); });
//
// The function is called inside of the poll in which the first has completed, without an argument if
// that has no value, and lives until the end: a lambda that is a coroutine may use its captures, but
// takes its argument by value. An exception of the first passes by, and the second is not made.
// Aborted: the one that is running lets go; the value of the first is lost if it turns out to have
// completed. Everything else is as with map.
template <class X, class Function>
auto then(X&& x, Function&& function) {
    return detail::then_future<detail::held_t<X>, std::decay_t<Function>>(
        std::in_place, std::forward<X>(x), std::forward<Function>(function));
}

}  // namespace rouse

#endif
