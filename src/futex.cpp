// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <linux/futex.h>
#include <rouse/detail/futex.hpp>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

namespace rouse::detail {

namespace {

long futex(atomic<std::uint32_t>& word, int operation, std::uint32_t value, timespec const* time) {
    return ::syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, time, nullptr,
                     FUTEX_BITSET_MATCH_ANY);
}

}  // namespace

static_assert(sizeof(atomic<std::uint32_t>) == sizeof(std::uint32_t));

// A failed call is EAGAIN (the word has changed), EINTR or ETIMEDOUT: each is a return for no
// reason, and the caller looks at the word again.

void futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected) noexcept {
    futex(word, FUTEX_WAIT, expected, nullptr);
}

void futex_wait_until(atomic<std::uint32_t>& word, std::uint32_t expected,
                      std::chrono::steady_clock::time_point deadline) noexcept {
    using std::chrono::nanoseconds;
    // FUTEX_WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC, which is the steady clock.
    auto const since = std::max<nanoseconds>(deadline.time_since_epoch(), nanoseconds::zero());
    auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
    timespec time{};
    time.tv_sec = static_cast<time_t>(seconds.count());
    time.tv_nsec = static_cast<long>((since - seconds).count());
    futex(word, FUTEX_WAIT_BITSET, expected, &time);
}

void futex_wake_one(atomic<std::uint32_t>& word) noexcept {
    futex(word, FUTEX_WAKE, 1, nullptr);
}

void futex_wake_all(atomic<std::uint32_t>& word) noexcept {
    futex(word, FUTEX_WAKE, std::numeric_limits<int>::max(), nullptr);
}

}  // namespace rouse::detail
