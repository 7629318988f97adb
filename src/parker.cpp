// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <rouse/detail/futex.hpp>
#include <rouse/detail/hooks.hpp>
#include <rouse/detail/parker.hpp>

namespace rouse::detail {

bool parker::take_token() noexcept {
    std::uint32_t token = notified;
    // acquire: pairs with the release in unpark()
    return state_.compare_exchange_strong(token, empty, acquire, relaxed);
}

void parker::park() noexcept {
    if (take_token()) return;
    ROUSE_AT(no_token_yet);
    std::uint32_t expected = empty;
    if (!state_.compare_exchange_strong(expected, parked, relaxed, relaxed)) {
        take_token();  // it came between the two: nobody but the owner takes it away
        return;
    }
    do {
        ROUSE_AT(before_futex);
        futex_wait(state_, parked);
    } while (!take_token());
}

bool parker::park_until(time_point deadline) noexcept {
    if (take_token()) return true;
    ROUSE_AT(no_token_yet);
    std::uint32_t expected = empty;
    if (!state_.compare_exchange_strong(expected, parked, relaxed, relaxed)) return take_token();
    while (!take_token()) {
        if (std::chrono::steady_clock::now() >= deadline) {
            // acquire: an unpark that came just now counts; pairs with its release
            return state_.exchange(empty, acquire) == notified;
        }
        ROUSE_AT(before_futex);
        futex_wait_until(state_, parked, deadline);
    }
    return true;
}

bool parker::park_in(driver& loop, time_point deadline, unsigned& ran) noexcept {
    ran = 0;
    if (take_token()) return true;
    ROUSE_AT(no_token_yet);
    if (loop_ != &loop) loop_ = &loop;  // not again: a late unpark may be reading it
    std::uint32_t expected = empty;
    // release: unpark() reads loop_ when it finds in_driver
    if (!state_.compare_exchange_strong(expected, in_driver, release, relaxed)) return take_token();
    ran = loop.park(deadline);
    ROUSE_AT(back_from_event_loop);
    // acquire: pairs with the release in unpark()
    return state_.exchange(empty, acquire) == notified;
}

void parker::unpark() noexcept {
    // release: pairs with take_token(), also when the token is there already; acquire: loop_
    switch (state_.exchange(notified, acq_rel)) {
        case parked:
            ROUSE_AT(before_futex_wake);
            futex_wake_one(state_);
            break;
        case in_driver: loop_->unpark(); break;
        default: break;
    }
}

void parker::wake_again() noexcept {
    if (state_.load(relaxed) == notified)  // a hint: who does not sleep is not disturbed
        futex_wake_one(state_);
}

}  // namespace rouse::detail
