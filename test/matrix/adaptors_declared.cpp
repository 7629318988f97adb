// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Operations that declare what they return instead of deducing it, as Beast's tcp_stream does when
// it connects to one of several endpoints: there the future is an any_future.

#include <support/asio_loopback.hpp>
#include <support/asio_matrix.hpp>

#include <boost/beast/core/tcp_stream.hpp>
#include <concepts>
#include <memory>
#include <rouse/any_future.hpp>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_adaptors_declared)

namespace {

using namespace rouse_test;
namespace beast = boost::beast;

// Tries a list of endpoints; the first refuses.
struct stream_connect_op {
    using values = std::tuple<tcp::endpoint>;
    static constexpr bool has_error = true;
    static constexpr bool declares_its_type = true;

    explicit stream_connect_op(world& w)
        : acceptor(listening(w.executor())),
          client(std::make_unique<beast::tcp_stream>(w.executor())) {
        tcp::endpoint const refusing = [&] { return listening(w.executor()).local_endpoint(); }();
        endpoints = {refusing, acceptor.local_endpoint()};
    }
    template <class Token>
    auto start(Token&& token) {
        return client->async_connect(endpoints, std::forward<Token>(token));
    }
    void check(values const& v) {
        BOOST_TEST((std::get<0>(v) == acceptor.local_endpoint()));
        BOOST_TEST((client->socket().remote_endpoint() == acceptor.local_endpoint()));
    }

    tcp::acceptor acceptor;
    std::unique_ptr<beast::tcp_stream> client;
    std::vector<tcp::endpoint> endpoints{};
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_declared_type_is_any_future) {
    beast::tcp_stream* stream = nullptr;
    std::vector<tcp::endpoint>* places = nullptr;
    using plain = decltype(stream->async_connect(*places, rouse::use_poll));
    BOOST_TEST((std::same_as<plain, rouse::any_future<tcp::endpoint>>));
    using result = decltype(stream->async_connect(*places, rouse::as_result(rouse::use_poll)));
    BOOST_TEST((std::same_as<result, rouse::any_future<boost::system::result<tcp::endpoint>>>));
}

BOOST_AUTO_TEST_CASE(matrix_of_stream_connect) { matrix_everywhere<stream_connect_op>(); }

BOOST_AUTO_TEST_SUITE_END()
