// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_DETAIL_PREFETCH_HPP
#define ROUSE_DETAIL_PREFETCH_HPP

#include <cstddef>
#include <cstdint>

namespace rouse::detail {

// Asks for the cache lines from `from` up to `to`, in bytes from `base`, which will be written soon. The
// address may be anything, also null.
// (Inlined by force: GCC takes a function that only prefetches for one without effect, and drops its calls.)
[[gnu::always_inline]] inline void prefetch(void const* base, std::ptrdiff_t from,
                                            std::ptrdiff_t to) noexcept {
    constexpr std::ptrdiff_t line = 64;
    for (std::ptrdiff_t by = from; by < to; by += line)
        __builtin_prefetch(
            reinterpret_cast<void const*>(reinterpret_cast<std::intptr_t>(base) + by), 1, 2);
}

}  // namespace rouse::detail

#endif
