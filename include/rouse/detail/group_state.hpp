// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_DETAIL_GROUP_STATE_HPP
#define ROUSE_DETAIL_GROUP_STATE_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <list>
#include <new>
#include <rouse/any_future.hpp>
#include <rouse/atomic_waker.hpp>
#include <rouse/cancellation_source.hpp>
#include <rouse/config.hpp>
#include <rouse/context.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/child_set.hpp>
#include <rouse/detail/inbox.hpp>
#include <rouse/detail/own_cancellation.hpp>
#include <rouse/detail/slab_allocator.hpp>
#include <rouse/detail/spawner.hpp>
#include <rouse/detail/waiter_list.hpp>
#include <source_location>

namespace rouse {

// What a group does when one of its tasks, or its body, throws.
enum class on_error {
    abort_others,  // all others are aborted; the first exception is the group's
    collect,       // the others go on; all exceptions come together, as a group_error
    report,        // the others go on; exceptions of tasks are unhandled ones, as those of detached tasks:
                   // for servers, whose group goes on whatever becomes of one client
};

namespace detail {

// What the tasks of a group, its body and its owner share. Counted: by the owner and by the tasks.
//
//   open      tasks come and go
//   aborting  those that run are told to let go, those that wait for their turn are destroyed, as are
//             those that still come; it has begun by an error, by a call, or because the owner is aborted
//   over      the body has ended, and no task is left: none can come any more
class ROUSE_DECL group_state {
public:
    explicit group_state(on_error policy) : policy_(policy) {}  // throws std::bad_alloc
    group_state(group_state const&) = delete;
    group_state& operator=(group_state const&) = delete;

    void retain() noexcept { references_.fetch_add(1, relaxed); }  // the caller has a reference
    void release() noexcept;

    // A task: it exists from `enter` to `leave`. Throws errc::closed when the group is over.
    void enter();
    void leave(std::exception_ptr error) noexcept;
    // Of a task that was destroyed before its end: the group fails with errc::aborted, unless it is being
    // aborted, or somebody has been told.
    void lose() noexcept;
    // What a task would have done is not done, since it was told to end.
    void miss() noexcept;
    bool has_missed() const noexcept;
    // Of a task that is about to be destroyed, since somebody is told that it could not be started.
    void excuse() noexcept;
    // Has it run, now or when it is its turn. If this throws, it was destroyed, and so has left.
    void start(any_future<> child, std::source_location where);

    bool is_aborting() const noexcept { return aborting_.load(acquire); }  // pairs with abort()
    // That of the owner's task; set before the first task comes.
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();

    // What a task has given, before it leaves: of no interest here.
    template <class T>
    void keep(T&&) noexcept {}
    void discard() noexcept {}

    // True: that is where late functions go of the tasks that the owner polls.
    bool owns(inbox_owner const& inbox) const noexcept { return &inbox == &late_functions_; }

    // Woken when it begins.
    waiter_list& told() noexcept { return told_; }
    cancellation_token token() const noexcept { return cancellation_.token(); }

    void abort() noexcept;
    // Of a task, or of the body.
    void fail(std::exception_ptr error) noexcept;
    // True if what its tasks throw is for the handler of whoever runs them, and not for the group; and what of it
    // says only that a task was told to end, which is no news.
    bool reports() const noexcept { return policy_ == on_error::report; }
    bool is_echo(std::exception_ptr const& error) const noexcept;
    void fail_body(std::exception_ptr error) noexcept;
    void limit(std::size_t most);
    std::size_t size() const noexcept;
    bool has_room() const noexcept;
    // Woken whenever a task has left, and when the abort begins.
    waiter_list& left() noexcept { return left_; }

    // By the owner: passes on what was requested of it. Also before it says how its body has ended, which may
    // have seen a request that came meanwhile.
    void look(context& cx) noexcept;
    // By the owner, in each of its polls: passes requests on, has the tasks run by the executor that polls
    // it now, and polls those itself that came where there was none.
    void poll(context& cx);
    // True: no task is left, and the group is over.
    bool finish() noexcept;
    // The owner goes without having finished.
    void drop() noexcept;
    // When it is over: throws what the group has ended with, if that was an exception, and keeps nothing of it.
    void rethrow_errors();

    static void* operator new(std::size_t bytes) { return slab_allocate(bytes); }
    static void* operator new(std::size_t bytes, std::align_val_t alignment) {
        return ::operator new(bytes, alignment);
    }
    static void operator delete(void* memory, std::size_t bytes) noexcept {
        slab_deallocate(memory, bytes);
    }
    static void operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
        ::operator delete(memory, alignment);
    }

protected:
    virtual ~group_state();

private:
    struct queued {
        any_future<> future;
        std::source_location where;
    };
    // These allocate nothing when they are empty.
    using queue = std::list<queued, slab_allocator<queued>>;
    struct kept_error {
        std::exception_ptr error;
        bool told = true;  // it says no more than that it was told to end
    };
    using kept_errors = std::list<kept_error, slab_allocator<kept_error>>;

    void keep_error(std::exception_ptr error, bool told) noexcept;
    bool was_told(std::exception_ptr const& error) const noexcept;
    void adopt(spawner* here) noexcept;
    void poll_own(context& cx);
    void let_go() noexcept;
    void report_errors() noexcept;
    static void report(kept_error const& one) noexcept;
    // If this throws, `next` is where it was.
    void launch(queued& next);
    void launch_waiting() noexcept;

    atomic<std::uint32_t> references_{1};
    on_error const policy_;
    atomic<bool> aborting_{false};
    atomic_waker owner_;
    waiter_list told_;
    waiter_list left_;
    cancellation_source cancellation_;
    // The owner's:
    outer_requests outside_;
    cancellation_state nothing_;  // what the tasks that it polls see of its own requests
    inbox_owner late_functions_;
    child_set<any_future<>> own_;
    mutable mutex lock_;
    // Under the lock:
    bool over_ = false;
    bool missed_ = false;
    spawner_link* runs_them_ = nullptr;  // of the executor that has polled the owner last; may be null
    std::size_t size_ = 0;
    std::size_t excused_ = 0;  // and not yet lost; which is which does not matter
    std::size_t limit_ = std::numeric_limits<std::size_t>::max();
    queue waiting_;   // for their turn
    queue incoming_;  // for the owner
    kept_error first_;  // if they are not collected: one that tells something, or else any
    kept_errors others_;
};

}  // namespace detail

}  // namespace rouse

#endif
