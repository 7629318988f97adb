// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#include <rouse/detail/deep_destroy.hpp>
#include <utility>

namespace rouse::detail {

namespace {

// Of the destructions that this thread is inside of:
struct place {
    unsigned never_polled = 0;  // how many, since the nearest one that was
    unsigned polled_at = 0;     // how deep that was polled
    unsigned breaks = 0;        // how many were polled no deeper than what owns them
};
thread_local constinit place here;

// What was too deep, for the innermost destruction around it that is of something polled, or was not.
thread_local constinit deeply_owned* doomed_never_polled = nullptr;
thread_local constinit deeply_owned* doomed_polled = nullptr;

// What this one owned waits in the list; what that owns comes into the list in turn.
void destroy_all(deeply_owned*& doomed) noexcept {
    while (deeply_owned* next = doomed) {
        doomed = next->next_doomed;
        if (next->polled_at != 0) here.polled_at = next->polled_at;
        next->destroy(next);
    }
}

bool too_deep(deeply_owned const& object) noexcept {
    if (object.polled_at == 0) return here.never_polled >= recursion_limit;
    return object.polled_at <= here.polled_at && here.breaks >= recursion_limit_of_polled;
}

void go_into(deeply_owned const& object) noexcept {
    if (object.polled_at == 0) {
        ++here.never_polled;
    } else {
        here = {0, object.polled_at, here.breaks + (object.polled_at <= here.polled_at)};
    }
}

}  // namespace

void deep_destroy(deeply_owned& object) noexcept {
    deeply_owned*& doomed = object.polled_at != 0 ? doomed_polled : doomed_never_polled;
    if (too_deep(object)) {
        object.next_doomed = std::exchange(doomed, &object);
        return;
    }
    deeply_owned* const of_those_around = std::exchange(doomed, nullptr);
    place const around = here;
    go_into(object);
    object.destroy(&object);
    destroy_all(doomed);
    here = around;
    doomed = of_those_around;
}

fresh_destruction::fresh_destruction(what w) noexcept
    : never_polled_(here.never_polled), polled_at_(here.polled_at), breaks_(here.breaks) {
    here.never_polled = 0;
    if (w == what::everything) here = {};
}

fresh_destruction::~fresh_destruction() { here = {never_polled_, polled_at_, breaks_}; }

}  // namespace rouse::detail
