// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <rouse/detail/inject_queue.hpp>

namespace rouse::detail {

// The order is kept although the way is chosen anew each time: whoever has the lock puts what was pushed
// before it in front.
void inject_queue::overflow(work_item& item) noexcept {
    unique_lock guard(lock_, std::try_to_lock);
    if (!guard) {
        if (fresh_.push(item)) return;
        guard.lock();
    }
    work_list one;
    one.push(item);
    append(std::move(one));
}

void inject_queue::push(work_list items) noexcept {
    lock_guard guard(lock_);
    append(std::move(items));
}

void inject_queue::append(work_list items) noexcept {
    if (!fresh_.empty()) {
        // What came before goes before: while batches come, nothing is ever taken from an empty list.
        has_ready_.store(true, seq_cst);  // as in pop()
        ready_.append(fresh_.take());
    }
    ready_.append(std::move(items));
    has_ready_.store(!ready_.empty(), seq_cst);  // pairs with empty()
}

work_list inject_queue::pop(std::size_t most) noexcept {
    work_list some;
    if (empty()) return some;
    unique_lock guard(lock_, std::try_to_lock);
    if (!guard) return some;
    if (ready_.empty()) {
        has_ready_.store(true, seq_cst);  // before: what is on its way counts, see empty()
        ready_.append(fresh_.take());
    }
    for (std::size_t n = 0; n < most; ++n) {
        work_item* item = ready_.pop();
        if (!item) break;
        some.push(*item);
    }
    has_ready_.store(!ready_.empty(), seq_cst);  // pairs with empty()
    return some;
}

work_list inject_queue::close() noexcept {
    lock_guard guard(lock_);
    ready_.append(fresh_.close());
    has_ready_.store(false, seq_cst);
    return std::move(ready_);
}

}  // namespace rouse::detail
