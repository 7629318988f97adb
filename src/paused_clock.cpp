// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <algorithm>
#include <rouse/detail/clock_watch.hpp>
#include <rouse/paused_clock.hpp>
#include <typeinfo>
#include <utility>

namespace rouse {

using detail::tick;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

namespace {

// A tick of its wheel is a microsecond. The last one stands for what is left of time, less than that.
constexpr tick last = static_cast<tick>(nanoseconds::max().count() / 1000) + 1;

tick deadline_in_ticks(paused_clock::time_point t) noexcept {
    if (t == paused_clock::time_point::max()) return detail::no_tick;
    auto const us = std::chrono::ceil<microseconds>(t.time_since_epoch()).count();
    return us < 0 ? 0 : static_cast<tick>(us);
}

}  // namespace

paused_clock::paused_clock() : paused_clock(std::chrono::steady_clock::now()) {}
paused_clock::paused_clock(time_point begin)
    : wheel_(detail::make_wheel(std::min(deadline_in_ticks(begin), last))),
      now_(std::min(deadline_in_ticks(begin), last)) {
    hears_of_operations_ = this;
}
paused_clock::~paused_clock() = default;

paused_clock::time_point paused_clock::now() noexcept {
    tick const now = now_.load(detail::seq_cst);
    return now == last ? time_point::max() : time_point(microseconds(now));
}

void paused_clock::advance_by(duration d) noexcept {
    tick const by = d.count() <= 0 ? 0 : deadline_in_ticks(time_point(d));
    tick before = now_.load(detail::relaxed);  // a hint for the exchange below
    tick after = 0;
    // seq_cst: see enter()
    do {
        after = before + std::min(by, last - before);
    } while (!now_.compare_exchange_weak(before, after, detail::seq_cst, detail::relaxed));
    wheel_->advance(after);
}

bool paused_clock::jump() noexcept {
    // seq_cst, like the look at the list in end_flight(): whoever ends what is in flight is seen here,
    // or sees that there is a sleeper, which has entered the list before
    if (in_flight_.load(detail::seq_cst) != 0) return false;
    tick const next = wheel_->earliest();
    if (next == detail::no_tick) return false;
    jumps_.fetch_add(1, detail::relaxed);
    tick before = now_.load(detail::relaxed);
    while (before < next &&
           !now_.compare_exchange_weak(before, next, detail::seq_cst, detail::relaxed)) {
    }
    wheel_->advance(std::max(before, next));
    return true;
}

void* paused_clock::find(std::type_info const& type) noexcept {
    return type == typeid(time_driver) ? static_cast<time_driver*>(this) : nullptr;
}

// The race that this survives: somebody moves the clock beyond `when` at this moment. He moves first and
// then goes through the wheel, this enters the wheel and then looks at the clock.
void paused_clock::enter(detail::timer_entry& entry, time_point when, waker w) {
    tick const deadline = deadline_in_ticks(when);
    wheel_->enter(entry, deadline, std::move(w));
    tick const present = now_.load(detail::seq_cst);
    if (deadline <= present) wheel_->advance(present);
}

void paused_clock::begin_flight() noexcept { in_flight_.fetch_add(1, detail::seq_cst); }

void paused_clock::end_flight() noexcept {
    ended_.fetch_add(1, detail::seq_cst);  // before it is seen that nothing is in flight
    if (in_flight_.fetch_sub(1, detail::seq_cst) != 1) return;
    detail::lock_guard const guard(lock_);
    sleepers_.for_each([](detail::clock_sleeper& one) { one.look_again(); });
}

namespace detail {

std::uint64_t clock_watch::ended(paused_clock const& clock) noexcept { return clock.ended_.load(seq_cst); }

clock_watch::clock_watch(paused_clock& clock, clock_sleeper& sleeper, std::uint64_t ended) noexcept
    : clock_(clock), sleeper_(sleeper), ended_(ended) {
    lock_guard const guard(clock_.lock_);
    clock_.sleepers_.push_back(sleeper_);
}

clock_watch::~clock_watch() {
    lock_guard const guard(clock_.lock_);
    intrusive_list<clock_sleeper>::erase(sleeper_);
}

bool clock_watch::jump() noexcept {
    // Nothing is in flight, and nothing has ended since: so nothing was when this thread has looked for tasks.
    bool const in_flight = clock_.in_flight_.load(seq_cst) != 0;
    auto const ended = clock_.ended_.load(seq_cst);
    if (std::exchange(ended_, ended) != ended) return true;
    return !in_flight && clock_.jump();
}

void clock_watch::count_sleep() noexcept { clock_.sleeps_.fetch_add(1, relaxed); }

}  // namespace detail

}  // namespace rouse
