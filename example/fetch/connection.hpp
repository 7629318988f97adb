// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_FETCH_CONNECTION_HPP
#define ROUSE_EXAMPLE_FETCH_CONNECTION_HPP

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <cstdint>
#include <optional>
#include <rouse.hpp>
#include <string>
#include <utility>

#include "../connect.hpp"
#include "address.hpp"
#include "failure.hpp"

namespace fetch {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

// A body that is counted, and not kept.
struct counting_body {
    struct value_type {
        std::uint64_t bytes = 0;
    };

    class reader {
    public:
        template <bool IsRequest, class Fields>
        reader(http::header<IsRequest, Fields>&, value_type& body) : body_(body) {}
        void init(boost::optional<std::uint64_t> const&, boost::system::error_code& e) { e = {}; }
        template <class Buffers>
        std::size_t put(Buffers const& buffers, boost::system::error_code& e) {
            e = {};
            std::size_t const n = boost::beast::buffer_bytes(buffers);
            body_.bytes += n;
            return n;
        }
        void finish(boost::system::error_code& e) { e = {}; }

    private:
        value_type& body_;
    };
};

struct answer {
    unsigned status = 0;
    std::uint64_t bytes = 0;
    std::string location;
};

// How many look-ups have begun and were not waited for until their end. Asio's own thread may still
// be busy with them, for as long as the system's resolver takes.
inline std::atomic<int> look_ups_given_up{0};

// The addresses of a name. A look-up that is running cannot be interrupted: who is told to let go of
// it gives it up.
inline rouse::task<tcp::resolver::results_type> look_up(rouse::thread_pool& pool,
                                                        address const& to) {
    using found = tcp::resolver::results_type;
    if (to.is_literal) {
        tcp::endpoint const place(asio::ip::make_address(to.host),
                                  static_cast<asio::ip::port_type>(std::stoi(to.port)));
        co_return found::create(place, to.host, to.port);
    }
    tcp::resolver resolver(pool);
    ++look_ups_given_up;  // unless it comes to the line below
    auto const places = co_await resolver.async_resolve(
        to.host, to.port, tcp::resolver::numeric_service, rouse::as_result(rouse::use_poll));
    --look_ups_given_up;
    co_return places.value();  // or throws
}

// A connection to one server. For one task at a time.
class connection {
public:
    connection(rouse::thread_pool& pool, address const& to)
        : pool_(pool), to_(to), tcp_(pool.get_executor()) {}

    bool is_found() const { return found_; }
    bool serves(address const& a) const { return reusable_ && to_.same_server(a); }

    // Throws system_error and failure.
    rouse::task<> open(asio::ssl::context& context) {
        auto const places = co_await look_up(pool_, to_);
        found_ = true;
        tcp_ = co_await connect_to_any(tcp_.get_executor(), places);
        tcp_.set_option(tcp::no_delay(true));
        if (to_.tls) co_await shake_hands(context);
    }

    // The connection cannot be used again if this is told to let go.
    rouse::task<answer> get(address const& what, std::uint64_t max_body) {
        if (tls_) co_return co_await exchange(*tls_, what, max_body);
        co_return co_await exchange(tcp_, what, max_body);
    }

private:
    rouse::task<> shake_hands(asio::ssl::context& context) {
        tls_.emplace(tcp_, context);
        SSL* const ssl = tls_->native_handle();
        // The name that the certificate must be for, and the name that the server is asked for: an
        // address cannot be the latter.
        std::string name = to_.host;
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        bool const said =
            to_.is_literal ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str()) == 1
                           : SSL_set1_host(ssl, name.c_str()) == 1 &&
                                 SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME,
                                          TLSEXT_NAMETYPE_host_name, name.data()) == 1;
        if (!said) throw failure("TLS", "the host's name cannot be used", failure::lasts::for_ever);
        auto const done = co_await tls_->async_handshake(asio::ssl::stream_base::client,
                                                         rouse::as_result(rouse::use_poll));
        if (done) co_return;
        long const verdict = SSL_get_verify_result(ssl);
        if (verdict != X509_V_OK)
            throw failure("TLS", X509_verify_cert_error_string(verdict), failure::lasts::for_ever);
        throw boost::system::system_error(done.error());
    }

    template <class Stream>
    rouse::task<answer> exchange(Stream& stream, address const& what, std::uint64_t max_body) {
        reusable_ = false;  // in the middle of an answer
        http::request<http::empty_body> request(http::verb::get, what.target, 11);
        request.set(http::field::host, what.authority);
        request.set(http::field::user_agent, "rouse fetch");
        request.set(http::field::accept, "*/*");
        co_await http::async_write(stream, request, rouse::use_poll);
        for (;;) {
            http::response_parser<counting_body> parser;
            parser.header_limit(64 * 1024);
            parser.body_limit(max_body);
            co_await http::async_read(stream, received_, parser, rouse::use_poll);
            auto const& response = parser.get();
            unsigned const status = response.result_int();
            if (status == 101)
                throw failure("not HTTP", "another protocol", failure::lasts::for_ever);
            if (status / 100 == 1) continue;  // the answer is still to come
            reusable_ = parser.keep_alive() && received_.size() == 0;
            answer a;
            a.status = status;
            a.bytes = response.body().bytes;
            a.location = std::string(response[http::field::location]);
            co_return a;
        }
    }

    rouse::thread_pool& pool_;
    address const to_;
    tcp::socket tcp_;
    std::optional<asio::ssl::stream<tcp::socket&>> tls_;
    boost::beast::flat_buffer received_{128 * 1024};  // a chunk's header knows no limit of its own
    bool found_ = false, reusable_ = false;
};

}  // namespace fetch

#endif
