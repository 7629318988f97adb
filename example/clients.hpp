// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_CLIENTS_HPP
#define ROUSE_EXAMPLE_CLIENTS_HPP

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

// Who comes to an acceptor.
class clients {
public:
    explicit clients(boost::asio::ip::tcp::acceptor acceptor) : acceptor_(std::move(acceptor)) {}

    // The next one, however long that takes. To have no file descriptors or no memory is no reason to end:
    // connections that end give some back. It is said, and not again before one came without any such trouble.
    rouse::task<boost::asio::ip::tcp::socket> next() {
        using namespace std::chrono_literals;
        auto const pauses =
            rouse::backoff(10ms).at_most(1s).jitter(0).attempts(std::numeric_limits<unsigned>::max());
        bool trouble = false;
        auto const worth_another = [&](std::exception_ptr const& why) { return is_passing(why, trouble); };
        auto client = co_await rouse::retry(
            pauses, [&] { return acceptor_.async_accept(rouse::use_poll); }, worth_another);
        said_ = trouble;
        co_return client;
    }

private:
    bool is_passing(std::exception_ptr const& why, bool& trouble) {
        try {
            std::rethrow_exception(why);
        } catch (boost::system::system_error const& e) {
            if (e.code() == boost::asio::error::operation_aborted) return false;
            if (concerns_client_only(e.code())) return true;
            trouble = true;
            if (!std::exchange(said_, true))
                std::cerr << "cannot accept: " + e.code().message() + "; trying again\n";
        }
        return true;
    }

    boost::asio::ip::tcp::acceptor acceptor_;
    bool said_ = false;
};

#endif
