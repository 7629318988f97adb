// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: must be an object that can be moved

#include <mutex>
#include <rouse/future.hpp>

struct locked {
    rouse::poll_result<std::mutex> poll(rouse::context&) { return rouse::pending; }
};

void use(rouse::context& cx) { auto result = locked().poll(cx); }
