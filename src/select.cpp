// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#include <cstdint>
#include <rouse/select.hpp>

namespace rouse::detail {

unsigned fair_start(unsigned n) noexcept {
    // Xorshift (Marsaglia, 2003): a thread's own, so that selects in step with each other do not
    // always begin alike.
    thread_local constinit std::uint32_t state = 0x9e3779b9U;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return static_cast<unsigned>(std::uint64_t{state} * n >> 32);
}

}  // namespace rouse::detail
