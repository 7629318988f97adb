// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#include <rouse/detail/abi.hpp>

namespace rouse::detail {

// The header refers to the one instance that this library was built with, so that is defined here.
template <class Version, class Reactor, class Threads, class Tracking>
char const built_with<Version, Reactor, Threads, Tracking>::here = 0;

[[gnu::used]] static char const* const instantiated = &this_configuration::here;

}  // namespace rouse::detail
