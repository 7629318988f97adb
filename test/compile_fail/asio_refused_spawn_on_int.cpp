// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: an Asio executor

#include <rouse/spawn.hpp>
#include <rouse/task.hpp>

void use(int not_an_executor, rouse::task<> t) {
    rouse::spawn_ok(not_an_executor, std::move(t));
}
