// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#include <pthread.h>

#include <array>
#include <new>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/prefetch.hpp>
#include <rouse/detail/slab.hpp>
#include <rouse/detail/take_over.hpp>

#if defined(__SANITIZE_ADDRESS__)
#define ROUSE_SLAB_RECYCLES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ROUSE_SLAB_RECYCLES 0
#endif
#endif
#ifndef ROUSE_SLAB_RECYCLES
#define ROUSE_SLAB_RECYCLES 1
#endif

// Each thread has, for every size class, a list of free blocks. A list that grows to `full` gives
// half of itself, as one batch, to the shared depot; an empty list takes a batch from there. So
// memory that one thread always releases and another always allocates goes round in batches, at
// one lock per `batch_size` blocks. All depots together keep at most `depot_limit` bytes, so that a
// burst does not go to the system each time it comes again; what is more goes back.

namespace rouse::detail {

#if ROUSE_SLAB_RECYCLES

namespace {

// With the word that malloc keeps in front of it, a block is a number of whole cache lines.
constexpr std::size_t granule = 64;
constexpr std::size_t in_front = sizeof(std::size_t);
constexpr std::size_t largest = 1024 - in_front;
constexpr std::size_t classes = (largest + in_front) / granule;
constexpr unsigned batch_size = 32;
constexpr unsigned full = 2 * batch_size;
constexpr std::size_t depot_limit = std::size_t{64} << 20;

struct block {
    block* next;
    block* next_batch;  // in the depot, of the first block of a batch
};
static_assert(sizeof(block) <= granule - in_front);

struct free_list {
    block* first = nullptr;
    unsigned count = 0;

    void push(block* b) noexcept {
        b->next = first;
        first = b;
        ++count;
    }
    block* pop() noexcept {
        block* b = first;
        first = b->next;
        --count;
        return b;
    }
};

void release_all(block* first) noexcept {
    while (first) {
        block* next = first->next;
        ::operator delete(first);
        first = next;
    }
}

constinit atomic<std::size_t> depot_bytes{0};  // a sum, read and written relaxed: a limit only

struct depot {
    mutex lock;
    block* batches = nullptr;

    void give(block* batch, std::size_t bytes) noexcept {
        if (depot_bytes.fetch_add(bytes, relaxed) + bytes > depot_limit) {
            depot_bytes.fetch_sub(bytes, relaxed);
            release_all(batch);
            return;
        }
        lock_guard guard(lock);
        batch->next_batch = batches;
        batches = batch;
    }
    block* take(std::size_t bytes) noexcept {
        lock_guard guard(lock);
        block* batch = batches;
        if (batch) {
            batches = batch->next_batch;
            depot_bytes.fetch_sub(bytes, relaxed);
        }
        return batch;
    }

    // If somebody is in the middle of it for ever, what was here is lost, and so much of the limit.
    void begin_in_child() noexcept {
        if (!take_over(lock)) batches = nullptr;
    }
};

constexpr std::size_t batch_bytes(std::size_t size_class) noexcept {
    return (size_class + 1) * granule * batch_size;
}

using depots_of_all = std::array<depot, classes>;

// Never destroyed: threads may end after the static objects of the program have died.
union never_destroyed {
    constexpr never_destroyed() noexcept : all{} {}
    ~never_destroyed() {}
    depots_of_all all;
};
constinit never_destroyed forever;

depots_of_all& depots() noexcept { return forever.all; }

// No memory: a child may hang.
[[maybe_unused]] int const depots_watch_forks = ::pthread_atfork(nullptr, nullptr, [] {
    for (depot& d : depots()) d.begin_in_child();
});

struct thread_cache {
    std::array<free_list, classes> lists{};

    ~thread_cache();
};

thread_local constinit bool cache_is_dead = false;

thread_cache& this_thread_cache() noexcept {
    static thread_local thread_cache cache;
    return cache;
}

thread_cache::~thread_cache() {
    cache_is_dead = true;
    for (std::size_t c = 0; c < classes; ++c) {
        while (lists[c].count >= batch_size) {
            free_list batch;
            for (unsigned i = 0; i < batch_size; ++i) batch.push(lists[c].pop());
            depots()[c].give(batch.first, batch_bytes(c));
        }
        release_all(lists[c].first);
    }
}

// Null when this thread is past the destruction of its cache.
thread_cache* cache() noexcept {
    return cache_is_dead ? nullptr : &this_thread_cache();
}

constexpr std::size_t class_of(std::size_t bytes) noexcept {
    return (bytes + in_front - 1) / granule;
}

}  // namespace

void* slab_allocate(std::size_t bytes) {
    std::size_t const c = class_of(bytes);
    if (c >= classes) return ::operator new(bytes);
    if (thread_cache* mine = cache()) {
        free_list& list = mine->lists[c];
        if (!list.first) {
            list.first = depots()[c].take(batch_bytes(c));
            list.count = list.first ? batch_size : 0;
        }
        if (list.first) {
            void* const memory = list.pop();
            // The next one, which in a burst is in nobody's cache.
            prefetch(list.first, 0, static_cast<std::ptrdiff_t>((c + 1) * granule));
            return memory;
        }
    }
    return ::operator new((c + 1) * granule - in_front);
}

void slab_deallocate(void* memory, std::size_t bytes) noexcept {
    std::size_t const c = class_of(bytes);
    thread_cache* mine = c < classes ? cache() : nullptr;
    if (!mine) {
        ::operator delete(memory);
        return;
    }
    free_list& list = mine->lists[c];
    list.push(::new (memory) block{});
    if (list.count >= full) {
        free_list batch;
        for (unsigned i = 0; i < batch_size; ++i) batch.push(list.pop());
        depots()[c].give(batch.first, batch_bytes(c));
    }
}

#else

void* slab_allocate(std::size_t bytes) { return ::operator new(bytes); }
void slab_deallocate(void* memory, std::size_t) noexcept { ::operator delete(memory); }

#endif

}  // namespace rouse::detail
