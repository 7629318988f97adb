// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: finally: a named future may live on

#include <rouse/finally.hpp>

void use() {
    auto named = rouse::ready_future(1);
    (void)rouse::finally(named, [] {});
}
