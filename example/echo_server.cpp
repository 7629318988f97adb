// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A TCP server that sends back what it receives, with a task for each connection, on a thread pool.
// SIGINT and SIGTERM end it.

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <iostream>
#include <rouse.hpp>
#include <string>
#include <utility>

#include "command_line.hpp"

namespace asio = boost::asio;
using asio::ip::tcp;

// clang-format off
// [server]
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
// [/server]
// clang-format on

void run(tcp::endpoint const& where, rouse::thread_pool::builder const& how) {
    // [run]
    rouse::thread_pool pool(how);
    tcp::acceptor acceptor(pool, where);
    asio::signal_set signals(pool, SIGINT, SIGTERM);
    signals.async_wait([&](auto, int) { pool.stop(); });
    std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
    rouse::spawn(pool, listen(pool, std::move(acceptor)), asio::detached);
    pool.join();
    // [/run]
}

int main(int argc, char** argv) {
    namespace options = command_line::options;
    std::string address;
    int port = 0;
    int workers = 0;
    options::options_description all("Options");
    all.add_options()  //
        ("address", options::value(&address)->value_name("IP")->default_value("127.0.0.1"),
         "where to listen")  //
        ("port", options::value(&port)->value_name("N")->default_value(8080),
         "on which port, from 0 to 65535; 0: any that is free")  //
        ("workers", options::value(&workers)->value_name("N"),
         "how many threads, from 1 to 1000; without it, as many as there are processors");
    return command_line::run(
        argc, argv, "Sends back what it receives, until SIGINT or SIGTERM.", all,
        [&](auto const& given) {
            boost::system::error_code error;
            auto const ip = asio::ip::make_address(address, error);
            if (error) throw command_line::usage_error("--address must be an IP address");
            if (port < 0 || port > 65535)
                throw command_line::usage_error("--port must be from 0 to 65535");
            rouse::thread_pool::builder how;
            if (given.count("workers")) {
                if (workers < 1 || workers > 1000)
                    throw command_line::usage_error("--workers must be from 1 to 1000");
                how.workers(static_cast<unsigned>(workers));
            }
            run({ip, static_cast<asio::ip::port_type>(port)}, how);
        });
}
