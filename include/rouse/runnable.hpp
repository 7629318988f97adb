// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 2
#ifndef ROUSE_RUNNABLE_HPP
#define ROUSE_RUNNABLE_HPP

#include <cstdint>
#include <rouse/detail/task_cell.hpp>
#include <utility>

namespace rouse {

// The executor's half of a spawned future: the right to poll it once more. At most one exists for
// a task at any time.
//
// Movable to any thread. Destroyed without having been run (because an executor ends) it ends its
// task as aborted, in the destroying thread: the future is destroyed there, and the joiner told.
class [[nodiscard]] runnable {
public:
    // By executors: the right that `release` gave up, or that a task's own list implies.
    explicit runnable(task_header* task) noexcept : task_(task) {}

    runnable(runnable&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
    runnable& operator=(runnable&& other) noexcept {
        std::swap(task_, other.task_);
        return *this;
    }
    ~runnable() {
        if (task_) task_->end_unrun();
    }

    // Polls the task. If it is woken meanwhile it is polled again, a few times at once and then by
    // way of its scheduler. Never throws: what a future throws goes to its joiner.
    void run() && noexcept { std::exchange(task_, nullptr)->run(); }

    // The number of the task, unique in the process.
    std::uint64_t id() const noexcept { return task_->id; }

    // The task, which an executor may remember until `task_done`.
    task_header* get() const noexcept { return task_; }

    // For intrusive queues: the task is a detail::work_item, which runs or ends it.
    task_header* release() noexcept { return std::exchange(task_, nullptr); }

private:
    task_header* task_;
};

}  // namespace rouse

#endif
