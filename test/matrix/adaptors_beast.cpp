// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Every token adaptor, each by itself, over use_poll: HTTP messages on Beast's tcp_stream, and that
// stream itself. adaptors_websocket.cpp has the websockets.

#include <support/asio_bound_slot.hpp>
#include <support/asio_loopback.hpp>
#include <support/asio_matrix.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <rouse/use_poll.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_adaptors_beast)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
namespace beast = boost::beast;
namespace http = beast::http;
using rouse::use_poll;
using rouse::use_poll_t;

constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

struct stream_and_socket {
    explicit stream_and_socket(world& w) : stream_and_socket(tcp_pair(w.executor())) {}
    explicit stream_and_socket(tcp_pair sockets)
        : here(std::move(sockets.here)), there(std::move(sockets.there)) {}

    beast::tcp_stream here;
    tcp::socket there;
};

// Beast declares the types that its functions return.
struct http_read_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;
    static constexpr bool declares_its_type = true;
    static constexpr bool without_nesting = true;

    explicit http_read_op(world& w) : ends(w) {
        asio::write(ends.there, asio::buffer(answer.data(), answer.size()));
    }
    template <class Token>
    auto start(Token&& token) {
        return http::async_read(ends.here, buffer, message, std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST(std::get<0>(v) == answer.size());
        BOOST_TEST(message.body() == "hello");
    }

    stream_and_socket ends;
    beast::flat_buffer buffer{};
    http::response<http::string_body> message{};
};

struct http_write_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;
    static constexpr bool declares_its_type = true;
    static constexpr bool without_nesting = true;

    explicit http_write_op(world& w) : ends(w) { message.prepare_payload(); }
    template <class Token>
    auto start(Token&& token) {
        return http::async_write(ends.here, message, std::forward<Token>(token));
    }
    void check(values const& v) {
        beast::flat_buffer buffer;
        http::request<http::string_body> received;
        BOOST_TEST(http::read(ends.there, buffer, received) == std::get<0>(v));
        BOOST_TEST((received.method() == http::verb::post));
        BOOST_TEST(received.body() == "hello");
    }

    stream_and_socket ends;
    http::request<http::string_body> message{http::verb::post, "/", 11, "hello"};
};

// Stays pending: half an answer has come.
struct unanswered_read_op {
    explicit unanswered_read_op(world& w) : ends(w) {
        asio::write(ends.there, asio::buffer(answer.data(), answer.size() / 2));
    }
    template <class Token>
    auto start(Token&& token) {
        return http::async_read(ends.here, buffer, message, std::forward<Token>(token));
    }

    stream_and_socket ends;
    beast::flat_buffer buffer{};
    http::response<http::string_body> message{};
};

// What another end of the stream has sent.
std::string received_by(tcp::socket& socket) {
    std::string data(8, ' ');
    data.resize(socket.read_some(asio::buffer(data)));
    return data;
}

}  // namespace

BOOST_AUTO_TEST_CASE(matrix_of_http_read) { matrix_everywhere<http_read_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_http_write) { matrix_everywhere<http_write_op>(); }

BOOST_AUTO_TEST_CASE(b79_bound_slot_cancels_an_http_read) {
    bound_slot_cancels<unanswered_read_op>();
}

BOOST_AUTO_TEST_CASE(as_default_on_a_tcp_stream) {
    using stream_type = use_poll_t::as_default_on_t<beast::tcp_stream>;
    on_each_world([](world& w) {
        tcp::acceptor acceptor = listening(w.executor());
        tcp::socket server(w.executor());
        stream_type client(w.executor());
        client.expires_after(1h);
        result_in(w, client.async_connect(acceptor.local_endpoint()));
        accept_from(client.socket(), acceptor, server);

        BOOST_TEST(result_in(w, client.async_write_some(asio::buffer("abc", 3))) == 3U);
        BOOST_TEST(received_by(server) == "abc");
        asio::write(server, asio::buffer("defg", 4));
        std::string data(8, ' ');
        BOOST_TEST(result_in(w, client.async_read_some(asio::buffer(data))) == 4U);
        BOOST_TEST(data.substr(0, 4) == "defg");

        // A whole message, and another token that is named.
        asio::write(server, asio::buffer(answer.data(), answer.size()));
        beast::flat_buffer buffer;
        http::response<http::string_body> message;
        BOOST_TEST(result_in(w, http::async_read(client, buffer, message)) == answer.size());
        BOOST_TEST(message.body() == "hello");
        auto const [error, n] =
            result_in(w, client.async_write_some(asio::buffer("ab", 2), asio::as_tuple(use_poll)));
        BOOST_TEST(!error);
        BOOST_TEST(n == 2U);
    });
}

// The converted stream is the same connection.
BOOST_AUTO_TEST_CASE(as_default_on_a_tcp_stream_that_is_connected) {
    on_each_world([](world& w) {
        stream_and_socket ends(w);
        auto socket = use_poll.as_default_on(ends.here.release_socket());
        use_poll_t::as_default_on_t<beast::tcp_stream> stream(std::move(socket));
        BOOST_TEST(result_in(w, stream.async_write_some(asio::buffer("abc", 3))) == 3U);
        BOOST_TEST(received_by(ends.there) == "abc");
    });
}

BOOST_AUTO_TEST_SUITE_END()
