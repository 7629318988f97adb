// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: from_awaitable of a future: it can be awaited as it is

#include <rouse/from_awaitable.hpp>
#include <rouse/task.hpp>

rouse::task<> use() { co_await rouse::from_awaitable(rouse::ready_future(42)); }
