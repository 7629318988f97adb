// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_FETCH_ADDRESS_HPP
#define ROUSE_EXAMPLE_FETCH_ADDRESS_HPP

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <string>
#include <string_view>

#include "failure.hpp"

namespace fetch {

// Where a request goes.
struct address {
    boost::urls::url url;  // as it was given, or as a redirect made it
    bool tls = false;
    std::string host;         // without the brackets of an IPv6 literal
    bool is_literal = false;  // an IP address, and no name
    std::string port;
    std::string authority;  // for the Host field
    std::string target;     // for the request line

    bool same_server(address const& other) const {
        return tls == other.tls && host == other.host && port == other.port;
    }
};

inline failure bad_url(std::string const& why) {
    return {"bad URL", why, failure::lasts::for_ever};
}

// A URL on a terminal, whatever somebody has written into it.
inline std::string printable(std::string_view text) {
    constexpr char const* digits = "0123456789abcdef";
    std::string result;
    for (char const c : text) {
        auto const byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7f) {
            result += {'\\', 'x', digits[byte / 16], digits[byte % 16]};
        } else {
            result += c;
        }
    }
    return result;
}

// The parts of a URL that a client may follow. Throws failure.
inline address usable(boost::urls::url url) {
    address a;
    if (url.scheme_id() == boost::urls::scheme::https) {
        a.tls = true;
    } else if (url.scheme_id() != boost::urls::scheme::http) {
        throw bad_url("the scheme is neither http nor https");
    }
    if (url.has_userinfo()) throw bad_url("it has user information");
    a.host = url.host_address();
    if (a.host.empty()) throw bad_url("it names no host");
    a.is_literal = url.host_type() == boost::urls::host_type::ipv4 ||
                   url.host_type() == boost::urls::host_type::ipv6;
    // Percent-encoded, a host can be any text.
    auto const in_names = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_';
    };
    if (!a.is_literal && !std::all_of(a.host.begin(), a.host.end(), in_names))
        throw bad_url("the host is neither a name nor an address");
    if (url.has_port() && !url.port().empty()) {
        if (url.port_number() == 0) throw bad_url("the port is not from 1 to 65535");
        a.port = std::to_string(url.port_number());
    } else {
        a.port = a.tls ? "443" : "80";
    }
    a.authority = url.host_type() == boost::urls::host_type::ipv6 ? "[" + a.host + "]" : a.host;
    if (a.port != (a.tls ? "443" : "80")) a.authority += ":" + a.port;
    a.target = std::string(url.encoded_target());
    if (a.target.empty() || a.target.front() != '/') a.target.insert(0, "/");
    a.url = std::move(url);
    return a;
}

inline address parse_address(std::string_view text) {
    auto const is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    };
    if (std::any_of(text.begin(), text.end(), is_control))
        throw bad_url("it has a control character");
    auto const parsed = boost::urls::parse_uri(boost::urls::string_view(text.data(), text.size()));
    if (!parsed) throw bad_url("it has not the form http://host[:port][/path]");
    return usable(boost::urls::url(*parsed));
}

// Where a redirect leads to, from `from`. Throws failure.
inline address redirected(address const& from, std::string_view location) {
    auto const to = boost::urls::parse_uri_reference(
        boost::urls::string_view(location.data(), location.size()));
    boost::urls::url url;
    if (!to || !boost::urls::resolve(from.url, *to, url))
        throw failure("bad redirect", printable(location), failure::lasts::for_ever);
    address next = usable(std::move(url));
    if (from.tls && !next.tls)
        throw failure("bad redirect", "from https to http", failure::lasts::for_ever);
    return next;
}

}  // namespace fetch

#endif
