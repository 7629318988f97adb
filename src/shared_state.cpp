// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
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
        state(data).wake();
        state(data).release();
    },
    [](void* data) {
        state(data).retain();  // the handles may go while they are woken
        state(data).wake();
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

bool shared_state::leave_unless_last(waiter& mine) noexcept {
    {
        lock_guard const guard(mutex_);
        if (handles_ == 1 && !last_left_) return false;
        --handles_;
    }
    waiting.remove(mine);
    waiting.wake_all();  // it may have been this one's turn
    return true;
}

bool shared_state::leave(waiter& mine) noexcept {
    waiting.remove(mine);
    {
        lock_guard const guard(mutex_);
        if (--handles_ == 0 && !std::exchange(last_left_, true)) {
            polling_ = true;
            return true;
        }
    }
    waiting.wake_all();  // it may have been this one's turn
    return false;
}

shared_state::turn shared_state::take_turn(context& cx, waiter& mine) {
    if (is_over()) return turn::over;
    waiting.add(mine, cx.waker());
    lock_guard const guard(mutex_);
    // Over since: the waker stays where it is, and is woken for nothing or goes with the handle.
    if (over_.load(relaxed)) return turn::over;  // is set under the lock
    if (polling_) {
        missed_ = true;
        return turn::wait;
    }
    polling_ = true;
    wakes_before_ = wakes_.load(acquire);  // pairs with wake(): the poll finds what these are about
    return turn::mine;
}

void shared_state::end_turn(bool over) noexcept {
    bool others = over;
    {
        lock_guard const guard(mutex_);
        polling_ = false;
        // Whoever found this one polling may have been woken by what this poll was too early for, and
        // this one may never poll again. A wake that is not seen here finds them in the list.
        bool const woken = wakes_.load(relaxed) != wakes_before_;
        others = (std::exchange(missed_, false) && woken) || over;
        if (over) over_.store(true, detail::release);  // pairs with is_over(): the outcome is there
    }
    if (others) waiting.wake_all();
}

void shared_state::wake() noexcept {
    wakes_.fetch_add(1, detail::release);  // pairs with take_turn(), and comes before the wakes
    waiting.wake_all();
}

waker_ref shared_state::waker() noexcept { return waker_ref(this, shared_waker); }

}  // namespace rouse::detail
