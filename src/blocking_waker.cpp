// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <cstdint>
#include <new>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/blocking_waker.hpp>
#include <rouse/detail/parker.hpp>
#include <rouse/detail/slab.hpp>
#include <rouse/detail/task_cell.hpp>
#include <rouse/detail/worker.hpp>
#include <rouse/error.hpp>

namespace rouse::detail {

namespace {

struct counted_parker {
    parker sleeper;
    atomic<std::uint32_t> references{1};

    static void drop(void* data) {
        auto* self = static_cast<counted_parker*>(data);
        // release: what this owner did; acquire: what the others did, before the memory goes
        if (self->references.fetch_sub(1, acq_rel) == 1) {
            self->~counted_parker();
            slab_deallocate(self, sizeof(counted_parker));
        }
    }
};

counted_parker& counted(void* data) noexcept { return *static_cast<counted_parker*>(data); }

constexpr waker_vtable thread_waker{
    [](void* data) -> void* {
        counted(data).references.fetch_add(1, relaxed);  // the caller has a reference
        return data;
    },
    [](void* data) {
        counted(data).sleeper.unpark();
        counted_parker::drop(data);
    },
    [](void* data) { counted(data).sleeper.unpark(); },
    &counted_parker::drop,
    "rouse block_on",
};

}  // namespace

void refuse_to_block(char const* what) {
    if (current_task() || worker::current()) throw_error(errc::blocking_in_worker, what);
}

blocking_waker::blocking_waker()
    : waker_(::new (slab_allocate(sizeof(counted_parker))) counted_parker, thread_waker) {}

void blocking_waker::wait() noexcept {
    parker& sleeper = counted(waker_.data()).sleeper;
    while (!sleeper.park_until(std::chrono::steady_clock::now() + longest_sleep)) {
    }
}

}  // namespace rouse::detail
