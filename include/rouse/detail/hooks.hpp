// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_DETAIL_HOOKS_HPP
#define ROUSE_DETAIL_HOOKS_HPP

// The places where a stress build injects delays: between two steps of a protocol whose order
// another thread may observe. Empty unless a test compiles the library's sources with
// ROUSE_HOOK(place) defined; `place` is one of the enumerators.

namespace rouse::detail {

enum class hook {
    before_schedule,     // a wake has won the right to queue the task, and has not queued it yet
    after_poll,          // a poll has returned pending, and the task is still marked running
    before_join_waker,   // a join handle has stored its waker, and has not published it yet
    after_completion,    // the task is complete, and its joiner not yet woken
    before_inbox_wake,   // a function is in an inbox, and its owner not yet woken
    before_drop,         // the last reference is about to go
};

}  // namespace rouse::detail

#if defined(ROUSE_HOOK)
namespace rouse::detail {
void hook_reached(hook) noexcept;
}
#define ROUSE_AT(place) ::rouse::detail::hook_reached(::rouse::detail::hook::place)
#else
#define ROUSE_AT(place) static_cast<void>(0)
#endif

#endif
