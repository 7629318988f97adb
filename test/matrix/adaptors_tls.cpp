// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Every token adaptor over use_poll: the operations of TLS streams, all of them composed.

#include <support/asio_bound_slot.hpp>
#include <support/asio_matrix.hpp>
#include <support/asio_tls.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <rouse/task.hpp>
#include <rouse/use_poll.hpp>
#include <string>
#include <tuple>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_adaptors_tls)

namespace {

using namespace rouse_test;
namespace beast = boost::beast;
using rouse::use_poll;

struct tls_connected : tls_pair {
    explicit tls_connected(world& w) : tls_pair(w.executor()) {
        other_end server(w, there.async_handshake(ssl::stream_base::server, use_poll));
        result_in(w, here.async_handshake(ssl::stream_base::client, use_poll));
        server.wait();
    }
};

struct handshake_op {
    using values = std::tuple<>;
    static constexpr bool has_error = true;
    static constexpr bool without_nesting = true;

    explicit handshake_op(world& w)
        : streams(w.executor()),
          server(w, streams.there.async_handshake(ssl::stream_base::server, use_poll)) {}
    template <class Token>
    auto start(Token&& token) {
        return streams.here.async_handshake(ssl::stream_base::client, std::forward<Token>(token));
    }
    void check(values const&) { server.wait(); }

    tls_pair streams;
    other_end server;
};

struct shutdown_op {
    using values = std::tuple<>;
    static constexpr bool has_error = true;
    static constexpr bool without_nesting = true;

    explicit shutdown_op(world& w)
        : streams(w), server(w, streams.there.async_shutdown(use_poll)) {}
    template <class Token>
    auto start(Token&& token) {
        return streams.here.async_shutdown(std::forward<Token>(token));
    }
    void check(values const&) { server.wait(); }

    tls_connected streams;
    other_end server;
};

struct read_some_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;
    static constexpr bool without_nesting = true;

    explicit read_some_op(world& w) : streams(w) {
        asio::write(streams.there, asio::buffer("abc", 3));
    }
    template <class Token>
    auto start(Token&& token) {
        return streams.here.async_read_some(asio::buffer(data), std::forward<Token>(token));
    }
    void check(values const& v) { BOOST_TEST(data.substr(0, std::get<0>(v)) == "abc"); }

    tls_connected streams;
    std::string data = std::string(8, ' ');
};

struct write_some_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;
    static constexpr bool without_nesting = true;

    explicit write_some_op(world& w) : streams(w) {}
    template <class Token>
    auto start(Token&& token) {
        return streams.here.async_write_some(asio::buffer("abc", 3), std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST(std::get<0>(v) == 3U);
        std::string data(8, ' ');
        BOOST_TEST(streams.there.read_some(asio::buffer(data)) == 3U);
        BOOST_TEST(data.substr(0, 3) == "abc");
    }

    tls_connected streams;
};

// More than one record of TLS: a composed operation of composed ones.
struct write_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;

    explicit write_op(world& w) : streams(w) {}
    template <class Token>
    auto start(Token&& token) {
        return asio::async_write(streams.here, asio::buffer(data), std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST(std::get<0>(v) == data.size());
        std::string received(data.size(), ' ');
        asio::read(streams.there, asio::buffer(received));
        BOOST_TEST((received == data));
    }

    tls_connected streams;
    std::string data = std::string(20000, 'w');
};

// Those that stay pending, since the other end says nothing.
struct unanswered_handshake_op {
    explicit unanswered_handshake_op(world& w) : streams(w.executor()) {}
    template <class Token>
    auto start(Token&& token) {
        return streams.here.async_handshake(ssl::stream_base::client, std::forward<Token>(token));
    }

    tls_pair streams;
};

struct unanswered_read_op {
    explicit unanswered_read_op(world& w) : streams(w) {}
    template <class Token>
    auto start(Token&& token) {
        return asio::async_read(streams.here, asio::buffer(data), std::forward<Token>(token));
    }

    tls_connected streams;
    std::string data = std::string(8, ' ');
};

struct unanswered_shutdown_op {
    explicit unanswered_shutdown_op(world& w) : streams(w) {}
    template <class Token>
    auto start(Token&& token) {
        return streams.here.async_shutdown(std::forward<Token>(token));
    }

    tls_connected streams;
};

}  // namespace

BOOST_AUTO_TEST_CASE(matrix_of_tls_handshake) { matrix_everywhere<handshake_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_tls_shutdown) { matrix_everywhere<shutdown_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_tls_read_some) { matrix_everywhere<read_some_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_tls_write_some) { matrix_everywhere<write_some_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_tls_write) { matrix_everywhere<write_op>(); }

BOOST_AUTO_TEST_CASE(b79_bound_slot_cancels_tls_operations) {
    bound_slot_cancels<unanswered_handshake_op>();
    bound_slot_cancels<unanswered_read_op>();
    bound_slot_cancels<unanswered_shutdown_op>();
}

// These streams cannot be rebound themselves; they take the default of the stream below.
BOOST_AUTO_TEST_CASE(as_default_below_a_tls_stream) {
    using socket_type = rouse::use_poll_t::as_default_on_t<tcp::socket>;
    on_each_world([](world& w) {
        tcp_pair sockets(w.executor());
        ssl::stream<socket_type> client(socket_type(std::move(sockets.here)), anonymous_tls());
        ssl::stream<socket_type> server(socket_type(std::move(sockets.there)), anonymous_tls());
        other_end other(w, [](auto& s) -> rouse::task<> {
            co_await s.async_handshake(ssl::stream_base::server);
            std::string data(3, ' ');
            co_await asio::async_read(s, asio::buffer(data));
            co_await s.async_write_some(asio::buffer(data));
            co_await s.async_shutdown();
        }(server));
        result_in(w, client.async_handshake(ssl::stream_base::client));
        BOOST_TEST(result_in(w, asio::async_write(client, asio::buffer("abc", 3))) == 3U);
        std::string data(8, ' ');
        BOOST_TEST(result_in(w, client.async_read_some(asio::buffer(data))) == 3U);
        BOOST_TEST(data.substr(0, 3) == "abc");
        result_in(w, client.async_shutdown());
        other.wait();
    });
}

BOOST_AUTO_TEST_CASE(as_default_below_a_tls_stream_of_beast) {
    using below = rouse::use_poll_t::as_default_on_t<beast::tcp_stream>;
    on_each_world([](world& w) {
        tcp_pair sockets(w.executor());
        beast::ssl_stream<below> client(std::move(sockets.here), anonymous_tls());
        ssl::stream<tcp::socket> server(std::move(sockets.there), anonymous_tls());
        other_end other(w, server.async_handshake(ssl::stream_base::server, use_poll));
        result_in(w, client.async_handshake(ssl::stream_base::client));
        other.wait();
        BOOST_TEST(result_in(w, client.async_write_some(asio::buffer("abc", 3))) == 3U);
        std::string data(8, ' ');
        BOOST_TEST(server.read_some(asio::buffer(data)) == 3U);
        BOOST_TEST(data.substr(0, 3) == "abc");
    });
}

BOOST_AUTO_TEST_SUITE_END()
