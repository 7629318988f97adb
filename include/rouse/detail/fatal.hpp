// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_DETAIL_FATAL_HPP
#define ROUSE_DETAIL_FATAL_HPP

#include <rouse/config.hpp>

namespace rouse::detail {

// A rule was broken where no exception can be thrown (a destructor, a noexcept move, a wake):
// prints "rouse: SENTENCE" on stderr and terminates. The sentence names the rule.
[[noreturn]] ROUSE_DECL void fatal(char const* sentence) noexcept;

}  // namespace rouse::detail

#endif
