// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: deleted

#include <rouse/join_handle.hpp>

rouse::join_handle<int> copy(rouse::join_handle<int>& one) { return rouse::join_handle<int>(one); }
