// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: map: the function takes the value of the future (nothing, if it has none)

#include <rouse/then.hpp>

#include <string>

void use() {
    (void)rouse::map(rouse::ready_future(1), [](std::string const& s) { return s; });
}
