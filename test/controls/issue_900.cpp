// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What asio/issue_900.cpp does with Asio's `||`: an operation that fails at once, with a time limit. It is
// the error that comes, and it comes at once; only `race`, which asks for a success, waits like `||`.

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstddef>
#include <rouse.hpp>

BOOST_AUTO_TEST_SUITE(test_issue_900)

namespace asio = boost::asio;
using namespace std::chrono_literals;
using rouse::task;
using steady = std::chrono::steady_clock;

namespace {

task<std::size_t> read(asio::io_context& io) {
    asio::ip::tcp::socket never_opened(io);
    char byte = 0;
    co_return co_await never_opened.async_read_some(asio::buffer(&byte, 1), rouse::use_poll);
}

bool is_the_error(boost::system::system_error const& e) {
    return e.code() == asio::error::bad_descriptor;
}

template <class Future>
void fails_at_once(asio::io_context& io, Future with_limit) {
    auto const begin = steady::now();
    auto handle = rouse::spawn(io, std::move(with_limit));
    io.restart();
    io.run();
    BOOST_CHECK_EXCEPTION(rouse::block_on(std::move(handle)), boost::system::system_error, is_the_error);
    BOOST_TEST((steady::now() - begin < 10s));  // and not an hour
}

BOOST_AUTO_TEST_CASE(an_operation_that_fails_at_once_does_not_wait_for_its_time_limit) {
    asio::io_context io;
    BOOST_TEST_CONTEXT("timeout") { fails_at_once(io, rouse::timeout(read(io), 1h)); }
    BOOST_TEST_CONTEXT("with_deadline") { fails_at_once(io, rouse::with_deadline(read(io), 1h)); }
    BOOST_TEST_CONTEXT("select") { fails_at_once(io, rouse::select(read(io), rouse::sleep_for(1h))); }
    BOOST_TEST_CONTEXT("try_join") { fails_at_once(io, rouse::try_join(read(io), rouse::sleep_for(1h))); }
}

BOOST_AUTO_TEST_CASE(a_race_asks_for_a_success_and_so_waits_for_it) {
    rouse::paused_clock clock;
    asio::io_context io;
    rouse::use_clock(io, clock);
    auto const begin = clock.now();
    auto handle = rouse::spawn(io, rouse::race(read(io), rouse::sleep_for(1h)));
    rouse::run_with_clock(io, clock);
    BOOST_TEST(rouse::block_on(std::move(handle)).index() == 1U);
    BOOST_TEST((clock.now() - begin == 1h));
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
