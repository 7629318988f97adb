// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: retry: the function takes nothing and returns a future

#include <rouse/retry.hpp>

void use() {
    (void)rouse::retry(rouse::backoff(std::chrono::seconds(1)), [] { return 1; });
}
