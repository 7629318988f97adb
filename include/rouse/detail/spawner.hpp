// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_DETAIL_SPAWNER_HPP
#define ROUSE_DETAIL_SPAWNER_HPP

#include <rouse/any_future.hpp>
#include <source_location>

namespace rouse::detail {

// How a future has others run by themselves: a service of the contexts of an executor's polls. It may be
// used by any thread, until the task in whose poll it was found has ended.
class spawner {
public:
    // Runs it as a detached task. If the executor takes no more tasks, it is destroyed. Throws
    // std::bad_alloc.
    virtual void spawn(any_future<> f, std::source_location where) = 0;

protected:
    ~spawner() = default;
};

}  // namespace rouse::detail

#endif
