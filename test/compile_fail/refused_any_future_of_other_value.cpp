// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: rouse: any_future<T> holds a future whose value is a T

#include <rouse/any_future.hpp>
#include <string>

rouse::any_future<int> use() { return rouse::any_future<int>(rouse::ready_future(std::string("42"))); }
