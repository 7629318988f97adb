// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_DETAIL_SLAB_ALLOCATOR_HPP
#define ROUSE_DETAIL_SLAB_ALLOCATOR_HPP

#include <cstddef>
#include <limits>
#include <new>
#include <rouse/detail/slab.hpp>

namespace rouse::detail {

// The slab as a standard allocator. It has no state, so its copies may outlive everything.
template <class T>
struct slab_allocator {
    using value_type = T;

    slab_allocator() noexcept = default;
    template <class U>
    slab_allocator(slab_allocator<U> const&) noexcept {}

    T* allocate(std::size_t n) {
        static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
        if (n > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_array_new_length();
        return static_cast<T*>(slab_allocate(n * sizeof(T)));
    }
    void deallocate(T* memory, std::size_t n) noexcept { slab_deallocate(memory, n * sizeof(T)); }

    template <class U>
    bool operator==(slab_allocator<U> const&) const noexcept {
        return true;
    }
};

template <>
struct slab_allocator<void> {
    using value_type = void;

    slab_allocator() noexcept = default;
    template <class U>
    slab_allocator(slab_allocator<U> const&) noexcept {}
    template <class U>
    bool operator==(slab_allocator<U> const&) const noexcept {
        return true;
    }
};

}  // namespace rouse::detail

#endif
