// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_FETCH_CLIENT_HPP
#define ROUSE_EXAMPLE_FETCH_CLIENT_HPP

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <rouse.hpp>
#include <string>
#include <utility>

#include "address.hpp"
#include "connection.hpp"
#include "failure.hpp"

namespace fetch {

struct limits {
    std::chrono::milliseconds timeout{};  // for each attempt
    int retries = 0;
    std::uint64_t max_body = 0;
};

// Fetches one page after the other, and keeps the connection as long as that is of use. For one
// task.
class client {
public:
    client(rouse::thread_pool& pool, asio::ssl::context& tls, limits const& l)
        : pool_(pool), tls_(tls), limits_(l) {}

    // The length of the page's body. Redirects are followed. Throws failure.
    rouse::task<std::uint64_t> get(std::string url) {
        constexpr int most_redirects = 10;
        address to = parse_address(url);
        for (int redirects = 0;; ++redirects) {
            answer const a = co_await with_retries(to);
            if (a.status / 100 == 2) co_return a.bytes;
            if (!is_redirect(a))
                throw failure("status " + std::to_string(a.status), "", failure::lasts::for_ever);
            if (redirects == most_redirects)
                throw failure("too many redirects", "more than 10", failure::lasts::for_ever);
            to = redirected(to, a.location);
        }
    }

private:
    static bool is_redirect(answer const& a) {
        return !a.location.empty() && (a.status == 301 || a.status == 302 || a.status == 303 ||
                                       a.status == 307 || a.status == 308);
    }
    static bool is_busy(unsigned status) { return status == 502 || status == 503 || status == 504; }

    rouse::task<answer> with_retries(address const& to) {
        auto pause = std::chrono::milliseconds(100);
        for (int left = limits_.retries;; --left) {
            try {
                answer a = co_await attempt(to);
                if (left == 0 || !is_busy(a.status)) co_return a;
            } catch (failure const& f) {
                if (left == 0 || !f.worth_a_retry) throw;
            }
            asio::steady_timer timer(pool_, pause);
            co_await timer.async_wait(rouse::use_poll);
            pause *= 2;
        }
    }

    rouse::task<answer> attempt(address const& to) {
        auto const deadline = std::chrono::steady_clock::now() + limits_.timeout;
        try {
            if (kept_ && kept_->serves(to)) {
                // The server may have closed it meanwhile. That is nobody's fault, and costs no
                // retry.
                auto const again = co_await kept_->get(to, limits_.max_body, deadline);
                co_return again;
            }
        } catch (boost::system::system_error const& e) {
            if (!was_closed(e.code())) throw describe(e.code());
        }
        kept_ = std::make_unique<connection>(pool_, to);
        try {
            co_await kept_->open(tls_, deadline);
            answer const first = co_await kept_->get(to, limits_.max_body, deadline);
            co_return first;
        } catch (boost::system::system_error const& e) {
            throw describe(e.code());
        }
    }

    rouse::thread_pool& pool_;
    asio::ssl::context& tls_;
    limits const limits_;
    std::unique_ptr<connection> kept_;
};

}  // namespace fetch

#endif
