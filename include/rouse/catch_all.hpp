// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_CATCH_ALL_HPP
#define ROUSE_CATCH_ALL_HPP

#include <concepts>
#include <exception>
#include <optional>
#include <rouse/detail/held.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

namespace detail {

// What makes up for an exception: a future, that which the function has returned, or a ready one with
// the value that it has returned.
template <class Output, class Returned>
struct recovery {
    static_assert(std::is_void_v<Output> ? std::is_void_v<Returned>
                                         : std::is_convertible_v<Returned, Output>,
                  "rouse: catch_all: the function returns what the future gives, or a future of that");
    using type = ready_future<Output>;
};
template <class Output, awaitable_value Returned>
struct recovery<Output, Returned> {
    using type = into_future_t<Returned>;
    static_assert(std::same_as<output_t<type>, Output>,
                  "rouse: catch_all: the function returns what the future gives, or a future of that");
};

template <class Held, class Function>
class [[nodiscard]] catch_all_future {
    static_assert(std::is_invocable_v<Function&, std::exception_ptr>,
                  "rouse: catch_all: the function takes a std::exception_ptr");
    using output = output_t<std::remove_reference_t<Held>>;
    using returned = std::invoke_result_t<Function&, std::exception_ptr>;
    using second = typename recovery<output, returned>::type;

public:
    template <class X, class Fn>
    catch_all_future(std::in_place_t, X&& x, Fn&& function)
        : first_(std::in_place, std::in_place, std::forward<X>(x)),
          function_(std::forward<Fn>(function)) {}

    poll_result<output> poll(context& cx) {
        if (first_) {
            std::exception_ptr error;
            try {
                return first_->poll(cx);
            } catch (...) {
                error = std::current_exception();
            }
            recover(std::move(error));
        }
        if (!second_) throw_misuse("a catch_all was polled after it was ready");
        return second_->poll(cx);
    }

    cancel_result<output> poll_cancel(context& cx) {
        if (second_) return detail::cancel(*second_, cx);
        if (!first_) return typename cancel_value<output>::type{};
        std::exception_ptr error;
        try {
            return first_->poll_cancel(cx);
        } catch (...) {
            if constexpr (awaitable_value<returned>) throw;  // nothing begins any more
            error = std::current_exception();
        }
        recover(std::move(error));
        if constexpr (std::is_void_v<output>) {
            return true;
        } else {
            return std::optional<output>(std::move(second_->poll(cx)).value());
        }
    }

private:
    // Outside of a handler: the function may be a coroutine, or wait for one.
    void recover(std::exception_ptr error) {
        first_.reset();
        if constexpr (awaitable_value<returned>) {
            second_.emplace(rouse::into_future(function_(std::move(error))));
        } else if constexpr (std::is_void_v<output>) {
            function_(std::move(error));
            second_.emplace();
        } else {
            second_.emplace(output(function_(std::move(error))));
        }
    }

    std::optional<held_future<Held>> first_;
    Function function_;  // lives as long as the future that it has returned
    std::optional<second> second_;
};

template <class Held, class Function>
class [[nodiscard]] map_error_future {
    static_assert(std::is_invocable_r_v<std::exception_ptr, Function&, std::exception_ptr>,
                  "rouse: map_error: the function takes a std::exception_ptr and returns one");
    using output = output_t<std::remove_reference_t<Held>>;

public:
    template <class X, class Fn>
    map_error_future(std::in_place_t, X&& x, Fn&& function)
        : future_(std::in_place, std::forward<X>(x)), function_(std::forward<Fn>(function)) {}

    poll_result<output> poll(context& cx) {
        return mapped([&] { return future_.poll(cx); });
    }
    cancel_result<output> poll_cancel(context& cx) {
        return mapped([&] { return future_.poll_cancel(cx); });
    }

private:
    template <class Attempt>
    auto mapped(Attempt attempt) {
        std::exception_ptr error;
        try {
            return attempt();
        } catch (...) {
            error = std::current_exception();
        }
        error = function_(std::move(error));
        if (!error) throw_misuse("the function of a map_error returned no exception");
        std::rethrow_exception(std::move(error));
    }

    held_future<Held> future_;
    Function function_;
};

}  // namespace detail

// A function that makes up for whatever the future throws.
//
//     auto page = rouse::catch_all(fetch(url), [](std::exception_ptr) { return page(); });
//     auto mine = rouse::catch_all(fetch(url), [=](std::exception_ptr) { return fetch(mirror); });
//
// `function` is called with the exception, inside of the poll that has it, and returns the value
// instead, or a future of it; what it throws is the result. A value passes by. The function lives
// until the end: a lambda that is a coroutine may use its captures.
// A named future is taken by reference and must outlive this one. Aborted: as the future, or as that
// which the function has returned; if the future fails then, a value is asked for all the same, but
// no second future is begun, and the exception passes by. Threads: as the future. Allocates nothing.
template <class X, class Function>
auto catch_all(X&& x, Function&& function) {
    return detail::catch_all_future<detail::held_t<X>, std::decay_t<Function>>(
        std::in_place, std::forward<X>(x), std::forward<Function>(function));
}

// Another exception in the place of the one that the future throws: `function` takes and returns a
// std::exception_ptr, which must not be null, or throws. Everything else is as with map.
template <class X, class Function>
auto map_error(X&& x, Function&& function) {
    return detail::map_error_future<detail::held_t<X>, std::decay_t<Function>>(
        std::in_place, std::forward<X>(x), std::forward<Function>(function));
}

}  // namespace rouse

#endif
