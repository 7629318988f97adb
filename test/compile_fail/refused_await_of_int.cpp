// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: co_await in a rouse::task takes a future

#include <rouse/task.hpp>

rouse::task<> use() { co_await 42; }
