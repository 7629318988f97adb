// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Every token adaptor, each by itself, over use_poll: operations of Beast's websockets, but those
// that open them: adaptors_websocket_opening.cpp.

#include <support/asio_bound_slot.hpp>
#include <support/asio_websocket.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <rouse/as_result.hpp>
#include <rouse/task.hpp>
#include <rouse/use_poll.hpp>
#include <string>
#include <tuple>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_adaptors_websocket)

namespace {

using namespace rouse_test;
namespace beast = boost::beast;
using rouse::use_poll;

struct read_op : websocket_op {
    using values = std::tuple<std::size_t>;

    explicit read_op(world& w) : streams(w) { streams.there.write(asio::buffer("abc", 3)); }
    template <class Token>
    auto start(Token&& token) {
        return streams.here.async_read(buffer, std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST(std::get<0>(v) == 3U);
        BOOST_TEST(beast::buffers_to_string(buffer.data()) == "abc");
    }

    websocket_connected streams;
    beast::flat_buffer buffer{};
};

struct write_op : websocket_op {
    using values = std::tuple<std::size_t>;

    explicit write_op(world& w) : streams(w) {}
    template <class Token>
    auto start(Token&& token) {
        return streams.here.async_write(asio::buffer("abc", 3), std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST(std::get<0>(v) == 3U);
        beast::flat_buffer buffer;
        streams.there.read(buffer);
        BOOST_TEST(beast::buffers_to_string(buffer.data()) == "abc");
    }

    websocket_connected streams;
};

struct ping_op : websocket_op {
    using values = std::tuple<>;

    explicit ping_op(world& w) : streams(w) {}
    template <class Token>
    auto start(Token&& token) {
        return streams.here.async_ping("are you there", std::forward<Token>(token));
    }
    // A ping is seen on the way to a message.
    void check(values const&) {
        std::string seen;
        streams.there.control_callback([&](websocket::frame_type kind, beast::string_view text) {
            if (kind == websocket::frame_type::ping) seen = std::string(text);
        });
        streams.here.write(asio::buffer("abc", 3));
        beast::flat_buffer buffer;
        streams.there.read(buffer);
        BOOST_TEST(seen == "are you there");
    }

    websocket_connected streams;
};

// Reads until the other end has closed.
rouse::task<> until_closed(websocket_stream& stream) {
    beast::flat_buffer buffer;
    auto const result = co_await stream.async_read(buffer, rouse::as_result(use_poll));
    if (result.error() != websocket::error::closed)
        throw boost::system::system_error(result.error());
}

struct close_op : websocket_op {
    using values = std::tuple<>;

    explicit close_op(world& w) : streams(w), server(w, until_closed(streams.there)) {}
    template <class Token>
    auto start(Token&& token) {
        return streams.here.async_close(websocket::close_code::normal, std::forward<Token>(token));
    }
    void check(values const&) {
        server.wait();
        BOOST_TEST(!streams.here.is_open());
        BOOST_TEST(streams.there.reason().code == websocket::close_code::normal);
    }

    websocket_connected streams;
    other_end server;
};

// Stays pending, since the other end says nothing.
struct unanswered_read_op {
    explicit unanswered_read_op(world& w) : streams(w) {}
    template <class Token>
    auto start(Token&& token) {
        return streams.here.async_read(buffer, std::forward<Token>(token));
    }

    websocket_connected streams;
    beast::flat_buffer buffer{};
};

}  // namespace

BOOST_AUTO_TEST_CASE(matrix_of_websocket_read) { matrix_everywhere<read_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_websocket_write) { matrix_everywhere<write_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_websocket_ping) { matrix_everywhere<ping_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_websocket_close) { matrix_everywhere<close_op>(); }

BOOST_AUTO_TEST_CASE(b79_bound_slot_cancels_a_websocket_read) {
    bound_slot_cancels<unanswered_read_op>();
}

BOOST_AUTO_TEST_SUITE_END()
