// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Every token adaptor of Asio's, and as_result, over use_poll: composed operations.

#include <support/asio_loopback.hpp>
#include <support/asio_matrix.hpp>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <string_view>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_adaptors_composed)

namespace {

using namespace rouse_test;

struct write_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;

    explicit write_op(world& w) : sockets(w.executor()) {}
    template <class Token>
    auto start(Token&& token) {
        return asio::async_write(sockets.here, asio::buffer(data), std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST(std::get<0>(v) == data.size());
        std::string received(data.size(), ' ');
        asio::read(sockets.there, asio::buffer(received));
        BOOST_TEST((received == data));
    }

    tcp_pair sockets;
    std::string data = std::string(20000, 'w');
};

struct read_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;

    explicit read_op(world& w) : sockets(w.executor()) {
        asio::write(sockets.there, asio::buffer(std::string(20000, 'r')));
    }
    template <class Token>
    auto start(Token&& token) {
        return asio::async_read(sockets.here, asio::buffer(data), std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST(std::get<0>(v) == 20000U);
        BOOST_TEST((data == std::string(20000, 'r')));
    }

    tcp_pair sockets;
    std::string data = std::string(20000, ' ');
};

struct read_until_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;

    explicit read_until_op(world& w) : sockets(w.executor()) {
        asio::write(sockets.there, asio::buffer("a line\nmore", 11));
    }
    template <class Token>
    auto start(Token&& token) {
        return asio::async_read_until(sockets.here, asio::dynamic_buffer(data), '\n',
                                      std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST(std::get<0>(v) == 7U);
        BOOST_TEST(data.substr(0, 7) == "a line\n");
    }

    tcp_pair sockets;
    std::string data{};
};

// Tries a list of endpoints; the first refuses.
struct connect_to_one_of_op {
    using values = std::tuple<tcp::endpoint>;
    static constexpr bool has_error = true;

    explicit connect_to_one_of_op(world& w)
        : acceptor(listening(w.executor())), client(w.executor()) {
        tcp::endpoint const refusing = [&] { return listening(w.executor()).local_endpoint(); }();
        endpoints = {refusing, acceptor.local_endpoint()};
    }
    template <class Token>
    auto start(Token&& token) {
        return asio::async_connect(client, endpoints, std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST((std::get<0>(v) == acceptor.local_endpoint()));
        BOOST_TEST((client.remote_endpoint() == acceptor.local_endpoint()));
    }

    tcp::acceptor acceptor;
    tcp::socket client;
    std::vector<tcp::endpoint> endpoints{};
};

// Three steps by async_compose, then two values of which one can only be moved.
struct composed_op {
    using values = std::tuple<int, std::unique_ptr<int>>;
    static constexpr bool has_error = true;

    explicit composed_op(world& w) : executor(w.executor()) {}
    template <class Token>
    auto start(Token&& token) {
        return asio::async_compose<Token, void(error_code, int, std::unique_ptr<int>)>(
            steps{executor, 0}, token, executor);
    }
    void check(values const& v) {
        BOOST_TEST(std::get<0>(v) == 3);
        BOOST_TEST(*std::get<1>(v) == 33);
    }

    struct steps {
        asio::any_io_executor executor;
        int count;

        template <class Self>
        void operator()(Self& self) {
            if (count < 3) {
                ++count;
                auto const ex = executor;
                asio::post(ex, std::move(self));
            } else {
                self.complete(error_code(), 3, std::make_unique<int>(33));
            }
        }
    };

    asio::any_io_executor executor;
};

}  // namespace

BOOST_AUTO_TEST_CASE(matrix_of_write) { matrix_everywhere<write_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_read) { matrix_everywhere<read_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_read_until) { matrix_everywhere<read_until_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_connect_to_one_of) { matrix_everywhere<connect_to_one_of_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_compose) { matrix_everywhere<composed_op>(); }

BOOST_AUTO_TEST_SUITE_END()
