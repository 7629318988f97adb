// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Operations that the other adaptors files leave out: of datagrams, pipes, channels, and of Asio's own
// coroutines and groups.

#include <support/asio_loopback.hpp>
#include <support/asio_matrix.hpp>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstddef>
#include <rouse/use_poll.hpp>
#include <stdexcept>
#include <string>
#include <tuple>
#include <unistd.h>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_adaptors_transports)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::use_poll;
using asio::posix::stream_descriptor;

// receive and send, of a stream and of datagrams.
struct receive_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;

    explicit receive_op(world& w) : sockets(w.executor()) {
        asio::write(sockets.there, asio::buffer("abc", 3));
    }
    template <class Token>
    auto start(Token&& token) {
        return sockets.here.async_receive(asio::buffer(data), std::forward<Token>(token));
    }
    void check(values const& v) { BOOST_TEST(data.substr(0, std::get<0>(v)) == "abc"); }

    tcp_pair sockets;
    std::string data = std::string(8, ' ');
};

struct send_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;

    explicit send_op(world& w) : sockets(w.executor()) {}
    template <class Token>
    auto start(Token&& token) {
        return sockets.here.async_send(asio::buffer("abc", 3), std::forward<Token>(token));
    }
    void check(values const& v) { BOOST_TEST(std::get<0>(v) == 3U); }

    tcp_pair sockets;
};

struct send_to_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;

    explicit send_to_op(world& w) : sockets(w.executor()) {}
    template <class Token>
    auto start(Token&& token) {
        return sockets.here.async_send_to(asio::buffer("abc", 3), sockets.there.local_endpoint(),
                                          std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST(std::get<0>(v) == 3U);
        std::array<char, 8> data{};
        BOOST_TEST(sockets.there.receive(asio::buffer(data)) == 3U);
    }

    udp_pair sockets;
};

// A pipe.
template <class Descriptor>
struct pipe_ends {
    explicit pipe_ends(asio::any_io_executor const& ex) : from(ex), to(ex) {
        std::array<int, 2> ends{};
        if (::pipe(ends.data()) != 0) throw std::runtime_error("no pipe");
        from.assign(ends[0]);
        to.assign(ends[1]);
    }

    Descriptor from;
    Descriptor to;
};

struct read_pipe_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;

    explicit read_pipe_op(world& w) : ends(w.executor()) {
        asio::write(ends.to, asio::buffer("abc", 3));
    }
    template <class Token>
    auto start(Token&& token) {
        return ends.from.async_read_some(asio::buffer(data), std::forward<Token>(token));
    }
    void check(values const& v) { BOOST_TEST(data.substr(0, std::get<0>(v)) == "abc"); }

    pipe_ends<stream_descriptor> ends;
    std::string data = std::string(8, ' ');
};

struct write_pipe_op {
    using values = std::tuple<std::size_t>;
    static constexpr bool has_error = true;

    explicit write_pipe_op(world& w) : ends(w.executor()) {}
    template <class Token>
    auto start(Token&& token) {
        return ends.to.async_write_some(asio::buffer("abc", 3), std::forward<Token>(token));
    }
    void check(values const& v) { BOOST_TEST(std::get<0>(v) == 3U); }

    pipe_ends<stream_descriptor> ends;
};

struct concurrent_send_op {
    using values = std::tuple<>;
    static constexpr bool has_error = true;

    explicit concurrent_send_op(world& w) : channel(w.executor(), 1) {}
    template <class Token>
    auto start(Token&& token) {
        return channel.async_send(error_code(), 7, std::forward<Token>(token));
    }
    void check(values const&) {
        int received = 0;
        channel.try_receive([&](error_code, int n) { received = n; });
        BOOST_TEST(received == 7);
    }

    asio::experimental::concurrent_channel<void(error_code, int)> channel;
};

asio::awaitable<int> doubled(int n) {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    co_return 2 * n;
}
asio::awaitable<void> failing() {
    (void)co_await doubled(1);
    throw std::runtime_error("failing");
}

}  // namespace

BOOST_AUTO_TEST_CASE(matrix_of_receive) { matrix_everywhere<receive_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_send) { matrix_everywhere<send_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_send_to) { matrix_everywhere<send_to_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_a_descriptors_read) { matrix_everywhere<read_pipe_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_a_descriptors_write) { matrix_everywhere<write_pipe_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_concurrent_channel_send) {
    matrix_everywhere<concurrent_send_op>();
}

BOOST_AUTO_TEST_CASE(a_task_awaits_co_spawn) {
    on_each_world([](world& w) {
        auto const ex = w.executor();
        auto op = asio::co_spawn(ex, doubled(21), use_poll);
        static_assert(std::same_as<rouse::output_t<decltype(op)>, int>);
        BOOST_TEST(result_in(w, std::move(op)) == 42);
        BOOST_CHECK_EXCEPTION(result_in(w, asio::co_spawn(ex, failing(), use_poll)),
                              std::runtime_error,
                              [](auto const& e) { return std::string(e.what()) == "failing"; });
        auto const [error, n] =
            result_in(w, asio::co_spawn(ex, doubled(4), asio::as_tuple(use_poll)));
        BOOST_TEST(!error);
        BOOST_TEST(n == 8);
    });
}

// Its branches run on the executor of their objects, not in the polls: the group ends by itself.
BOOST_AUTO_TEST_CASE(a_task_awaits_a_parallel_group) {
    on_each_world([](world& w) {
        asio::steady_timer soon(w.executor(), 1ms);
        asio::steady_timer later(w.executor(), 2ms);
        auto const [order, e1, e2] =
            result_in(w, asio::experimental::make_parallel_group(soon.async_wait(asio::deferred),
                                                                 later.async_wait(asio::deferred))
                             .async_wait(asio::experimental::wait_for_all(), use_poll));
        BOOST_TEST(order.size() == 2U);
        BOOST_TEST(!e1);
        BOOST_TEST(!e2);
    });
}

BOOST_AUTO_TEST_CASE(as_default_on_a_descriptor_and_channels) {
    using rouse::use_poll_t;
    on_each_world([](world& w) {
        pipe_ends<use_poll_t::as_default_on_t<stream_descriptor>> ends(w.executor());
        std::array<char, 8> data{};
        BOOST_TEST(result_in(w, ends.to.async_write_some(asio::buffer("abc", 3))) == 3U);
        BOOST_TEST(result_in(w, ends.from.async_read_some(asio::buffer(data))) == 3U);

        using signature = void(error_code, int);
        use_poll_t::as_default_on_t<asio::experimental::channel<signature>> one(w.executor(), 1);
        result_in(w, one.async_send(error_code(), 5));
        BOOST_TEST(result_in(w, one.async_receive()) == 5);
        use_poll_t::as_default_on_t<asio::experimental::concurrent_channel<signature>> two(
            w.executor(), 1);
        result_in(w, two.async_send(error_code(), 6));
        BOOST_TEST(result_in(w, two.async_receive()) == 6);
    });
}

BOOST_AUTO_TEST_SUITE_END()
