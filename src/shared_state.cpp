// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#include <algorithm>
#include <array>
#include <rouse/detail/shared_state.hpp>
#include <utility>

namespace rouse::detail {

namespace {

shared_state& state(void* data) noexcept { return *static_cast<shared_state*>(data); }

constexpr waker_vtable shared_waker{
    [](void* data) -> void* {
        state(data).retain();
        return data;
    },
    [](void* data) {
        state(data).wake_all();
        state(data).release();
    },
    [](void* data) {
        state(data).retain();  // the handles may go while they are woken
        state(data).wake_all();
        state(data).release();
    },
    [](void* data) { state(data).release(); },
    "rouse shared",
};

}  // namespace

void shared_state::join() noexcept {
    lock_guard const guard(mutex_);
    ++handles_;
}

void shared_state::stop_waiting(shared_waiter& mine) noexcept {
    {
        lock_guard const guard(mutex_);
        if (mine.linked()) {
            intrusive_list<shared_waiter>::erase(mine);
            --waiting_count_;
        }
    }
    mine.waker = {};  // out of the list nobody else touches it
}

bool shared_state::leave(shared_waiter& mine) noexcept {
    stop_waiting(mine);
    {
        lock_guard const guard(mutex_);
        if (--handles_ == 0) {
            polling_ = true;
            return true;
        }
    }
    wake_all();  // it may have been this one's turn
    return false;
}

void shared_state::wait(context& cx, shared_waiter& mine) {
    rouse::waker fresh(cx.waker());  // somebody else's code: outside of the lock, like its end
    lock_guard const guard(mutex_);
    std::swap(mine.waker, fresh);
    if (mine.linked()) return;
    waiting_.push_back(mine);
    ++waiting_count_;
}

shared_state::turn shared_state::take_turn(context& cx, shared_waiter& mine) {
    if (is_over()) return turn::over;
    wait(cx, mine);
    lock_guard const guard(mutex_);
    // Over since: the waker stays where it is, and is woken for nothing or goes with the handle.
    if (over_.load(relaxed)) return turn::over;  // is set under the lock
    if (polling_) return turn::wait;
    polling_ = true;
    return turn::mine;
}

void shared_state::end_turn(bool over) noexcept {
    {
        lock_guard const guard(mutex_);
        polling_ = false;
        if (over) over_.store(true, detail::release);  // pairs with is_over(): the outcome is there
    }
    if (over) wake_all();
}

waker_ref shared_state::waker() noexcept { return waker_ref(this, shared_waker); }

void shared_state::wake_all() noexcept {
    std::size_t left = 0;
    {
        lock_guard const guard(mutex_);
        left = waiting_count_;
    }
    // Those that come back meanwhile stand behind them.
    while (left != 0) {
        std::array<rouse::waker, 16> batch;
        std::size_t taken = 0;
        {
            lock_guard const guard(mutex_);
            while (taken < std::min(left, batch.size())) {
                shared_waiter* const waiter = waiting_.pop_front();
                if (!waiter) break;
                --waiting_count_;
                batch[taken++] = std::move(waiter->waker);
            }
        }
        if (taken == 0) return;
        for (std::size_t n = 0; n < taken; ++n) std::move(batch[n]).wake();
        left -= taken;
    }
}

}  // namespace rouse::detail
