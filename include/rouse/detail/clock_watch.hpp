// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_CLOCK_WATCH_HPP
#define ROUSE_DETAIL_CLOCK_WATCH_HPP

#include <cstdint>
#include <rouse/config.hpp>
#include <rouse/paused_clock.hpp>

namespace rouse::detail {

// While it lives, a thread that sleeps is told when nothing is in flight any more.
//
// The race that it survives: another thread wakes a task, and then says that what was in flight has ended. This thread
// may have looked for tasks before the one, and look for what is in flight after the other. So it remembers, from before
// it looks for tasks, how much had ended, and looks for tasks again if that is not how it was.
class ROUSE_DECL clock_watch {
public:
    // How much has ended; to be asked for before the thread looks for something to do.
    static std::uint64_t ended(paused_clock const& clock) noexcept;

    clock_watch(paused_clock& clock, clock_sleeper& sleeper, std::uint64_t ended) noexcept;
    clock_watch(clock_watch const&) = delete;
    clock_watch& operator=(clock_watch const&) = delete;
    ~clock_watch();

    // When nothing was found to do. True: there may be something now, since the clock has jumped, or something has ended
    // meanwhile. False: the thread may sleep.
    bool jump() noexcept;

    void count_sleep() noexcept;

private:
    paused_clock& clock_;
    clock_sleeper& sleeper_;
    std::uint64_t ended_;
};

}  // namespace rouse::detail

#endif
