// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_DETAIL_RANDOM_HPP
#define ROUSE_DETAIL_RANDOM_HPP

#include <cstdint>
#include <rouse/config.hpp>

namespace rouse::detail {

// Random enough to treat the like alike, and no more: Marsaglia's xorshift (2003), one for each thread
// and seeded by nothing but the thread's place in memory.
ROUSE_DECL std::uint32_t random() noexcept;

// 0 to n - 1; n is at least 1.
inline std::uint32_t random_below(std::uint32_t n) noexcept {
    return static_cast<std::uint32_t>(std::uint64_t{random()} * n >> 32);
}

}  // namespace rouse::detail

#endif
