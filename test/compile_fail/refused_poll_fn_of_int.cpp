// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: rouse: the function of a poll_fn takes a context& and returns a poll_result

#include <rouse/future.hpp>

void use() {
    rouse::poll_fn future([](rouse::context&) { return 42; });
}
