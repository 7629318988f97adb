// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_OUTCOME_HPP
#define ROUSE_OUTCOME_HPP

#include <exception>
#include <rouse/error.hpp>
#include <rouse/poll_result.hpp>
#include <type_traits>
#include <utility>
#include <variant>

namespace rouse {

namespace detail {
// A value in a tuple or a variant, where there must be one.
template <class T>
using regular = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

// An exception that was thrown: a future's value may be a std::exception_ptr, too.
struct thrown {
    std::exception_ptr error;
};
}  // namespace detail

// How a future has ended: with a value, with an exception, or with neither, because it was told to
// stop (or left alone) before it had completed. T is an object type; that of a future without value
// is std::monostate. Like any value it may be used by one thread at a time.
template <class T>
class outcome {
public:
    // Stopped.
    outcome() noexcept {}
    explicit outcome(T value) : how_(std::in_place_index<1>, std::move(value)) {}
    explicit outcome(detail::thrown failure) noexcept
        : how_(std::in_place_index<2>, std::move(failure.error)) {}

    bool is_stopped() const noexcept { return how_.index() == 0; }
    bool has_value() const noexcept { return how_.index() == 1; }
    bool has_error() const noexcept { return how_.index() == 2; }
    explicit operator bool() const noexcept { return has_value(); }

    // The exception; null if there is none.
    std::exception_ptr error() const noexcept {
        auto const* e = std::get_if<2>(&how_);
        return e ? *e : nullptr;
    }

    // The value. Throws the exception if there is one, and std::logic_error if it was stopped.
    T& value() & {
        require_value();
        return std::get<1>(how_);
    }
    T&& value() && { return std::move(value()); }

private:
    void require_value() const {
        if (auto const* e = std::get_if<2>(&how_)) std::rethrow_exception(*e);
        if (is_stopped()) detail::throw_misuse("the value of an outcome that has none was asked for");
    }

    std::variant<std::monostate, T, std::exception_ptr> how_;
};

}  // namespace rouse

#endif
