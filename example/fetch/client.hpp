// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_FETCH_CLIENT_HPP
#define ROUSE_EXAMPLE_FETCH_CLIENT_HPP

#include <boost/asio/ssl/context.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
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
            if (!is_redirect(a)) throw status_of(a, failure::lasts::for_ever);
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

    static failure status_of(answer const& a, failure::lasts how) {
        return {"status " + std::to_string(a.status), "", how};
    }

    rouse::task<answer> with_retries(address const& to) {
        using namespace std::chrono_literals;
        auto const worth_another = [](std::exception_ptr const& why) {
            try {
                std::rethrow_exception(why);
            } catch (failure const& f) {
                return f.worth_a_retry;
            }
        };
        auto const pauses =
            rouse::backoff(100ms).attempts(static_cast<unsigned>(limits_.retries) + 1);
        co_return co_await rouse::retry(
            pauses, [&] { return attempt(to); }, worth_another);
    }

    rouse::task<answer> attempt(address const& to) {
        try {
            answer a = co_await rouse::timeout(exchange(to), limits_.timeout);
            if (is_busy(a.status)) throw status_of(a, failure::lasts::perhaps_not);
            co_return a;
        } catch (boost::system::system_error const& e) {
            if (e.code() == rouse::errc::timed_out && !kept_->is_found())
                throw failure("timed out", "nobody knows the name yet",
                              failure::lasts::perhaps_not);
            throw describe(e.code());
        }
    }

    rouse::task<answer> exchange(address const& to) {
        try {
            if (kept_ && kept_->serves(to)) {
                answer const again = co_await kept_->get(to, limits_.max_body);
                co_return again;
            }
        } catch (boost::system::system_error const& e) {
            // The server may have closed it meanwhile. That is nobody's fault, and costs no retry.
            if (!was_closed(e.code())) throw;
        }
        kept_ = std::make_unique<connection>(pool_, to);
        co_await kept_->open(tls_);
        co_return co_await kept_->get(to, limits_.max_body);
    }

    rouse::thread_pool& pool_;
    asio::ssl::context& tls_;
    limits const limits_;
    std::unique_ptr<connection> kept_;
};

}  // namespace fetch

#endif
