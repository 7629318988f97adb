// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A socket of the polled kind, from scratch: it tries, and if the kernel has nothing yet it asks to
// be told when that changes. Nothing is lent to anybody while it waits, so its futures can be
// dropped at any time. Over it, an HTTP/1.1 client.

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <iostream>
#include <memory>
#include <regex>
#include <rouse.hpp>
#include <string>
#include <utility>

#include "command_line.hpp"

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

// [polled_socket]
// For one task at a time.
class polled_socket {
public:
    explicit polled_socket(tcp::socket connected) : socket_(std::move(connected)) {
        socket_.non_blocking(true);
    }

    auto read_some(asio::mutable_buffer to) {
        return rouse::poll_fn([this, to](rouse::context& cx) {
            return attempt(cx, *readable_, tcp::socket::wait_read,
                           [&](error_code& error) { return socket_.read_some(to, error); });
        });
    }
    auto write_some(asio::const_buffer from) {
        return rouse::poll_fn([this, from](rouse::context& cx) {
            return attempt(cx, *writable_, tcp::socket::wait_write,
                           [&](error_code& error) { return socket_.write_some(from, error); });
        });
    }

private:
    // One direction. Shared with the event loop, which may come back when the socket is gone.
    struct readiness {
        rouse::atomic_waker waker;
        std::atomic<bool> asked{false};
    };

    template <class Try>
    rouse::poll_result<std::size_t> attempt(rouse::context& cx, readiness& direction,
                                            tcp::socket::wait_type event, Try once) {
        error_code error;
        std::size_t const n = once(error);
        if (error == asio::error::would_block) {
            direction.waker.register_waker(cx.waker());
            if (!direction.asked.exchange(true)) ask(event);
            return rouse::pending;
        }
        if (error && error != asio::error::eof) throw boost::system::system_error(error);
        return n;
    }

    void ask(tcp::socket::wait_type event) {
        auto direction = event == tcp::socket::wait_read ? readable_ : writable_;
        socket_.async_wait(event, [direction](error_code) {
            direction->asked = false;
            direction->waker.wake();  // whatever has happened, the next attempt will tell
        });
    }

    tcp::socket socket_;
    std::shared_ptr<readiness> readable_ = std::make_shared<readiness>();
    std::shared_ptr<readiness> writable_ = std::make_shared<readiness>();
};
// [/polled_socket]

struct address {
    std::string host, port, path;
};

using response = http::response<http::string_body>;

rouse::task<> write_all(polled_socket& socket, std::string text) {
    for (asio::const_buffer rest = asio::buffer(text); rest.size() != 0;) {
        std::size_t const n = co_await socket.write_some(rest);
        rest += n;
    }
}

rouse::task<response> get(asio::io_context& context, address from) {
    tcp::resolver resolver(context);
    auto const found = co_await resolver.async_resolve(from.host, from.port, rouse::use_poll);
    tcp::socket connecting(context);
    co_await asio::async_connect(connecting, found, rouse::use_poll);
    polled_socket socket(std::move(connecting));

    co_await write_all(socket, "GET " + from.path + " HTTP/1.1\r\nHost: " + from.host + ":" +
                                   from.port + "\r\nConnection: close\r\n\r\n");

    // The parser does no I/O: it is given what has come.
    http::response_parser<http::string_body> parser;
    parser.eager(true);
    parser.body_limit(boost::none);
    boost::beast::flat_buffer received;
    while (!parser.is_done()) {
        std::size_t const n = co_await socket.read_some(received.prepare(4096));
        received.commit(n);
        error_code error;
        if (n == 0) {
            parser.put_eof(error);
        } else {
            received.consume(parser.put(received.data(), error));
            if (error == http::error::need_more) error = {};
        }
        if (error) throw boost::system::system_error(error);
    }
    co_return parser.release();
}

// What answers if no other server is named: one request, and a body too long for one read.
rouse::task<> serve_once(tcp::acceptor acceptor) {
    tcp::socket socket = co_await acceptor.async_accept(rouse::use_poll);
    std::string request;
    co_await asio::async_read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n",
                                    rouse::use_poll);
    std::string const body(1'000'000, '.');
    std::string const head =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n";
    co_await asio::async_write(socket, asio::buffer(head), rouse::use_poll);
    co_await asio::async_write(socket, asio::buffer(body), rouse::use_poll);
}

void print(response const& r) {
    std::cout << r.result_int() << ' ' << r.reason() << ", " << r.body().size() << " bytes\n";
}

address parse(std::string const& url) {
    static std::regex const form("http://([^/:?#]+)(?::([0-9]{1,5}))?(/[^#\\s]*)?");
    std::smatch part;
    if (!std::regex_match(url, part, form))
        throw command_line::usage_error("--url must be of the form http://host[:port][/path]");
    return {part[1], part[2].matched ? part[2].str() : "80", part[3].matched ? part[3].str() : "/"};
}

void run(std::string const& url) {
    asio::io_context context;
    address from;
    if (url.empty()) {
        tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
        from = {"127.0.0.1", std::to_string(acceptor.local_endpoint().port()), "/"};
        rouse::spawn_ok(context, serve_once(std::move(acceptor)));
    } else {
        from = parse(url);
    }
    auto page = rouse::spawn(context, get(context, std::move(from)));
    context.run();  // until both have ended
    print(rouse::block_on(std::move(page)));
}

int main(int argc, char** argv) {
    namespace options = command_line::options;
    std::string url;
    options::options_description all("Options");
    all.add_options()("url", options::value(&url)->value_name("URL"),
                      "an http:// address; without it, a server inside this program answers");
    return command_line::run(argc, argv, "Gets a page, and prints its status and length.", all,
                             [&](auto const&) { run(url); });
}
