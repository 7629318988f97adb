// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_DETAIL_CHILD_HPP
#define ROUSE_DETAIL_CHILD_HPP

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <concepts>
#include <exception>
#include <rouse/detail/held.hpp>
#include <rouse/outcome.hpp>
#include <rouse/unhandled.hpp>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace rouse::detail {

// One child of a combinator: a future, and when that has ended, its outcome in the same place. The
// future is destroyed before its value takes its place.
template <class Held>
class child {
public:
    using output = typename held_future<Held>::output;
    using value_type = regular<output>;

    template <class X>
    explicit child(std::in_place_t, X&& x)
        : state_(std::in_place_index<0>, std::in_place, std::forward<X>(x)) {}

    bool is_running() const noexcept { return state_.index() == 0; }
    static constexpr bool hears_requests = held_future<Held>::hears_requests;

    void const* name() const noexcept { return std::get_if<0>(&state_)->name(); }  // see held_future; while it runs

    // The running future is polled. True: it has ended.
    bool poll(context& cx) noexcept {
        try {
            auto polled = future().poll(cx);
            if (polled.is_pending()) return false;
            if constexpr (std::is_void_v<output>) {
                ends(value_type{});
            } else {
                ends(std::move(polled).value());
            }
        } catch (...) {
            fails();
        }
        return true;
    }

    // The running future is asked to let go. True: it has.
    bool cancel(context& cx) noexcept {
        try {
            auto released = future().poll_cancel(cx);
            if (released.is_pending()) return false;
            if (!released.value()) {
                ends();
            } else if constexpr (std::is_void_v<output>) {
                ends(value_type{});
            } else {
                ends(*std::move(released).value());
            }
        } catch (...) {
            fails();
        }
        return true;
    }

    // Whatever is left of it is destroyed, and it counts as stopped.
    void drop() noexcept { ends(); }

    // How the future has ended; only when it has.
    outcome<value_type>& end() noexcept { return *std::get_if<1>(&state_); }

private:
    held_future<Held>& future() noexcept { return *std::get_if<0>(&state_); }

    template <class... Value>
    void ends(Value&&... value) {
        state_.template emplace<1>(std::forward<Value>(value)...);
    }
    void fails() noexcept { state_.template emplace<1>(thrown{std::current_exception()}); }

    std::variant<held_future<Held>, outcome<value_type>> state_;
};

inline bool sees_a_request(context& cx) noexcept {
    return cx.cancellation().requested() != cancellation_type::none;
}

// The value of an operation that gives its errors as values.
template <class T>
bool value_says_cancelled(T const&) noexcept {
    return false;
}
template <class Error>
concept an_error = std::same_as<Error, boost::system::error_code> || std::same_as<Error, std::exception_ptr>;
template <an_error Error>
bool value_says_cancelled(Error const& error) noexcept {
    return is_cancellation(error);
}
template <an_error Error, class... T>
bool value_says_cancelled(std::tuple<Error, T...> const& all) noexcept {
    return detail::value_says_cancelled(std::get<0>(all));
}
template <class T, an_error Error>
bool value_says_cancelled(boost::system::result<T, Error> const& one) noexcept {
    return one.has_error() && detail::value_says_cancelled(one.error());
}
template <class T>
bool says_cancelled(outcome<T>& end) noexcept {
    if (end.has_value()) return detail::value_says_cancelled(end.value());
    return end.has_error() && is_cancellation(end.error());
}

// Which child of a combinator decides. A request to cancel is heard by all of them, but for those that hear of none,
// such as the handle of a task; and each ends in its own way. So one that says no more than that it has followed a
// request decides only when nobody is running any more who may have heard of it.
template <class Which>
struct decision {
    Which decided{};
    Which followed{};  // the first one

    // One has ended in a way that decides. `may_follow`: it may have heard of a request; not so under a mask that is
    // older than the combinator, or when another one has cleared it before. True: that is enough.
    template <class T>
    bool take(Which child, outcome<T>& end, bool may_follow) {
        if (!may_follow || !detail::says_cancelled(end)) {
            decided = child;
            return true;
        }
        if (!followed) followed = child;
        return false;
    }
    // Nobody else says anything: when those have ended who may have heard, or all.
    void close() {
        if (!decided) decided = followed;
    }
};

}  // namespace rouse::detail

#endif
