// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <rouse/detail/futex_mutex.hpp>

namespace rouse::detail {

void futex_mutex::lock_contended() noexcept {
    // Whoever holds it is done within some nanoseconds, unless the system has taken its processor away.
    for (int looks = 0; looks < 100; ++looks) {
        std::uint32_t expected = free;
        if (state_.load(relaxed) == free &&
            state_.compare_exchange_weak(expected, held, acquire, relaxed))
            return;
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    }
    while (state_.exchange(contended, acquire) != free) futex_wait(state_, contended);
}

}  // namespace rouse::detail
