// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_DETAIL_TAKE_OVER_HPP
#define ROUSE_DETAIL_TAKE_OVER_HPP

#include <new>
#include <rouse/detail/atomic.hpp>

namespace rouse::detail {

// In a child of fork, by the one thread that it has, for a lock of the process. No lock is taken before the fork:
// that could wait for whoever forks. So another thread of the parent was in the middle of it, perhaps, and holds it
// for ever. False: then the lock begins anew, and what it guards may be half written.
[[nodiscard]] inline bool take_over(mutex& lock) noexcept {
    if (lock.try_lock()) {
        lock.unlock();
        return true;
    }
    ::new (static_cast<void*>(&lock)) mutex;
    return false;
}

}  // namespace rouse::detail

#endif
