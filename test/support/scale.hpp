// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_SCALE_HPP
#define ROUSE_TEST_SUPPORT_SCALE_HPP

#include <algorithm>
#include <concepts>
#include <cstdlib>

// How much a test does, and what watches it.

namespace rouse_test {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool tsan = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr bool tsan = true;
#else
inline constexpr bool tsan = false;
#endif
#else
inline constexpr bool tsan = false;
#endif

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool asan = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool asan = true;
#else
inline constexpr bool asan = false;
#endif
#else
inline constexpr bool asan = false;
#endif

inline constexpr bool sanitized = tsan || asan;

// True when the long tests are asked for: tools/test --long, or ROUSE_TEST_LONG set and not empty.
inline bool long_tests() {
    const char* set = std::getenv("ROUSE_TEST_LONG");
    return set != nullptr && *set != '\0';
}

// n when the long tests are asked for, otherwise a tenth of it, and at least 1.
template <std::integral Number>
Number scaled(Number n) {
    return long_tests() ? n : std::max(Number(1), Number(n / 10));
}

} // namespace rouse_test

#endif
