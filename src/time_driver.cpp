// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <pthread.h>

#include <algorithm>
#include <cstdint>
#include <rouse/detail/parker.hpp>
#include <rouse/detail/take_over.hpp>
#include <rouse/detail/thread.hpp>
#include <rouse/detail/time_driver.hpp>
#include <thread>
#include <utility>

namespace rouse::detail {

time_point later(time_point now, std::chrono::steady_clock::duration d) noexcept {
    if (d.count() <= 0) return now;
    // Before the epoch there is room for every duration.
    if (now > time_point() && d > time_point::max() - now) return time_point::max();
    return now + d;
}

namespace {

using std::chrono::steady_clock;

// A thread that does nothing but wake what waits in its wheel.
class timer_thread final : public time_driver {
public:
    timer_thread() : wheel_(present_tick(steady_clock::now())) {
        thread_.start("rouse-timers", 0, [this] { run(); });
    }

    time_point now() noexcept override { return steady_clock::now(); }
    void enter(timer_entry& entry, time_point when, waker w) override {
        if (wheel_.enter(entry, deadline_tick(when), std::move(w))) sleeper_.unpark();
    }

    // Those who wake there, or have the lock, have not come along.
    void begin_in_child() noexcept {
        wheel_.begin_in_child();
        of_parent_.store(true, relaxed);
    }

    // Also those are woken afterwards that others have taken out of the wheel already: the thread, or who does the same
    // at this time. A wake that calls this does not wait for itself, nor for what comes after it.
    void orphan_all() noexcept {
        bool const within_a_wake = std::exchange(wakes_, true);
        orphaning_.fetch_add(1, relaxed);  // is seen with what it takes, by the wheel's lock
        wheel_.orphan_all();
        orphaning_.fetch_sub(1, release);  // pairs with the last line
        wakes_ = within_a_wake;
        if (within_a_wake || of_parent_.load(relaxed)) return;
        // acquire: that it has taken them was in the wheel's lock, after it had begun
        auto const seen = steps_.load(acquire);
        while (seen % 2 != 0 && steps_.load(acquire) == seen) std::this_thread::yield();
        while (orphaning_.load(acquire) != 0) std::this_thread::yield();
    }

private:
    [[noreturn]] void run() noexcept {
        wakes_ = true;
        for (;;) {
            auto const now = steady_clock::now();
            steps_.fetch_add(1, acq_rel);
            wheel_.advance(present_tick(now));
            steps_.fetch_add(1, acq_rel);  // release: pairs with orphan_all()
            // Whoever enters something earlier now leaves a token, so that this does not sleep.
            sleeper_.park_until(std::min(time_of(wheel_.next()), now + longest_sleep));
        }
    }

    timer_wheel wheel_;
    parker sleeper_;
    atomic<std::uint64_t> steps_{0};  // odd: it is about to take entries out, or to wake them
    atomic<unsigned> orphaning_{0};   // how many threads wake those that they have orphaned
    atomic<bool> of_parent_{false};
    static inline thread_local bool wakes_ = false;  // this thread does one or the other
    thread thread_;
};

// Never destroyed: tasks may sleep while the process ends. A child of fork has no such thread, and
// starts one of its own.
constinit atomic<timer_thread*> of_process{nullptr};
constinit mutex starting;

// Whoever was in the middle of starting the parent's thread: this process has none.
void after_fork_in_child() noexcept {
    if (auto* const of_parent = of_process.exchange(nullptr, relaxed)) of_parent->begin_in_child();
    static_cast<void>(take_over(starting));
}
// No memory: a child of fork is then without timers.
[[maybe_unused]] int const timers_watch_forks =
    ::pthread_atfork(nullptr, nullptr, &after_fork_in_child);

}  // namespace

void enter_timers_anew() noexcept {
    if (auto* started = of_process.load(acquire)) started->orphan_all();  // pairs with the store below
}

time_driver& time_driver_of_process() {
    if (auto* started = of_process.load(acquire)) return *started;  // pairs with the store
    lock_guard const guard(starting);
    if (auto* started = of_process.load(relaxed)) return *started;
    auto* const mine = new timer_thread;
    of_process.store(mine, release);
    return *mine;
}

}  // namespace rouse::detail
