// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: then: the function returns a future; `map` is for one that returns a value

#include <rouse/then.hpp>

void use() {
    (void)rouse::then(rouse::ready_future(1), [](int n) { return n; });
}
