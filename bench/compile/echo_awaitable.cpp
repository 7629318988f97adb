// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What bench/compile_time compiles: the same server on awaitables.

// clang-format off
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

asio::awaitable<void> session(tcp::socket sock) {
    std::array<char, 4096> buf;
    for (;;) {
        auto [e, n] = co_await sock.async_read_some(asio::buffer(buf), asio::as_tuple(asio::use_awaitable));
        if (e) co_return;                                        // the peer has closed, or an error
        co_await asio::async_write(sock, asio::buffer(buf, n), asio::use_awaitable);
    }
}
asio::awaitable<void> listen(asio::thread_pool& pool, tcp::acceptor acceptor) {
    for (;;) {
        tcp::socket sock = co_await acceptor.async_accept(asio::use_awaitable);
        asio::co_spawn(pool, session(std::move(sock)), asio::detached);
    }
}
int main() {
    asio::thread_pool pool;
    asio::co_spawn(pool, listen(pool, tcp::acceptor(pool, {tcp::v4(), 8080})), asio::detached);
    asio::signal_set signals(pool, SIGINT, SIGTERM);
    signals.async_wait([&](auto, int) { pool.stop(); });
    pool.join();
}
