// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 2
#ifndef ROUSE_DETAIL_TASK_STATE_HPP
#define ROUSE_DETAIL_TASK_STATE_HPP

#include <cstdint>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>

// The life of a spawned task, in one atomic word. This page is the specification.
//
// BITS
//   notified     a runnable exists for the task (idle), or one more poll is due (running)
//   running      somebody holds the right to touch the future
//   complete     the future is destroyed and the output, if anybody wants it, is there; final
//   abort        the task is to be ended; stays set. Set together with notified, so that the
//                runnable that is queued, or the poll that is under way, sees it
//   draining     the future has been asked to let go; poll is not called any more
//   join         a join handle exists
//   join_waker   the handle's waker is published: until this bit is gone, or the task complete, the
//                field belongs to nobody; at completion it belongs to the completing thread
//   references   the rest of the word
// The task's four states:  WAITING = neither notified nor running; POLLING = one of the two;
// REPOLL = both; COMPLETE.  Whether a cooperative cancel was requested stands in the task's
// cancellation_state, which futures see without knowing of tasks.
//
// REFERENCES  one each: the runnable (queued or being run), every waker, the join handle. The list
// of an executor's tasks holds none: under its lock a task in the list is alive, since a task
// leaves the list before its last reference goes.
//
// WHO MAY TOUCH WHAT
//   the future      whoever set running, or destroys the runnable
//   the output      the completing thread; after complete: the join handle if join was set at that
//                   moment, else the completing thread
//   the join waker  join_waker clear and not complete: the handle. Set: nobody, until the
//                   completing thread sets complete and takes it, or the handle clears the bit.
//
// TRANSITIONS (from, event -> to; duty of the caller)
//   WAITING   wake          -> POLLING   a reference becomes the runnable: schedule it
//   POLLING*  wake          -> POLLING   nothing (*notified; memory is published all the same)
//   POLLING** wake          -> REPOLL    nothing (**running): the poller sees it
//   COMPLETE  wake          -> COMPLETE  nothing
//   POLLING*  run           -> POLLING** poll, or drain if abort is set
//   POLLING** pending       -> WAITING   the runnable's reference is given up
//             ... the last  -> POLLING** with abort, `orphaned`: nobody can wake it any more: drain
//                           it, and if it is an orphan then too, destroy it
//   REPOLL    pending       -> POLLING** poll again, at once: a bounded number of times,
//                           -> POLLING*  then reschedule at the back
//   POLLING** yield         -> POLLING*  reschedule at the back
//   POLLING** ready         -> COMPLETE  output: to the handle, or destroy it; wake the joiner
//   WAITING   abort         -> POLLING*  schedule it (one more reference)
//   POLLING, REPOLL abort   -> the same with notified and abort
//   WAITING   last reference dropped -> POLLING* with abort: schedule it, so that the future dies
//                           on its executor and not inside whoever dropped a waker
//   COMPLETE  last reference dropped -> free the memory

namespace rouse::detail {

class ROUSE_DECL task_state {
public:
    enum class start { poll, drain };
    enum class idle { parked, again, orphaned };
    enum class completion { nobody, handle, waker };
    enum class duty { nothing, schedule, deallocate };
    enum class join_step { done, complete };

    // A new task: a runnable for it exists, and a join handle if `joined`.
    explicit task_state(bool joined) noexcept
        : word_(joined ? notified | join | 2 * reference : notified | reference) {}

    task_state(task_state const&) = delete;
    task_state& operator=(task_state const&) = delete;

    // The runnable is being run (or destroyed unrun): its holder now has the future.
    [[nodiscard]] start to_running() noexcept;

    // The poll returned pending. `again`: woken meanwhile, still running; notified is cleared.
    [[nodiscard]] idle to_idle() noexcept;

    // Still running after a pending poll: hands the right to run to a runnable, which the caller
    // schedules.
    void to_rescheduled() noexcept;

    // From here on only poll_cancel is called.
    void to_draining() noexcept;

    // The future is gone and the output is stored. `waker`: take the joiner's waker out and wake
    // it. `nobody`: destroy the output. The caller still has the runnable's reference.
    [[nodiscard]] completion to_complete() noexcept;

    // A waker wakes and is consumed; wakes and stays; is dropped; is cloned.
    [[nodiscard]] duty wake() noexcept;
    [[nodiscard]] duty wake_by_ref() noexcept;
    [[nodiscard]] duty drop() noexcept;
    void retain() noexcept;

    [[nodiscard]] duty to_aborting() noexcept;

    // The handle publishes its waker, or takes it back; `complete`: too late, it is complete.
    [[nodiscard]] join_step publish_join_waker() noexcept;
    [[nodiscard]] join_step withdraw_join_waker() noexcept;

    // The handle goes. `complete`: the output was its own to destroy. Its reference stays.
    [[nodiscard]] join_step disown() noexcept;

    bool is_complete() const noexcept { return (word_.load(acquire) & complete) != 0; }
    bool is_aborting() const noexcept { return (word_.load(acquire) & abort) != 0; }
    bool is_draining() const noexcept { return (word_.load(acquire) & draining) != 0; }
    std::uint64_t references() const noexcept { return word_.load(acquire) / reference; }

    // For the test of the overflow check.
    void set_references(std::uint64_t count) noexcept;

private:
    static constexpr std::uint64_t notified = 1;
    static constexpr std::uint64_t running = 2;
    static constexpr std::uint64_t complete = 4;
    static constexpr std::uint64_t abort = 8;
    static constexpr std::uint64_t draining = 16;
    static constexpr std::uint64_t join = 32;
    static constexpr std::uint64_t join_waker = 64;
    static constexpr std::uint64_t reference = 256;
    static constexpr std::uint64_t overflow = std::uint64_t{1} << 63;

    atomic<std::uint64_t> word_;
};

}  // namespace rouse::detail

#endif
