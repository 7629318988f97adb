// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#include <rouse/detail/deep_destroy.hpp>
#include <utility>

namespace rouse::detail {

namespace {

// Of this thread: the destructions of each kind that it is inside of.
struct depths {
    unsigned never_polled = 0;
    unsigned polled_here = 0;
    unsigned moved_since = 0;

    unsigned& of(deeply_owned const& object) noexcept {
        if (!object.polled) return never_polled;
        return object.polled_at != 0 ? polled_here : moved_since;
    }
};
thread_local constinit depths depth;

// What was too deep, for the innermost destruction around it that is of something polled, or was not.
thread_local constinit deeply_owned* doomed_never_polled = nullptr;
thread_local constinit deeply_owned* doomed_polled = nullptr;

// What was never polled and is owned by what was refers to that, perhaps: it counts anew.
void destroy(deeply_owned& object, bool polled) noexcept {
    unsigned const before = depth.never_polled;
    if (polled) depth.never_polled = 0;
    object.destroy(&object);
    depth.never_polled = before;
}

}  // namespace

void deep_destroy(deeply_owned& object) noexcept {
    bool const polled = object.polled;
    deeply_owned*& doomed = polled ? doomed_polled : doomed_never_polled;
    unsigned& mine = depth.of(object);
    if (mine >= object.polled_at + (polled ? recursion_limit_of_polled : recursion_limit)) {
        object.next_doomed = std::exchange(doomed, &object);
        return;
    }
    deeply_owned* const of_those_around = std::exchange(doomed, nullptr);
    ++mine;
    destroy(object, polled);
    // What this one owned waits in the list; what that owns comes into the list in turn.
    while (deeply_owned* next = doomed) {
        doomed = next->next_doomed;
        destroy(*next, polled);
    }
    --mine;
    doomed = of_those_around;
}

}  // namespace rouse::detail
