// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// flags: -Werror=unused-result
// expect: nodiscard

#include <rouse/future.hpp>

void use(rouse::context& cx) { rouse::pending_future<int>().poll(cx); }
