// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The one place that names the test module, and so the one that defines main().

#define BOOST_TEST_MODULE rouse
#include <boost/test/unit_test.hpp>
