// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_ASIO_TLS_HPP
#define ROUSE_TEST_SUPPORT_ASIO_TLS_HPP

#include <support/asio_loopback.hpp>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <openssl/ssl.h>

// TLS without certificates: anonymous key exchange, which a test may use and nobody else.

namespace rouse_test {

namespace ssl = asio::ssl;

inline ssl::context& anonymous_tls() {
    static ssl::context& context = []() -> ssl::context& {
        static ssl::context made(ssl::context::tlsv12);
        SSL_CTX_set_cipher_list(made.native_handle(), "AECDH-AES128-SHA:@SECLEVEL=0");
        return made;
    }();
    return context;
}

struct tls_pair {
    explicit tls_pair(asio::any_io_executor const& ex) : tls_pair(tcp_pair(ex)) {}
    explicit tls_pair(tcp_pair sockets)
        : here(std::move(sockets.here), anonymous_tls()),
          there(std::move(sockets.there), anonymous_tls()) {}

    ssl::stream<tcp::socket> here;
    ssl::stream<tcp::socket> there;
};

}  // namespace rouse_test

#endif
