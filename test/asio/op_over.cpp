// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// An op whose operation is over, and whose I/O object is gone, is dropped before anybody has polled it
// again. AddressSanitizer sees what a request to stop would then reach into.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>

#include <rouse/use_poll.hpp>

BOOST_AUTO_TEST_SUITE(test_op_over)

using namespace rouse_test;

BOOST_AUTO_TEST_CASE(completed_on_a_bound_executor) {
    asio::io_context io;
    asio::io_context other;
    auto sockets = std::make_optional<tcp_pair>(io.get_executor());
    char received[8];
    hand h;
    auto op = sockets->here.async_read_some(asio::buffer(received),
                                            asio::bind_executor(other, rouse::use_poll));
    BOOST_TEST(h.poll(op).is_pending());
    sockets->there.write_some(asio::buffer("x", 1));
    io.run();
    other.run();
    sockets.reset();
    // The op goes.
}

BOOST_AUTO_TEST_CASE(abandoned_with_its_io_context) {
    auto io = std::make_optional<asio::io_context>();
    auto sockets = std::make_optional<tcp_pair>(io->get_executor());
    char received[8];
    hand h;
    auto op = sockets->here.async_read_some(asio::buffer(received), rouse::use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    sockets.reset();
    io.reset();
}

BOOST_AUTO_TEST_SUITE_END()
