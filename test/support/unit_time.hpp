// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_UNIT_TIME_HPP
#define ROUSE_TEST_SUPPORT_UNIT_TIME_HPP

#include <rouse/detail/time_driver.hpp>
#include <rouse/future.hpp>

#include <chrono>
#include <thread>
#include <typeinfo>

// A runtime that polls by hand, with a clock that the test moves.

namespace rouse_test {

class hand_time final : public rouse::services, public rouse::detail::time_driver {
public:
    using time_point = rouse::detail::time_point;

    hand_time() : now_(begin()), wheel_(rouse::detail::present_tick(now_)) {}

    static time_point begin() { return time_point(std::chrono::hours(1000)); }

    time_point now() noexcept override { return now_; }
    void enter(rouse::detail::timer_entry& entry, time_point when,
               rouse::waker w) override {
        ++entered;
        wheel_.enter(entry, rouse::detail::deadline_tick(when), std::move(w));
    }
    void* find(std::type_info const& type) noexcept override {
        if (type == typeid(time_driver)) return static_cast<time_driver*>(this);
        return nullptr;
    }

    void advance(std::chrono::steady_clock::duration d) {
        now_ += d;
        wheel_.advance(rouse::detail::present_tick(now_));
    }
    std::size_t waiting() const { return wheel_.size(); }

    template <class F>
    auto poll(F& f, rouse::waker const& w = {}) {
        return with_context(w, [&](rouse::context& cx) { return f.poll(cx); });
    }
    template <class F>
    auto cancel(F& f, rouse::waker const& w = {}) {
        return with_context(w, [&](rouse::context& cx) { return f.poll_cancel(cx); });
    }

    rouse::cancellation_state cancellation{};
    unsigned budget = rouse::poll_root::unlimited;  // of each poll
    int entered = 0;                                // how often something asked for the wheel

private:
    template <class Poll>
    auto with_context(rouse::waker const& w, Poll poll) {
        rouse::poll_root root;
        root.waker = &w;
        root.cancellation = &cancellation;
        root.budget = budget;
        root.offered = this;
        rouse::context cx(root);
        return poll(cx);
    }

    time_point now_;
    rouse::detail::timer_wheel wheel_;
};

// For what a thread brings about that the test has no handle of.
template <class Condition>
void wait_until(Condition condition) {
    while (!condition()) std::this_thread::yield();
}

}  // namespace rouse_test

#endif
