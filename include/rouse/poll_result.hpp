// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_POLL_RESULT_HPP
#define ROUSE_POLL_RESULT_HPP

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

namespace rouse {

// The tag that a `poll` returns when its future cannot finish yet.
struct pending_t {
    explicit constexpr pending_t() noexcept = default;
};
inline constexpr pending_t pending{};

// What a `poll` whose future has no value returns when it has finished: `return rouse::ready();`
struct ready_t {
    explicit constexpr ready_t() noexcept = default;
};
constexpr ready_t ready() noexcept { return ready_t{}; }

// What `poll` returns: ready with a value, or pending.
//
// It converts implicitly from `pending` and from everything that T converts from, so that
// `return std::nullopt;` works for an optional. T is an object type that can be moved, or void.
// Like any value it may be used by one thread at a time.
template <class T>
class [[nodiscard]] poll_result {
    static_assert(!std::is_reference_v<T>,
                  "rouse: a future's value is an object type or void, never a reference "
                  "(return a pointer or std::reference_wrapper)");
    static_assert(std::is_object_v<T> && std::is_move_constructible_v<T>,
                  "rouse: a future's value must be an object that can be moved");

public:
    using value_type = T;

    constexpr poll_result(pending_t) noexcept {}

    template <class U = T>
        requires(!std::same_as<std::remove_cvref_t<U>, poll_result> &&
                 !std::same_as<std::remove_cvref_t<U>, pending_t> && std::is_convertible_v<U, T>)
    constexpr poll_result(U&& value) : value_(std::in_place, std::forward<U>(value)) {}

    poll_result(poll_result const&) = default;
    poll_result(poll_result&&) = default;
    poll_result& operator=(poll_result const&) = default;
    poll_result& operator=(poll_result&&) = default;
    // Who polls again assigns the next result to the last one, also if T itself cannot be assigned.
    constexpr poll_result& operator=(poll_result&& other)
        requires(!std::is_move_assignable_v<T>)
    {
        if (this == &other) return *this;
        value_.reset();
        if (other.value_) value_.emplace(*std::move(other.value_));
        return *this;
    }

    constexpr bool is_ready() const noexcept { return value_.has_value(); }
    constexpr bool is_pending() const noexcept { return !value_.has_value(); }

    // The value; the result must be ready.
    constexpr T& value() & noexcept { return *value_; }
    constexpr T&& value() && noexcept { return *std::move(value_); }

private:
    std::optional<T> value_;
};

template <>
class [[nodiscard]] poll_result<void> {
public:
    using value_type = void;

    constexpr poll_result(pending_t) noexcept {}
    constexpr poll_result(ready_t) noexcept : ready_(true) {}

    constexpr bool is_ready() const noexcept { return ready_; }
    constexpr bool is_pending() const noexcept { return !ready_; }
    constexpr void value() const noexcept {}

private:
    bool ready_ = false;
};

// What `poll_cancel` returns. Pending: something is still in flight. Ready with nothing (void:
// false): stopped. Ready with a value (void: true): the future had completed after all.
template <class T>
struct cancel_value {
    using type = std::optional<T>;
};
template <>
struct cancel_value<void> {
    using type = bool;
};
template <class T>
using cancel_result = poll_result<typename cancel_value<T>::type>;

}  // namespace rouse

#endif
