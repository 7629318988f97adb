// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What can be awaited, under every token: values that are no numbers.

#include <support/asio_interop.hpp>

BOOST_AUTO_TEST_SUITE(test_interop_values)

namespace {

using namespace rouse_test;

template <class V>
void every_source() {
    every_source_erased_under_every_token<V, from_struct, from_task, from_handle, from_operation,
                                          from_deferred, from_asio_awaitable, from_std_future,
                                          from_foreign, from_join, from_select, from_timeout>();
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_source_of_strings) { every_source<std::string>(); }
BOOST_AUTO_TEST_CASE(every_source_of_what_only_moves) { every_source<std::unique_ptr<int>>(); }
BOOST_AUTO_TEST_CASE(every_source_of_nothing) { every_source<void>(); }

BOOST_AUTO_TEST_SUITE_END()
