// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_PROXY_CONNECTION_HPP
#define ROUSE_EXAMPLE_PROXY_CONNECTION_HPP

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <rouse.hpp>
#include <string>
#include <tuple>
#include <utility>

#include "../connect.hpp"
#include "counters.hpp"

namespace proxy {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using clock = std::chrono::steady_clock;

struct settings {
    std::string target_name;
    tcp::resolver::results_type target;
    std::size_t connections = 0;
    unsigned attempts = 0;
    clock::duration connect_timeout{}, idle_timeout{}, grace{};
};

// What all connections share.
struct job {
    explicit job(settings s) : how(std::move(s)) {}

    settings const how;
    rouse::cancellation_source stop;  // no more is begun
    counters count;
};

// The two sockets of a connection. Destroyed before it is complete it resets both, so that neither
// side takes a part for the whole.
class connection {
public:
    connection(job& all, tcp::socket&& from)
        : client(std::move(from)), target(client.get_executor()), counted_(all.count) {}
    ~connection() {
        if (complete) return;
        for (tcp::socket* each : {&client, &target}) {
            error_code ignored;
            each->set_option(asio::socket_base::linger(true, 0), ignored);
            each->close(ignored);  // the destructor would forget the option
        }
    }

    tcp::socket client, target;
    clock::time_point last = clock::now();  // when something came or went, in either direction
    bool complete = false;

private:
    counters::one counted_;
};

// [copy]
// Until `from` says that it sends no more; then `to` is told so.
inline rouse::task<> copy(tcp::socket& from, tcp::socket& to, clock::time_point& last,
                          counters::counter& bytes) {
    std::array<char, 16 * 1024> buffer;
    for (;;) {
        auto const n =
            co_await from.async_read_some(asio::buffer(buffer), rouse::as_result(rouse::use_poll));
        if (!n && n.error() == asio::error::eof) break;
        last = clock::now();
        asio::const_buffer rest(buffer.data(), n.value());  // throws what else it may be
        while (rest.size() != 0) {
            std::size_t const written = co_await to.async_write_some(rest, rouse::use_poll);
            last = clock::now();
            bytes += written;
            rest += written;
        }
    }
    to.shutdown(tcp::socket::shutdown_send);
}

// Until nothing has come or gone for so long.
inline rouse::task<> silence(clock::time_point const& last, clock::duration limit) {
    while (clock::now() - last < limit) co_await rouse::sleep_until(last + limit);
}
// [/copy]

// [connect]
inline auto connect(job const& all, asio::any_io_executor ex) {
    using namespace std::chrono_literals;
    auto const once = [&all, ex] {
        return rouse::timeout(connect_to_any(ex, all.how.target), all.how.connect_timeout);
    };
    return rouse::retry(rouse::backoff(100ms).at_most(1s).attempts(all.how.attempts), once);
}
// [/connect]

inline void send_at_once(tcp::socket& socket) {
    error_code ignored;  // it may be gone again
    socket.set_option(tcp::no_delay(true), ignored);
}

// One connection, from its first byte to its last. Throws system_error if one side is broken.
inline rouse::task<> carry(job& all, connection& c) {
    send_at_once(c.client);
    send_at_once(c.target);
    c.last = clock::now();
    auto const end = co_await rouse::select(
        rouse::try_join(copy(c.client, c.target, c.last, all.count.to_target),
                        copy(c.target, c.client, c.last, all.count.to_client)),
        silence(c.last, all.how.idle_timeout));
    // It may have come to its end while it was told to let go.
    c.complete = end.index() == 0 || std::get<0>(end.losers).has_value();
    ++(c.complete ? all.count.complete : all.count.idle);
}

inline rouse::task<> forward(job& all, tcp::socket client) {
    connection c(all, std::move(client));
    bool connected = false;
    try {
        auto const ex = c.client.get_executor();
        c.target = co_await rouse::with_cancellation(connect(all, ex), all.stop.token());
        connected = true;
        co_await carry(all, c);
    } catch (boost::system::system_error const& e) {
        if (connected) {
            ++all.count.broken;
        } else if (e.code() != asio::error::operation_aborted) {
            ++all.count.unreachable;
            std::cerr << "cannot connect to " + all.how.target_name + ": " + e.code().message() +
                             '\n';
        }
    }
}

}  // namespace proxy

#endif
