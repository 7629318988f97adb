// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 2
#ifndef ROUSE_THIS_TASK_HPP
#define ROUSE_THIS_TASK_HPP

#include <chrono>
#include <cstdint>
#include <rouse/cancellation.hpp>
#include <rouse/error.hpp>
#include <rouse/make_task.hpp>

// The task that is being polled by the calling thread.
namespace rouse::this_task {

// Gives everybody else who is ready a turn: completes at the second poll, which the executor makes
// after polling the others. Allocates nothing; dropped while pending, nothing is lost.
class [[nodiscard]] yield_now {
public:
    yield_now() noexcept {}

    poll_result<void> poll(context& cx) noexcept {
        if (yielded_) return ready();
        yielded_ = true;
        cx.yield();
        return pending;
    }

private:
    bool yielded_ = false;
};

// The number of the current task, unique in the process, from 1; 0 outside of a task.
inline std::uint64_t id() noexcept {
    auto const* task = detail::current_task();
    return task ? task->id : 0;
}

// The cancellation of the current task: what was requested, masks, `clear`. Inside of a future to which
// with_cancellation has given a token, that of this future. Outside of a task it throws
// std::logic_error. It lives as long as there is a waker or a handle of the task, or as long as that
// future. In block_on, where nobody can request anything, it is that of the call.
inline cancellation_state& cancellation() {
    auto* poll = detail::current_root();
    if (!poll) detail::throw_misuse("this_task::cancellation was called outside of a task");
    return *poll->cancellation;
}

// Throws what a cancelled operation gives, system_error with operation_aborted, if something was
// requested that is not masked: for long computations between two awaits. Outside of a task it throws
// std::logic_error.
inline void throw_if_cancelled() {
    if (cancellation().requested() != cancellation_type::none) detail::throw_cancelled();
}

// When a request to cancel will come because the time is up (with_deadline); time_point::max() if there is
// no limit. It is that of the runtime's clock. Outside of a task it throws std::logic_error.
inline std::chrono::steady_clock::time_point deadline() { return cancellation().deadline(); }

// While it lives, requests of those types are not seen: what is awaited meanwhile runs to its end. They
// are kept, and seen afterwards.
//
//     rouse::this_task::cancellation_mask const shield;
//     co_await connection.async_shutdown(rouse::use_poll);
//
// Any number may live at a time, and they may end in any order. They hide requests from the whole task, and from the
// groups that it has: shielded() hides them from one future. One that is made in a with_cancellation, with_deadline or
// shielded, or in a task of a group, masks in that: once it is over, and the coroutine is polled by somebody else in the
// same task, it masks nothing.
// It is destroyed by the task that made it. Outside of a task it throws std::logic_error.
class [[nodiscard]] cancellation_mask {
public:
    explicit cancellation_mask(cancellation_type types = cancellation_type::all)
        : holder_(cancellation(), types) {}

private:
    detail::mask_holder holder_;
};

// Spawns on the executor of the current task. Outside of a task it throws std::logic_error.
// Otherwise as make_task.
template <class X>
[[nodiscard]] join_handle<spawned_output_t<X>> spawn(
    X&& x, std::source_location where = std::source_location::current()) {
    auto const* self = detail::current_task();
    if (!self) detail::throw_misuse("this_task::spawn was called outside of a task");
    scheduler& owner = *self->owner;
    auto [runnable, handle] = make_task(owner, std::forward<X>(x), where);
    owner.schedule(std::move(runnable), schedule_reason::spawned);
    return std::move(handle);
}

// The same without a handle.
template <class X>
void spawn_ok(X&& x, std::source_location where = std::source_location::current()) {
    auto const* self = detail::current_task();
    if (!self) detail::throw_misuse("this_task::spawn_ok was called outside of a task");
    scheduler& owner = *self->owner;
    owner.schedule(make_detached_task(owner, std::forward<X>(x), where), schedule_reason::spawned);
}

}  // namespace rouse::this_task

#endif
