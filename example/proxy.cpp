// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A TCP proxy: what comes in on one port goes on to another, and the other way round.
//
//   Ends          When one side says that it sends no more, the other side is told, and may still
//                 send. A connection that ends in another way is reset on both sides, as soon as
//                 something is read from the one that has ended, or written to it.
//   Time          Each attempt to reach the target has --connect-timeout; there are --attempts of
//                 them. A connection on which nothing moves in either direction for --idle-timeout
//                 ends.
//   Memory        16 KiB for each direction of a connection: who reads slowly is sent slowly.
//   Connections   Not more than --connections. Others wait in the system's queue until one ends;
//                 and so they do while there are no file descriptors or no memory.
//   The end       SIGINT or SIGTERM: nobody is accepted any more, and connections have --grace to
//                 end by themselves. Those that are left, or all at the second signal, are cut off.
//                 The exit status is 0, and counters are printed.

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/system/error_code.hpp>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <rouse.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "clients.hpp"
#include "command_line.hpp"
#include "proxy/connection.hpp"

namespace proxy {

// [serve]
// First room, then a connection for it: without room nobody is accepted.
rouse::task<> listen(job& all, tcp::acceptor acceptor, rouse::task_group& group) {
    group.limit(all.how.connections);
    clients waiting(std::move(acceptor));
    for (;;) {
        co_await group.has_room();
        tcp::socket client = co_await waiting.next();
        group.spawn(forward(all, std::move(client)));
    }
}

rouse::task<> end_of_grace(job& all, asio::signal_set& signals) {
    co_await signals.async_wait(rouse::use_poll);
    all.stop.cancel();
    co_await rouse::select(rouse::sleep_for(all.how.grace), signals.async_wait(rouse::use_poll));
}

// The group ends when nobody is accepted any more and all connections have ended; or it loses, and
// the connections that are left are cut off. What one throws is reported, and nothing to the others.
rouse::task<> serve(job& all, tcp::acceptor acceptor, asio::signal_set& signals) {
    auto connections = rouse::with_group(
        rouse::on_error::report, [&](rouse::task_group& group) -> rouse::task<> {
            co_await rouse::select(listen(all, std::move(acceptor), group),
                                   all.stop.token().cancelled());
        });
    co_await rouse::select(std::move(connections), end_of_grace(all, signals));
}
// [/serve]

void run(tcp::endpoint const& where, settings const& how,
         rouse::thread_pool::builder const& workers) {
    job all(how);
    rouse::thread_pool pool(workers);
    tcp::acceptor acceptor(pool, where);
    asio::signal_set signals(pool, SIGINT, SIGTERM);
    std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
    rouse::block_on(rouse::spawn(pool, serve(all, std::move(acceptor), signals)));
    all.count.print(std::cout);
}

// Of "host:port", or "[host]:port". Throws usage_error.
struct place {
    place(std::string const& option, std::string const& text) {
        using command_line::usage_error;
        std::size_t const colon = text.rfind(':');
        if (colon == text.npos || colon == 0)
            throw usage_error(option + " must have the form HOST:PORT");
        host = text.substr(0, colon);
        if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
        char const* const end = text.data() + text.size();
        auto const [last, error] = std::from_chars(text.data() + colon + 1, end, port);
        if (error != std::errc() || last != end)
            throw usage_error(option + ": the port must be from 0 to 65535");
    }

    std::string host;
    std::uint16_t port = 0;
};

tcp::endpoint to_listen(std::string const& text) {
    place const where("--listen", text);
    error_code error;
    auto const address = asio::ip::make_address(where.host, error);
    if (error) throw command_line::usage_error("--listen must begin with an IP address");
    return {address, where.port};
}

// Asked for once, at the start.
tcp::resolver::results_type to_reach(std::string const& text) {
    place const where("--target", text);
    if (where.port == 0) throw command_line::usage_error("--target: the port must not be 0");
    asio::io_context io;
    tcp::resolver resolver(io);
    error_code error;
    auto found = resolver.resolve(where.host, std::to_string(where.port),
                                  tcp::resolver::numeric_service, error);
    if (error) throw std::runtime_error("--target: " + where.host + ": " + error.message());
    return found;
}

}  // namespace proxy

int main(int argc, char** argv) {
    namespace options = command_line::options;
    std::string listen;
    int workers = 0, connections = 0, attempts = 0;
    double connect_timeout = 0, idle_timeout = 0, grace = 0;
    proxy::settings how;
    options::options_description all("Options");
    all.add_options()  //
        ("listen", options::value(&listen)->value_name("IP:PORT"),
         "where to listen; port 0: any that is free; also without --listen, as first argument")  //
        ("target", options::value(&how.target_name)->value_name("HOST:PORT"),
         "where connections go on to; also without --target, as second argument")  //
        ("workers", options::value(&workers)->value_name("N"),
         "how many threads, from 1 to 1000; without it, as many as there are processors")  //
        ("connections", options::value(&connections)->value_name("N")->default_value(256),
         "how many connections at once, from 1 to 1000000; others wait")  //
        ("connect-timeout",
         options::value(&connect_timeout)->value_name("S")->default_value(5, "5"),
         "seconds, from 0.001 to 86400, for each attempt to reach the target")  //
        ("attempts", options::value(&attempts)->value_name("N")->default_value(3),
         "how many of them, from 1 to 100")  //
        ("idle-timeout", options::value(&idle_timeout)->value_name("S")->default_value(300, "300"),
         "seconds, from 0.001 to 86400, that nothing may move in either direction")  //
        ("grace", options::value(&grace)->value_name("S")->default_value(10, "10"),
         "seconds, from 0 to 86400, that connections have at the end");
    options::positional_options_description positional;
    positional.add("listen", 1).add("target", 1);
    return command_line::run(
        argc, argv, "proxy [OPTIONS] IP:PORT HOST:PORT: carries TCP connections on.", all,
        [&](auto const& given) {
            using command_line::usage_error;
            auto const seconds = [](char const* option, double value, double least) {
                if (!(value >= least && value <= 86400))
                    throw usage_error(std::string(option) + " must be from " +
                                      (least > 0 ? "0.001" : "0") + " to 86400");
                return std::chrono::duration_cast<proxy::clock::duration>(
                    std::chrono::duration<double>(value));
            };
            if (connections < 1 || connections > 1'000'000)
                throw usage_error("--connections must be from 1 to 1000000");
            if (attempts < 1 || attempts > 100)
                throw usage_error("--attempts must be from 1 to 100");
            how.connections = static_cast<std::size_t>(connections);
            how.attempts = static_cast<unsigned>(attempts);
            how.connect_timeout = seconds("--connect-timeout", connect_timeout, 0.001);
            how.idle_timeout = seconds("--idle-timeout", idle_timeout, 0.001);
            how.grace = seconds("--grace", grace, 0);
            rouse::thread_pool::builder threads;
            if (given.count("workers")) {
                if (workers < 1 || workers > 1000)
                    throw usage_error("--workers must be from 1 to 1000");
                threads.workers(static_cast<unsigned>(workers));
            }
            auto const where = proxy::to_listen(listen);
            how.target = proxy::to_reach(how.target_name);
            proxy::run(where, how, threads);
        },
        positional);
}
