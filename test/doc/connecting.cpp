// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The function of the examples that connects to one of several addresses.

#include "../../example/connect.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <rouse.hpp>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_connecting)

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::system_error;
using namespace std::chrono_literals;

tcp::resolver::results_type places_of(std::vector<tcp::endpoint> const& all) {
    return tcp::resolver::results_type::create(all.begin(), all.end(), "several", "0");
}

tcp::endpoint any_port() { return {asio::ip::address_v4::loopback(), 0}; }

// Listens, and answers nobody: its queue is full.
class silent {
public:
    explicit silent(asio::any_io_executor const& ex) : acceptor_(ex, tcp::v4()) {
        acceptor_.bind(any_port());
        acceptor_.listen(0);
        for (int n = 0; n < 4; ++n) {
            queued_.push_back(std::make_unique<tcp::socket>(ex));
            queued_.back()->async_connect(acceptor_.local_endpoint(), asio::detached);
        }
    }
    tcp::endpoint place() const { return acceptor_.local_endpoint(); }

private:
    tcp::acceptor acceptor_;
    std::vector<std::unique_ptr<tcp::socket>> queued_;
};

tcp::endpoint refused(asio::any_io_executor const& ex) {
    tcp::acceptor gone(ex, any_port());
    return gone.local_endpoint();
}

tcp::endpoint connected(rouse::thread_pool& pool, std::vector<tcp::endpoint> const& all) {
    auto const places = places_of(all);
    auto socket = rouse::block_on(
        rouse::spawn(pool, rouse::timeout(connect_to_any(pool.get_executor(), places), 30s)));
    return socket.remote_endpoint();
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_first_that_answers) {
    rouse::thread_pool pool(2);
    tcp::acceptor answers(pool, any_port());
    silent const first(pool.get_executor());
    auto const none = refused(pool.get_executor());
    BOOST_TEST(connected(pool, {answers.local_endpoint(), none}) == answers.local_endpoint());
    BOOST_TEST(connected(pool, {none, answers.local_endpoint()}) == answers.local_endpoint());
    BOOST_TEST(connected(pool, {first.place(), none, answers.local_endpoint()}) == answers.local_endpoint());
    BOOST_TEST(connected(pool, {none, first.place(), answers.local_endpoint()}) == answers.local_endpoint());
}

BOOST_AUTO_TEST_CASE(none_answers) {
    rouse::thread_pool pool(2);
    auto const none = refused(pool.get_executor());
    auto const is = [](auto code) { return [code](system_error const& e) { return e.code() == code; }; };
    BOOST_CHECK_EXCEPTION(connected(pool, {none, none}), system_error, is(asio::error::connection_refused));
    BOOST_CHECK_EXCEPTION(connected(pool, {}), system_error, is(asio::error::host_not_found));
    silent const first(pool.get_executor());
    auto const places = places_of({none, first.place()});
    auto waits = rouse::spawn(pool, rouse::timeout(connect_to_any(pool.get_executor(), places), 300ms));
    BOOST_CHECK_EXCEPTION(rouse::block_on(std::move(waits)), system_error, is(rouse::errc::timed_out));
}

BOOST_AUTO_TEST_SUITE_END()
