// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_HTTP_SERVER_UNTIL_HPP
#define ROUSE_EXAMPLE_HTTP_SERVER_UNTIL_HPP

#include <rouse.hpp>
#include <type_traits>
#include <utility>

// A future, until another one is ready. Gives an optional with the value of the first (a bool if it
// has none), which is empty if the second was ready before. The first has then let go of
// everything.
//
//     asio::steady_timer timer(ex, 1s);
//     auto value = co_await until(something(), timer.async_wait(rouse::use_poll));
template <rouse::future F, rouse::future End>
class [[nodiscard]] until {
    using value_type = typename rouse::cancel_value<rouse::output_t<F>>::type;

public:
    until(F future, End end) : future_(std::move(future)), end_(std::move(end)) {}

    rouse::poll_result<value_type> poll(rouse::context& cx) {
        if (!ended_) {
            auto result = future_.poll(cx);
            if (result.is_ready()) {
                if constexpr (std::is_same_v<value_type, bool>) {
                    return true;
                } else {
                    return value_type(std::move(result).value());
                }
            }
            if (end_.poll(cx).is_pending())
                return rouse::pending;  // its waker is that of `future_`
            ended_ = true;
        }
        return let_go(cx);
    }

    // What is left of `end_` is a wait for an event: it can be destroyed at any time.
    rouse::cancel_result<value_type> poll_cancel(rouse::context& cx) {
        auto result = let_go(cx);
        if (result.is_pending()) return rouse::pending;
        if (!result.value()) return std::optional<value_type>();
        return std::optional<value_type>(std::move(result).value());
    }

private:
    rouse::poll_result<value_type> let_go(rouse::context& cx) {
        if constexpr (rouse::lending_future<F>) {
            return future_.poll_cancel(cx);
        } else {
            return value_type{};
        }
    }

    F future_;
    End end_;
    bool ended_ = false;
};

#endif
