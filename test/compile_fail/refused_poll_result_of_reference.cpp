// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: never a reference

#include <rouse/future.hpp>

struct lookup {
    explicit lookup(int& place) : place_(&place) {}
    rouse::poll_result<int&> poll(rouse::context&) { return *place_; }

private:
    int* place_;
};
