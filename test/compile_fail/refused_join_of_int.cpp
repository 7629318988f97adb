// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: a combinator takes futures (poll(context&) -> poll_result<T>), or what into_future_traits converts

#include <rouse/join.hpp>

void use() { (void)rouse::join(rouse::ready_future(1), 2); }
