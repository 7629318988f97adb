// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_DRIVER_HPP
#define ROUSE_DETAIL_DRIVER_HPP

#include <chrono>

namespace rouse::detail {

using time_point = std::chrono::steady_clock::time_point;

// The I/O event loop, as a worker sees it: where it may sleep. One worker at a time, the one in the
// driver's seat, calls park or poll; any thread calls unpark.
class driver {
public:
    // Sleeps until the loop has run something, `unpark` was called, or the deadline has come.
    // Returns how many things the loop has run.
    virtual unsigned park(time_point deadline) noexcept = 0;

    // Runs what is ready, `most` things or less, without sleeping.
    virtual unsigned poll(unsigned most) noexcept = 0;

    // Makes a park that is under way, or the next one, return.
    virtual void unpark() noexcept = 0;

protected:
    ~driver() = default;
};

}  // namespace rouse::detail

#endif
