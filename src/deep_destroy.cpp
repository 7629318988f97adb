// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#include <rouse/detail/deep_destroy.hpp>
#include <utility>

namespace rouse::detail {

namespace {
thread_local constinit unsigned depth = 0;
thread_local constinit deeply_owned* doomed = nullptr;  // found below the limit
}  // namespace

void deep_destroy(deeply_owned& object, unsigned limit) noexcept {
    if (depth >= limit) {
        object.next_doomed = std::exchange(doomed, &object);
        return;
    }
    ++depth;
    object.destroy(&object);
    if (depth == recursion_limit) {
        // What this one owned waits in the list; what that owns comes into the list in turn.
        while (deeply_owned* next = doomed) {
            doomed = next->next_doomed;
            next->destroy(next);
        }
    }
    --depth;
}

}  // namespace rouse::detail
