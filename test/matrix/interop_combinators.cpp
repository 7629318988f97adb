// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What can be awaited, under every token: combinators, and std::future.

#include <support/asio_interop.hpp>

BOOST_AUTO_TEST_SUITE(test_interop_combinators)

BOOST_AUTO_TEST_CASE(combinators_under_every_token) {
    using namespace rouse_test;
    every_source_under_every_token<int, from_join, from_select, from_timeout, from_std_future>();
}

BOOST_AUTO_TEST_SUITE_END()
