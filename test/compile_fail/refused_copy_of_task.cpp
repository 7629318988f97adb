// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: deleted

#include <rouse/task.hpp>

rouse::task<int> copy(rouse::task<int>& one) { return rouse::task<int>(one); }
