// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_DETAIL_WOKEN_SET_HPP
#define ROUSE_DETAIL_WOKEN_SET_HPP

#include <cstddef>
#include <cstdint>
#include <rouse/atomic_waker.hpp>
#include <rouse/config.hpp>
#include <rouse/context.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/inbox.hpp>
#include <rouse/detail/intrusive_list.hpp>
#include <rouse/detail/work_item.hpp>
#include <rouse/waker.hpp>

// Any number of children, of which those only are polled that were woken: the queue of those, and
// what does not depend on their type. child_set.hpp has the rest.
//
//   a child is woken:  enters the queue if it is not there yet, and wakes the parent
//   the parent looks:  registers its waker, and then takes the queue
//   a child is polled: leaves the queue first, so that a wake during its poll puts it back
//
// The race that this survives is that of child_wakers.hpp: a wake that comes too late for the look
// wakes the waker which that look has registered.

namespace rouse::detail {

class woken_set;

// A child in memory of its own, which is counted: the set has a reference, each waker has one, and
// the queue while the child is in it.
class ROUSE_DECL queued_child : public list_hook, public work_item {
public:
    using deleter = void (*)(queued_child*) noexcept;

    // `set` is retained for as long as the child's memory lives.
    queued_child(woken_set& set, deleter d) noexcept;
    queued_child(queued_child const&) = delete;
    queued_child& operator=(queued_child const&) = delete;

    void retain() noexcept { references_.fetch_add(1, relaxed); }  // the caller has a reference
    void release() noexcept {
        // release: what was done with the child is done; acquire: for whoever destroys it
        if (references_.fetch_sub(1, acq_rel) == 1) delete_(this);
    }

    // Asks for a poll of this child. Any thread, also when the set is gone.
    void wake() noexcept;

    // For the poll of this child, which borrows it.
    waker_ref waker() noexcept;

protected:
    ~queued_child();

private:
    friend class woken_set;

    woken_set& set_;
    deleter const delete_;
    atomic<std::uint32_t> references_{1};
    atomic<bool> queued_{false};
};

// It is counted too: the owner has a reference, and each child. But for the wakes it is used by the
// owner only.
class ROUSE_DECL woken_set {
public:
    static woken_set& make();  // throws std::bad_alloc
    woken_set(woken_set const&) = delete;
    woken_set& operator=(woken_set const&) = delete;

    // The owner goes; all children must have been removed.
    void close() noexcept;

    std::size_t size() const noexcept { return size_; }

    // Takes over the owner's reference to the child, which is to be polled.
    void enter(queued_child& child) noexcept;

    // The child is not in the set any more; its reference is the caller's.
    void remove(queued_child& child) noexcept;

    // The oldest child, removed; null if there is none.
    queued_child* remove_first() noexcept;

    // At the start of a poll: who was woken is to be polled, or all, if the task's cancellation has
    // changed. Throws what copying the waker throws.
    void look(context& cx);

    // A child that is to be polled, with a reference that is the caller's; null if there is none.
    queued_child* next() noexcept;
    bool has_next() const noexcept { return !waiting_.empty(); }

    // All are to be polled.
    void queue_all() noexcept;

    // In the order in which they were entered; `visit` must leave the set as it is.
    template <class Visit>
    void for_each(Visit visit) {
        all_.for_each(visit);
    }

private:
    friend class queued_child;

    woken_set() noexcept = default;
    ~woken_set() = default;

    void retain() noexcept { references_.fetch_add(1, relaxed); }  // the caller has a reference
    void release() noexcept;

    inbox woken_;
    atomic_waker parent_;
    atomic<std::uint32_t> references_{1};
    // The owner's:
    std::uint32_t epoch_ = 0;  // of the task's cancellation, at the last look
    std::size_t size_ = 0;
    intrusive_list<queued_child> all_;
    work_list waiting_;  // to be polled
};

}  // namespace rouse::detail

#endif
