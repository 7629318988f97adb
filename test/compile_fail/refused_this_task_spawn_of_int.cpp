// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: what is spawned is a future

#include <rouse/this_task.hpp>

void use() { auto handle = rouse::this_task::spawn(42); }
