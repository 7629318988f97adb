// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Sockets, acceptors, and Beast's protocols on a pool: with handlers, which run on its workers, and
// with tasks.

#include <support/pool_watch.hpp>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <rouse.hpp>
#include <string>

#include <unistd.h>

BOOST_AUTO_TEST_SUITE(test_executor_streams)

using namespace rouse_test;
using namespace std::chrono_literals;
using boost::system::error_code;
using rouse::block_on;
using rouse::spawn;
using rouse::task;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

BOOST_AUTO_TEST_CASE(tcp_with_handlers) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_watch watch(m, workers);
        for (bool const by_context : {true, false}) {
            tcp::endpoint const any(asio::ip::address_v4::loopback(), 0);
            tcp::acceptor acceptor = by_context ? tcp::acceptor(watch.pool(), any)
                                                : tcp::acceptor(watch.pool().get_executor(), any);
            tcp::socket client = by_context ? tcp::socket(watch.pool())
                                            : tcp::socket(watch.pool().get_executor());
            std::optional<tcp::socket> server;
            door accepted;
            acceptor.async_accept([&](error_code e, tcp::socket s) {
                if (!e) server.emplace(std::move(s));
                watch.here();
                accepted.open();
            });
            client.async_connect(acceptor.local_endpoint(), watch.handler());
            watch.expect(2);
            accepted.wait();
            BOOST_REQUIRE(server);
            // The socket that was accepted lives in the pool as well.
            BOOST_TEST((server->get_executor() == acceptor.get_executor()));
            std::string const sent(100'000, 'x');
            std::string received(sent.size(), ' ');
            asio::async_write(client, asio::buffer(sent), watch.handler());
            asio::async_read(*server, asio::buffer(received), watch.handler());
            watch.expect(2);
            BOOST_TEST((received == sent));
            char c = 0;
            server->async_read_some(asio::buffer(&c, 1), watch.handler());
            server->async_wait(tcp::socket::wait_write, watch.handler());
            server->cancel();
            watch.expect(2);
        }
    });
}

BOOST_AUTO_TEST_CASE(udp_with_handlers) {
    on_each([](pool_watch& watch, auto& where) {
        udp::endpoint const any(asio::ip::address_v4::loopback(), 0);
        udp::socket here(where, any);
        udp::socket there(where, any);
        std::array<char, 16> buffer{};
        udp::endpoint from;
        there.async_receive_from(asio::buffer(buffer), from, watch.handler());
        here.async_send_to(asio::buffer("hi", 2), there.local_endpoint(), watch.handler());
        watch.expect(2);
        BOOST_TEST((from == here.local_endpoint()));
        BOOST_TEST(buffer[1] == 'i');
    });
}

BOOST_AUTO_TEST_CASE(local_sockets_with_handlers) {
    on_each([](pool_watch& watch, auto& where) {
        std::array<char, 16> buffer{};
        asio::local::stream_protocol::socket a(where);
        asio::local::stream_protocol::socket b(where);
        asio::local::connect_pair(a, b);
        a.async_write_some(asio::buffer("x", 1), watch.handler());
        b.async_read_some(asio::buffer(buffer), watch.handler());
        watch.expect(2);
        BOOST_TEST(buffer[0] == 'x');
    });
}

BOOST_AUTO_TEST_CASE(descriptors_with_handlers) {
    on_each([](pool_watch& watch, auto& where) {
        std::array<char, 16> buffer{};
        std::array<int, 2> ends{};
        BOOST_REQUIRE(::pipe(ends.data()) == 0);
        asio::posix::stream_descriptor out(where, ends[1]);
        asio::posix::stream_descriptor in(where, ends[0]);
        in.async_read_some(asio::buffer(buffer), watch.handler());
        out.async_write_some(asio::buffer("y", 1), watch.handler());
        watch.expect(2);
        BOOST_TEST(buffer[0] == 'y');
    });
}

BOOST_AUTO_TEST_CASE(sockets_on_a_strand_of_the_pool) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_watch watch(m, workers);
        auto const strand = asio::make_strand(watch.pool().get_executor());
        tcp_pair sockets(strand);
        std::string received(50'000, ' ');
        std::string const sent(50'000, 'z');
        asio::dispatch(strand, [&] {
            asio::async_write(sockets.here, asio::buffer(sent), watch.handler());
            asio::async_read(sockets.there, asio::buffer(received), watch.handler());
        });
        watch.expect(2);
        BOOST_TEST((received == sent));
        // A task is spawned on the strand as on any other executor.
        int const n = block_on(rouse::spawn(strand, [&]() -> task<int> {
            char c = 'q';
            co_await asio::async_write(sockets.here, asio::buffer(&c, 1), rouse::use_poll);
            co_await asio::async_read(sockets.there, asio::buffer(&c, 1), rouse::use_poll);
            co_return c;
        }));
        BOOST_TEST(n == 'q');
    });
}

namespace {

using http_request = http::request<http::string_body>;
using http_response = http::response<http::string_body>;

}  // namespace

BOOST_AUTO_TEST_CASE(http_with_handlers_and_with_tasks) {
    on_each([](pool_watch& watch, auto& where) {
        beast::tcp_stream client(where);
        beast::tcp_stream server(where);
        connect_pair(client.socket(), server.socket());
        http_request request(http::verb::post, "/echo", 11, std::string(20'000, 'b'));
        request.prepare_payload();
        {
            http_request read;
            beast::flat_buffer buffer;
            http::async_write(client, request, watch.handler());
            http::async_read(server, buffer, read, watch.handler());
            watch.expect(2);
            BOOST_TEST((read.body() == request.body()));
        }
        auto serving = rouse::spawn(watch.pool(), [&]() -> task<> {
            beast::flat_buffer buffer;
            for (int n = 0; n < 5; ++n) {
                http_request read;
                server.expires_after(1min);
                co_await http::async_read(server, buffer, read, rouse::use_poll);
                http_response answer(http::status::ok, 11, read.body());
                answer.prepare_payload();
                co_await http::async_write(server, answer, rouse::use_poll);
            }
        });
        int const right = block_on(rouse::spawn(watch.pool(), [&]() -> task<int> {
            beast::flat_buffer buffer;
            int good = 0;
            for (int n = 0; n < 5; ++n) {
                co_await http::async_write(client, request, rouse::use_poll);
                http_response answer;
                co_await http::async_read(client, buffer, answer, rouse::use_poll);
                if (answer.body() == request.body()) ++good;
            }
            co_return good;
        }));
        BOOST_TEST(right == 5);
        block_on(std::move(serving));
        watch.expect(0);
    });
}

BOOST_AUTO_TEST_CASE(websockets_with_handlers_and_with_tasks) {
    on_each([](pool_watch& watch, auto& where) {
        websocket::stream<tcp::socket> client(where);
        websocket::stream<tcp::socket> server(where);
        connect_pair(client.next_layer(), server.next_layer());
        server.async_accept(watch.handler());
        client.async_handshake("localhost", "/", watch.handler());
        watch.expect(2);
        beast::flat_buffer buffer;
        client.async_write(asio::buffer("hello", 5), watch.handler());
        server.async_read(buffer, watch.handler());
        watch.expect(2);
        BOOST_TEST(beast::buffers_to_string(buffer.data()) == "hello");

        auto serving = rouse::spawn(watch.pool(), [&]() -> task<> {
            for (int n = 0; n < 20; ++n) {
                beast::flat_buffer message;
                co_await server.async_read(message, rouse::use_poll);
                co_await server.async_write(message.data(), rouse::use_poll);
            }
        });
        int const right = block_on(rouse::spawn(watch.pool(), [&]() -> task<int> {
            int good = 0;
            for (int n = 0; n < 20; ++n) {
                std::string const sent(static_cast<std::size_t>(1000 * n), 'w');
                co_await client.async_write(asio::buffer(sent), rouse::use_poll);
                beast::flat_buffer message;
                co_await client.async_read(message, rouse::use_poll);
                if (beast::buffers_to_string(message.data()) == sent) ++good;
            }
            co_return good;
        }));
        BOOST_TEST(right == 20);
        block_on(std::move(serving));
        watch.expect(0);
    });
}

BOOST_AUTO_TEST_SUITE_END()
