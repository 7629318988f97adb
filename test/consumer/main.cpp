// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <rouse.hpp>

#include <iostream>

int main() {
    std::cout << "rouse " << ROUSE_VERSION << '\n';
    return rouse::block_on(rouse::ready_future(42)) == 42 ? 0 : 1;
}
