// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The future that use_poll returns: when its operation starts, and what it gives at the end. Polled
// by hand, on an io_context that the test runs.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>
#include <support/asio_op.hpp>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <memory>
#include <rouse/as_result.hpp>
#include <rouse/use_poll.hpp>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_op_start_and_result)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using boost::system::error_code;
using rouse::use_poll;

}  // namespace

BOOST_AUTO_TEST_SUITE(start)

BOOST_AUTO_TEST_CASE(nothing_starts_before_the_first_poll) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(operation.started == 0);
    BOOST_TEST(h.poll(op).is_pending());
    BOOST_TEST(operation.started == 1);
    BOOST_TEST(h.poll(op).is_pending());  // a poll too many does no harm
    BOOST_TEST(operation.started == 1);
    operation.complete(error_code(), 5);
    BOOST_TEST(h.woken());
    BOOST_TEST(h.poll(op).value() == 5);
}

BOOST_AUTO_TEST_CASE(an_operation_of_asio_starts_with_the_first_poll) {
    hand h;
    asio::io_context io;
    asio::steady_timer timer(io, 24h);
    auto op = timer.async_wait(asio::as_tuple(use_poll));
    BOOST_TEST(io.poll() == 0U);
    BOOST_TEST(timer.cancel() == 0U);  // nobody waits
    BOOST_TEST(h.poll(op).is_pending());
    BOOST_TEST(timer.cancel() == 1U);
    finish(h, io, op);
}

BOOST_AUTO_TEST_CASE(an_op_dropped_before_its_first_poll_never_starts) {
    manual_operation<void()> operation;
    {
        auto op = operation.async(use_poll);
        static_cast<void>(op);
    }
    BOOST_TEST(operation.started == 0);
}

BOOST_AUTO_TEST_CASE(an_op_cancelled_before_its_first_poll_never_starts) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    auto op = operation.async(use_poll);
    auto released = h.poll_cancel(op);
    BOOST_TEST_REQUIRE(released.is_ready());
    BOOST_TEST(!released.value());
    BOOST_TEST(h.poll_cancel(op).is_ready());
    BOOST_TEST(operation.started == 0);
}

BOOST_AUTO_TEST_CASE(a_task_aborted_before_its_first_poll_starts_nothing) {
    hand_executor executor;
    manual_operation<void()> operation;
    auto handle = executor.spawn(operation.async(use_poll));
    handle.abort();
    executor.run_all();
    BOOST_TEST(handle.is_finished());
    BOOST_TEST(operation.started == 0);
}

BOOST_AUTO_TEST_CASE(an_op_may_move_before_its_first_poll) {
    hand h;
    asio::io_context io;
    asio::steady_timer timer(io, 1ms);
    auto op = timer.async_wait(use_poll);
    auto moved = std::move(op);
    auto again = std::make_unique<decltype(moved)>(std::move(moved));
    while (h.poll(*again).is_pending()) io.run_one();
}

BOOST_AUTO_TEST_CASE(arguments_are_kept_until_the_start) {
    // A buffer sequence and a completion condition that are temporaries where the op is made.
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::string first(3, ' ');
    std::string second(3, ' ');
    auto const make = [&] {
        std::vector<asio::mutable_buffer> const both{asio::buffer(first), asio::buffer(second)};
        return asio::async_read(sockets.here, both, asio::transfer_exactly(5), use_poll);
    };
    auto op = make();
    asio::write(sockets.there, asio::buffer("abcde", 5));
    BOOST_TEST(finish(h, io, op) == 5U);
    BOOST_TEST(first == "abc");
    BOOST_TEST(second == "de ");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(results)

BOOST_AUTO_TEST_CASE(an_error_code_is_thrown) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(asio::error::connection_reset, 0);
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), boost::system::system_error,
                          with_code(asio::error::connection_reset));
}

BOOST_AUTO_TEST_CASE(an_exception_ptr_is_thrown) {
    hand h;
    manual_operation<void(std::exception_ptr, int)> operation;
    {
        auto op = operation.async(use_poll);
        BOOST_TEST(h.poll(op).is_pending());
        operation.complete(std::make_exception_ptr(std::out_of_range("far")), 0);
        BOOST_CHECK_THROW(static_cast<void>(h.poll(op)), std::out_of_range);
    }
    {
        auto op = operation.async(use_poll);
        BOOST_TEST(h.poll(op).is_pending());
        operation.complete(std::exception_ptr(), 9);
        BOOST_TEST(h.poll(op).value() == 9);
    }
}

BOOST_AUTO_TEST_CASE(none_is_void_one_is_itself_more_are_a_tuple) {
    manual_operation<void()> none;
    manual_operation<void(int)> one;
    manual_operation<void(int, std::string)> two;
    manual_operation<void(error_code)> code;
    manual_operation<void(error_code, int, std::string)> code_and_two;
    manual_operation<void(int, error_code)> code_last;
    static_assert(std::is_void_v<rouse::output_t<decltype(none.async(use_poll))>>);
    static_assert(std::same_as<rouse::output_t<decltype(one.async(use_poll))>, int>);
    static_assert(
        std::same_as<rouse::output_t<decltype(two.async(use_poll))>, std::tuple<int, std::string>>);
    static_assert(std::is_void_v<rouse::output_t<decltype(code.async(use_poll))>>);
    static_assert(std::same_as<rouse::output_t<decltype(code_and_two.async(use_poll))>,
                               std::tuple<int, std::string>>);
    static_assert(std::same_as<rouse::output_t<decltype(code_last.async(use_poll))>,
                               std::tuple<int, error_code>>);
    hand h;
    auto op = code_and_two.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    code_and_two.complete(error_code(), 4, std::string("four"));
    auto const [n, s] = h.poll(op).value();
    BOOST_TEST(n == 4);
    BOOST_TEST(s == "four");
}

BOOST_AUTO_TEST_CASE(a_value_may_be_move_only_and_without_a_default) {
    hand h;
    manual_operation<void(error_code, cargo)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(error_code(), cargo(3));
    BOOST_TEST(*h.poll(op).value().value == 3);

    auto with_result = operation.async(rouse::as_result(use_poll));
    BOOST_TEST(h.poll(with_result).is_pending());
    operation.complete(error_code(), cargo(4));
    auto result = h.poll(with_result).value();
    BOOST_TEST_REQUIRE(result.has_value());
    BOOST_TEST(*result->value == 4);
}

BOOST_AUTO_TEST_CASE(as_result_gives_the_error) {
    hand h;
    manual_operation<void(error_code, int, int)> operation;
    auto op = operation.async(rouse::as_result(use_poll));
    static_assert(std::same_as<rouse::output_t<decltype(op)>,
                               boost::system::result<std::tuple<int, int>, error_code>>);
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(asio::error::eof, 0, 0);
    auto const result = h.poll(op).value();
    BOOST_TEST_REQUIRE(result.has_error());
    BOOST_TEST((result.error() == asio::error::eof));
}

BOOST_AUTO_TEST_CASE(redirect_error_gives_error_and_value) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    error_code error;
    auto op = operation.async(asio::redirect_error(use_poll, error));
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(asio::error::eof, 8);
    BOOST_TEST(h.poll(op).value() == 8);
    BOOST_TEST((error == asio::error::eof));
}

BOOST_AUTO_TEST_CASE(b75_end_of_file) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::array<char, 4> data{};
    sockets.there.close();
    auto op = sockets.here.async_read_some(asio::buffer(data), use_poll);
    BOOST_CHECK_EXCEPTION(finish(h, io, op), boost::system::system_error,
                          with_code(asio::error::eof));
}

BOOST_AUTO_TEST_CASE(only_the_latest_waker_is_woken) {
    asio::io_context io;
    manual_operation<void()> operation;
    wake_counter first;
    wake_counter second;
    auto op = operation.async(use_poll);
    BOOST_TEST(poll_once(op, first.make()).is_pending());
    BOOST_TEST(poll_once(op, second.make()).is_pending());
    BOOST_TEST(first.live == 0);
    operation.complete();
    BOOST_TEST(first.wakes == 0);
    BOOST_TEST(second.wakes == 1);
    BOOST_TEST(poll_once(op).is_ready());
    BOOST_TEST(second.live == 0);
}

BOOST_AUTO_TEST_CASE(b21_poll_after_ready_says_so) {
    hand h;
    manual_operation<void()> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete();
    BOOST_TEST(h.poll(op).is_ready());
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), std::logic_error, says_polled_too_often);
}

BOOST_AUTO_TEST_CASE(b21_poll_after_a_move_says_so) {
    hand h;
    manual_operation<void()> operation;
    auto op = operation.async(use_poll);
    auto const moved = std::move(op);
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), std::logic_error, says_polled_too_often);
    BOOST_TEST(operation.started == 0);
}

// The io_context only stores the function; it is the poll that runs it.
BOOST_AUTO_TEST_CASE(handlers_run_in_polls_only) {
    hand h;
    asio::io_context io;
    std::vector<int> order;
    auto op = asio::async_compose<rouse::use_poll_t const, void()>(
        [&, step = 0](auto& self) mutable {
            order.push_back(step);
            if (step++ < 3) {
                asio::post(io, std::move(self));
            } else {
                self.complete();
            }
        },
        use_poll, io);
    BOOST_TEST(order.empty());
    for (std::size_t steps = 1; steps <= 3; ++steps) {
        BOOST_TEST(h.poll(op).is_pending());
        BOOST_TEST(order.size() == steps);
        run_ready(io);
        BOOST_TEST(order.size() == steps);
        BOOST_TEST(h.woken());
    }
    BOOST_TEST(h.poll(op).is_ready());
    BOOST_TEST(order.size() == 4U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
