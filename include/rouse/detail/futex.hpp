// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_FUTEX_HPP
#define ROUSE_DETAIL_FUTEX_HPP

#include <chrono>
#include <cstdint>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>

// The only thing in the library that is Linux's own; src/futex.cpp is to be written anew elsewhere.

namespace rouse::detail {

// Sleeps while `word` holds `expected`; may also return for no reason.
ROUSE_DECL void futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected) noexcept;

// The same, until `deadline` at the longest.
ROUSE_DECL void futex_wait_until(atomic<std::uint32_t>& word, std::uint32_t expected,
                                 std::chrono::steady_clock::time_point deadline) noexcept;

// Wakes one thread that sleeps on the word, or all.
ROUSE_DECL void futex_wake_one(atomic<std::uint32_t>& word) noexcept;
ROUSE_DECL void futex_wake_all(atomic<std::uint32_t>& word) noexcept;

}  // namespace rouse::detail

#endif
