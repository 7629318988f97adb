// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_BLOCKING_WAKER_HPP
#define ROUSE_DETAIL_BLOCKING_WAKER_HPP

#include <rouse/config.hpp>
#include <rouse/waker.hpp>

namespace rouse::detail {

// Throws errc::blocking_in_worker where the calling thread is polling a task.
ROUSE_DECL void refuse_to_block(char const* what);

// A waker that wakes a sleeping thread. The thread's parker is counted: wakers may outlive it.
class ROUSE_DECL blocking_waker {
public:
    blocking_waker();  // throws std::bad_alloc

    waker const& get() const noexcept { return waker_; }

    // Sleeps until the waker, or a copy of it, was woken since the last wait.
    void wait() noexcept;

private:
    waker waker_;
};

}  // namespace rouse::detail

#endif
