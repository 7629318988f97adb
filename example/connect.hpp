// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_CONNECT_HPP
#define ROUSE_EXAMPLE_CONNECT_HPP

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <rouse.hpp>
#include <utility>

// [connect]
inline rouse::task<boost::asio::ip::tcp::socket> connect_to(boost::asio::any_io_executor ex,
                                                            boost::asio::ip::tcp::endpoint place) {
    boost::asio::ip::tcp::socket socket(ex);
    co_await socket.async_connect(place, rouse::use_poll);
    co_return socket;
}

// To the first of the places that answers. They are tried in their order: the next one when one has failed, or when
// all so far have been silent for a quarter of a second, as RFC 8305 has it (section 5); those go on. Throws what the
// last one has failed with.
inline rouse::task<boost::asio::ip::tcp::socket> connect_to_any(
    boost::asio::any_io_executor ex, boost::asio::ip::tcp::resolver::results_type const& places) {
    using std::chrono::milliseconds;
    boost::system::error_code failure = boost::asio::error::host_not_found;
    rouse::futures_unordered<rouse::task<boost::asio::ip::tcp::socket>> attempts;
    for (auto place = places.begin(); place != places.end() || !attempts.empty();) {
        if (place != places.end()) attempts.push(connect_to(ex, (place++)->endpoint()));
        milliseconds const patience = place == places.end() ? milliseconds::max() : milliseconds(250);
        try {
            auto first = co_await rouse::timeout(attempts.next(), patience);
            co_return *std::move(first);
        } catch (boost::system::system_error const& e) {
            if (e.code() != rouse::errc::timed_out) failure = e.code();
        }
    }
    throw boost::system::system_error(failure);
}
// [/connect]

#endif
