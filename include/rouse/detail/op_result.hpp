// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_DETAIL_OP_RESULT_HPP
#define ROUSE_DETAIL_OP_RESULT_HPP

#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <optional>
#include <rouse/error.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

// How the arguments of a completion handler become the value of a future: as with use_awaitable, a
// leading error_code or exception_ptr is thrown if it is set, and left out otherwise; of the rest
// none is void, one is itself, more are a tuple.

namespace rouse::detail {

using boost::system::error_code;

// Channels have a code of their own for it.
inline bool says_aborted(error_code const& e) noexcept {
    return e == boost::asio::error::operation_aborted ||
           e == boost::asio::experimental::error::channel_cancelled;
}
inline bool says_aborted(std::exception_ptr const& e) {
    if (!e) return false;
    try {
        std::rethrow_exception(e);
    } catch (boost::system::system_error const& error) {
        return says_aborted(error.code()) || error.code() == errc::aborted;
    } catch (...) {
        return false;
    }
}
template <class T, class E>
bool says_aborted(boost::system::result<T, E> const& r) noexcept {
    if constexpr (std::is_same_v<E, error_code>) {
        return r.has_error() && says_aborted(r.error());
    } else {
        return false;
    }
}

template <class T>
inline constexpr bool is_failure = std::is_same_v<T, error_code> ||
                                   std::is_same_v<T, std::exception_ptr>;

template <class...>
inline constexpr bool comes_with_failure = false;
template <class First, class... Rest>
inline constexpr bool comes_with_failure<First, Rest...> = is_failure<First>;

// Whether a value of this type says how its operation has ended.
template <class T>
inline constexpr bool tells_the_end = is_failure<T>;
template <class T>
inline constexpr bool tells_the_end<boost::system::result<T, error_code>> = true;
template <class... T>
inline constexpr bool tells_the_end<std::tuple<T...>> = (tells_the_end<T> || ...);

// A failure that comes first says it for all, as the others are then empty. Of several operations in one, as in a
// parallel_group, one that was not aborted is a result.
template <class... T>
bool all_say_aborted(std::tuple<T...> const& values) {
    auto const may_be_aborted = []<class V>(V const& value) {
        if constexpr (requires { std::tuple_size<V>::value; } && tells_the_end<V>) {
            return detail::all_say_aborted(value);
        } else if constexpr (tells_the_end<V>) {
            return detail::says_aborted(value);
        } else {
            return true;
        }
    };
    if constexpr (comes_with_failure<T...>) {
        return detail::says_aborted(std::get<0>(values));
    } else {
        return tells_the_end<std::tuple<T...>> &&
               std::apply([&](auto const&... value) { return (may_be_aborted(value) && ...); }, values);
    }
}

inline void throw_if_set(error_code const& e) {
    if (e) throw_error(e);
}
inline void throw_if_set(std::exception_ptr const& e) {
    if (e) std::rethrow_exception(e);
}

// Whether the first argument of a handler can say that the operation was cancelled before it began.
template <class T>
inline constexpr bool has_error_code = std::is_same_v<T, error_code>;
template <class... Rest>
inline constexpr bool has_error_code<std::tuple<error_code, Rest...>> = (std::is_default_constructible_v<Rest> && ...);
template <class T>
inline constexpr bool has_error_code<boost::system::result<T, error_code>> = true;

// The value of an operation that was destroyed without an answer: "aborted", where that can be
// said in the value; otherwise nothing, and it is thrown.
template <class T>
struct abandoned_value {
    static std::optional<T> make() { return std::nullopt; }
};
template <class... Rest>
    requires(std::is_default_constructible_v<Rest> && ...)
struct abandoned_value<std::tuple<error_code, Rest...>> {
    static std::optional<std::tuple<error_code, Rest...>> make() {
        return std::tuple<error_code, Rest...>(boost::asio::error::operation_aborted, Rest{}...);
    }
};
template <class T>
struct abandoned_value<boost::system::result<T, error_code>> {
    static std::optional<boost::system::result<T, error_code>> make() {
        return boost::system::result<T, error_code>(
            boost::system::in_place_error, error_code(boost::asio::error::operation_aborted));
    }
};

template <class... Args>
class op_values {
public:
    using type = std::tuple<Args...>;

    static type take(std::tuple<Args...>& stored) { return std::move(stored); }
};
template <class T>
class op_values<T> {
public:
    using type = T;

    static T take(std::tuple<T>& stored) { return std::get<0>(std::move(stored)); }
};
template <>
class op_values<> {
public:
    using type = void;
};

// The type that functions declare which are given the token, if it has one.
template <class Token, class Signature>
struct declared {
    using type = void;
};
template <class Token, class Signature>
    requires requires { typename boost::asio::async_result<Token, Signature>::return_type; }
struct declared<Token, Signature> {
    using type = typename boost::asio::async_result<Token, Signature>::return_type;
};
template <class Token, class Signature>
using declared_type = typename declared<Token, Signature>::type;

// What the handler of a signature stores, and what the future makes of it.
template <class Signature>
class op_result;

template <class R, class... Args>
class op_result<R(Args...)> {
    using values = op_values<std::decay_t<Args>...>;

public:
    using type = typename values::type;
    static constexpr bool can_say_aborted = sizeof...(Args) == 1 && (has_error_code<std::decay_t<Args>> || ...);

    template <class... A>
    void store(A&&... a) {
        stored_.emplace(std::forward<A>(a)...);
    }
    bool aborted() const { return detail::all_say_aborted(*stored_); }
    type take() {
        if constexpr (!std::is_void_v<type>) return values::take(*stored_);
    }

private:
    std::optional<std::tuple<std::decay_t<Args>...>> stored_;
};

template <class R, class First, class... Args>
    requires is_failure<std::decay_t<First>>
class op_result<R(First, Args...)> {
    using values = op_values<std::decay_t<Args>...>;

public:
    using type = typename values::type;
    static constexpr bool can_say_aborted = has_error_code<std::decay_t<First>>;

    template <class F, class... A>
    void store(F&& failure, A&&... a) {
        stored_.emplace(std::forward<A>(a)...);
        failure_ = std::forward<F>(failure);
    }
    bool aborted() const { return says_aborted(failure_); }
    type take() {
        throw_if_set(failure_);
        if constexpr (!std::is_void_v<type>) return values::take(*stored_);
    }

private:
    std::decay_t<First> failure_{};
    std::optional<std::tuple<std::decay_t<Args>...>> stored_;
};

// Asio treats the qualified forms of a signature alike.
template <class R, class... Args>
class op_result<R(Args...) noexcept> : public op_result<R(Args...)> {};
template <class R, class... Args>
class op_result<R(Args...)&> : public op_result<R(Args...)> {};
template <class R, class... Args>
class op_result<R(Args...)&&> : public op_result<R(Args...)> {};

}  // namespace rouse::detail

#endif
