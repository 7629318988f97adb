// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: rouse: co_return: the value must convert to the T of task<T>

#include <rouse/task.hpp>

rouse::task<int> use() { co_return "42"; }
