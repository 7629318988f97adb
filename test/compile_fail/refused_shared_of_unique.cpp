// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: shared: each copy gives a copy of the value, which must be copyable

#include <rouse/shared.hpp>

#include <memory>

void use() { (void)rouse::shared(rouse::ready_future(std::make_unique<int>(1))); }
