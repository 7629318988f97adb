// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Beast's HTTP read keeps its state in a buffer and a parser that belong to somebody else. It is ended
// after each number of its polls. Aborted or cancelled it has let go in good order: a second read goes
// on where it stopped. Dropped, buffer and parser may be destroyed at once.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <optional>
#include <rouse/use_poll.hpp>
#include <string_view>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_op_http)

namespace {

using namespace rouse_test;
namespace beast = boost::beast;
namespace http = beast::http;
using rouse::use_poll;

constexpr std::string_view answer =
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello";

struct reading {
    hand h{};
    asio::io_context io{};
    tcp_pair sockets{io.get_executor()};
    std::optional<beast::flat_buffer> buffer{std::in_place};
    std::optional<http::response_parser<http::string_body>> parser{std::in_place};
    std::size_t fed = 0;

    auto read() { return http::async_read(sockets.here, *buffer, *parser, use_poll); }
    void feed(std::size_t n) {
        auto const part = answer.substr(fed, n);
        asio::write(sockets.there, asio::buffer(part.data(), part.size()));
        fed += part.size();
    }
    // Polls, with a byte of the answer before each; true if the read has completed.
    template <class Op>
    bool feed_and_poll(Op& op, int polls) {
        for (int i = 0; i < polls; ++i) {
            if (h.poll(op).is_ready()) return true;
            feed(1);
            run_ready(io);
        }
        return false;
    }
    bool complete() const {
        return parser->is_done() && parser->get().body() == "hello" &&
               parser->get()["X-A"] == "b";
    }
    // The rest arrives, and is read.
    bool second_read_completes() {
        feed(answer.size());
        auto op = read();
        finish(h, io, op);
        return complete() && buffer->size() == 0;
    }
};

// How many numbers of polls were tried; `end` gives false if something was wrong.
template <class End>
int after_each_number_of_polls(End end) {
    int tried = 0;
    for (;; ++tried) {
        reading r;
        std::optional op(r.read());
        if (r.feed_and_poll(*op, tried)) {
            BOOST_TEST(r.complete());
            break;
        }
        BOOST_TEST_CONTEXT("after " << tried << " polls") { BOOST_TEST(end(r, op)); }
    }
    return tried;
}

}  // namespace

BOOST_AUTO_TEST_CASE(b35_an_aborted_http_read_is_taken_up_by_another) {
    int const tried = after_each_number_of_polls([](reading& r, auto& op) {
        bool const had_completed = finish_cancel(r.h, r.io, *op).has_value();
        op.reset();
        return had_completed ? r.complete() : r.second_read_completes();
    });
    BOOST_TEST(tried >= static_cast<int>(answer.size()));
}

BOOST_AUTO_TEST_CASE(b35_a_cancelled_http_read_is_taken_up_by_another) {
    int completed = 0;
    int const tried = after_each_number_of_polls([&](reading& r, auto& op) {
        r.h.cancel();
        try {
            finish(r.h, r.io, *op);
            ++completed;
            return r.complete();
        } catch (boost::system::system_error const& e) {
            if (e.code() != asio::error::operation_aborted) return false;
        }
        r.h.cancellation.clear();
        return r.second_read_completes();
    });
    BOOST_TEST(tried >= static_cast<int>(answer.size()));
    BOOST_TEST(completed <= 1);  // only if the last byte was there
}

// Nothing of it is touched any more: neither by what the event loop holds for the operation, nor by
// the bytes that come later.
BOOST_AUTO_TEST_CASE(b35_under_a_dropped_http_read_buffer_and_parser_may_go) {
    int const tried = after_each_number_of_polls([](reading& r, auto& op) {
        op.reset();
        r.parser.reset();
        r.buffer.reset();
        bool const all_had_come = r.fed == answer.size();
        r.feed(answer.size());
        run_ready(r.io);
        r.h.late_functions.run();
        return all_had_come || r.sockets.here.available() > 0;
    });
    BOOST_TEST(tried >= static_cast<int>(answer.size()));
}

BOOST_AUTO_TEST_SUITE_END()
