// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 2
#ifndef ROUSE_JOIN_HANDLE_HPP
#define ROUSE_JOIN_HANDLE_HPP

#include <cstdint>
#include <rouse/detail/task_cell.hpp>
#include <rouse/runnable.hpp>
#include <utility>

namespace rouse {

namespace detail {

// The part of a join handle that does not know the value's type.
class ROUSE_DECL join_base {
public:
    static constexpr bool hears_requests = false;  // the task has a cancellation of its own

    explicit join_base(task_header* task) noexcept : task_(task) {}
    join_base(join_base&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
    // What this handle had is dropped at once.
    join_base& operator=(join_base&& other) noexcept {
        join_base const old(std::exchange(task_, std::exchange(other.task_, nullptr)));
        return *this;
    }
    ~join_base();

    // Lets the task run on without anybody waiting for it. An exception of it goes to the
    // executor's unhandled_exception. The handle is empty afterwards.
    void detach() noexcept;

    // Ends the task where it stands: it is polled no more, lets go of what it has in flight, and
    // is destroyed by its executor; the handle then gives errc::aborted. If the task completes
    // first, or while it lets go, the handle gives its result. Any thread, any number of times,
    // also while another thread waits on the handle; returns at once.
    void abort() const noexcept;

    // True when the result is there. Any thread.
    bool is_finished() const noexcept;

    // The number of the task, unique in the process. The handle must not be empty.
    std::uint64_t id() const noexcept { return task_->id; }

    // True unless the handle was moved from, detached, or its result taken.
    explicit operator bool() const noexcept {
        return task_ && !(is_finished() && task_->result == task_header::outcome::taken);
    }

    // Gives up a wait that a poll began; the task lives on.
    void stop_waiting() noexcept;

protected:
    // True: complete. False: the waker is stored, and will be woken.
    bool wait(context& cx);
    bool was_aborted() const noexcept {
        return task_->result == task_header::outcome::aborted;
    }
    [[noreturn]] void throw_result();
    // The output was taken, or there is none. The reference stays until the handle goes: another
    // thread may be in abort() or is_finished().
    void finish() noexcept { task_->vtable->destroy_output(*task_); }

    task_header* task_;
};

}  // namespace detail

// The spawner's half of a spawned future; itself a future of the task's value.
//
// Polled, it completes when the task has: with its value, or throwing what it threw, or throwing
// boost::system::system_error with errc::aborted if the task was aborted, or its executor ended.
// Dropped, it aborts the task, without waiting; `detach` lets it run on instead. As part of an
// aborted future it aborts the task and waits until that has let go; awaited by name, it only stops
// waiting. One thread at a time, except for abort and is_finished. Never allocates. The memory of
// the task is held until the handle is gone.
template <class T = void>
class [[nodiscard]] join_handle : public detail::join_base {
public:
    using join_base::join_base;

    poll_result<T> poll(context& cx) {
        if (!*this) detail::throw_misuse("an empty join_handle was polled");
        if (!wait(cx)) return pending;
        return take();
    }

    cancel_result<T> poll_cancel(context& cx) {
        if (!*this) return nothing();
        abort();
        if (!wait(cx)) return pending;
        if (was_aborted()) {
            finish();
            return nothing();
        }
        if constexpr (std::is_void_v<T>) {
            (void)take();
            return true;
        } else {
            return std::optional<T>(take());
        }
    }

private:
    static auto nothing() noexcept { return typename cancel_value<T>::type{}; }

    auto take() {
        if (task_->result != detail::task_header::outcome::value) throw_result();
        struct guard {
            join_handle& self;
            ~guard() { self.finish(); }
        } finish_afterwards{*this};
        if constexpr (std::is_void_v<T>) {
            return ready();
        } else {
            return T(std::move(*static_cast<T*>(task_->vtable->value(*task_))));
        }
    }
};

}  // namespace rouse

#endif
