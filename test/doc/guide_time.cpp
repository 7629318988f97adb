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
#include <optional>
#include <rouse.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_guide_time)

// The code of the guide's page on time. In it an hour is nothing: the clock is a paused one.

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

// [sleep]
rouse::task<> cuckoo(std::vector<std::string>& said) {
    auto const noon = steady::now() + 3h;
    co_await rouse::sleep_for(30min);
    said.push_back("half an hour is over");
    co_await rouse::sleep_until(noon);
    said.push_back("noon");
}
// [/sleep]

// [interval]
rouse::task<int> reports(rouse::missed_ticks policy) {
    rouse::interval every(10s, policy);
    co_await every.tick();           // the first one comes at once
    co_await rouse::sleep_for(35s);  // something takes longer than it should: three are missed
    int at_once = 0;
    for (;;) {
        auto const next = co_await rouse::select_biased(every.tick(), rouse::sleep_for(1ms));
        if (next.index() == 1) co_return at_once;
        ++at_once;
    }
}
// [/interval]

BOOST_AUTO_TEST_CASE(ticks_that_are_missed) {
    rouse::paused_clock clock;
    BOOST_TEST(rouse::block_on(reports(rouse::missed_ticks::burst), clock) == 3);
    BOOST_TEST(rouse::block_on(reports(rouse::missed_ticks::delay), clock) == 1);
    BOOST_TEST(rouse::block_on(reports(rouse::missed_ticks::skip), clock) == 1);
}

// [delay_queue]
rouse::task<std::string> expiries() {
    rouse::delay_queue<std::string> sessions;
    auto const alice = sessions.insert("alice ", 30min);
    auto const bob = sessions.insert("bob ", 10min);
    sessions.insert("carol ", 20min);
    sessions.reset(bob, 40min);  // has been seen again
    sessions.remove(alice);      // has left
    std::string expired;
    while (auto one = co_await sessions.next()) expired += *one;
    co_return expired;
}
// [/delay_queue]

BOOST_AUTO_TEST_CASE(values_with_a_time) {
    rouse::paused_clock clock;
    BOOST_TEST(rouse::block_on(expiries(), clock) == "carol bob ");
}

BOOST_AUTO_TEST_CASE(a_clock_that_jumps) {
    std::vector<std::string> said;
    // [paused]
    rouse::paused_clock clock;
    auto const begin = clock.now();
    rouse::block_on(cuckoo(said), clock);  // returns at once
    BOOST_TEST(said.back() == "noon");
    BOOST_TEST((clock.now() - begin >= 3h));
    // [/paused]
}

BOOST_AUTO_TEST_CASE(clocks_of_executors) {
    // [where]
    rouse::paused_clock clock;
    rouse::thread_pool pool(rouse::thread_pool::builder().workers(1).clock(clock));
    rouse::block_on(rouse::spawn(pool, rouse::sleep_for(24h)));

    asio::io_context io;
    rouse::use_clock(io, clock);
    auto handle = rouse::spawn(io, rouse::sleep_for(24h));
    rouse::run_with_clock(io, clock);  // instead of io.run()
    rouse::block_on(std::move(handle));
    // [/where]
}

BOOST_AUTO_TEST_CASE(a_clock_that_is_moved) {
    // [advance]
    rouse::paused_clock clock;
    rouse::thread_pool pool(rouse::thread_pool::builder().workers(4).clock(clock));
    auto handle = rouse::spawn(pool, rouse::sleep_for(1h));
    while (clock.timers() == 0) std::this_thread::yield();  // until it sleeps
    clock.advance(59min);
    BOOST_TEST(!handle.is_finished());
    clock.advance(1min);
    rouse::block_on(std::move(handle));
    // [/advance]
}

// [in_flight]
rouse::task<bool> answers(tcp::socket& socket) {
    char byte = 0;
    bool in_time = true;
    try {
        // While this operation is in flight, the clock stands: the answer may come at any moment.
        co_await rouse::timeout(socket.async_read_some(asio::buffer(&byte, 1), rouse::use_poll), 1h);
    } catch (boost::system::system_error const& e) {
        in_time = e.code() != rouse::errc::timed_out;
    }
    co_return in_time;
}

rouse::task<bool> never_answers(tcp::socket& socket) {
    char byte = 0;
    bool in_time = true;
    try {
        // This one may never end, and the clock does not wait for it.
        co_await rouse::timeout(rouse::background(socket.async_read_some(
                                    asio::buffer(&byte, 1), rouse::use_poll)),
                                1h);
    } catch (boost::system::system_error const& e) {
        in_time = e.code() != rouse::errc::timed_out;
    }
    co_return in_time;
}
// [/in_flight]

template <class F>
auto run(asio::io_context& io, rouse::paused_clock& clock, F future) {
    auto handle = rouse::spawn(io, std::move(future));
    io.restart();
    rouse::run_with_clock(io, clock);
    return rouse::block_on(std::move(handle));
}

BOOST_AUTO_TEST_CASE(what_a_clock_waits_for) {
    rouse::paused_clock clock;
    asio::io_context io;
    rouse::use_clock(io, clock);
    rouse_test::tcp_pair sockets(io.get_executor());
    BOOST_TEST(!run(io, clock, never_answers(sockets.here)));
    std::jthread const peer([&] { asio::write(sockets.there, asio::buffer("!", 1)); });
    BOOST_TEST(run(io, clock, answers(sockets.here)));
}

BOOST_AUTO_TEST_CASE(what_else_comes_from_outside) {
    // [hold]
    rouse::paused_clock clock;
    rouse::cancellation_source told;
    std::optional<rouse::clock_hold> hold(std::in_place, clock);  // it does not jump
    std::jthread const other([&] {
        told.cancel();  // something that the clock knows nothing of
        hold.reset();   // and from now on it may
    });
    auto const first = rouse::block_on(
        rouse::select(told.token().cancelled(), rouse::sleep_for(1h)), clock);
    BOOST_TEST(first.index() == 0U);
    // [/hold]
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
