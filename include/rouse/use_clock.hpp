// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_USE_CLOCK_HPP
#define ROUSE_USE_CLOCK_HPP

#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <rouse/config.hpp>
#include <rouse/paused_clock.hpp>

namespace rouse {

// Has the timers of all tasks that are spawned on executors of `context` from now on wait for the clock,
// which must outlive the context. For an io_context, a strand, asio::thread_pool; a thread_pool takes its
// clock from its builder. Any thread. Throws std::bad_alloc.
ROUSE_DECL void use_clock(boost::asio::execution_context& context, paused_clock& clock);

// Runs `io` in this thread until it is out of work or stopped, as `io.run()` does, and lets the clock
// jump whenever nothing is ready and nothing is in flight. Nobody else may run `io` meanwhile. Returns
// how many handlers it has run. Throws what they throw.
ROUSE_DECL std::size_t run_with_clock(boost::asio::io_context& io, paused_clock& clock);

}  // namespace rouse

#endif
