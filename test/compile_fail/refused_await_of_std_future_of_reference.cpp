// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: never a reference (use a pointer or std::reference_wrapper)

#include <future>
#include <rouse/std_future.hpp>
#include <rouse/task.hpp>

rouse::task<> use(std::future<int&> f) { co_await std::move(f); }
