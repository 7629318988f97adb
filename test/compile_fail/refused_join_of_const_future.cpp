// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: a combinator of a const future: a poll changes it

#include <rouse/join.hpp>

void use() {
    rouse::ready_future<int> const answer(42);
    (void)rouse::join(answer);
}
