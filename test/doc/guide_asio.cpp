// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <exception>
#include <future>
#include <rouse.hpp>
#include <string>
#include <tuple>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_guide_asio)

// The code of the guide's chapters on use_poll and on spawn.

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

// [echo]
rouse::task<> echo(tcp::socket socket) {
    std::array<char, 4096> buffer;
    for (;;) {
        auto const n = co_await socket.async_read_some(asio::buffer(buffer),
                                                       rouse::as_result(rouse::use_poll));
        if (!n) co_return;  // the other end has closed, or an error
        co_await asio::async_write(socket, asio::buffer(buffer, *n), rouse::use_poll);
    }
}

rouse::task<> listen(tcp::acceptor acceptor, int connections) {
    for (int i = 0; i != connections; ++i) {
        tcp::socket socket = co_await acceptor.async_accept(rouse::use_poll);
        rouse::this_task::spawn_ok(echo(std::move(socket)));
    }
}
// [/echo]

// [client]
rouse::task<std::string> ask(asio::io_context& io, tcp::endpoint server, std::string question) {
    tcp::socket socket(io);
    co_await socket.async_connect(server, rouse::use_poll);
    co_await asio::async_write(socket, asio::buffer(question), rouse::use_poll);
    socket.shutdown(tcp::socket::shutdown_send);
    std::string answer(question.size(), '\0');
    co_await asio::async_read(socket, asio::buffer(answer), rouse::use_poll);
    co_return answer;
}
// [/client]

BOOST_AUTO_TEST_CASE(an_echo_server_and_two_clients) {
    asio::io_context io;
    tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
    auto const server = acceptor.local_endpoint();
    rouse::spawn_ok(io, listen(std::move(acceptor), 2));
    auto one = rouse::spawn(io, ask(io, server, "one"));
    auto two = rouse::spawn(io, ask(io, server, "two"));
    io.run();
    BOOST_TEST(rouse::block_on(std::move(one)) == "one");
    BOOST_TEST(rouse::block_on(std::move(two)) == "two");
}

// [results]
rouse::task<int> results(asio::io_context& io) {
    int errors = 0;
    tcp::socket socket(io);  // not open: every read fails
    std::array<char, 16> buffer;

    try {  // an error_code becomes a system_error
        co_await socket.async_read_some(asio::buffer(buffer), rouse::use_poll);
    } catch (boost::system::system_error const&) {
        ++errors;
    }

    auto const result =  // boost::system::result<std::size_t>
        co_await socket.async_read_some(asio::buffer(buffer), rouse::as_result(rouse::use_poll));
    if (result.has_error()) ++errors;

    auto const both =  // std::tuple<error_code, std::size_t>
        co_await socket.async_read_some(asio::buffer(buffer), asio::as_tuple(rouse::use_poll));
    if (std::get<0>(both)) ++errors;

    error_code error;
    co_await socket.async_read_some(asio::buffer(buffer),
                                    asio::redirect_error(rouse::use_poll, error));
    if (error) ++errors;
    co_return errors;
}
// [/results]

BOOST_AUTO_TEST_CASE(four_ways_to_get_an_error) {
    asio::io_context io;
    auto errors = rouse::spawn(io, results(io));
    io.run();
    BOOST_TEST(rouse::block_on(std::move(errors)) == 4);
}

// [without_naming]
using timer = rouse::use_poll_t::as_default_on_t<asio::steady_timer>;

rouse::task<> without_naming_the_token(asio::io_context& io) {
    timer one(io, 1ms);
    co_await one.async_wait();  // use_poll is this type's default
    asio::steady_timer two(io, 1ms);
    co_await two.async_wait(asio::deferred);  // what `deferred` returns can be awaited
}
// [/without_naming]

BOOST_AUTO_TEST_CASE(operations_without_a_named_token) {
    asio::io_context io;
    auto done = rouse::spawn(io, without_naming_the_token(io));
    io.run();
    rouse::block_on(std::move(done));
}

rouse::task<int> compute() {
    int const result = 42;
    co_return result;
}

asio::awaitable<int> from_an_awaitable(asio::any_io_executor ex) {
    // [use_awaitable]
    int const w = co_await rouse::spawn(ex, compute(), asio::use_awaitable);
    // [/use_awaitable]
    co_return w;
}

BOOST_AUTO_TEST_CASE(any_token) {
    asio::io_context io;
    int called = 0;
    // [handle]
    rouse::join_handle<int> handle = rouse::spawn(io, compute());
    // [/handle]
    // [tokens]
    rouse::spawn(io, compute(), [&](std::exception_ptr error, int value) {
        if (!error) called = value;
    });
    std::future<int> future = rouse::spawn(io, compute(), asio::use_future);
    rouse::spawn(io, compute(), asio::detached);
    // [/tokens]
    auto awaited = asio::co_spawn(io, from_an_awaitable(io.get_executor()), asio::use_future);
    // [executors]
    rouse::join_handle<int> on_a_strand = rouse::spawn(asio::make_strand(io), compute());
    asio::any_io_executor any = io.get_executor();
    rouse::join_handle<int> on_any = rouse::spawn(any, compute());
    // [/executors]
    io.run();
    BOOST_TEST(rouse::block_on(std::move(handle)) == 42);
    BOOST_TEST(called == 42);
    BOOST_TEST(future.get() == 42);
    BOOST_TEST(awaited.get() == 42);
    BOOST_TEST(rouse::block_on(std::move(on_a_strand)) == 42);
    BOOST_TEST(rouse::block_on(std::move(on_any)) == 42);
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
