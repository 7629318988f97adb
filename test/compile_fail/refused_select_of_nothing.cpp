// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: a select of nothing would wait for ever

#include <rouse/select.hpp>

void use() { (void)rouse::select(); }
