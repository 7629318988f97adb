// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_FETCH_FAILURE_HPP
#define ROUSE_EXAMPLE_FETCH_FAILURE_HPP

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/system/error_code.hpp>
#include <rouse.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace fetch {

// Why a request has failed: what() is for its line, the kind for the table at the end.
struct failure : std::runtime_error {
    enum class lasts { for_ever, perhaps_not };

    failure(std::string of_kind, std::string const& detail, lasts how)
        : std::runtime_error(detail.empty() ? of_kind : of_kind + ": " + detail),
          kind(std::move(of_kind)),
          worth_a_retry(how == lasts::perhaps_not) {}

    std::string kind;
    bool worth_a_retry;
};

// What became of a connection that a server closed while nobody used it.
inline bool was_closed(boost::system::error_code const& e) {
    namespace error = boost::asio::error;
    return e == boost::beast::http::error::end_of_stream || e == error::connection_reset ||
           e == error::broken_pipe || e == error::eof ||
           e == boost::asio::ssl::error::stream_truncated;
}

// The words for an error of Asio, Beast or OpenSSL.
inline failure describe(boost::system::error_code const& e) {
    namespace error = boost::asio::error;
    namespace http = boost::beast::http;
    using lasts = failure::lasts;
    if (e == error::connection_refused) return {"connection refused", "", lasts::perhaps_not};
    if (e == rouse::errc::timed_out) return {"timed out", "", lasts::perhaps_not};
    if (e == http::error::body_limit)
        return {"the body is longer than --max-body", "", lasts::for_ever};
    if (e == http::error::header_limit)
        return {"the header is longer than 64 KiB", "", lasts::for_ever};
    if (e == http::error::buffer_overflow)
        return {"not HTTP", "a line without an end", lasts::for_ever};
    if (e == http::error::partial_message || e == boost::asio::ssl::error::stream_truncated)
        return {"cut short", "the connection was closed in the middle of the answer",
                lasts::perhaps_not};
    if (e == http::error::end_of_stream)
        return {"no answer", "the connection was closed", lasts::perhaps_not};
    if (e == error::connection_reset || e == error::broken_pipe)
        return {"connection reset", "", lasts::perhaps_not};
    if (e.category() == error::get_netdb_category() ||
        e.category() == error::get_addrinfo_category())
        return {"name not found", e.message(),
                e == error::host_not_found_try_again ? lasts::perhaps_not : lasts::for_ever};
    if (e.category() == error::get_ssl_category()) return {"TLS", e.message(), lasts::for_ever};
    if (e.category() == http::make_error_code(http::error::bad_version).category())
        return {"not HTTP", e.message(), lasts::for_ever};
    return {"connection", e.message(), lasts::perhaps_not};
}

}  // namespace fetch

#endif
