// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: a combinator over a range takes futures of one type in anything that has begin and end

#include <rouse/join_all.hpp>

#include <vector>

void use() { (void)rouse::join_all(std::vector<int>{1, 2}); }
