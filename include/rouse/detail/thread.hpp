// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_THREAD_HPP
#define ROUSE_DETAIL_THREAD_HPP

#include <cstddef>
#include <functional>
#include <optional>
#include <pthread.h>
#include <rouse/config.hpp>
#include <string>

namespace rouse::detail {

// A thread with a name and a stack size, which std::thread does not have. All signals that are not
// errors of the thread itself are blocked in it: handlers run in the application's threads.
class ROUSE_DECL thread {
public:
    thread() noexcept = default;
    thread(thread const&) = delete;
    thread& operator=(thread const&) = delete;

    // `name` is cut to what the system takes (15 characters). `stack` in bytes, 0: the system's
    // default. Throws std::system_error: no more threads, or a stack below the system's minimum.
    void start(std::string name, std::size_t stack, std::function<void()> body);
    bool started() const noexcept { return started_; }
    void join() noexcept;

private:
    pthread_t handle_{};
    bool started_ = false;
};

// How many processors this process may use: its affinity mask and the quotas of its cgroups count. At
// least 1.
ROUSE_DECL unsigned available_parallelism() noexcept;

// What the least quota of this process's cgroup (version 2) and those around it comes to, rounded up;
// none if nobody has set one. `root` is where "/proc" and "/sys" are looked for.
ROUSE_DECL std::optional<unsigned> processors_by_quota(std::string const& root = {});

}  // namespace rouse::detail

#endif
