// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#include <rouse/atomic_waker.hpp>
#include <rouse/detail/hooks.hpp>
#include <utility>

namespace rouse {

using detail::acq_rel;
using detail::acquire;

void atomic_waker::register_waker(waker const& w) {
    unsigned seen = waiting;
    // acquire: pairs with the release in take(), which is done with the stored waker
    if (!state_.compare_exchange_strong(seen, registering, acq_rel, acquire)) {
        w.wake_by_ref();  // a wake is under way, or another registration
        return;
    }
    ROUSE_AT(registering);
    // Leaves the state `registering`; true if a wake came meanwhile.
    auto const leave = [this] {
        unsigned expected = registering;
        // release: pairs with the acquire in take(), which then reads the waker
        return !state_.compare_exchange_strong(expected, waiting, acq_rel, acquire);
    };
    auto const wake_instead = [this] {
        waker mine = std::move(waker_);
        state_.exchange(waiting, acq_rel);  // pairs with the acquires of both functions
        std::move(mine).wake();
    };

    waker old;  // dropped last: a drop is somebody else's code
    try {
        if (!waker_.will_wake(w)) {
            waker fresh(w);
            old = std::exchange(waker_, std::move(fresh));
        }
    } catch (...) {
        if (leave()) wake_instead();
        throw;
    }
    ROUSE_AT(registered);
    if (leave()) wake_instead();
}

waker atomic_waker::take() noexcept {
    // acquire: pairs with the release of register_waker; release: what this thread brought is seen
    // by a registration that finds the mark
    if (state_.fetch_or(waking, acq_rel) != waiting) return {};
    ROUSE_AT(waking);
    waker mine = std::move(waker_);
    state_.fetch_and(~unsigned{waking}, acq_rel);  // pairs with the acquire in register_waker
    return mine;
}

}  // namespace rouse
