// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_NEXT_CLIENT_HPP
#define ROUSE_EXAMPLE_NEXT_CLIENT_HPP

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <exception>
#include <iostream>
#include <limits>
#include <rouse.hpp>
#include <utility>

// Errors of a connection that ended before it was accepted.
inline bool concerns_client_only(boost::system::error_code const& e) {
    namespace errc = boost::system::errc;
    return e == errc::connection_aborted || e == errc::protocol_error ||
           e == errc::operation_not_permitted || e == errc::network_down ||
           e == errc::network_unreachable || e == errc::host_unreachable;
}

// The next connection, however long that takes. To have no file descriptors or no memory is said
// once, and no reason to end: connections that end give some back.
inline rouse::task<boost::asio::ip::tcp::socket> next_client(
    boost::asio::ip::tcp::acceptor& acceptor) {
    using namespace std::chrono_literals;
    bool said = false;
    auto const worth_another = [&](std::exception_ptr const& why) {
        try {
            std::rethrow_exception(why);
        } catch (boost::system::system_error const& e) {
            if (e.code() == boost::asio::error::operation_aborted) return false;
            if (!concerns_client_only(e.code()) && !std::exchange(said, true))
                std::cerr << "cannot accept: " + e.code().message() + "; trying again\n";
        }
        return true;
    };
    auto const pauses =
        rouse::backoff(10ms).at_most(1s).jitter(0).attempts(std::numeric_limits<unsigned>::max());
    co_return co_await rouse::retry(
        pauses, [&] { return acceptor.async_accept(rouse::use_poll); }, worth_another);
}

#endif
