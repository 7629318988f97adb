// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A TCP server that sends back what it receives, with a task for each connection, on a thread pool.
// SIGINT and SIGTERM end it.

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <csignal>
#include <iostream>
#include <rouse.hpp>
#include <string>
#include <thread>
#include <utility>

#include "command_line.hpp"

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

// clang-format off
// [server]
rouse::task<> session(tcp::socket sock) {
    std::array<char, 4096> buf;
    for (;;) {
        auto n = co_await sock.async_read_some(asio::buffer(buf), rouse::as_result(rouse::use_poll));
        if (!n) co_return;                                       // the peer has closed, or an error
        auto sent = co_await asio::async_write(sock, asio::buffer(buf, *n), rouse::as_result(rouse::use_poll));
        if (!sent) co_return;
    }
}
rouse::task<> listen(rouse::thread_pool& pool, tcp::acceptor acceptor) {
    asio::steady_timer timer(pool);
    for (auto pause = 0ms;;) {
        auto sock = co_await acceptor.async_accept(rouse::as_result(rouse::use_poll));
        if (sock) {
            pause = 0ms;
            rouse::spawn(pool, session(*std::move(sock)), asio::detached);
            continue;
        }
        // No file descriptors or no memory: connections that end give some back.
        if (pause == 0ms) std::cerr << "cannot accept: " + sock.error().message() + "; trying again\n";
        pause = std::clamp(2 * pause, 10ms, 1000ms);
        timer.expires_after(pause);
        co_await timer.async_wait(rouse::use_poll);
    }
}
// [/server]
// clang-format on

void serve(rouse::thread_pool& pool, tcp::endpoint const& where) {
    // [run]
    tcp::acceptor acceptor(pool, where);
    asio::signal_set signals(pool, SIGINT, SIGTERM);
    signals.async_wait([&](auto, int) { pool.stop(); });
    std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
    rouse::spawn(pool, listen(pool, std::move(acceptor)), asio::detached);
    pool.join();
    // [/run]
}

// An event loop that the application runs itself, on a thread of its own.
class event_loop {
public:
    ~event_loop() { work_.reset(); }

    asio::io_context& io() { return io_; }

private:
    asio::io_context io_;
    asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
    std::jthread thread_{[this] { io_.run(); }};
};

int main(int argc, char** argv) {
    namespace options = command_line::options;
    std::string address, mode;
    int port = 0;
    int workers = 0;
    options::options_description all("Options");
    all.add_options()  //
        ("address", options::value(&address)->value_name("IP")->default_value("127.0.0.1"),
         "where to listen")  //
        ("port", options::value(&port)->value_name("N")->default_value(8080),
         "on which port, from 0 to 65535; 0: any that is free")  //
        ("workers", options::value(&workers)->value_name("N"),
         "how many threads, from 1 to 1000; without it, as many as there are processors")  //
        ("mode", options::value(&mode)->value_name("MODE")->default_value("own"),
         "own: idle workers run the event loop; io: a thread of the application runs it");
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
            tcp::endpoint const where(ip, static_cast<asio::ip::port_type>(port));
            if (mode == "own") {
                rouse::thread_pool pool(how);
                serve(pool, where);
            } else if (mode == "io") {
                event_loop loop;
                rouse::thread_pool pool(loop.io(), how);
                serve(pool, where);
            } else {
                throw command_line::usage_error("--mode must be own or io");
            }
        });
}
