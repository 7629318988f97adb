// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What can be awaited, under every token: futures.

#include <support/asio_interop.hpp>

BOOST_AUTO_TEST_SUITE(test_interop_futures)

BOOST_AUTO_TEST_CASE(futures_under_every_token) {
    using namespace rouse_test;
    every_source_under_every_token<int, from_struct, from_task, from_any_future, from_handle>();
}

BOOST_AUTO_TEST_SUITE_END()
