// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#include <cstdint>
#include <rouse/error.hpp>
#include <rouse/interval.hpp>
#include <utility>

namespace rouse {

using detail::later;

namespace {

// No thread is there at the very moment; as with tokio's interval.
constexpr std::chrono::milliseconds tolerance{5};

// How long ago the last time was that is a multiple of the period after `first`. Without a sign, as the
// difference of two times may be too much for one.
interval::duration past_multiple(interval::time_point first, interval::time_point now,
                                 interval::duration period) noexcept {
    auto const count = [](auto t) { return static_cast<std::uint64_t>(t.count()); };
    auto const late = count(now.time_since_epoch()) - count(first.time_since_epoch());
    return interval::duration(static_cast<interval::duration::rep>(late % count(period)));
}

}  // namespace

interval::interval(duration period, missed_ticks policy, detail::timer first)
    : period_(period), policy_(policy), timer_(std::move(first)) {
    if (period <= duration::zero()) detail::throw_misuse("the period of an interval is above zero");
}

poll_result<interval::time_point> interval::tick_future::poll(context& cx) {
    interval& of = *of_;
    try {
        if (!detail::may_begin(cx)) return pending;
        waits_ = true;
        if (!of.timer_.poll(cx)) return pending;
        if (!cx.spend()) return pending;  // ticks that were missed are there at once
        waits_ = false;
    } catch (...) {
        if (std::exchange(waits_, false)) of.timer_.stop();
        throw;
    }
    time_point const due = of.timer_.when();
    time_point const now = detail::time_driver_of(cx).now();
    time_point next = later(due, of.period_);
    if (now > later(due, tolerance)) {
        switch (of.policy_) {
            case missed_ticks::burst: break;
            case missed_ticks::delay: next = later(now, of.period_); break;
            case missed_ticks::skip: next = later(now, of.period_ - past_multiple(due, now, of.period_)); break;
        }
    }
    of.timer_.reset(next);
    return due;
}

}  // namespace rouse
