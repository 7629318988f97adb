// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_DETAIL_REDIRECT_ERROR_SHIM_HPP
#define ROUSE_DETAIL_REDIRECT_ERROR_SHIM_HPP

#include <boost/asio/redirect_error.hpp>
#include <rouse/detail/op_result.hpp>
#include <type_traits>
#include <utility>

// Before Asio 1.28, redirect_error wants a return type that does not depend on the initiation, which
// a lazy future cannot give. This stands in for it where the token below is use_poll. Included by
// use_poll.hpp, for those versions only.

namespace rouse {
struct use_poll_t;
}

namespace rouse::detail {

// Adaptors are class templates whose first argument is the token below them.
template <class Token>
inline constexpr bool ends_in_use_poll = std::is_same_v<Token, use_poll_t>;
template <template <class...> class Adaptor, class Token, class... More>
inline constexpr bool ends_in_use_poll<Adaptor<Token, More...>> = ends_in_use_poll<Token>;

// As in use_poll.hpp.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
template <class Initiation>
struct redirecting_initiation {
    redirecting_initiation(boost::system::error_code& e, Initiation i)
        : error(&e), initiation(std::move(i)) {}

    template <class Handler, class... Args>
    void operator()(Handler&& handler, Args&&... args) && {
        std::move(initiation)(
            boost::asio::detail::redirect_error_handler<std::decay_t<Handler>>(
                *error, std::forward<Handler>(handler)),
            std::forward<Args>(args)...);
    }

    boost::system::error_code* error;
    Initiation initiation;
};
#pragma GCC diagnostic pop

}  // namespace rouse::detail

template <class Token, class R, class... Results>
    requires rouse::detail::ends_in_use_poll<Token>
struct boost::asio::async_result<boost::asio::redirect_error_t<Token>,
                                 R(boost::system::error_code, Results...)> {
    template <class Initiation, class Raw, class... Args>
    static auto initiate(Initiation&& initiation, Raw&& token, Args&&... args) {
        using wrapped = rouse::detail::redirecting_initiation<std::decay_t<Initiation>>;
        return boost::asio::async_initiate<Token, R(Results...)>(
            wrapped(token.ec_, std::forward<Initiation>(initiation)), token.token_,
            std::forward<Args>(args)...);
    }
    using return_type = rouse::detail::declared_type<Token, R(Results...)>;
};

#endif
