// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#include <algorithm>
#include <array>
#include <rouse/detail/waiter_list.hpp>
#include <utility>

namespace rouse::detail {

void waiter_list::add(waiter& mine, waker const& w) {
    // acquire: pairs with wake_all(). If it is taken from now on, it is woken after this.
    if (mine.waits.load(acquire) && mine.given.is(w)) return;
    waker fresh(w);  // and the old one dies with it
    mine.given = waker_identity(fresh);
    lock_guard const guard(lock_);
    std::swap(mine.waker, fresh);
    mine.waits.store(true, relaxed);  // for this thread, and wake_all() is in the lock
    if (mine.linked()) return;
    waiting_.push_back(mine);
    ++count_;
}

void waiter_list::remove(waiter& mine) noexcept {
    waker old;
    lock_guard const guard(lock_);
    old = std::move(mine.waker);
    mine.waits.store(false, relaxed);
    if (!mine.linked()) return;
    intrusive_list<waiter>::erase(mine);
    --count_;
}

void waiter_list::wake_all() noexcept {
    std::size_t left = 0;
    bool first = true;
    do {
        std::array<waker, 16> batch;
        std::size_t taken = 0;
        {
            lock_guard const guard(lock_);
            // Those that come back while others are woken stand behind them.
            if (std::exchange(first, false)) left = count_;
            while (taken < std::min(left, batch.size())) {
                waiter* const one = waiting_.pop_front();
                if (!one) break;
                --count_;
                // release: pairs with add(); the last touch but for the waker, which is taken in the lock
                one->waits.store(false, release);
                batch[taken++] = std::move(one->waker);
            }
            left = taken == batch.size() ? std::min(left - taken, count_) : 0;
        }
        for (std::size_t n = 0; n < taken; ++n) std::move(batch[n]).wake();
    } while (left != 0);
}

}  // namespace rouse::detail
