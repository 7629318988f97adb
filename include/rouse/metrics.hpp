// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_METRICS_HPP
#define ROUSE_METRICS_HPP

#include <cstdint>
#include <source_location>
#include <vector>

namespace rouse {

// What one worker has done since the pool was made. The counts only grow, but for `queued`.
struct worker_metrics {
    std::uint64_t polls = 0;      // tasks polled and functions run
    std::uint64_t steals = 0;     // times it has taken work from another worker
    std::uint64_t parks = 0;      // times it had nothing to do
    std::uint64_t overflows = 0;  // times its queue was full
    std::uint32_t queued = 0;     // in its queue at this moment
};

// A snapshot of a pool. Each number is right for some moment during the call; when the pool is at
// rest they agree with each other.
struct pool_metrics {
    std::vector<worker_metrics> workers;
    std::uint64_t tasks_spawned = 0;
    std::uint64_t tasks_done = 0;
    bool inject_queue_empty = true;  // nothing waits in the queue that all workers share
};

// A task that has not ended, as seen from outside.
struct task_info {
    std::uint64_t id = 0;
    std::source_location spawned_at{};
    std::source_location awaiting{};  // its innermost await, if it is a coroutine that waits
};

}  // namespace rouse

#endif
