// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What an operation gives may be of any type, also of one that is made of anything, or of an error_code.

#include <support/asio_op.hpp>

#include <any>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>
#include <boost/test/unit_test.hpp>
#include <optional>
#include <rouse/as_result.hpp>
#include <rouse/asio_awaitable.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/use_poll.hpp>
#include <support/asio_hand.hpp>
#include <tuple>
#include <utility>
#include <variant>

BOOST_AUTO_TEST_SUITE(test_values_of_every_kind)

namespace {

using namespace rouse_test;
using boost::system::error_code;
using rouse::as_result;
using rouse::use_poll;

// As an enumeration of errors that an application has, an error_code becomes one and the other way round.
struct status {
    status() = default;
    explicit status(error_code e) : code(e) {}
    error_code code{};
};

template <class T>
void as_result_gives(T value) {
    hand h;
    manual_operation<void(error_code, T)> operation;
    auto good = operation.async(as_result(use_poll));
    BOOST_TEST(h.poll(good).is_pending());
    operation.complete(error_code(), value);
    BOOST_TEST(h.poll(good).value().has_value());
    auto bad = operation.async(as_result(use_poll));
    BOOST_TEST(h.poll(bad).is_pending());
    operation.complete(asio::error::eof, value);
    auto result = h.poll(bad).value();
    BOOST_TEST_REQUIRE(result.has_error());
    BOOST_TEST(result.error() == asio::error::eof);
}

template <class T>
asio::awaitable<T> gives(T value) {
    co_return value;
}

template <class T>
T awaited(T value) {
    asio::io_context io;
    auto handle = rouse::spawn(io, [](T v) -> rouse::task<T> { co_return co_await gives(v); }(std::move(value)));
    io.run();
    return poll_once(handle).value();
}

}  // namespace

BOOST_AUTO_TEST_CASE(of_as_result) {
    as_result_gives(true);
    as_result_gives(7);
    as_result_gives(std::any(7));
    as_result_gives(error_code(asio::error::eof));
    as_result_gives(std::optional<error_code>());
    as_result_gives(std::variant<int, error_code>(7));
    as_result_gives(status());
}

BOOST_AUTO_TEST_CASE(of_as_tuple_without_an_error) {
    hand h;
    manual_operation<void(int)> operation;
    auto op = operation.async(asio::as_tuple(use_poll));
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(42);
    BOOST_TEST(std::get<0>(h.poll(op).value()) == 42);
    manual_operation<void()> nothing;
    auto none = nothing.async(asio::as_tuple(use_poll));
    BOOST_TEST(h.poll(none).is_pending());
    nothing.complete();
    BOOST_TEST((h.poll(none).value() == std::tuple<>()));
}

BOOST_AUTO_TEST_CASE(of_an_awaitable) {
    BOOST_TEST(std::any_cast<int>(awaited(std::any(7))) == 7);
    BOOST_TEST(std::any_cast<int>(std::get<0>(awaited(std::tuple(std::any(8))))) == 8);
    BOOST_TEST(std::any_cast<int>(*awaited(std::optional(std::any(9)))) == 9);
    BOOST_TEST((awaited(std::variant<int, std::any>(10)).index()) == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
