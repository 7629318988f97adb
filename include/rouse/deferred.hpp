// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_DEFERRED_HPP
#define ROUSE_DEFERRED_HPP

#include <boost/asio/deferred.hpp>
#include <rouse/into_future.hpp>
#include <rouse/use_poll.hpp>
#include <type_traits>
#include <utility>

// What Asio's `deferred` token returns is accepted wherever a future is: `co_await` of it in a task
// starts it with use_poll. (From Boost 1.86 on `deferred` is what operations use when no token is
// named, so that `co_await timer.async_wait()` works there.)
template <class X>
struct rouse::into_future_traits<X, std::enable_if_t<boost::asio::is_deferred<X>::value>> {
    template <class Y>
    static auto convert(Y&& deferred) {
        return std::forward<Y>(deferred)(rouse::use_poll);
    }
};

#endif
