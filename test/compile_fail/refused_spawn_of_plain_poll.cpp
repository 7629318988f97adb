// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: what is spawned is a future (poll(context&) -> poll_result<T>)

#include <rouse/this_task.hpp>

struct plain {
    plain() noexcept {}
    int poll(rouse::context&) { return 42; }
};

void use() { rouse::this_task::spawn_ok(plain()); }
