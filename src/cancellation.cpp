// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#include <rouse/context.hpp>
#include <rouse/error.hpp>

namespace rouse {

// Numbers are handed out to threads in blocks. They begin anew after a million, and each next one is far away from the
// last (by the golden ratio: Knuth, volume 3, 6.4), since a state that changes often goes through those beside its own.
[[gnu::noinline]] std::uint32_t cancellation_state::begin_changes() noexcept {
    asm volatile("" ::: "memory");  // the thread may have changed since the caller's last call
    constexpr std::uint32_t block = 1024;
    static constinit detail::atomic<std::uint32_t> blocks{0};
    thread_local constinit std::uint32_t next = 0;
    if (next % block == 0) next = blocks.fetch_add(1, detail::relaxed) * block;
    return ++next * 0x9E3779B1U * changes_apart;
}

bool detail::may_begin(context& cx) {
    if (cx.cancellation().requested() == cancellation_type::none) return true;
    if (!cx.spend()) return false;
    throw_cancelled();
}

}  // namespace rouse
