// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: never a reference

#include <rouse/task.hpp>

rouse::task<int&> biggest();

void use() { auto task = biggest(); }
