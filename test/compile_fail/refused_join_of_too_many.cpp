// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: a combinator takes 64 futures at most; join_all and select_all take ranges

#include <rouse/join.hpp>
#include <utility>

template <std::size_t... I>
void use(std::index_sequence<I...>) {
    (void)rouse::join((static_cast<void>(I), rouse::ready_future())...);
}

void use() { use(std::make_index_sequence<65>{}); }
