// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: a coroutine takes no argument by value whose destructor may throw
#include <rouse/task.hpp>

struct throws_when_destroyed {
    ~throws_when_destroyed() noexcept(false) {}
};

rouse::task<> by_reference(throws_when_destroyed const&) { co_return; }

rouse::task<> by_value(throws_when_destroyed) { co_return; }
