// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_FETCH_SERVER_HPP
#define ROUSE_EXAMPLE_FETCH_SERVER_HPP

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <rouse.hpp>
#include <string>
#include <utility>

namespace fetch {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

// What answers when no other server is named: the same page, for whatever is asked.
inline rouse::task<> answer_all(tcp::socket socket) {
    boost::beast::flat_buffer received;
    http::response<http::string_body> page(http::status::ok, 11, std::string(1000, '.'));
    page.set(http::field::content_type, "text/plain");
    page.prepare_payload();
    for (;;) {
        http::request<http::empty_body> request;
        auto const read =
            co_await http::async_read(socket, received, request, rouse::as_result(rouse::use_poll));
        if (!read) co_return;  // the client has closed
        page.keep_alive(request.keep_alive());
        auto const written =
            co_await http::async_write(socket, page, rouse::as_result(rouse::use_poll));
        if (!written || !request.keep_alive()) co_return;
    }
}

// Takes all connections that have come, each time: one at a time would leave the others waiting for
// those that are being served already.
inline rouse::task<> serve(rouse::thread_pool& pool, tcp::acceptor acceptor) {
    acceptor.non_blocking(true);
    for (;;) {
        co_await acceptor.async_wait(tcp::acceptor::wait_read, rouse::use_poll);
        boost::system::error_code error;
        for (;;) {
            tcp::socket socket = acceptor.accept(pool.get_executor(), error);
            if (error == asio::error::would_block) break;
            if (error == asio::error::connection_aborted) continue;
            if (error) throw boost::system::system_error(error);
            socket.set_option(tcp::no_delay(true), error);  // it may be gone again
            rouse::spawn_ok(pool, answer_all(std::move(socket)));
        }
    }
}

}  // namespace fetch

#endif
