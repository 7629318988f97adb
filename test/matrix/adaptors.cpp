// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Every token adaptor of Asio's, and as_result, over use_poll: operations of sockets and timers.
// adaptors_composed.cpp and adaptors_other.cpp have the other operations.

#include <support/asio_loopback.hpp>
#include <support/asio_matrix.hpp>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <rouse/task.hpp>
#include <string_view>

BOOST_AUTO_TEST_SUITE(test_adaptors)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::use_poll;
using rouse::use_poll_t;

struct read_some_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;

    explicit read_some_op(world& w) : sockets(w.executor()) {
        asio::write(sockets.there, asio::buffer("hello", 5));
    }
    template <class Token>
    auto start(Token&& token) {
        return sockets.here.async_read_some(asio::buffer(data), std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST(std::get<0>(v) == 5U);
        BOOST_TEST(std::string_view(data.data(), 5) == "hello");
    }

    tcp_pair sockets;
    std::array<char, 16> data{};
};

struct write_some_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;

    explicit write_some_op(world& w) : sockets(w.executor()) {}
    template <class Token>
    auto start(Token&& token) {
        return sockets.here.async_write_some(asio::buffer("hello", 5), std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST(std::get<0>(v) == 5U);
        std::array<char, 16> data{};
        BOOST_TEST(sockets.there.read_some(asio::buffer(data)) == 5U);
        BOOST_TEST(std::string_view(data.data(), 5) == "hello");
    }

    tcp_pair sockets;
};

struct wait_readable_op {
    using values = std::tuple<>;
    static constexpr bool has_error = true;

    explicit wait_readable_op(world& w) : sockets(w.executor()) {
        asio::write(sockets.there, asio::buffer("x", 1));
    }
    template <class Token>
    auto start(Token&& token) {
        return sockets.here.async_wait(tcp::socket::wait_read, std::forward<Token>(token));
    }
    void check(values const&) { BOOST_TEST(sockets.here.available() == 1U); }

    tcp_pair sockets;
};

struct timer_op {
    using values = std::tuple<>;
    static constexpr bool has_error = true;

    explicit timer_op(world& w) : timer(w.executor(), 1ms) {}
    template <class Token>
    auto start(Token&& token) {
        return timer.async_wait(std::forward<Token>(token));
    }
    void check(values const&) { BOOST_TEST((timer.expiry() <= std::chrono::steady_clock::now())); }

    asio::steady_timer timer;
};

struct accept_op {
    using values = std::tuple<tcp::socket>;
    static constexpr bool has_error = true;

    explicit accept_op(world& w) : acceptor(listening(w.executor())), client(w.executor()) {
        client.connect(acceptor.local_endpoint());
    }
    template <class Token>
    auto start(Token&& token) {
        return acceptor.async_accept(std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST((std::get<0>(v).remote_endpoint() == client.local_endpoint()));
    }

    tcp::acceptor acceptor;
    tcp::socket client;
};

struct connect_op {
    using values = std::tuple<>;
    static constexpr bool has_error = true;

    explicit connect_op(world& w) : acceptor(listening(w.executor())), client(w.executor()) {}
    template <class Token>
    auto start(Token&& token) {
        return client.async_connect(acceptor.local_endpoint(), std::forward<Token>(token));
    }
    void check(values const&) {
        BOOST_TEST((client.remote_endpoint() == acceptor.local_endpoint()));
    }

    tcp::acceptor acceptor;
    tcp::socket client;
};

struct receive_from_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;

    explicit receive_from_op(world& w) : sockets(w.executor()) {
        sockets.there.send_to(asio::buffer("abc", 3), sockets.here.local_endpoint());
    }
    template <class Token>
    auto start(Token&& token) {
        return sockets.here.async_receive_from(asio::buffer(data), sender,
                                               std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST(std::get<0>(v) == 3U);
        BOOST_TEST((sender == sockets.there.local_endpoint()));
    }

    udp_pair sockets;
    udp::endpoint sender{};
    std::array<char, 16> data{};
};

}  // namespace

BOOST_AUTO_TEST_CASE(matrix_of_read_some) { matrix_everywhere<read_some_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_write_some) { matrix_everywhere<write_some_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_socket_wait) { matrix_everywhere<wait_readable_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_timer_wait) { matrix_everywhere<timer_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_accept) { matrix_everywhere<accept_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_connect) { matrix_everywhere<connect_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_receive_from) { matrix_everywhere<receive_from_op>(); }

BOOST_AUTO_TEST_CASE(as_default_on_a_timer) {
    on_each_world([](world& w) {
        use_poll_t::as_default_on_t<asio::steady_timer> typed(w.executor(), 1ms);
        static_assert(std::is_void_v<rouse::output_t<decltype(typed.async_wait())>>);
        result_in(w, typed.async_wait());

        auto converted = use_poll.as_default_on(asio::steady_timer(w.executor(), 1ms));
        static_assert(std::same_as<decltype(converted), decltype(typed)>);
        result_in(w, converted.async_wait());
    });
}

BOOST_AUTO_TEST_CASE(as_default_on_sockets) {
    using acceptor_type = use_poll_t::as_default_on_t<tcp::acceptor>;
    using socket_type = use_poll_t::as_default_on_t<tcp::socket>;
    on_each_world([](world& w) {
        acceptor_type acceptor(w.executor(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        socket_type client(w.executor());
        result_in(w, client.async_connect(acceptor.local_endpoint()));
        // The accepted socket has the same default.
        socket_type server = result_in(w, acceptor.async_accept());

        std::array<char, 8> data{};
        BOOST_TEST(result_in(w, client.async_write_some(asio::buffer("abcd", 4))) == 4U);
        BOOST_TEST(result_in(w, server.async_read_some(asio::buffer(data))) == 4U);
        result_in(w, server.async_wait(tcp::socket::wait_write));

        // Another token may still be named.
        auto const [error, n] =
            result_in(w, server.async_write_some(asio::buffer("ab", 2), asio::as_tuple(use_poll)));
        BOOST_TEST(!error);
        BOOST_TEST(n == 2U);
    });
}

BOOST_AUTO_TEST_CASE(as_tuple_as_default_on_a_timer) {
    on_each_world([](world& w) {
        auto timer = asio::as_tuple_t<use_poll_t>::as_default_on(
            asio::steady_timer(w.executor(), 1ms));
        static_assert(
            std::same_as<rouse::output_t<decltype(timer.async_wait())>, std::tuple<error_code>>);
        BOOST_TEST(!std::get<0>(result_in(w, timer.async_wait())));
    });
}

BOOST_AUTO_TEST_CASE(deferred_is_awaited_without_a_token) {
    on_each_world([](world& w) {
        auto const n = result_in(w, [&w]() -> rouse::task<std::size_t> {
            tcp_pair sockets(w.executor());
            std::array<char, 8> data{};
            asio::steady_timer timer(w.executor(), 1ms);
            co_await timer.async_wait(asio::deferred);
            co_await asio::async_write(sockets.there, asio::buffer("abc", 3), asio::deferred);
            auto named = sockets.here.async_read_some(asio::buffer(data), asio::deferred);
            co_return co_await std::move(named);
        });
        BOOST_TEST(n == 3U);
    });
}

// From Boost 1.86 on, an operation without any token is a deferred one.
#if BOOST_ASIO_VERSION >= 103100
BOOST_AUTO_TEST_CASE(no_token_at_all) {
    on_each_world([](world& w) {
        result_in(w, [&w]() -> rouse::task<> {
            asio::steady_timer timer(w.executor(), 1ms);
            co_await timer.async_wait();
        });
    });
}
#endif

BOOST_AUTO_TEST_SUITE_END()
