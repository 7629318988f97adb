// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_CONFIG_HPP
#define ROUSE_CONFIG_HPP

// The version: major * 100000 + minor * 100 + patch, and as text.
#define ROUSE_VERSION 100
#define ROUSE_VERSION_STRING "0.1.0"

// ROUSE_DECL marks what crosses the boundary of a shared library. A build of src/*.cpp as part of
// another program defines nothing and needs nothing.
#if defined(ROUSE_DYN_LINK)
#define ROUSE_DECL [[gnu::visibility("default")]]
#else
#define ROUSE_DECL
#endif

#endif
