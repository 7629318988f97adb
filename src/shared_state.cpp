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
        state(data).waiting.wake_all();
        state(data).release();
    },
    [](void* data) {
        state(data).retain();  // the handles may go while they are woken
        state(data).waiting.wake_all();
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
    return turn::mine;
}

void shared_state::end_turn(bool over) noexcept {
    bool others = over;
    {
        lock_guard const guard(mutex_);
        polling_ = false;
        // Whoever found this one polling may have been woken for good reason, and this one may never
        // poll again.
        others = std::exchange(missed_, false) || over;
        if (over) over_.store(true, detail::release);  // pairs with is_over(): the outcome is there
    }
    if (others) waiting.wake_all();
}

waker_ref shared_state::waker() noexcept { return waker_ref(this, shared_waker); }

}  // namespace rouse::detail
