// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
#ifndef ROUSE_HPP
#define ROUSE_HPP

// Every public header, and nothing else.

#include <rouse/abandonable.hpp>
#include <rouse/any_future.hpp>
#include <rouse/as_result.hpp>
#include <rouse/asio_awaitable.hpp>
#include <rouse/asio_cancellation.hpp>
#include <rouse/atomic_waker.hpp>
#include <rouse/background.hpp>
#include <rouse/block_on.hpp>
#include <rouse/cancellation.hpp>
#include <rouse/cancellation_source.hpp>
#include <rouse/catch_all.hpp>
#include <rouse/config.hpp>
#include <rouse/context.hpp>
#include <rouse/deferred.hpp>
#include <rouse/delay_queue.hpp>
#include <rouse/error.hpp>
#include <rouse/finally.hpp>
#include <rouse/from_awaitable.hpp>
#include <rouse/future.hpp>
#include <rouse/futures_unordered.hpp>
#include <rouse/interval.hpp>
#include <rouse/into_future.hpp>
#include <rouse/join.hpp>
#include <rouse/join_all.hpp>
#include <rouse/join_handle.hpp>
#include <rouse/make_task.hpp>
#include <rouse/metrics.hpp>
#include <rouse/outcome.hpp>
#include <rouse/paused_clock.hpp>
#include <rouse/poll_result.hpp>
#include <rouse/retry.hpp>
#include <rouse/runnable.hpp>
#include <rouse/scheduler.hpp>
#include <rouse/select.hpp>
#include <rouse/select_all.hpp>
#include <rouse/shared.hpp>
#include <rouse/shielded.hpp>
#include <rouse/sleep.hpp>
#include <rouse/spawn.hpp>
#include <rouse/spawnable.hpp>
#include <rouse/std_future.hpp>
#include <rouse/task.hpp>
#include <rouse/task_group.hpp>
#include <rouse/task_group_of.hpp>
#include <rouse/then.hpp>
#include <rouse/this_task.hpp>
#include <rouse/thread_pool.hpp>
#include <rouse/timeout.hpp>
#include <rouse/unhandled.hpp>
#include <rouse/use_clock.hpp>
#include <rouse/use_poll.hpp>
#include <rouse/waker.hpp>
#include <rouse/with_cancellation.hpp>
#include <rouse/with_deadline.hpp>

#endif
