// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: a combinator takes no future whose destructor may throw

#include <rouse/join.hpp>

struct rude {
    explicit rude() {}
    ~rude() noexcept(false) {}
    rude(rude&&) {}
    rouse::poll_result<int> poll(rouse::context&) { return 1; }
};

void use() { (void)rouse::join(rude()); }
