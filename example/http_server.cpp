// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// An HTTP/1.1 server for the files of a folder, with a task for each connection, on a thread pool.
//
//   Requests      GET and HEAD; keep-alive, pipelining, one range of bytes. A target that is
//                 malformed or contains ".." gives 400; what must not be served does not exist
//                 (404): dot files, links that lead out, what is no regular file. See
//                 served_folder.hpp.
//   Time          --timeout limits three things. A connection on which no request begins is closed
//                 silently. A request that is not complete gives 408, however it comes in. Of a
//                 response something must go out within the limit, which then begins anew: who
//                 reads slowly is served, and who reads nothing is cut off.
//   Memory        A request has at most 16 KiB of header (else 431) and 64 KiB of body (else 413).
//                 Of a file 16 KiB are held. They are read in the polls: a worker waits for the
//                 disk.
//   Connections   Not more than --connections. Others wait in the system's queue until one ends;
//                 and so they do while there are no file descriptors or no memory.
//   The end       SIGINT or SIGTERM: requests that have begun are answered, and idle connections
//                 are closed. The second signal cuts everything off. The exit status is 0.

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <iostream>
#include <optional>
#include <rouse.hpp>
#include <string>
#include <utility>

#include "clients.hpp"
#include "command_line.hpp"
#include "http_server/answer.hpp"
#include "http_server/served_folder.hpp"

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using duration = std::chrono::steady_clock::duration;
using parser = http::request_parser<http::string_body>;
using namespace std::chrono_literals;

constexpr std::size_t header_limit = 16 * 1024;
constexpr std::size_t body_limit = 64 * 1024;

struct server {
    served_folder folder;
    std::size_t limit;  // of connections
    duration timeout;
    rouse::cancellation_source stop{};  // whoever is idle must go
};

// ----- A connection

// The rest of a request of which something is in the buffer.
rouse::task<error_code> read_request(tcp::socket& socket, beast::flat_buffer& buffer, parser& to) {
    to.eager(true);
    to.header_limit(header_limit);
    to.body_limit(body_limit);
    for (std::size_t taken = 0;;) {
        error_code error;
        std::size_t const n = to.put(buffer.data(), error);
        buffer.consume(n);
        taken += n;
        if (error && error != http::error::need_more) co_return error;
        if (to.is_done()) co_return error_code();
        // A client that waits until it is told to go on with the body is told no, whatever it asks
        // for: nothing here needs a body.
        if (to.is_header_done() && to.get().count(http::field::expect)) co_return error_code();
        // Beast's limit is one for each line. A buffer that is full ends no line either.
        if (!to.is_header_done() && taken + buffer.size() >= header_limit)
            co_return http::error::header_limit;
        std::size_t const room = std::min<std::size_t>(4096, buffer.max_size() - buffer.size());
        if (room == 0) co_return http::error::bad_chunk;
        auto const read = co_await socket.async_read_some(buffer.prepare(room),
                                                          rouse::as_result(rouse::use_poll));
        if (!read) co_return read.error();
        buffer.commit(*read);
    }
}

// What is no fault of the request: the client has gone.
bool is_gone(error_code const& e) {
    return e && e.category() != make_error_code(http::error()).category();
}

response answer_to(error_code const& e, request const& asked, served_folder const& folder) {
    if (!e) return answer(asked, folder);
    if (e == http::error::header_limit) return plain(http::status::request_header_fields_too_large);
    if (e == http::error::body_limit) return plain(http::status::payload_too_large);
    return plain(http::status::bad_request);
}

rouse::task<> send(tcp::socket& socket, response& r, bool head, duration timeout) {
    http::response_serializer<content_body> serializer(r);
    serializer.split(head);
    while (head ? !serializer.is_header_done() : !serializer.is_done())
        co_await rouse::timeout(http::async_write_some(socket, serializer, rouse::use_poll),
                                timeout);
}

// To close a socket while something unread is in it takes the response away from the client. So the
// client is told that this was all, and goes first.
rouse::task<> see_off(tcp::socket& socket, beast::flat_buffer& buffer) {
    error_code ignored;
    socket.shutdown(tcp::socket::shutdown_send, ignored);
    for (;;) {
        buffer.clear();
        auto const read = co_await socket.async_read_some(buffer.prepare(4096),
                                                          rouse::as_result(rouse::use_poll));
        if (!read) co_return;
    }
}

// A client's requests, one after the other. Throws system_error if it takes too long, or has gone in
// the middle of a response.
rouse::task<> serve(server& s, tcp::socket& socket) {
    beast::flat_buffer buffer(header_limit);
    for (bool again = true; again;) {
        if (buffer.size() == 0) {  // idle: the only place where it can be told to end
            auto const read = co_await rouse::with_cancellation(
                rouse::timeout(
                    socket.async_read_some(buffer.prepare(4096), rouse::as_result(rouse::use_poll)),
                    s.timeout),
                s.stop.token());
            if (!read) co_return;
            buffer.commit(*read);
        }
        parser input;
        std::optional<error_code> error;  // none: it took too long
        try {
            error = co_await rouse::timeout(read_request(socket, buffer, input), s.timeout);
        } catch (boost::system::system_error const& e) {
            if (e.code() != rouse::errc::timed_out) throw;
        }
        if (error && is_gone(*error)) co_return;

        again = error && !*error && input.is_done() && input.keep_alive() &&
                !s.stop.token().is_cancelled();
        response r =
            error ? answer_to(*error, input.get(), s.folder) : plain(http::status::request_timeout);
        complete(r, input.get(), again);
        co_await send(socket, r, input.get().method() == http::verb::head, s.timeout);
    }
    co_await rouse::timeout(see_off(socket, buffer), std::min<duration>(s.timeout, 2s));
}

// What else may be thrown the group reports; whatever becomes of one client is nothing to the others.
rouse::task<> look_after(server& s, tcp::socket socket) {
    try {
        co_await serve(s, socket);
    } catch (boost::system::system_error const&) {  // it has gone, or is cut off
    }
}

// ----- The server

// First room, then a connection for it: without room nobody is accepted.
rouse::task<> listen(server& s, tcp::acceptor acceptor, rouse::task_group& group) {
    group.limit(s.limit);
    clients waiting(std::move(acceptor));
    for (;;) {
        co_await group.has_room();
        tcp::socket socket = co_await waiting.next();
        group.spawn(look_after(s, std::move(socket)));
    }
}

rouse::task<> until_second(asio::signal_set& signals, rouse::cancellation_source& at_first) {
    co_await signals.async_wait(rouse::use_poll);
    at_first.cancel();
    co_await signals.async_wait(rouse::use_poll);
}

rouse::task<> listen_until_signal(server& s, tcp::acceptor acceptor, asio::signal_set& signals) {
    auto connections = rouse::with_group(
        rouse::on_error::report, [&](rouse::task_group& group) -> rouse::task<> {
            co_await rouse::select(listen(s, std::move(acceptor), group),
                                   s.stop.token().cancelled());
        });
    co_await rouse::select(std::move(connections), until_second(signals, s.stop));
}

void run(tcp::endpoint const& where, server& s, rouse::thread_pool::builder const& how) {
    rouse::thread_pool pool(how);
    tcp::acceptor acceptor(pool, where);
    asio::signal_set signals(pool, SIGINT, SIGTERM);
    std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
    rouse::block_on(rouse::spawn(pool, listen_until_signal(s, std::move(acceptor), signals)));
}

int main(int argc, char** argv) {
    namespace options = command_line::options;
    std::string folder, address;
    int port = 0, workers = 0, limit = 0;
    double timeout = 0;
    options::options_description all("Options");
    all.add_options()  //
        ("folder", options::value(&folder)->value_name("DIR"),
         "what to serve; must be given")  //
        ("address", options::value(&address)->value_name("IP")->default_value("127.0.0.1"),
         "where to listen")  //
        ("port", options::value(&port)->value_name("N")->default_value(8080),
         "on which port, from 0 to 65535; 0: any that is free")  //
        ("workers", options::value(&workers)->value_name("N"),
         "how many threads, from 1 to 1000; without it, as many as there are processors")  //
        ("connections", options::value(&limit)->value_name("N")->default_value(256),
         "how many connections at once, from 1 to 1000000; others wait")  //
        ("timeout", options::value(&timeout)->value_name("S")->default_value(30, "30"),
         "seconds, from 0.001 to 86400, for a request to begin, for it to be complete, and for "
         "each step of the response");
    return command_line::run(
        argc, argv, "Serves the files of a folder over HTTP, until SIGINT or SIGTERM.", all,
        [&](auto const& given) {
            using command_line::usage_error;
            boost::system::error_code error;
            auto const ip = asio::ip::make_address(address, error);
            if (error) throw usage_error("--address must be an IP address");
            if (port < 0 || port > 65535) throw usage_error("--port must be from 0 to 65535");
            if (limit < 1 || limit > 1'000'000)
                throw usage_error("--connections must be from 1 to 1000000");
            if (!(timeout >= 0.001 && timeout <= 86400))
                throw usage_error("--timeout must be from 0.001 to 86400");
            rouse::thread_pool::builder how;
            if (given.count("workers")) {
                if (workers < 1 || workers > 1000)
                    throw usage_error("--workers must be from 1 to 1000");
                how.workers(static_cast<unsigned>(workers));
            }
            auto opened = served_folder::at(folder);
            if (!opened) throw usage_error("--folder must name a directory");
            server s{*std::move(opened), static_cast<std::size_t>(limit),
                     std::chrono::duration_cast<duration>(std::chrono::duration<double>(timeout))};
            run({ip, static_cast<asio::ip::port_type>(port)}, s, how);
        });
}
