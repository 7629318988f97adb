// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: catch_all: the function returns what the future gives, or a future of that

#include <rouse/catch_all.hpp>

#include <string>

void use() {
    (void)rouse::catch_all(rouse::ready_future(1), [](std::exception_ptr) { return std::string(); });
}
