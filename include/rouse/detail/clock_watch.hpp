// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_CLOCK_WATCH_HPP
#define ROUSE_DETAIL_CLOCK_WATCH_HPP

#include <rouse/config.hpp>
#include <rouse/paused_clock.hpp>

namespace rouse::detail {

// While it lives, a thread that sleeps is told when nothing is in flight any more. To be made before
// the last `jump`, so that nothing that ends in between is missed.
class ROUSE_DECL clock_watch {
public:
    clock_watch(paused_clock& clock, clock_sleeper& sleeper) noexcept;
    clock_watch(clock_watch const&) = delete;
    clock_watch& operator=(clock_watch const&) = delete;
    ~clock_watch();

    void count_sleep() noexcept;

private:
    paused_clock& clock_;
    clock_sleeper& sleeper_;
};

}  // namespace rouse::detail

#endif
