// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <algorithm>
#include <rouse/detail/pool_time.hpp>
#include <rouse/detail/worker.hpp>
#include <utility>

namespace rouse::detail {

using std::chrono::steady_clock;

pool_time::pool_time(std::size_t workers)
    : wheels_count_(workers + 1), wheels_(new wheel_ptr[wheels_count_]) {
    tick const begin = present_tick(steady_clock::now());
    for (std::size_t n = 0; n < wheels_count_; ++n) wheels_[n] = make_wheel(begin);
}

time_point pool_time::now() noexcept { return steady_clock::now(); }

timer_wheel& pool_time::wheel_here() noexcept {
    worker const* const here = worker::current();
    std::size_t const index = here ? here->index() : wheels_count_;
    return *wheels_[std::min(index, wheels_count_ - 1)];
}

void pool_time::publish(tick next) noexcept {
    // seq_cst throughout: that the value is early enough already is as good as a store; see the story
    // in the header
    tick seen = earliest_.load(seq_cst);
    while (next < seen && !earliest_.compare_exchange_weak(seen, next, seq_cst, seq_cst)) {
    }
}

void pool_time::enter(timer_entry& entry, time_point when, waker w) {
    timer_wheel& wheel = wheel_here();
    if (wheel.enter(entry, deadline_tick(when), std::move(w))) publish(wheel.next());
}

void pool_time::advance(std::size_t most) noexcept {
    if (earliest_.load(relaxed) == no_tick) return;  // whoever enters something looks for the keeper
    tick const present = present_tick(now());
    if (earliest_.load(seq_cst) > present) return;
    // From here on those that are entered publish themselves, before or after the wheel is asked.
    earliest_.store(no_tick, seq_cst);
    for (std::size_t n = 0; n < wheels_count_; ++n) {
        timer_wheel& wheel = *wheels_[n];
        if (wheel.next() <= present) wheel.advance(present, most);
        publish(wheel.next());
    }
}

time_point pool_time::begin_keeping(std::size_t worker, time_point deadline) noexcept {
    keeper_.store(worker, relaxed);  // published by the next store
    for (;;) {
        deadline = std::min(deadline, earliest());
        keeps_until_.store(deadline_tick(deadline), seq_cst);
        if (earliest() >= deadline) return deadline;
    }
}

void pool_time::end_keeping() noexcept { keeps_until_.store(0, seq_cst); }

std::optional<std::size_t> pool_time::keeper_to_wake() noexcept {
    tick const until = keeps_until_.load(seq_cst);
    if (earliest_.load(seq_cst) >= until) return std::nullopt;
    return keeper_.load(relaxed);  // or the next one, who wakes for nothing
}

}  // namespace rouse::detail
