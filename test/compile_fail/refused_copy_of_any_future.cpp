// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: deleted

#include <rouse/any_future.hpp>

rouse::any_future<int> copy(rouse::any_future<int>& one) { return rouse::any_future<int>(one); }
