// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What bench/compile_time compiles: a server on tasks.

// clang-format off
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <rouse.hpp>
namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

rouse::task<> session(tcp::socket sock) {
    std::array<char, 4096> buf;
    for (;;) {
        auto n = co_await sock.async_read_some(asio::buffer(buf), rouse::as_result(rouse::use_poll));
        if (!n) co_return;                                       // the peer has closed, or an error
        co_await asio::async_write(sock, asio::buffer(buf, *n), rouse::use_poll);
    }
}
rouse::task<> listen(rouse::thread_pool& pool, tcp::acceptor acceptor) {
    for (;;) {
        tcp::socket sock = co_await acceptor.async_accept(rouse::use_poll);
        rouse::spawn(pool, session(std::move(sock)), asio::detached);
    }
}
int main() {
    rouse::thread_pool pool;                                     // workers; the idle one runs the event loop
    rouse::spawn(pool, listen(pool, tcp::acceptor(pool, {tcp::v4(), 8080})), asio::detached);
    asio::signal_set signals(pool, SIGINT, SIGTERM);
    signals.async_wait([&](auto, int) { pool.stop(); });
    pool.join();
}
