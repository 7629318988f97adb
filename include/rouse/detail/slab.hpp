// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_DETAIL_SLAB_HPP
#define ROUSE_DETAIL_SLAB_HPP

#include <cstddef>
#include <rouse/config.hpp>

namespace rouse::detail {

// Recycled memory for task cells, coroutine frames and operations: in steady state an allocation is
// a pop from a list of this thread's, and a release a push, also when one thread always allocates
// and another always releases (surplus moves between threads in batches).
//
// Sizes are rounded up to a multiple of 64 bytes less the word that malloc keeps in front of a block;
// above 1016, and under AddressSanitizer (which could not see a use after free otherwise), it is
// operator new. Aligned to 16 bytes. Any thread, also while the thread's own thread-locals are being
// destroyed.

// Throws std::bad_alloc.
ROUSE_DECL void* slab_allocate(std::size_t bytes);

// `bytes` is what was asked for.
ROUSE_DECL void slab_deallocate(void* memory, std::size_t bytes) noexcept;

}  // namespace rouse::detail

#endif
