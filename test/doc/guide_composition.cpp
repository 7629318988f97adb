// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <support/asio_loopback.hpp>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <rouse.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_guide_composition)

// The code of the guide's page on composition, but for groups. In it an hour is nothing: the clock is a
// paused one.

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

// Pages come after their time, or not at all.
rouse::task<std::string> fetch(std::string url, std::chrono::seconds takes = 1s) {
    co_await rouse::sleep_for(takes);
    if (url.empty()) throw std::runtime_error("no such page");
    co_return "<" + url + ">";
}

template <class F>
auto run(F&& future) {
    rouse::paused_clock clock;
    return rouse::block_on(std::forward<F>(future), clock);
}

// [join]
rouse::task<std::string> two_pages() {
    auto const both = co_await rouse::join(fetch("left"), fetch("right"));
    auto const& [left, right] = both;
    co_return left + right;
}

rouse::task<std::size_t> all_pages(std::vector<std::string> urls) {
    std::vector<rouse::task<std::string>> downloads;
    for (auto& url : urls) downloads.push_back(fetch(url));
    std::vector<std::string> const pages = co_await rouse::join_all(std::move(downloads));
    co_return pages.size();
}
// [/join]

BOOST_AUTO_TEST_CASE(all_of_several) {
    BOOST_TEST(run(two_pages()) == "<left><right>");
    BOOST_TEST(run(all_pages({"a", "b", "c"})) == 3U);
}

// [select]
rouse::task<std::string> page_or_stop(rouse::cancellation_token stop) {
    auto const first =
        co_await rouse::select(fetch("news", 5s), rouse::sleep_for(10s), stop.cancelled());
    switch (first.index()) {
        case 0: co_return std::get<0>(first);
        case 1: co_return "too slow";
        default: co_return "stopped";
    }
}
// [/select]

BOOST_AUTO_TEST_CASE(one_of_several) {
    rouse::cancellation_source stop;
    BOOST_TEST(run(page_or_stop(stop.token())) == "<news>");
    stop.cancel();
    BOOST_TEST(run(page_or_stop(stop.token())) == "stopped");
}

// [by_name]
rouse::task<int> with_reports(std::vector<std::string>& said) {
    auto page = fetch("large", 10s);
    rouse::interval every(4s);
    for (int reports = 0;; ++reports) {
        auto const first = co_await rouse::select(page, every.tick());
        if (first.index() == 0) co_return reports;
        said.push_back("still waiting");
    }
}
// [/by_name]

BOOST_AUTO_TEST_CASE(what_is_passed_by_name_lives_on) {
    std::vector<std::string> said;
    BOOST_TEST(run(with_reports(said)) == 3);
    BOOST_TEST(said.size() == 3U);
}

// [losers]
// Bytes that have been read are not lost, even if the other one was first.
rouse::task<std::size_t> read_or_stop(tcp::socket& socket, asio::mutable_buffer to,
                                      rouse::cancellation_token stop) {
    auto first = co_await rouse::select(socket.async_read_some(to, rouse::use_poll), stop.cancelled());
    if (first.index() == 0) co_return std::get<0>(first);
    auto& read = std::get<0>(first.losers);  // an outcome: a value, an exception, or stopped
    co_return read.has_value() ? read.value() : 0;
}
// [/losers]

BOOST_AUTO_TEST_CASE(what_losers_have_done) {
    asio::io_context io;
    for (int round = 0; round != 20; ++round) {
        rouse_test::tcp_pair sockets(io.get_executor());
        asio::write(sockets.there, asio::buffer("hi", 2));
        rouse::cancellation_source stop;
        stop.cancel();
        std::array<char, 2> bytes{};
        auto handle =
            rouse::spawn(io, read_or_stop(sockets.here, asio::buffer(bytes), stop.token()));
        io.restart();
        io.run();
        std::size_t const n = rouse::block_on(std::move(handle));
        BOOST_TEST(n + sockets.here.available() == 2U);
    }
}

// [race]
rouse::task<std::string> from_anywhere() {
    auto const first = co_await rouse::race(fetch(""), fetch("mirror", 2s), fetch("far", 9s));
    co_return std::visit([](auto const& page) { return page; }, first);
}
// [/race]

BOOST_AUTO_TEST_CASE(the_first_success) { BOOST_TEST(run(from_anywhere()) == "<mirror>"); }

// [timeout]
rouse::task<std::string> patient() {
    auto const once = [] { return rouse::timeout(fetch("busy", 3s), 2s); };
    std::string result = "given up";
    try {
        result = co_await rouse::retry(rouse::backoff(100ms).times(2).attempts(4), once);
    } catch (boost::system::system_error const& e) {
        if (e.code() != rouse::errc::timed_out) throw;
    }
    co_return result;
}
// [/timeout]

BOOST_AUTO_TEST_CASE(attempts_with_a_limit) { BOOST_TEST(run(patient()) == "given up"); }

// [unordered]
rouse::task<std::string> as_they_come() {
    rouse::futures_unordered<rouse::task<std::string>> downloads;
    downloads.push(fetch("slow", 3s));
    downloads.push(fetch("fast", 1s));
    std::string all;
    while (auto page = co_await downloads.next()) all += *page;
    co_return all;
}
// [/unordered]

BOOST_AUTO_TEST_CASE(values_in_the_order_of_completion) {
    BOOST_TEST(run(as_they_come()) == "<fast><slow>");
}

// [adaptors]
auto size_of(std::string url) {
    return rouse::map(fetch(std::move(url)), [](std::string page) { return page.size(); });
}
auto never_fails(std::string url) {
    return rouse::catch_all(fetch(std::move(url)),
                            [](std::exception_ptr) { return std::string("<empty>"); });
}
auto redirected(std::string url) {
    return rouse::then(fetch(std::move(url)), [](std::string page) { return fetch(page + "!"); });
}
// [/adaptors]

// [finally]
auto counted(int& open, std::string url) {
    ++open;
    return rouse::finally(fetch(std::move(url)), [&open] { --open; });
}
// [/finally]

BOOST_AUTO_TEST_CASE(one_future_around_another) {
    BOOST_TEST(run(size_of("a")) == 3U);
    BOOST_TEST(run(never_fails("")) == "<empty>");
    BOOST_TEST(run(redirected("a")) == "<<a>!>");
    int open = 0;
    BOOST_CHECK_THROW(run(counted(open, "")), std::runtime_error);
    BOOST_TEST(open == 0);
}

// [shared]
rouse::task<std::size_t> of_all(rouse::shared_future<rouse::task<std::string>> config) {
    std::string const mine = co_await config;
    co_return mine.size();
}

rouse::task<std::size_t> one_download() {
    rouse::shared_future config = rouse::shared(fetch("config"));  // fetched once
    auto first = of_all(config);  // has a copy
    auto const sizes = co_await rouse::join(std::move(first), of_all(std::move(config)));
    co_return std::get<0>(sizes) + std::get<1>(sizes);
}
// [/shared]

BOOST_AUTO_TEST_CASE(one_future_for_many) { BOOST_TEST(run(one_download()) == 16U); }

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
