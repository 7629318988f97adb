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

    // Of the pool, and of what it shares with others.
    before_push,             // the newest item of an inbox was read, and is not yet replaced
    registering,             // a registration has an atomic_waker, and not yet stored its own
    registered,              // it has, and has not yet left
    waking,                  // a wake has an atomic_waker, and has not yet taken what is there
    thief_has_seen,          // how much there is, and has not claimed his half
    thief_has_copied,        // his half, and has not given its places back
    before_last_look,        // a worker counts as parked, and has not looked into the queues since
    no_token_yet,            // a thread has found none, and is not yet marked as asleep
    before_futex,            // a thread is marked as asleep, and does not sleep yet
    before_futex_wake,       // its token is there, and it has not been woken yet
    back_from_event_loop,    // a worker is out of the event loop, and still marked as inside
    seat_taken,              // it has the driver's seat, and is still listed as asleep elsewhere
    before_seat_is_left,     // the other way round
    lifo_filled,             // something is in a LIFO slot, and nobody has been asked to watch it
    last_worker_is_out,      // no worker is left, and whoever waits for that has not been told
    task_entered,            // a task is in the pool's list, and in no queue yet
    pushed_from_outside,     // an item may run, and whoever brought it is still inside
    stop_begun,              // the pool is stopping, and its lists are still open
    before_finish,           // nothing is left, and the shared queue is still open
    count,
};

}  // namespace rouse::detail

#if defined(ROUSE_HOOK)
namespace rouse::detail {
void hook_reached(hook) noexcept;
}  // namespace rouse::detail
#define ROUSE_AT(place) ::rouse::detail::hook_reached(::rouse::detail::hook::place)
#else
#define ROUSE_AT(place) static_cast<void>(0)
#endif

#endif
