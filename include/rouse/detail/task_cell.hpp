// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 2
#ifndef ROUSE_DETAIL_TASK_CELL_HPP
#define ROUSE_DETAIL_TASK_CELL_HPP

#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <rouse/detail/inbox.hpp>
#include <rouse/detail/intrusive_list.hpp>
#include <rouse/detail/slab.hpp>
#include <rouse/detail/task_state.hpp>
#include <rouse/detail/work_item.hpp>
#include <rouse/future.hpp>
#include <rouse/scheduler.hpp>
#include <source_location>

namespace rouse::detail {

struct task_header;

// What the code that does not know the future's type calls. None of them throws: an exception of
// the future becomes the output; that of a destructor is reported.
struct task_vtable {
    bool (*poll)(task_header&, context&) noexcept;         // true: ended, the output is stored
    bool (*poll_cancel)(task_header&, context&) noexcept;  // true: ended or let go
    void (*destroy_future)(task_header&) noexcept;         // and store "aborted" as output
    void* (*value)(task_header&) noexcept;                 // where the value is
    void (*destroy_output)(task_header&) noexcept;
    void (*deallocate)(task_header*) noexcept;
};

// The part of a spawned task that does not depend on its future. detail/task_state.hpp says who
// may touch what.
struct ROUSE_DECL task_header : list_hook, work_item {
    task_header(task_vtable const& v, scheduler& s, bool joined, std::source_location where) noexcept;
    ~task_header() = default;

    // The runnable's holder: polls, or drains.
    void run() noexcept;

    // The runnable's holder: the task ends as aborted, here and now.
    void end_unrun() noexcept;

    // By a holder of a reference, or under the lock of the executor's list.
    void request_abort() noexcept;

    // Gives up a reference.
    void drop_reference() noexcept;

    // The output is of no interest to anybody: destroys it, and reports an exception to `report`.
    template <class Report>
    void discard_output(Report report) noexcept {
        if (result == outcome::error && !is_echo_of_abort()) report(exception, spawned_at);
        vtable->destroy_output(*this);
    }

    enum class outcome : unsigned char { none, value, error, aborted, taken };

    task_state state;
    task_vtable const* vtable;
    scheduler* owner;
    waker join_waker;
    inbox_owner late_functions;
    std::exception_ptr exception;
    std::uint64_t const id;
    std::source_location const spawned_at;
    atomic<std::source_location> awaiting{};  // the innermost await; other threads may look
    cancellation_state cancellation;
    outcome result = outcome::none;
    bool ended_by_stop = false;  // the executor was stopping when the task ended
    // What an executor keeps beside a task: the index of the list that the task is in.
    std::uint16_t shard = 0;

private:
    void drain(context& cx) noexcept;
    void complete() noexcept;
    // True if the exception only says that the task was told to end.
    bool is_echo_of_abort() const noexcept;
};

// True if the item is a task, not a function.
ROUSE_DECL bool is_task_item(work_item const& item) noexcept;

// One more waker of the task; by a holder of a reference.
ROUSE_DECL waker waker_of(task_header& task) noexcept;

// The task that this thread is polling, or null. Not to be kept across a suspension.
ROUSE_DECL task_header* current_task() noexcept;

// The poll under way on this thread, of a task or in block_on; null outside of one.
ROUSE_DECL poll_root* current_root() noexcept;

// Marks a poll as the one under way, for the lifetime of the mark.
class ROUSE_DECL current_root_mark {
public:
    explicit current_root_mark(poll_root& root) noexcept;
    current_root_mark(current_root_mark const&) = delete;
    current_root_mark& operator=(current_root_mark const&) = delete;
    ~current_root_mark();

private:
    poll_root* before_;
};

// Marks a task as being polled by this thread, for the lifetime of the mark.
class current_task_mark {
public:
    explicit current_task_mark(task_header* task) noexcept;
    current_task_mark(current_task_mark const&) = delete;
    current_task_mark& operator=(current_task_mark const&) = delete;
    ~current_task_mark();

private:
    task_header* before_;
};

// The whole allocation of a spawned future: header, and in one place the future and, when that is
// destroyed, its value.
template <future F>
struct task_cell final : task_header {
    using value_type = output_t<F>;
    struct nothing {};
    using stored = std::conditional_t<std::is_void_v<value_type>, nothing, value_type>;

    union {
        F future;
        stored value;
    };

    template <class X>
    task_cell(X&& x, scheduler& s, bool joined, std::source_location where)
        : task_header(table, s, joined, where), future(std::forward<X>(x)) {}
    ~task_cell() {}

    static task_cell& of(task_header& h) noexcept { return static_cast<task_cell&>(h); }

    static void* operator new(std::size_t bytes) { return slab_allocate(bytes); }
    static void* operator new(std::size_t bytes, std::align_val_t a) {
        return ::operator new(bytes, a);
    }
    static void operator delete(void* memory, std::size_t bytes) noexcept {
        slab_deallocate(memory, bytes);
    }
    static void operator delete(void* memory, std::size_t, std::align_val_t a) noexcept {
        ::operator delete(memory, a);
    }

private:
    void fail() noexcept {
        exception = std::current_exception();
        result = outcome::error;
    }

    // The future dies before its value takes its place. If its destructor throws, what it had
    // completed with stands; the exception is reported.
    void destroy_future() noexcept {
        try {
            std::destroy_at(std::addressof(future));
        } catch (...) {
            owner->unhandled_exception(std::current_exception(), spawned_at);
        }
    }

    template <class U>
    void store(U&& output) noexcept {
        try {
            destroy_future();
            ::new (static_cast<void*>(std::addressof(value))) stored(std::forward<U>(output));
            result = outcome::value;
        } catch (...) {
            fail();  // the value could not be moved
        }
    }

    static bool poll(task_header& h, context& cx) noexcept {
        task_cell& self = of(h);
        try {
            auto polled = self.future.poll(cx);
            if (polled.is_pending()) return false;
            if constexpr (std::is_void_v<value_type>) {
                self.store(nothing{});
            } else {
                self.store(std::move(polled).value());
            }
        } catch (...) {
            self.fail();
            self.destroy_future();
        }
        return true;
    }

    static bool poll_cancel(task_header& h, context& cx) noexcept {
        task_cell& self = of(h);
        try {
            auto released = detail::cancel(self.future, cx);
            if (released.is_pending()) return false;
            if constexpr (std::is_void_v<value_type>) {
                if (released.value()) {
                    self.store(nothing{});
                    return true;
                }
            } else if (released.value()) {
                self.store(*std::move(released).value());
                return true;
            }
            self.result = outcome::aborted;
        } catch (...) {
            self.fail();
        }
        self.destroy_future();
        return true;
    }

    static void drop(task_header& h) noexcept {
        of(h).result = outcome::aborted;
        of(h).destroy_future();
    }

    static void* value_of(task_header& h) noexcept { return std::addressof(of(h).value); }

    static void drop_output(task_header& h) noexcept {
        task_cell& self = of(h);
        self.exception = nullptr;
        if (std::exchange(self.result, outcome::taken) != outcome::value) return;
        try {
            std::destroy_at(std::addressof(self.value));
        } catch (...) {
            // A throw at completion is reported by the executor; the handle may outlive it.
            report_unhandled(std::current_exception(), self.spawned_at);
        }
    }

    static void destroy(task_header* h) noexcept { delete static_cast<task_cell*>(h); }

    static constexpr task_vtable table{&poll, &poll_cancel, &drop, &value_of, &drop_output, &destroy};
};

}  // namespace rouse::detail

#endif
