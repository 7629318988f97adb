// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#include <rouse/detail/fatal.hpp>
#include <rouse/detail/task_cell.hpp>
#include <rouse/detail/timer.hpp>
#include <rouse/error.hpp>
#include <rouse/sleep.hpp>
#include <typeinfo>

namespace rouse::detail {

timer::timer(timer&& other) noexcept
    : begun_(other.begun_), since_steady_(other.since_steady_), since_(other.since_) {
    if (other.polled_) fatal("a timer was moved after its first poll: a future stays where it is");
}

bool timer::poll(context& cx) {
    polled_ = true;
    auto const state = entry_.now();
    if (state == timer_entry::state::fired) return true;
    time_driver& driver = time_driver_of(cx);
    bool const waits = state == timer_entry::state::waiting && driver_ == &driver;
    // If it fires from now on, that waker is woken after this.
    if (waits && entry_.has(cx.waker())) return false;
    if (waits) {
        timer_wheel::replace_waker(entry_, cx.waker());
        if (entry_.now() == timer_entry::state::waiting) return false;
        return poll(cx);  // the wheel may have woken the old one just before
    }
    exact_time const left = since_steady_ && !begun_ ? left_until(when()) : exact_time();
    time_point const now = driver.now();
    if (!begun_) {
        since_ = (since_steady_ ? later_by(now, left) : later(now, since_)).time_since_epoch();
        begun_ = true;
    }
    if (when() <= now) {
        entry_.leave();
        return true;
    }
    waker fresh(cx.waker());
    driver_ = &driver;
    driver.enter(entry_, when(), std::move(fresh));
    return false;
}

namespace {

time_driver* driver_here() noexcept {
    poll_root const* const poll = current_root();
    return poll && poll->offered ? static_cast<time_driver*>(poll->offered->find(typeid(time_driver))) : nullptr;
}

}  // namespace

time_point time_here() noexcept {
    time_driver* const driver = driver_here();
    return driver ? driver->now() : std::chrono::steady_clock::now();
}

bool has_clock_here() noexcept { return driver_here() != nullptr; }

void timer::reset(std::chrono::steady_clock::duration d) noexcept {
    begin_anew();
    since_ = d;
    begun_ = false;
}

void timer::reset(time_point when) noexcept {
    begin_anew();
    since_ = when.time_since_epoch();
    begun_ = true;
}

// Whoever waits would wait for nothing.
void timer::begin_anew() noexcept {
    waker waiting;
    entry_.leave(&waiting);
    polled_ = false;
    since_steady_ = false;
    driver_ = nullptr;
    std::move(waiting).wake();
}

}  // namespace rouse::detail

namespace rouse {

poll_result<void> sleep_future::poll(context& cx) {
    if (cx.cancellation().requested() != cancellation_type::none) timer_.stop();
    if (!detail::may_begin(cx)) return pending;
    bool const begins = !timer_.has_begun();
    if (!timer_.poll(cx)) return pending;
    // A loop of sleeps that are over at once lets others have their turn.
    if (begins && !cx.spend()) return pending;
    return ready();
}

}  // namespace rouse
