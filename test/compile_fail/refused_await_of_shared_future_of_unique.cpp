// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: a std::shared_future gives a copy of its value

#include <future>
#include <memory>
#include <rouse/std_future.hpp>
#include <rouse/task.hpp>

rouse::task<> use(std::shared_future<std::unique_ptr<int>> f) { co_await f; }
