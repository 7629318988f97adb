// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <rouse/detail/timer_wheel.hpp>
#include <utility>

namespace rouse::detail {

// Those that wait for another runtime: a stack of which one takes all, and gives back all but one. It has no
// lock, which a child of fork might find held by a thread that it has not.
class recycled_wheels {
public:
    void put(timer_wheel& wheel) noexcept {
        wheel.orphan_all();
        push(wheel, wheel);
    }
    timer_wheel* take(tick now) noexcept {
        timer_wheel* const wheel = first_.exchange(nullptr, acquire);  // pairs with push()
        if (!wheel) return nullptr;
        if (timer_wheel* const others = std::exchange(wheel->next_retired_, nullptr)) {
            timer_wheel* last = others;
            while (last->next_retired_) last = last->next_retired_;
            push(*others, *last);
        }
        wheel->begin(now);
        return wheel;
    }

private:
    void push(timer_wheel& first, timer_wheel& last) noexcept {
        timer_wheel* top = first_.load(relaxed);
        do {
            last.next_retired_ = top;
            // release: whoever takes it sees what it was left as, and those behind it
        } while (!first_.compare_exchange_weak(top, &first, release, relaxed));
    }

    atomic<timer_wheel*> first_{nullptr};
};

namespace {
constinit recycled_wheels retired;
}

void retire_wheel::operator()(timer_wheel* wheel) const noexcept { retired.put(*wheel); }

wheel_ptr make_wheel(tick now) {
    if (timer_wheel* const again = retired.take(now)) return wheel_ptr(again);
    return wheel_ptr(new timer_wheel(now));
}

}  // namespace rouse::detail
