// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 2
#ifndef ROUSE_SCHEDULER_HPP
#define ROUSE_SCHEDULER_HPP

#include <exception>
#include <rouse/context.hpp>
#include <rouse/unhandled.hpp>
#include <source_location>

namespace rouse {

class runnable;
namespace detail {
struct task_header;
}

// A task as its executor sees it, from its first `schedule` until `task_done`. Its address is its
// identity; request_abort() ends it, and may be called under the lock of the executor's list of
// tasks.
using task_header = detail::task_header;

// Why a task is to be polled: an executor may treat them differently, or all alike.
enum class schedule_reason {
    spawned,  // its first poll; the executor hears of the task for the first time
    woken,    // somebody woke it
    yielded,  // it had its turn and wants another: after everybody who is ready now
};

// The part of an executor that tasks know: where a runnable goes when its task is to be polled.
// To write an executor, derive from it, keep the runnables in a queue, and run them in a loop.
//
// A scheduler must live until `task_done` was called for each of its tasks; wakers and join handles
// that outlive that moment do not touch it any more.
class ROUSE_DECL scheduler {
public:
    // Takes the runnable; it is to be run, once, on a thread of the executor's choice, but never
    // inside this call. Called by any thread, under no lock of this library. To destroy it instead
    // ends the task as aborted, in the destroying thread.
    virtual void schedule(runnable task, schedule_reason why) noexcept = 0;

    // The task's future is destroyed: the last call for this task.
    virtual void task_done(task_header&) noexcept {}

    // An exception that nobody waits for has left a task that was spawned at `where`. By default:
    // report_unhandled.
    virtual void unhandled_exception(std::exception_ptr error, std::source_location where) noexcept;

    // True once every task is being told to end: from then on it is no news that one was cancelled.
    virtual bool stopping() const noexcept { return false; }

    // What the tasks' contexts offer; null: nothing.
    virtual services* offered() noexcept { return nullptr; }

protected:
    ~scheduler() = default;
};

}  // namespace rouse

#endif
