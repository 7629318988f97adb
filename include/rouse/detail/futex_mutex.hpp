// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_FUTEX_MUTEX_HPP
#define ROUSE_DETAIL_FUTEX_MUTEX_HPP

#include <cstdint>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/futex.hpp>

namespace rouse::detail {

// A mutex for sections of a few instructions that hardly ever meet: one exchange to lock it and one to
// unlock it, inline, where std::mutex makes two calls (Drepper, "Futexes Are Tricky", mutex 2).
//
//   free       lock: -> held
//   held       unlock: -> free                 lock: -> contended, sleep
//   contended  unlock: -> free, wake one       lock: sleep; who gets it leaves it contended, as others
//              may sleep still
class futex_mutex {
public:
    futex_mutex() noexcept = default;
    futex_mutex(futex_mutex const&) = delete;
    futex_mutex& operator=(futex_mutex const&) = delete;

    void lock() noexcept {
        std::uint32_t expected = free;
        // acquire: pairs with unlock(), as does every other change to `held` or `contended`
        if (!state_.compare_exchange_strong(expected, held, acquire, relaxed)) lock_contended();
    }
    void unlock() noexcept {
        if (state_.exchange(free, release) == contended) futex_wake_one(state_);
    }

private:
    static constexpr std::uint32_t free = 0;
    static constexpr std::uint32_t held = 1;
    static constexpr std::uint32_t contended = 2;

    ROUSE_DECL void lock_contended() noexcept;

    atomic<std::uint32_t> state_{free};
};

class futex_guard {
public:
    explicit futex_guard(futex_mutex& m) noexcept : mutex_(m) { m.lock(); }
    futex_guard(futex_guard const&) = delete;
    futex_guard& operator=(futex_guard const&) = delete;
    ~futex_guard() { mutex_.unlock(); }

private:
    futex_mutex& mutex_;
};

}  // namespace rouse::detail

#endif
