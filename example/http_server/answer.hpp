// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_HTTP_SERVER_ANSWER_HPP
#define ROUSE_EXAMPLE_HTTP_SERVER_ANSWER_HPP

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/file_posix.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/optional.hpp>
#include <boost/system/error_code.hpp>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "served_folder.hpp"

// From a request to its response: HTTP, and nothing about connections.

namespace beast = boost::beast;
namespace http = boost::beast::http;

// For Beast: the body of a response, a short text or a part of a file. The file is read while it is
// sent, piece by piece. If it turns out to be shorter than promised the write fails.
struct content_body {
    struct value_type {
        std::string text;
        beast::file_posix file;  // if it is open, it is sent instead of the text
        std::uint64_t offset = 0, length = 0;
    };

    static std::uint64_t size(value_type const& body) {
        return body.file.is_open() ? body.length : body.text.size();
    }

    class writer {
    public:
        using const_buffers_type = boost::asio::const_buffer;

        template <bool Request, class Fields>
        writer(http::header<Request, Fields>&, value_type& body) : body_(body), left_(size(body)) {}

        void init(boost::system::error_code& error) {
            error = {};
            if (body_.file.is_open()) body_.file.seek(body_.offset, error);
        }

        // The next piece, and whether there will be another.
        boost::optional<std::pair<const_buffers_type, bool>> get(boost::system::error_code& error) {
            error = {};
            if (left_ == 0) return boost::none;
            if (!body_.file.is_open()) {
                left_ = 0;
                return std::pair<const_buffers_type, bool>(boost::asio::buffer(body_.text), false);
            }
            auto const n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, piece_.size()));
            std::size_t const got = body_.file.read(piece_.data(), n, error);
            if (!error && got != n) error = http::error::partial_message;
            if (error) return boost::none;
            left_ -= n;
            return std::pair<const_buffers_type, bool>(boost::asio::buffer(piece_, n), left_ != 0);
        }

    private:
        value_type& body_;
        std::uint64_t left_;
        std::array<char, 16384> piece_;
    };
};

using request = http::request<http::string_body>;
using response = http::response<content_body>;

inline std::string http_date(std::time_t when) {
    std::tm parts{};
    char text[64];
    return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT",
                                ::gmtime_r(&when, &parts))};
}

// A response whose text says no more than its status does.
inline response plain(http::status status) {
    response r(status, 11);
    r.set(http::field::content_type, "text/plain; charset=utf-8");
    r.body().text = std::to_string(r.result_int()) + ' ' + std::string(r.reason()) + '\n';
    return r;
}

struct range {
    std::uint64_t first, length;  // no length: there is nothing at that place
};

// One range of bytes, of a file of that size. Nothing: the header is malformed, or names several
// ranges, or another unit; it is ignored then.
inline std::optional<range> parse_range(std::string_view header, std::uint64_t size) {
    if (!beast::iequals(header.substr(0, 6), "bytes=")) return std::nullopt;
    header.remove_prefix(6);
    std::size_t const dash = std::min(header.find('-'), header.size());
    if (dash == header.size()) return std::nullopt;
    bool malformed = false;
    auto const number = [&](std::string_view digits) {
        std::uint64_t n = 0;
        auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
        malformed |= error == std::errc::invalid_argument || end != digits.data() + digits.size();
        return error == std::errc() ? n : std::numeric_limits<std::uint64_t>::max();
    };
    std::string_view const from = header.substr(0, dash), to = header.substr(dash + 1);
    std::uint64_t first = 0, end = size;
    if (from.empty()) {
        std::uint64_t const last_bytes = number(to);
        first = size - std::min(size, last_bytes);
        if (size == 0 && last_bytes != 0) return std::nullopt;  // all of nothing
    } else {
        first = number(from);
        if (!to.empty()) {
            std::uint64_t const last = number(to);
            malformed |= last < first;
            if (last < size) end = last + 1;
        }
    }
    if (malformed) return std::nullopt;
    return range{first, first < end ? end - first : 0};
}

// Beyond what Beast's parser refuses.
inline bool is_malformed(request const& r) {
    return (r.version() == 11 && r.count(http::field::host) != 1) ||
           (r.count(http::field::transfer_encoding) != 0 && !r.chunked());
}

inline response answer(request const& asked, served_folder const& folder) {
    if (is_malformed(asked)) return plain(http::status::bad_request);
    bool const get = asked.method() == http::verb::get;
    if (!get && asked.method() != http::verb::head) {
        response r = plain(http::status::method_not_allowed);
        r.set(http::field::allow, "GET, HEAD");
        return r;
    }
    auto const path = path_of(asked.target());
    if (!path) return plain(http::status::bad_request);
    auto found = folder.open(*path);
    if (!found) {
        namespace errc = boost::system::errc;
        auto const& why = found.error();
        bool const busy = why == errc::too_many_files_open || why == errc::not_enough_memory ||
                          why == errc::too_many_files_open_in_system ||
                          why == errc::resource_unavailable_try_again;
        return plain(busy ? http::status::service_unavailable : http::status::not_found);
    }
    std::optional<range> part;
    if (get && asked.count(http::field::range) == 1 && asked.count(http::field::if_range) == 0)
        part = parse_range(asked[http::field::range], found->size);
    std::string const size = std::to_string(found->size);
    if (part && part->length == 0) {
        response r = plain(http::status::range_not_satisfiable);
        r.set(http::field::content_range, "bytes */" + size);
        return r;
    }
    response r(part ? http::status::partial_content : http::status::ok, 11);
    if (part) {
        std::string const last = std::to_string(part->first + part->length - 1);
        r.set(http::field::content_range,
              "bytes " + std::to_string(part->first) + '-' + last + '/' + size);
    }
    r.set(http::field::accept_ranges, "bytes");
    r.set(http::field::content_type, found->type);
    r.set(http::field::last_modified, http_date(found->modified));
    r.body().file = std::move(found->file);
    r.body().offset = part ? part->first : 0;
    r.body().length = part ? part->length : found->size;
    return r;
}

// What all responses have in common.
inline void complete(response& r, request const& asked, bool keep_alive) {
    r.version(asked.version());
    r.keep_alive(keep_alive);
    r.content_length(content_body::size(r.body()));
    r.set(http::field::date, http_date(std::time(nullptr)));
    r.set(http::field::server, "rouse http_server");
    r.set("X-Content-Type-Options", "nosniff");
}

#endif
