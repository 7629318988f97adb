// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_USE_POLL_HPP
#define ROUSE_USE_POLL_HPP

#include <boost/asio/async_result.hpp>
#include <boost/asio/version.hpp>
#include <rouse/any_future.hpp>
#include <rouse/detail/op.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

// The completion token that makes a future of any Asio operation, composed ones included:
//
//     std::size_t n = co_await socket.async_read_some(buffer, rouse::use_poll);
//
// Results are as with use_awaitable: an error_code that is set is thrown as system_error; wrap the
// token in as_result or asio::as_tuple to get it as a value. The other adaptors of Asio work as
// well; bind_executor takes the serialisation by the task away, and an operation whose cancellation
// slot was bound elsewhere can only be waited for. See detail::op for what such a future promises.
struct use_poll_t {
    constexpr use_poll_t() noexcept {}

    // An executor whose operations use this token when none is named.
    template <class Inner>
    struct executor_with_default : Inner {
        using default_completion_token_type = use_poll_t;

        template <class Other>
            requires(!std::is_same_v<Other, executor_with_default> &&
                     std::is_convertible_v<Other const&, Inner>)
        executor_with_default(Other const& other) noexcept : Inner(other) {}
    };

    // An I/O object type like T, with this token as default.
    template <class T>
    using as_default_on_t = typename T::template rebind_executor<
        executor_with_default<typename T::executor_type>>::other;

    template <class T>
    static as_default_on_t<std::decay_t<T>> as_default_on(T&& object) {
        return as_default_on_t<std::decay_t<T>>(std::forward<T>(object));
    }
};

inline constexpr use_poll_t use_poll{};

}  // namespace rouse

// Beast's websockets pass an int where their own function takes a std::size_t.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"

template <class Signature>
struct boost::asio::async_result<rouse::use_poll_t, Signature> {
    // A deferred operation with an argument that only moves is initiated once: not from an lvalue.
    template <class Initiation, class... Args>
        requires(std::is_constructible_v<std::decay_t<Initiation>, Initiation> && ... &&
                 std::is_constructible_v<std::decay_t<Args>, Args>)
    static auto initiate(Initiation&& initiation, rouse::use_poll_t, Args&&... args) {
        using initiation_type = std::decay_t<Initiation>;
        auto run = [... args = std::forward<Args>(args)](
                       initiation_type& initiate,
                       rouse::detail::op_handler<Signature>&& handler) mutable {
            std::move(initiate)(std::move(handler), std::move(args)...);
        };
        using start = rouse::detail::op_start<initiation_type, decltype(run)>;
        return rouse::detail::op<Signature, start>(
            std::in_place, std::forward<Initiation>(initiation), std::move(run));
    }

    // What a function returns that declares its type without looking at the initiation, as some of
    // Beast's do: an op of any kind converts to it.
    using return_type = rouse::any_future<typename rouse::detail::op_result<Signature>::type>;
};

#pragma GCC diagnostic pop

#if BOOST_ASIO_VERSION < 102800
#include <rouse/detail/redirect_error_shim.hpp>
#endif
#if BOOST_ASIO_VERSION < 102802
#include <rouse/detail/co_spawn_shim.hpp>
#endif

#endif
