// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_CONTEXT_HPP
#define ROUSE_CONTEXT_HPP

#include <cstdint>
#include <limits>
#include <rouse/cancellation.hpp>
#include <rouse/detail/inbox.hpp>
#include <rouse/waker.hpp>
#include <source_location>
#include <typeinfo>
#include <utility>

namespace rouse {

namespace detail {

// Hears of operations whose end comes from outside: a paused clock, which must not jump meanwhile.
class in_flight {
public:
    virtual void begin_flight() noexcept = 0;
    virtual void end_flight() noexcept = 0;

protected:
    ~in_flight() = default;
};

}  // namespace detail

// What a runtime offers to the futures that it polls (timers, a spawner), looked up by type. The
// services outlive every poll in which they are visible.
class ROUSE_DECL services {
public:
    // The service whose type that is, or null.
    virtual void* find(std::type_info const& type) noexcept = 0;

    // Who wants to hear of operations; null: nobody.
    detail::in_flight* hears_of_operations() const noexcept { return hears_of_operations_; }

protected:
    ~services() = default;

    detail::in_flight* hears_of_operations_ = nullptr;
};

// What all contexts of one poll of a task share. An executor makes one for each poll; a poll by
// hand has one in its context.
struct poll_root {
    static constexpr unsigned unlimited = std::numeric_limits<unsigned>::max();
    static constexpr unsigned budget_of_a_poll = 128;  // what executors give; tokio's number, too

    rouse::waker const* waker = nullptr;
    cancellation_state* cancellation = nullptr;
    unsigned budget = unlimited;      // how many more operations may succeed in this poll
    bool requeue = false;             // the task asks to go to the back of its queue
    detail::inbox_owner* inbox = nullptr;  // where late functions go; null: nowhere
    services* offered = nullptr;
    std::source_location awaiting{};  // the innermost await that is pending
    bool by_hand = false;             // nobody looks at `requeue`
    // In a poll_cancel: those who are asked to let go have lost to others, and what they only refer to
    // lives on: it is not asked. Ends at a coroutine, whose awaits may refer to what ends with it.
    bool losing = false;
    bool in_background = false;  // nobody hears of operations that begin
};

// What a future's `poll` receives: the waker to keep, the task's cancellation state, its budget,
// its inbox, and the services of the runtime, if any.
//
// A context lives for one poll and is used by the polling thread only. A combinator polls its
// children with contexts of its own, which share all but the waker with their parent.
class context {
public:
    // A poll by hand: no task stands behind it, the budget has no limit.
    explicit context(rouse::waker const& waker) noexcept : waker_(&waker), root_(&own_) {
        own_.waker = &waker;
        own_.cancellation = &uncancelled_;
        own_.by_hand = true;
    }

    // A child's poll.
    context(context& parent, rouse::waker const& waker) noexcept
        : waker_(&waker), root_(parent.root_) {}

    // An executor's poll of a whole task; all of `root` but the services must be set.
    explicit context(poll_root& root) noexcept : waker_(root.waker), root_(&root) {}

    context(context const&) = delete;
    context& operator=(context const&) = delete;

    // The waker to copy before returning pending. It is valid during this poll only.
    rouse::waker const& waker() const noexcept { return *waker_; }

    cancellation_state& cancellation() const noexcept { return *root_->cancellation; }

    // To be asked before an operation succeeds at once: takes one unit of the budget. False: it is
    // spent. The task has then been woken and will be polled again after the others; the future
    // returns pending and leaves its operation for the next poll.
    bool spend() noexcept {
        if (!can_spend()) return false;
        charge();
        return true;
    }
    // In two steps: whether there is something left, and later that it was used.
    bool can_spend() noexcept {
        if (root_->budget != 0) return true;
        yield();
        return false;
    }
    void charge() noexcept {
        if (root_->budget != 0 && root_->budget != poll_root::unlimited) --root_->budget;
    }

    // Asks for one more poll, after everybody who is ready now. The future returns pending.
    void yield() noexcept {
        // The executor looks at the mark when the poll is over: no wake is needed. A child of a
        // combinator, or a poll by hand, is polled again only if its waker is woken.
        root_->requeue = true;
        if (waker_ != root_->waker || root_->by_hand) waker_->wake_by_ref();
    }

    // A service of the runtime, or null.
    template <class Service>
    Service* service() const noexcept {
        return root_->offered ? static_cast<Service*>(root_->offered->find(typeid(Service)))
                              : nullptr;
    }

    poll_root& root() const noexcept { return *root_; }

private:
    rouse::waker const* waker_;
    poll_root* root_;
    poll_root own_{};
    cancellation_state uncancelled_;
};

namespace detail {

// Throws what an operation gives that is cancelled, operation_aborted, if the task is. False: not now, since the
// budget is spent; a loop that takes no notice lets others have their turn, too.
[[nodiscard]] ROUSE_DECL bool may_begin(context& cx);

// By whoever polls several futures, around the poll of each: there is one unit at least, so that one of them which is
// always ready, and is polled before the others, does not keep these from going on. What is left of it ends with
// that poll. Whoever does so spends one when it begins, and waits for one more poll if it cannot: a loop that
// begins one after the other would have a new unit each time, and would never end its own poll.
class granted_one {
public:
    explicit granted_one(context& cx) noexcept : root_(cx.root()), granted_(root_.budget == 0) {
        if (granted_) root_.budget = 1;
    }
    granted_one(granted_one const&) = delete;
    granted_one& operator=(granted_one const&) = delete;
    ~granted_one() {
        if (granted_) root_.budget = 0;
    }

private:
    poll_root& root_;
    bool granted_;
};

// Whether those who are asked to let go have lost, while it lives.
class losing_mark {
public:
    losing_mark(context& cx, bool losing) noexcept
        : root_(cx.root()), before_(std::exchange(root_.losing, losing)) {}
    losing_mark(losing_mark const&) = delete;
    losing_mark& operator=(losing_mark const&) = delete;
    ~losing_mark() { root_.losing = before_; }

private:
    poll_root& root_;
    bool before_;
};

}  // namespace detail

}  // namespace rouse

#endif
