// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_FAULT_NEW_HPP
#define ROUSE_TEST_SUPPORT_FAULT_NEW_HPP

#include <rouse/detail/slab.hpp>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

// Replaces the operators new and delete of a test program, and aligned_alloc: for one file of it.
// The nth allocation of a thread, or of all others, fails on demand. (Array forms come here by way
// of the library's own. So would the nothrow form, but AddressSanitizer has one that does not.)
// ThreadSanitizer has operators of its own, which Clang does not let a program replace: then
// ROUSE_TEST_REPLACES_NEW is 0, and this file is empty.

#define ROUSE_TEST_REPLACES_NEW 1
#if defined(__SANITIZE_THREAD__)
#undef ROUSE_TEST_REPLACES_NEW
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#undef ROUSE_TEST_REPLACES_NEW
#endif
#endif
#ifndef ROUSE_TEST_REPLACES_NEW
#define ROUSE_TEST_REPLACES_NEW 0
#endif

#if ROUSE_TEST_REPLACES_NEW

namespace rouse_test {

namespace fault {
inline thread_local constinit unsigned countdown = 0;  // 0: nothing fails
inline thread_local constinit unsigned long allocations = 0;

// Of all threads but those that are spared.
inline thread_local constinit bool spared = false;
inline constinit std::atomic<unsigned long> first{0};  // 0: nothing fails
inline constinit std::atomic<unsigned long> last{0};
inline constinit std::atomic<unsigned long> made{0};

inline void count() {
    ++allocations;
    if (countdown != 0 && --countdown == 0) throw std::bad_alloc();
    unsigned long const from = first;
    if (from == 0 || spared) return;
    unsigned long const number = ++made;
    if (number >= from && number <= last) throw std::bad_alloc();
}
}  // namespace fault

// How often this thread has called operator new.
inline unsigned long allocations() noexcept { return fault::allocations; }

// While it lives, the nth allocation of this thread fails; those after it succeed.
class failing_allocation {
public:
    explicit failing_allocation(unsigned nth) noexcept { fault::countdown = nth; }
    failing_allocation(failing_allocation const&) = delete;
    failing_allocation& operator=(failing_allocation const&) = delete;
    ~failing_allocation() { fault::countdown = 0; }

    bool reached() const noexcept { return fault::countdown == 0; }
};

// While it lives, the nth allocation of all other threads together fails, and so many of those that
// follow. One at a time.
class failing_elsewhere {
public:
    explicit failing_elsewhere(unsigned long nth, unsigned long more = 0) noexcept {
        fault::spared = true;
        fault::made = 0;
        fault::last = nth + more;
        fault::first = nth;
    }
    failing_elsewhere(failing_elsewhere const&) = delete;
    failing_elsewhere& operator=(failing_elsewhere const&) = delete;
    ~failing_elsewhere() {
        fault::first = 0;
        fault::spared = false;
    }

    bool reached() const noexcept { return fault::made >= fault::first; }
};

// Holds everything that the slab has in store for this thread, so that its next allocation of any
// size asks operator new.
class empty_slab {
public:
    empty_slab() {
        for (std::size_t c = 0; c < classes; ++c) {
            for (;;) {
                unsigned long const before = allocations();
                void* const memory = rouse::detail::slab_allocate(size_of(c));
                held_[c] = ::new (memory) block{held_[c]};
                if (allocations() != before) break;
            }
        }
    }
    empty_slab(empty_slab const&) = delete;
    empty_slab& operator=(empty_slab const&) = delete;
    ~empty_slab() {
        for (std::size_t c = 0; c < classes; ++c) {
            while (block* const first = held_[c]) {
                held_[c] = first->next;
                rouse::detail::slab_deallocate(first, size_of(c));
            }
        }
    }

private:
    static constexpr std::size_t classes = 16;
    // The largest of a class of the slab.
    static constexpr std::size_t size_of(std::size_t c) noexcept {
        return (c + 1) * 64 - sizeof(std::size_t);
    }
    struct block {
        block* next;
    };
    block* held_[classes] = {};
};

}  // namespace rouse_test

// noinline: a compiler that sees malloc and free through them warns that the pairs do not match.

[[gnu::noinline]] void* operator new(std::size_t bytes) {
    rouse_test::fault::count();
    if (void* memory = std::malloc(bytes ? bytes : 1)) return memory;
    throw std::bad_alloc();
}

[[gnu::noinline]] void* operator new(std::size_t bytes, std::nothrow_t const&) noexcept try {
    return operator new(bytes);
} catch (std::bad_alloc const&) {
    return nullptr;
}

[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
    auto const a = static_cast<std::size_t>(alignment);
    // Counted there.
    if (void* memory = std::aligned_alloc(a, (bytes + a - 1) / a * a)) return memory;
    throw std::bad_alloc();
}

[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}

// Asio's own memory, for what has no allocator associated with it.
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept try {
    rouse_test::fault::count();
    void* memory = nullptr;
    return posix_memalign(&memory, alignment, bytes) == 0 ? memory : nullptr;
} catch (std::bad_alloc const&) {
    return nullptr;
}

#endif

#endif
