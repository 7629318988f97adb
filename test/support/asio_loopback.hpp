// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_ASIO_LOOPBACK_HPP
#define ROUSE_TEST_SUPPORT_ASIO_LOOPBACK_HPP

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

// Sockets that are connected with each other; nothing leaves the machine.

namespace rouse_test {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;

inline tcp::acceptor listening(asio::any_io_executor const& ex) {
    return tcp::acceptor(ex, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
}

// Takes the connection of `from`: somebody else on this machine may have found the port first.
template <class Acceptor, class Socket, class From>
void accept_from(From const& from, Acceptor& acceptor, Socket& to) {
    for (;;) {
        acceptor.accept(to);
        boost::system::error_code gone;
        if (to.remote_endpoint(gone) == from.local_endpoint() && !gone) return;
        to.close();
    }
}

struct tcp_pair {
    explicit tcp_pair(asio::any_io_executor const& ex) : here(ex), there(ex) {
        tcp::acceptor acceptor = listening(ex);
        there.connect(acceptor.local_endpoint());
        accept_from(there, acceptor, here);
        here.set_option(tcp::no_delay(true));
        there.set_option(tcp::no_delay(true));
    }

    tcp::socket here;
    tcp::socket there;
};

struct udp_pair {
    explicit udp_pair(asio::any_io_executor const& ex)
        : here(ex, {asio::ip::address_v4::loopback(), 0}),
          there(ex, {asio::ip::address_v4::loopback(), 0}) {}

    udp::socket here;
    udp::socket there;
};

}  // namespace rouse_test

#endif
