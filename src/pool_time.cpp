// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <algorithm>
#include <rouse/detail/pool_time.hpp>
#include <rouse/detail/worker.hpp>
#include <utility>

namespace rouse::detail {

using std::chrono::steady_clock;

namespace {
constexpr tick a_while = 16;  // a millisecond
}

pool_time::pool_time(std::size_t workers)
    : wheels_count_(workers + 1), wheels_(new place[wheels_count_]) {
    tick const begin = present_tick(steady_clock::now());
    for (std::size_t n = 0; n < wheels_count_; ++n) wheels_[n].wheel = make_wheel(begin);
}

time_point pool_time::now() noexcept { return steady_clock::now(); }

timer_wheel& pool_time::wheel_here() noexcept {
    worker const* const here = worker::current();
    std::size_t const index = here ? here->index() : wheels_count_;
    return *wheels_[std::min(index, wheels_count_ - 1)].wheel;
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

// The own wheel first, and those of busy workers not at all: when all have much to do, each keeps to its
// own, and the tasks stay where their memory is near. At every fourth look the own wheel comes last, and
// each time another one first: what nobody else looks after must not wait until a worker has nothing due.
std::size_t pool_time::advance(std::size_t most, look by) noexcept {
    std::size_t const shared = wheels_count_ - 1;
    std::size_t const index = std::min(by.worker, shared);
    place& own = wheels_[index];
    // Whoever enters something looks for the keeper.
    if (own.wheel->next() == no_tick && earliest_.load(relaxed) == no_tick) return 0;
    tick const present = present_tick(now());
    // relaxed: whoever sees it late fires what this one would have fired
    if (index != shared) own.looked.store(by.busy ? present : 0, relaxed);

    std::size_t fired = 0;
    auto const fire = [&](timer_wheel& wheel) {
        if (fired < most && wheel.next() <= present) fired += wheel.advance(present, most - fired);
    };
    bool const own_last = by.nth % 4 == 0;
    if (!own_last) fire(*own.wheel);
    if (earliest_.load(seq_cst) <= present) {
        // From here on those that are entered publish themselves, before or after the wheel is asked.
        earliest_.store(no_tick, seq_cst);
        for (std::size_t n = 0; n < shared; ++n) {
            place& other = wheels_[(index + 1 + (by.nth / 4 + n) % shared) % wheels_count_];
            bool const looked_after = by.busy && other.looked.load(relaxed) + a_while > present;
            if (!looked_after) fire(*other.wheel);
            publish(other.wheel->next());
        }
    }
    if (own_last) fire(*own.wheel);
    publish(own.wheel->next());
    return fired;
}

time_point pool_time::begin_keeping(std::size_t worker, time_point deadline) noexcept {
    keeper_.store(worker, release);  // of that worker, which may have come later than others
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
    return keeper_.load(acquire);  // or the next one, who wakes for nothing
}

}  // namespace rouse::detail
