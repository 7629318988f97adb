// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_INJECT_QUEUE_HPP
#define ROUSE_DETAIL_INJECT_QUEUE_HPP

#include <cstddef>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/inbox.hpp>
#include <rouse/detail/work_item.hpp>

namespace rouse::detail {

// The queue that all workers share: what comes from other threads, and what overflows. Pushing is
// lock-free; workers that take or overflow meet at a lock, which pushing threads never touch. First
// in, first out.
class ROUSE_DECL inject_queue {
public:
    // False: closed; the caller keeps the item.
    [[nodiscard]] bool push(work_item& item) noexcept { return fresh_.push(item); }

    // By a worker, of what does not fit its queue. It takes the lock, if that is free; where there is much,
    // that costs less than push(), since nothing has to be turned round later.
    void overflow(work_item& item) noexcept;

    // Many at once, in order. This and overflow(), after close(): what is left to be destroyed.
    void push(work_list items) noexcept;

    // Up to `most` items, the oldest first. Empty also when another worker is at it just now.
    work_list pop(std::size_t most) noexcept;

    // Any thread: nothing was there a moment ago.
    bool empty() const noexcept {
        // seq_cst: the last look of a worker that is about to park; the other half is push()
        return fresh_.empty() && !has_ready_.load(seq_cst);
    }

    // What is there; every later push of one item is refused.
    work_list close() noexcept;

private:
    void append(work_list items) noexcept;  // under the lock

    inbox fresh_;
    mutex lock_;
    work_list ready_;  // out of `fresh_`, in order
    atomic<bool> has_ready_{false};
};

}  // namespace rouse::detail

#endif
