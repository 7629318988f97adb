// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#include <cstdio>
#include <exception>
#include <rouse/detail/fatal.hpp>

namespace rouse::detail {

void fatal(char const* sentence) noexcept {
    std::fprintf(stderr, "rouse: %s\n", sentence);
    std::fflush(stderr);
    std::terminate();
}

}  // namespace rouse::detail
