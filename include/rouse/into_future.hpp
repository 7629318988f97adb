// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_INTO_FUTURE_HPP
#define ROUSE_INTO_FUTURE_HPP

#include <rouse/future.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

// The customisation point for what is not a future but can become one: specialise it with
//     static auto convert(X&&) -> some future
// `co_await`, `spawn` and the combinators then accept X. `Enable` is for partial specialisations.
template <class X, class Enable = void>
struct into_future_traits {};

namespace detail {
template <class X>
concept convertible_into_future = requires(X&& x) {
    { into_future_traits<std::remove_cvref_t<X>>::convert(std::forward<X>(x)) } -> future;
};
}  // namespace detail

// What can be awaited: a future, or what into_future_traits makes one of.
template <class X>
concept awaitable_value = future<std::remove_cvref_t<X>> || detail::convertible_into_future<X>;

namespace detail {
template <class X>
struct into_future_type {
    using type = decltype(into_future_traits<std::remove_cvref_t<X>>::convert(std::declval<X>()));
};
template <class X>
    requires future<std::remove_cvref_t<X>>
struct into_future_type<X> {
    using type = std::remove_cvref_t<X>;
};
}  // namespace detail

template <awaitable_value X>
using into_future_t = typename detail::into_future_type<X>::type;

// The future itself, or what into_future_traits makes of `x`.
template <awaitable_value X>
into_future_t<X> into_future(X&& x) {
    if constexpr (future<std::remove_cvref_t<X>>) {
        return std::forward<X>(x);
    } else {
        return into_future_traits<std::remove_cvref_t<X>>::convert(std::forward<X>(x));
    }
}

}  // namespace rouse

#endif
