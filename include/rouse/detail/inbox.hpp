// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_DETAIL_INBOX_HPP
#define ROUSE_DETAIL_INBOX_HPP

#include <cstdint>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/hooks.hpp>
#include <rouse/detail/work_item.hpp>

namespace rouse::detail {

// A lock-free list into which any thread pushes and from which one thread at a time takes all.
//
//   push   -> pushed    the item is in; whoever owns the inbox must be woken
//   push   -> refused   the inbox is closed; the caller keeps the item
//   take   -> list      everything pushed so far
//   close  -> list      the same, and every later push is refused
class ROUSE_DECL inbox {
public:
    inbox() noexcept = default;
    inbox(inbox const&) = delete;
    inbox& operator=(inbox const&) = delete;
    ~inbox();

    [[nodiscard]] bool push(work_item& item) noexcept {
        // acquire: a refusal sees what was written before close(); pairs with its exchange
        work_item* head = newest_.load(acquire);
        do {
            if (head == &closed_) return false;
            item.next = head;
            ROUSE_AT(before_push);
            // release: take() and close() see the item. seq_cst: whoever pushes may then look for
            // sleepers; the other half is the last look of a worker that is about to park
        } while (!newest_.compare_exchange_weak(head, &item, seq_cst, acquire));
        return true;
    }

    // True if there was nothing to take a moment ago.
    bool empty() const noexcept {
        auto* head = newest_.load(seq_cst);  // pairs with push(), see there
        return head == nullptr || head == &closed_;
    }

    work_list take() noexcept;
    work_list close() noexcept;

private:
    static work_item closed_;  // stands for "closed" in newest_

    atomic<work_item*> newest_{nullptr};
};

// An inbox that outlives its owner: a task's, for functions that arrive when the operation that
// they belong to has ended. Counted.
class ROUSE_DECL shared_inbox {
public:
    inbox items;
    work_list taken;  // the owner's: not yet run, because a function threw

    void retain() noexcept { references_.fetch_add(1, relaxed); }  // the caller has a reference
    void drop() noexcept;

private:
    atomic<std::uint32_t> references_{1};
};

// Where a task keeps its inbox: made on first use, run in its polls, closed at its end.
class ROUSE_DECL inbox_owner {
public:
    inbox_owner() noexcept = default;
    inbox_owner(inbox_owner const&) = delete;
    inbox_owner& operator=(inbox_owner const&) = delete;
    ~inbox_owner() { close(); }

    // One reference more to the inbox; it is made if there is none. Throws std::bad_alloc.
    shared_inbox* acquire_inbox();

    bool empty() const noexcept {
        return !inbox_ || (inbox_->taken.empty() && inbox_->items.empty());
    }

    // Runs what is there. Throws what a function throws; the functions behind it are run by the
    // next call.
    void run();

    // Destroys what is there and what comes later.
    void close() noexcept;

private:
    shared_inbox* inbox_ = nullptr;
};

}  // namespace rouse::detail

#endif
