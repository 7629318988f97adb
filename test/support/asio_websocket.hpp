// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_ASIO_WEBSOCKET_HPP
#define ROUSE_TEST_SUPPORT_ASIO_WEBSOCKET_HPP

#include <support/asio_loopback.hpp>
#include <support/asio_matrix.hpp>

#include <boost/beast/websocket/stream.hpp>
#include <rouse/use_poll.hpp>
#include <utility>

// Websockets that are connected with each other, for the matrix.

namespace rouse_test {

namespace websocket = boost::beast::websocket;

// Without compression, which takes the compiler's time only.
using websocket_stream = websocket::stream<tcp::socket, false>;

struct websocket_pair {
    explicit websocket_pair(world& w) : websocket_pair(tcp_pair(w.executor())) {}
    explicit websocket_pair(tcp_pair sockets)
        : here(std::move(sockets.here)), there(std::move(sockets.there)) {}

    websocket_stream here;
    websocket_stream there;
};

struct websocket_connected : websocket_pair {
    explicit websocket_connected(world& w) : websocket_pair(w) {
        other_end server(w, there.async_accept(rouse::use_poll));
        result_in(w, here.async_handshake("localhost", "/", rouse::use_poll));
        server.wait();
    }
};

// Beast declares the types that its functions return.
struct websocket_op {
    static constexpr bool has_error = true;
    static constexpr bool declares_its_type = true;
    static constexpr bool without_nesting = true;
};

}  // namespace rouse_test

#endif
