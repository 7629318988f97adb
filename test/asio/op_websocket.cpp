// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Beast's websocket binds the timer of its keep-alive pings to the executor of the operation that
// armed it: the read that was started last. The pings come also when that operation has ended.

#include <support/asio_loopback.hpp>
#include <support/unit_kit.hpp>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include <rouse/atomic_waker.hpp>
#include <rouse/block_on.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/thread_pool.hpp>
#include <rouse/use_poll.hpp>

BOOST_AUTO_TEST_SUITE(test_op_websocket)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using rouse::use_poll;

// The other end, with callbacks: answers pings, counts them, and speaks after some.
class counting_peer {
public:
    counting_peer(tcp::socket socket, int enough) : stream_(std::move(socket)), enough_(enough) {
        stream_.control_callback([this](websocket::frame_type kind, beast::string_view) {
            if (kind != websocket::frame_type::ping) return;
            ++pings;
            if (on_ping) on_ping();
            if (pings == enough_) speak();
        });
        stream_.async_accept([this](beast::error_code error) {
            if (error) return;
            read();
            if (enough_ == 0) speak();
        });
    }

    int pings = 0;
    std::function<void()> on_ping{};

private:
    void read() {
        stream_.async_read(buffer_, [this](beast::error_code error, std::size_t) {
            if (!error) read();
        });
    }
    void speak() {
        stream_.async_write(asio::buffer("enough", 6), [](beast::error_code, std::size_t) {});
    }

    websocket::stream<tcp::socket> stream_;
    beast::flat_buffer buffer_{};
    int enough_;
};

void pings_go_on(asio::io_context& io, asio::any_io_executor const& ex) {
    tcp_pair sockets(io.get_executor());
    counting_peer peer(std::move(sockets.there), 4);

    auto handle = rouse::spawn(ex, [&]() -> rouse::task<std::string> {
        websocket::stream<tcp::socket> stream(std::move(sockets.here));
        websocket::stream_base::timeout limits{};
        limits.handshake_timeout = 30s;
        limits.idle_timeout = 100ms;
        limits.keep_alive_pings = true;
        stream.set_option(limits);
        co_await stream.async_handshake("localhost", "/", use_poll);
        // Without pings the peer says nothing, and the stream would time out.
        beast::flat_buffer buffer;
        co_await stream.async_read(buffer, use_poll);
        co_return beast::buffers_to_string(buffer.data());
    });
    asio::steady_timer limit(io, 60s);
    limit.async_wait([&](beast::error_code error) {
        if (!error) handle.abort();
    });
    while (!handle.is_finished()) io.run_one();
    limit.cancel();
    BOOST_TEST(peer.pings >= 4);
    BOOST_TEST(rouse::block_on(std::move(handle)) == "enough");
}

}  // namespace

BOOST_AUTO_TEST_CASE(keep_alive_pings_go_on_while_a_read_waits) {
    asio::io_context io;
    pings_go_on(io, io.get_executor());
}

// The read has ended, and the task waits for something that is not the stream.
BOOST_AUTO_TEST_CASE(a_ping_comes_when_the_operation_that_armed_it_has_ended) {
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    counting_peer peer(std::move(sockets.there), 0);
    gate pinged;
    peer.on_ping = [&] { pinged.set(); };
    auto handle = rouse::spawn(io, [&]() -> rouse::task<bool> {
        websocket::stream<tcp::socket> stream(std::move(sockets.here));
        websocket::stream_base::timeout limits{};
        limits.handshake_timeout = 30s;
        limits.idle_timeout = 2s;
        limits.keep_alive_pings = true;
        stream.set_option(limits);
        co_await stream.async_handshake("localhost", "/", use_poll);
        beast::flat_buffer buffer;
        co_await stream.async_read(buffer, use_poll);
        bool const before = pinged.open;
        co_await gate_future(pinged);
        co_return !before;
    });
    asio::steady_timer limit(io, 30s);
    limit.async_wait([&](beast::error_code error) {
        if (!error) handle.abort();
    });
    while (!handle.is_finished()) io.run_one();
    limit.cancel();
    BOOST_TEST(rouse::block_on(std::move(handle)));
    BOOST_TEST(peer.pings >= 1);
}

// The task is aborted while pings are due: it drains, and what comes later is dropped.
BOOST_AUTO_TEST_CASE(an_abort_ends_the_pings) {
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    counting_peer peer(std::move(sockets.there), 1000);
    auto handle = rouse::spawn(io, [&]() -> rouse::task<> {
        websocket::stream<tcp::socket> stream(std::move(sockets.here));
        websocket::stream_base::timeout limits{};
        limits.handshake_timeout = 30s;
        limits.idle_timeout = 20ms;
        limits.keep_alive_pings = true;
        stream.set_option(limits);
        co_await stream.async_handshake("localhost", "/", use_poll);
        beast::flat_buffer buffer;
        co_await stream.async_read(buffer, use_poll);
    });
    while (peer.pings < 2 && !handle.is_finished()) io.run_one();
    BOOST_TEST(!handle.is_finished());
    handle.abort();
    while (!handle.is_finished()) io.run_one();
    io.run();  // nothing of the stream is left that waits
    BOOST_CHECK_EXCEPTION(
        rouse::block_on(std::move(handle)), boost::system::system_error,
        [](auto const& e) { return e.code() == rouse::errc::aborted; });
}

namespace {

// Waits until the peer, on another thread, has had a number of pings; only its ping wakes the task.
struct ping_count {
    std::atomic<int> pings{0};
    rouse::atomic_waker waiting{};
};
class pinged {
public:
    pinged(ping_count& count, int enough) : count_(&count), enough_(enough) {}
    rouse::poll_result<void> poll(rouse::context& cx) {
        count_->waiting.register_waker(cx.waker());
        if (count_->pings >= enough_) return rouse::ready();
        return rouse::pending;
    }

private:
    ping_count* count_;
    int enough_;
};

// The peer is run by the calling thread, the stream by the pool; its read has ended before the first
// ping is due. Functions that the timer of a dead operation queues must wake the task and be run by it.
void pings_on_a_pool(rouse::thread_pool& pool) {
    asio::io_context io;
    tcp::acceptor acceptor = listening(io.get_executor());
    tcp::socket here(pool);
    tcp::socket there(io);
    here.connect(acceptor.local_endpoint());
    acceptor.accept(there);
    counting_peer peer(std::move(there), 0);
    ping_count count;
    peer.on_ping = [&] {
        ++count.pings;
        count.waiting.wake();
    };
    auto handle = rouse::spawn(pool, [&]() -> rouse::task<int> {
        websocket::stream<tcp::socket> stream(std::move(here));
        websocket::stream_base::timeout limits{};
        limits.handshake_timeout = 30s;
        limits.idle_timeout = 2s;
        limits.keep_alive_pings = true;
        stream.set_option(limits);
        co_await stream.async_handshake("localhost", "/", use_poll);
        beast::flat_buffer buffer;
        co_await stream.async_read(buffer, use_poll);
        int const before = count.pings;
        co_await pinged(count, before + 1);
        co_return before;
    });
    asio::steady_timer limit(io, 60s);
    limit.async_wait([&](beast::error_code error) {
        if (!error) handle.abort();
    });
    while (!handle.is_finished()) io.run_one_for(10ms);
    limit.cancel();
    BOOST_TEST(rouse::block_on(std::move(handle)) == 0);
    BOOST_TEST(peer.pings >= 1);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_ping_on_a_pool_comes_when_the_operation_that_armed_it_has_ended) {
    rouse::thread_pool pool(2);
    pings_on_a_pool(pool);
    pool.join();
}

BOOST_AUTO_TEST_CASE(a_ping_on_a_pool_over_an_io_context_comes_as_well) {
    asio::io_context io;
    auto work = asio::make_work_guard(io);
    std::thread runner([&] { io.run(); });
    {
        rouse::thread_pool pool(io, 2);
        pings_on_a_pool(pool);
        pool.join();
    }
    work.reset();
    runner.join();
}

BOOST_AUTO_TEST_SUITE_END()
