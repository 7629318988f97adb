// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_AS_RESULT_HPP
#define ROUSE_AS_RESULT_HPP

#include <boost/asio/associator.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/system/result.hpp>
#include <rouse/detail/op_result.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

namespace rouse {

// A completion token adaptor: the operation gives a boost::system::result<T>, and throws no error
// code. T is void, the one value that follows the code, or a tuple of them.
//
//     auto n = co_await socket.async_read_some(buffer, rouse::as_result(rouse::use_poll));
//     if (!n) co_return;
template <class Token>
class as_result_t {
public:
    constexpr explicit as_result_t(Token t) : token(std::move(t)) {}

    Token token;
};

template <class Token>
constexpr as_result_t<std::decay_t<Token>> as_result(Token&& token) {
    return as_result_t<std::decay_t<Token>>(std::forward<Token>(token));
}

namespace detail {

template <class... T>
using result_of_values =
    boost::system::result<typename op_values<std::decay_t<T>...>::type, error_code>;

template <class Handler>
class as_result_handler {
public:
    explicit as_result_handler(Handler h) : handler(std::move(h)) {}

    template <class... T>
    void operator()(error_code const& error, T&&... values) {
        using type = result_of_values<T...>;
        if (error) {
            std::move(handler)(type(boost::system::in_place_error, error));
        } else if constexpr (sizeof...(T) == 0) {
            std::move(handler)(type());
        } else {
            std::move(handler)(type(boost::system::in_place_value, std::forward<T>(values)...));
        }
    }

    Handler handler;
};

// As in use_poll.hpp.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
template <class Initiation>
struct as_result_initiation {
    explicit as_result_initiation(Initiation i) : initiation(std::move(i)) {}

    template <class Handler, class... Args>
    void operator()(Handler&& handler, Args&&... args) && {
        std::move(initiation)(as_result_handler<std::decay_t<Handler>>(std::forward<Handler>(handler)),
                              std::forward<Args>(args)...);
    }

    Initiation initiation;
};
#pragma GCC diagnostic pop

}  // namespace detail

}  // namespace rouse

template <class Token, class R, class... Values>
struct boost::asio::async_result<rouse::as_result_t<Token>,
                                 R(boost::system::error_code, Values...)> {
    template <class Initiation, class Raw, class... Args>
    static auto initiate(Initiation&& initiation, Raw&& token, Args&&... args) {
        using wrapped = rouse::detail::as_result_initiation<std::decay_t<Initiation>>;
        return boost::asio::async_initiate<Token, void(rouse::detail::result_of_values<Values...>)>(
            wrapped(std::forward<Initiation>(initiation)), token.token,
            std::forward<Args>(args)...);
    }

    // As in use_poll.hpp.
    using return_type =
        rouse::detail::declared_type<Token, void(rouse::detail::result_of_values<Values...>)>;
};

template <template <class, class> class Associator, class Handler, class Default>
struct boost::asio::associator<Associator, rouse::detail::as_result_handler<Handler>, Default>
    : Associator<Handler, Default> {
    static auto get(rouse::detail::as_result_handler<Handler> const& h) noexcept {
        return Associator<Handler, Default>::get(h.handler);
    }
    static auto get(rouse::detail::as_result_handler<Handler> const& h, Default const& d) noexcept {
        return Associator<Handler, Default>::get(h.handler, d);
    }
};

#endif
