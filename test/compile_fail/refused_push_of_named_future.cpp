// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: what is pushed is moved into the set: pass it by value or with std::move

#include <rouse/futures_unordered.hpp>
#include <rouse/task.hpp>

rouse::task<int> number() { co_return 1; }

void use() {
    rouse::futures_unordered<rouse::task<int>> set;
    auto named = number();
    set.push(named);
}
