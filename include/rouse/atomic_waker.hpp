// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_ATOMIC_WAKER_HPP
#define ROUSE_ATOMIC_WAKER_HPP

#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/waker.hpp>

namespace rouse {

// A slot for one waker: one task registers, any number of threads wake.
//
// The state, and who may touch the stored waker:
//
//   waiting                 nobody is at it
//   registering             register_waker is at it
//   waking                  wake is at it
//   registering | waking    register_waker is at it; a wake came meanwhile and left its work to it
//
// The race that this survives: the task T finds no data and registers; the thread A brings data and
// wakes. If A comes after T, it finds T's waker. If A comes while T is registering, A leaves the
// mark `waking`, and T, when it is done, finds the mark and wakes itself. If T comes while A is
// waking, A may have taken an older waker, so T wakes itself. In each case T is polled after A's
// data is there, provided that T looks for the data after it has registered.
class ROUSE_DECL atomic_waker {
public:
    atomic_waker() noexcept = default;
    atomic_waker(atomic_waker const&) = delete;
    atomic_waker& operator=(atomic_waker const&) = delete;

    // Stores a copy of `w` in place of the waker before it; nothing is copied if both wake the same
    // task. If copying throws, the old waker stays and no wake is lost. For one thread at a time: of
    // two at once one registers, and the other's waker is woken at once, so that it tries again.
    void register_waker(waker const& w);

    // Wakes what is registered, once, and forgets it. Any thread.
    void wake() noexcept { take().wake(); }

    // Takes what is registered out. Any thread. Empty if there is nothing, or if a registration is
    // under way: then that registration wakes.
    waker take() noexcept;

private:
    enum : unsigned { waiting = 0, registering = 1, waking = 2 };

    detail::atomic<unsigned> state_{waiting};
    waker waker_;
};

}  // namespace rouse

#endif
