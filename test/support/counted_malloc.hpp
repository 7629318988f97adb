// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_COUNTED_MALLOC_HPP
#define ROUSE_TEST_SUPPORT_COUNTED_MALLOC_HPP

#include <malloc.h>

#include <atomic>
#include <cstddef>

// Replaces malloc and its like by functions that count, for programs of one file.

namespace {
std::atomic<unsigned long> counted_calls{0};

void count() noexcept { counted_calls.fetch_add(1, std::memory_order_relaxed); }
}  // namespace

extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t n, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
    count();
    return __libc_malloc(bytes);
}
void* calloc(std::size_t n, std::size_t bytes) {
    count();
    return __libc_calloc(n, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
    count();
    return __libc_realloc(memory, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
    count();
    return __libc_memalign(alignment, bytes);
}
}

#endif
