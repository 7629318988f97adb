// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Every token adaptor, each by itself, over use_poll: how Beast's websockets are opened.

#include <support/asio_bound_slot.hpp>
#include <support/asio_websocket.hpp>

#include <boost/test/unit_test.hpp>
#include <rouse/use_poll.hpp>
#include <tuple>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_adaptors_websocket_opening)

namespace {

using namespace rouse_test;
using rouse::use_poll;

struct handshake_op : websocket_op {
    using values = std::tuple<>;

    explicit handshake_op(world& w) : streams(w), server(w, streams.there.async_accept(use_poll)) {}
    template <class Token>
    auto start(Token&& token) {
        return streams.here.async_handshake("localhost", "/", std::forward<Token>(token));
    }
    void check(values const&) {
        server.wait();
        BOOST_TEST(streams.here.is_open());
    }

    websocket_pair streams;
    other_end server;
};

struct accept_op : websocket_op {
    using values = std::tuple<>;

    explicit accept_op(world& w)
        : streams(w), client(w, streams.there.async_handshake("localhost", "/", use_poll)) {}
    template <class Token>
    auto start(Token&& token) {
        return streams.here.async_accept(std::forward<Token>(token));
    }
    void check(values const&) {
        client.wait();
        BOOST_TEST(streams.here.is_open());
    }

    websocket_pair streams;
    other_end client;
};

// Stays pending, since the other end says nothing.
struct unanswered_handshake_op {
    explicit unanswered_handshake_op(world& w) : streams(w) {}
    template <class Token>
    auto start(Token&& token) {
        return streams.here.async_handshake("localhost", "/", std::forward<Token>(token));
    }

    websocket_pair streams;
};

}  // namespace

BOOST_AUTO_TEST_CASE(matrix_of_websocket_handshake) { matrix_everywhere<handshake_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_websocket_accept) { matrix_everywhere<accept_op>(); }

BOOST_AUTO_TEST_CASE(b79_bound_slot_cancels_a_websocket_handshake) {
    bound_slot_cancels<unanswered_handshake_op>();
}

BOOST_AUTO_TEST_SUITE_END()
