// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The future that use_poll returns, when something goes wrong: exceptions from the operation's own
// code, and an io_context that stops or ends before it has delivered.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>
#include <support/asio_op.hpp>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <rouse/as_result.hpp>
#include <rouse/use_poll.hpp>
#include <stdexcept>
#include <tuple>

BOOST_AUTO_TEST_SUITE(test_op_failures)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using boost::system::error_code;
using rouse::use_poll;

// A value whose next move throws, once told.
struct fragile {
    explicit fragile(bool& b) : broken(&b) {}
    fragile(fragile&& other) : broken(other.broken) {
        if (*broken) throw std::runtime_error("fragile");
    }
    fragile(fragile const& other) : broken(other.broken) {
        if (*broken) throw std::runtime_error("fragile");
    }
    bool* broken;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(exceptions)

BOOST_AUTO_TEST_CASE(b72_of_the_initiation) {
    hand h;
    auto op = asio::async_initiate<rouse::use_poll_t const, void(error_code)>(
        [](auto) { throw std::runtime_error("no start"); }, use_poll);
    BOOST_CHECK_THROW(static_cast<void>(h.poll(op)), std::runtime_error);
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), std::logic_error, says_polled_too_often);
    BOOST_TEST(h.poll_cancel(op).is_ready());
}

// The initiation kept the handler before it threw.
BOOST_AUTO_TEST_CASE(b72_of_an_initiation_that_has_begun) {
    hand h;
    manual_operation<void(int)> inner;
    auto op = asio::async_initiate<rouse::use_poll_t const, void(int)>(
        [&](auto handler) {
            inner.async(std::move(handler));
            throw std::runtime_error("half a start");
        },
        use_poll);
    BOOST_CHECK_THROW(static_cast<void>(h.poll(op)), std::runtime_error);
    inner.complete(3);  // comes too late, is dropped
}

BOOST_AUTO_TEST_CASE(b72_of_an_intermediate_handler) {
    hand h;
    asio::io_context io;
    auto op = asio::async_compose<rouse::use_poll_t const, void()>(
        [&, step = 0](auto& self) mutable {
            if (step++ != 0) throw std::runtime_error("half way");
            asio::post(io, std::move(self));
        },
        use_poll, io);
    BOOST_TEST(h.poll(op).is_pending());
    run_ready(io);
    BOOST_CHECK_THROW(static_cast<void>(h.poll(op)), std::runtime_error);
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), std::logic_error, says_polled_too_often);
}

BOOST_AUTO_TEST_CASE(b72_of_an_intermediate_handler_while_draining) {
    hand h;
    asio::io_context io;
    auto op = asio::async_compose<rouse::use_poll_t const, void()>(
        [&, step = 0](auto& self) mutable {
            if (step++ != 0) throw std::runtime_error("half way");
            asio::post(io, std::move(self));
        },
        use_poll, io);
    BOOST_TEST(h.poll(op).is_pending());
    run_ready(io);
    BOOST_CHECK_THROW(static_cast<void>(h.poll_cancel(op)), std::runtime_error);
    BOOST_TEST(h.poll_cancel(op).is_ready());
}

BOOST_AUTO_TEST_CASE(b72_of_the_move_of_a_value) {
    hand h;
    bool broken = false;
    manual_operation<void(error_code, fragile)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(error_code(), fragile(broken));
    broken = true;
    BOOST_CHECK_THROW(static_cast<void>(h.poll(op)), std::runtime_error);
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), std::logic_error, says_polled_too_often);
}

// Bound to another executor the handler's exception is that executor's, and the operation has ended
// without an answer.
BOOST_AUTO_TEST_CASE(b72_of_the_move_of_a_value_on_a_bound_executor) {
    hand h;
    asio::io_context io;
    bool broken = false;
    manual_operation<void(error_code, fragile)> operation;
    auto op = operation.async(asio::bind_executor(io.get_executor(), use_poll));
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(error_code(), fragile(broken));
    broken = true;
    BOOST_CHECK_THROW(io.run(), std::runtime_error);
    BOOST_TEST(h.woken());
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), boost::system::system_error,
                          is_operation_aborted);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(end_of_the_io_context)

BOOST_AUTO_TEST_CASE(b68_handler_destroyed_uncalled_is_operation_aborted) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    operation.destroy();
    BOOST_TEST(h.woken());
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), boost::system::system_error,
                          is_operation_aborted);
}

BOOST_AUTO_TEST_CASE(b68_handler_destroyed_uncalled_is_the_code_of_as_tuple_and_as_result) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    auto tuple = operation.async(asio::as_tuple(use_poll));
    BOOST_TEST(h.poll(tuple).is_pending());
    operation.destroy();
    BOOST_TEST((std::get<0>(h.poll(tuple).value()) == asio::error::operation_aborted));

    auto result = operation.async(rouse::as_result(use_poll));
    BOOST_TEST(h.poll(result).is_pending());
    operation.destroy();
    BOOST_TEST((h.poll(result).value().error() == asio::error::operation_aborted));

    // Where the code cannot be said in the value it is thrown.
    manual_operation<void(error_code, cargo)> no_default;
    auto cargo_tuple = no_default.async(asio::as_tuple(use_poll));
    BOOST_TEST(h.poll(cargo_tuple).is_pending());
    no_default.destroy();
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(cargo_tuple)), boost::system::system_error,
                          is_operation_aborted);
}

BOOST_AUTO_TEST_CASE(b68_handler_destroyed_uncalled_while_draining_is_stopped) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    BOOST_TEST(h.poll_cancel(op).is_pending());
    operation.destroy();
    BOOST_TEST(h.woken());
    auto released = h.poll_cancel(op);
    BOOST_TEST_REQUIRE(released.is_ready());
    BOOST_TEST(!released.value());
}

// The I/O objects die first, as Asio wants it; what they had in flight then waits in the
// io_context, which dies without delivering it.
template <class Start>
void io_context_dies(Start start) {
    hand h;
    auto io = std::make_unique<asio::io_context>();
    auto sockets = std::make_unique<tcp_pair>(io->get_executor());
    auto timer = std::make_unique<asio::steady_timer>(*io, 24h);
    auto op = start(*sockets, *timer);
    BOOST_TEST(h.poll(op).is_pending());
    sockets.reset();
    timer.reset();
    BOOST_TEST(!h.woken());
    io.reset();
    BOOST_TEST(h.woken());
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), boost::system::system_error,
                          is_operation_aborted);
}

BOOST_AUTO_TEST_CASE(b68_a_plain_read_is_aborted) {
    std::array<char, 4> data{};
    io_context_dies([&](tcp_pair& sockets, asio::steady_timer&) {
        return sockets.here.async_read_some(asio::buffer(data), use_poll);
    });
}

BOOST_AUTO_TEST_CASE(b68_a_composed_read_is_aborted) {
    std::array<char, 4> data{};
    io_context_dies([&](tcp_pair& sockets, asio::steady_timer&) {
        return asio::async_read(sockets.here, asio::buffer(data), use_poll);
    });
}

BOOST_AUTO_TEST_CASE(b68_a_timer_is_aborted) {
    io_context_dies(
        [&](tcp_pair&, asio::steady_timer& timer) { return timer.async_wait(use_poll); });
}

BOOST_AUTO_TEST_CASE(b68_a_posted_function_is_aborted) {
    hand h;
    auto io = std::make_unique<asio::io_context>();
    auto op = asio::post(io->get_executor(), use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    io.reset();
    BOOST_TEST(h.woken());
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), boost::system::system_error,
                          is_operation_aborted);
}

// A composed operation that was half way, with an intermediate handler in the inbox.
BOOST_AUTO_TEST_CASE(b68_a_composed_operation_with_a_queued_step_is_aborted) {
    hand h;
    auto io = std::make_unique<asio::io_context>();
    auto sockets = std::make_unique<tcp_pair>(io->get_executor());
    std::array<char, 4> data{};
    auto op = asio::async_read(sockets->here, asio::buffer(data), use_poll);
    asio::write(sockets->there, asio::buffer("ab", 2));
    BOOST_TEST(h.poll(op).is_pending());
    run_ready(*io);
    BOOST_TEST(h.woken());
    BOOST_TEST(h.poll(op).is_pending());  // two bytes are there; it reads on
    sockets.reset();
    io.reset();
    BOOST_TEST(h.woken());
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), boost::system::system_error,
                          is_operation_aborted);
}

BOOST_AUTO_TEST_CASE(b67_an_op_survives_stop_and_restart) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::array<char, 8> data{};
    auto op = asio::async_read(sockets.here, asio::buffer(data, 4), use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    io.stop();
    BOOST_TEST(io.run() == 0U);
    BOOST_TEST(h.poll(op).is_pending());
    asio::write(sockets.there, asio::buffer("abcd", 4));
    BOOST_TEST(h.poll(op).is_pending());
    io.restart();
    BOOST_TEST(finish(h, io, op) == 4U);
}

BOOST_AUTO_TEST_CASE(b67_an_op_in_flight_is_work) {
    hand h;
    asio::io_context io;
    asio::steady_timer timer(io, 1ms);
    auto op = timer.async_wait(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    io.run();  // returns when the wait is over, and not before
    BOOST_TEST((timer.expiry() <= std::chrono::steady_clock::now()));
    BOOST_TEST(h.poll(op).is_ready());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
