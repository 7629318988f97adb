// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#include <rouse/detail/deep_destroy.hpp>
#include <utility>

namespace rouse::detail {

namespace {

// How many of what was never polled this thread destroys, in one another.
thread_local constinit unsigned destruction_depth = 0;

// What was too deep, for the innermost of those destructions. It has its own list: one for all would be emptied by
// whoever is deepest, one inside of the other.
thread_local constinit deeply_owned* doomed = nullptr;

}  // namespace

void deep_destroy(deeply_owned& object) noexcept {
    if (object.polled) {
        fresh_destruction const counted_anew;
        object.destroy(&object);
        return;
    }
    if (destruction_depth >= recursion_limit) {
        object.next_doomed = std::exchange(doomed, &object);
        return;
    }
    deeply_owned* const of_those_around = std::exchange(doomed, nullptr);
    ++destruction_depth;
    object.destroy(&object);
    while (deeply_owned* const next = doomed) {
        doomed = next->next_doomed;
        next->destroy(next);  // what it owns in turn comes into the list
    }
    --destruction_depth;
    doomed = of_those_around;
}

fresh_destruction::fresh_destruction() noexcept : depth_(std::exchange(destruction_depth, 0)) {}

fresh_destruction::~fresh_destruction() { destruction_depth = depth_; }

}  // namespace rouse::detail
