// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_DETAIL_ATOMIC_HPP
#define ROUSE_DETAIL_ATOMIC_HPP

#include <atomic>
#include <mutex>

// The one place where atomics and mutexes come from. A model checker that explores interleavings
// stands in for these names; nothing else in the library names std::atomic or std::mutex.

namespace rouse::detail {

template <class T>
using atomic = std::atomic<T>;

using mutex = std::mutex;
using lock_guard = std::lock_guard<mutex>;
using unique_lock = std::unique_lock<mutex>;

inline constexpr auto relaxed = std::memory_order_relaxed;
inline constexpr auto acquire = std::memory_order_acquire;
inline constexpr auto release = std::memory_order_release;
inline constexpr auto acq_rel = std::memory_order_acq_rel;
inline constexpr auto seq_cst = std::memory_order_seq_cst;

}  // namespace rouse::detail

#endif
