// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: deleted

#include <rouse/context.hpp>

rouse::context copy(rouse::context& one) { return rouse::context(one); }
