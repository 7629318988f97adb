// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The future that use_poll returns, when nobody waits for its operation to end: dropped in flight,
// here or while another thread completes it, and the kinds that a drain lets go at once.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>
#include <support/asio_op.hpp>

#include <array>
#include <boost/asio/append.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/consign.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/prepend.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <rouse/as_result.hpp>
#include <rouse/use_poll.hpp>
#include <string>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_op_let_go)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using boost::system::error_code;
using rouse::use_poll;

}  // namespace

BOOST_AUTO_TEST_SUITE(drop_in_flight)

BOOST_AUTO_TEST_CASE(of_a_plain_read_whose_buffer_goes_at_once) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    {
        auto data = std::make_unique<std::array<char, 64>>();
        auto op =
            std::make_unique<decltype(sockets.here.async_read_some(asio::buffer(*data), use_poll))>(
                sockets.here.async_read_some(asio::buffer(*data), use_poll));
        BOOST_TEST(h.poll(*op).is_pending());
        op.reset();
    }
    asio::write(sockets.there, asio::buffer("lost?", 5));
    run_ready(io);
    BOOST_TEST(!h.woken());
    BOOST_TEST(h.wakes.live == 1);  // only our own
    // Nobody has read the bytes.
    std::array<char, 8> rest{};
    BOOST_TEST(sockets.here.read_some(asio::buffer(rest)) == 5U);
}

BOOST_AUTO_TEST_CASE(of_a_composed_read_whose_buffer_goes_at_once) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    for (int steps = 0; steps < 4; ++steps) {
        auto data = std::make_unique<std::array<char, 64>>();
        auto op = asio::async_read(sockets.here, asio::buffer(*data), use_poll);
        BOOST_TEST(h.poll(op).is_pending());
        for (int i = 0; i < steps; ++i) {
            asio::write(sockets.there, asio::buffer("x", 1));
            run_ready(io);
            if (i + 1 < steps) BOOST_TEST(h.poll(op).is_pending());
        }
        // With steps > 0 the last intermediate handler is in the inbox.
    }
    asio::write(sockets.there, asio::buffer("y", 1));
    run_ready(io);
}

BOOST_AUTO_TEST_CASE(of_a_large_write) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    {
        auto data = std::make_unique<std::vector<char>>(std::size_t{16} << 20);
        auto op = asio::async_write(sockets.here, asio::buffer(*data), use_poll);
        BOOST_TEST(h.poll(op).is_pending());
        run_ready(io);
        BOOST_TEST(h.poll(op).is_pending());
    }
    run_ready(io);
}

BOOST_AUTO_TEST_CASE(of_a_timer) {
    hand h;
    asio::io_context io;
    asio::steady_timer timer(io, 24h);
    {
        auto op = timer.async_wait(use_poll);
        BOOST_TEST(h.poll(op).is_pending());
    }
    io.run();  // would take a day if it still waited
    BOOST_TEST(!h.woken());
}

BOOST_AUTO_TEST_CASE(of_an_operation_that_completes_later) {
    hand h;
    manual_operation<void(error_code, std::unique_ptr<int>)> operation;
    {
        auto op = operation.async(use_poll);
        BOOST_TEST(h.poll(op).is_pending());
    }
    operation.complete(error_code(), std::make_unique<int>(1));  // destroyed, not run
    BOOST_TEST(!h.woken());
}

BOOST_AUTO_TEST_CASE(of_an_operation_that_has_completed) {
    hand h;
    manual_operation<void(error_code, std::unique_ptr<int>)> operation;
    {
        auto op = operation.async(use_poll);
        BOOST_TEST(h.poll(op).is_pending());
        operation.complete(error_code(), std::make_unique<int>(1));
    }
    BOOST_TEST(h.wakes.live == 1);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(abandonable)

namespace {

using resolved = tcp::resolver::results_type;

template <class Token>
void is_released_at_once(Token token) {
    hand h;
    manual_operation<void(error_code, resolved)> getaddrinfo;
    auto op = getaddrinfo.async(std::move(token));
    BOOST_TEST(h.poll(op).is_pending());
    BOOST_TEST(h.poll_cancel(op).is_ready());
    BOOST_TEST(h.poll_cancel(op).is_ready());
    getaddrinfo.complete(error_code(), resolved());  // nobody listens
    BOOST_TEST(!h.woken());
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_resolver_is_not_waited_for) {
    error_code error;
    is_released_at_once(use_poll);
    is_released_at_once(asio::as_tuple(use_poll));
    is_released_at_once(rouse::as_result(use_poll));
    is_released_at_once(asio::redirect_error(use_poll, error));
    is_released_at_once(asio::append(use_poll, 1));
    is_released_at_once(asio::prepend(use_poll, 1));
    is_released_at_once(asio::consign(use_poll, 1));
    is_released_at_once(asio::as_tuple(asio::append(use_poll, 1)));
}

BOOST_AUTO_TEST_CASE(b70_a_result_that_is_there_is_kept) {
    hand h;
    manual_operation<void(error_code, resolved)> getaddrinfo;
    auto op = getaddrinfo.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    getaddrinfo.complete(error_code(), resolved::create(tcp::endpoint(), "host", "service"));
    auto released = h.poll_cancel(op);
    BOOST_TEST_REQUIRE(released.is_ready());
    BOOST_TEST_REQUIRE(released.value().has_value());
    BOOST_TEST(released.value()->size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(other_threads)

// Bound to an executor with threads of its own, the handler is invoked there, while the future may
// be polled here.
BOOST_AUTO_TEST_CASE(completion_by_a_bound_executor) {
    asio::io_context io;
    auto work = asio::make_work_guard(io);
    std::thread other([&] { io.run(); });
    hand h;
    for (int i = 0; i < 200; ++i) {
        manual_operation<void(error_code, std::string)> operation;
        auto op = operation.async(asio::bind_executor(io.get_executor(), use_poll));
        BOOST_TEST(h.poll(op).is_pending());
        operation.complete(error_code(), std::string("from the other thread"));
        for (;;) {
            auto polled = h.poll(op);
            if (polled.is_pending()) continue;
            BOOST_TEST(polled.value() == "from the other thread");
            break;
        }
    }
    // And dropped while the handler may be running.
    for (int i = 0; i < 200; ++i) {
        manual_operation<void(error_code, std::string)> operation;
        auto op = operation.async(asio::bind_executor(io.get_executor(), use_poll));
        BOOST_TEST(h.poll(op).is_pending());
        operation.complete(error_code(), std::string("to nobody"));
    }
    work.reset();
    other.join();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
