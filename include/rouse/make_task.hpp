// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 2
#ifndef ROUSE_MAKE_TASK_HPP
#define ROUSE_MAKE_TASK_HPP

#include <rouse/detail/task_cell.hpp>
#include <rouse/join_handle.hpp>
#include <rouse/runnable.hpp>
#include <rouse/spawnable.hpp>
#include <source_location>
#include <type_traits>
#include <utility>

namespace rouse {

// The two halves of a spawned future.
template <class T>
struct task_halves {
    rouse::runnable runnable;
    join_handle<T> handle;
};

namespace detail {
template <class X>
task_header* make_cell(scheduler& owner, X&& x, bool joined, std::source_location where) {
    using future_type = typename spawned_future<X>::type;
    static_assert(std::is_constructible_v<std::decay_t<X>, X>,
                  "rouse: what is spawned is moved into its task: pass it by value or with "
                  "std::move");
    if constexpr (awaitable_value<X> && !future<std::remove_cvref_t<X>>) {
        return new task_cell<future_type>(rouse::into_future(std::forward<X>(x)), owner, joined, where);
    } else {
        return new task_cell<future_type>(std::forward<X>(x), owner, joined, where);
    }
}
}  // namespace detail

// Makes a task of a future, for executors: `owner` must be given the runnable, as `spawned`.
// If allocation fails it throws std::bad_alloc, and `x` is as the failed move left it.
template <class X>
[[nodiscard]] task_halves<spawned_output_t<X>> make_task(
    scheduler& owner, X&& x, std::source_location where = std::source_location::current()) {
    auto* cell = detail::make_cell(owner, std::forward<X>(x), true, where);
    return {runnable(cell), join_handle<spawned_output_t<X>>(cell)};
}

// The same without a join handle: the task is detached from the start.
template <class X>
[[nodiscard]] runnable make_detached_task(
    scheduler& owner, X&& x, std::source_location where = std::source_location::current()) {
    return runnable(detail::make_cell(owner, std::forward<X>(x), false, where));
}

}  // namespace rouse

#endif
