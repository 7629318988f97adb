// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#include <rouse/detail/random.hpp>

namespace rouse::detail {

std::uint32_t random() noexcept {
    thread_local constinit std::uint32_t state = 0;
    if (state == 0)  // it never is again
        state = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(&state) >> 4) | 1U;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

}  // namespace rouse::detail
