// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: finally: the function returns void, or a future without value

#include <rouse/finally.hpp>

void use() {
    (void)rouse::finally(rouse::ready_future(), [] { return 1; });
}
