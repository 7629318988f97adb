// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_DETAIL_TASK_REGISTRY_HPP
#define ROUSE_DETAIL_TASK_REGISTRY_HPP

#include <boost/asio/execution_context.hpp>
#include <cstdint>
#include <rouse/detail/abi.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/intrusive_list.hpp>
#include <rouse/detail/task_cell.hpp>
#include <rouse/detail/work_item.hpp>
#include <rouse/paused_clock.hpp>
#include <rouse/runnable.hpp>

namespace rouse::detail {

namespace asio = boost::asio;

// The tasks that live on executors of one Asio execution context. When the context shuts down they
// end as aborted, in the thread that destroys it, and wakes that come later do nothing. Counted:
// schedulers hold it beyond the context.
//
// Shutdown, in order:
//   1. closed: no task enters the list, and no runnable goes to an executor of the context any more;
//   2. wait until the threads that are handing one over at this moment are done with it;
//   3. each task that is parked is ended; one that is queued ends when the context destroys its
//      queue. What user code spawns meanwhile is refused, and ends as aborted as well;
//   4. wait for tasks that another thread has in its hands, and end these as well.
//
// Step 4, as a story: thread W wakes a parked task, and so holds its runnable. Before W gets to hand
// it over, thread S closes the registry. If W destroyed the task, the sockets in it would die on W
// while S destroys the reactor that they belong to. So W surrenders it, which runs no user code, and
// S, which has found a task that is neither parked nor with the executor, waits for it.
class ROUSE_DECL task_registry {
public:
    // Made when a context is first used; it is a service of the context.
    static task_registry& of(asio::execution_context& context);

    void retain() noexcept { references_.fetch_add(1, relaxed); }  // the caller has a reference
    void release() noexcept;

    // False: closed.
    [[nodiscard]] bool enter(task_header& task) noexcept;
    void leave(task_header& task) noexcept;

    // Around each use of the context's executors. False: closed; what was to be handed over must be
    // surrendered. Between the two the task is marked as being with its executor, and unmarked when
    // it leaves that, both by the holder of the runnable.
    [[nodiscard]] bool begin_use() noexcept;
    void end_use() noexcept;
    static void mark_with_executor(task_header& task, bool with) noexcept { task.shard = with; }

    // In a registry that is closed: the task ends in the thread that shuts down.
    void surrender(runnable task) noexcept;

    void shut_down() noexcept;

    // What the timers of its tasks wait for, from their spawn on; null: the steady clock.
    atomic<paused_clock*> clock{nullptr};

private:
    task_registry() noexcept = default;
    ~task_registry() = default;
    friend class task_registry_service;

    static constexpr std::uint32_t closed = std::uint32_t{1} << 31;

    atomic<std::uint32_t> references_{1};
    atomic<std::uint32_t> users_{0};  // and the bit `closed`
    mutex lock_;
    intrusive_list<task_header> tasks_;
    work_list surrendered_;
};

}  // namespace rouse::detail

#endif
