// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: or what into_future_traits converts

#include <rouse/task.hpp>

struct foreign {};

// What convert returns is no future either.
template <>
struct rouse::into_future_traits<foreign> {
    static int convert(foreign) { return 42; }
};

rouse::task<> use() { co_await foreign(); }
