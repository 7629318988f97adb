// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What can be awaited, under every token: what Asio and others have.

#include <support/asio_interop.hpp>

BOOST_AUTO_TEST_SUITE(test_interop_operations)

BOOST_AUTO_TEST_CASE(operations_under_every_token) {
    using namespace rouse_test;
    every_source_under_every_token<int, from_operation, from_deferred, from_asio_awaitable, from_foreign>();
}

BOOST_AUTO_TEST_SUITE_END()
