// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// TLS streams, whose composed operations keep state in the stream: aborted, they are drained first.

#include <support/asio_hand.hpp>
#include <support/asio_tls.hpp>
#include <support/asio_worlds.hpp>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/use_poll.hpp>
#include <string>

BOOST_AUTO_TEST_SUITE(test_op_tls)

namespace {

using namespace rouse_test;
using rouse::use_poll;

rouse::task<> serve(std::shared_ptr<tls_pair> streams) {
    co_await streams->there.async_handshake(ssl::stream_base::server, use_poll);
    std::array<char, 4> data{};
    co_await asio::async_read(streams->there, asio::buffer(data), use_poll);
    co_await asio::async_write(streams->there, asio::buffer(data), use_poll);
}

rouse::task<std::string> ask(std::shared_ptr<tls_pair> streams) {
    co_await streams->here.async_handshake(ssl::stream_base::client, use_poll);
    co_await asio::async_write(streams->here, asio::buffer("ping", 4), use_poll);
    std::string answer(4, ' ');
    co_await asio::async_read(streams->here, asio::buffer(answer), use_poll);
    co_return answer;
}

}  // namespace

BOOST_AUTO_TEST_CASE(two_tasks_talk) {
    on_each_world([](world& w) {
        auto const streams = std::make_shared<tls_pair>(w.executor());
        auto server = rouse::spawn(w.executor(), serve(streams));
        BOOST_TEST(result_in(w, ask(streams)) == "ping");
        wait(w, std::move(server));
    });
}

// The client is aborted after each number of its polls; the stream dies with its task.
BOOST_AUTO_TEST_CASE(an_aborted_task_drains_its_stream) {
    for (int steps = 0; steps < 30; ++steps) {
        for (bool drop : {false, true}) {
            asio::io_context io;
            auto streams = std::make_unique<tls_pair>(io.get_executor());
            auto server = std::make_unique<rouse::task<>>(
                [](tls_pair& s) -> rouse::task<> {
                    co_await s.there.async_handshake(ssl::stream_base::server, use_poll);
                    std::array<char, 4> data{};
                    co_await asio::async_read(s.there, asio::buffer(data), use_poll);
                }(*streams));
            auto client = std::make_unique<rouse::task<>>(
                [](tls_pair& s) -> rouse::task<> {
                    co_await s.here.async_handshake(ssl::stream_base::client, use_poll);
                    std::array<char, 4> data{};
                    co_await asio::async_read(s.here, asio::buffer(data), use_poll);
                }(*streams));
            hand of_server;
            hand of_client;
            for (int i = 0; i < steps; ++i) {
                BOOST_TEST(of_client.poll(*client).is_pending());
                BOOST_TEST(of_server.poll(*server).is_pending());
                run_ready(io);
            }
            if (!drop) {
                BOOST_TEST(!finish_cancel(of_client, io, *client));
                BOOST_TEST(!finish_cancel(of_server, io, *server));
            }
            // Dropped, the stream goes too: what is still queued must not touch it.
            client.reset();
            server.reset();
            streams.reset();
            run_ready(io);
        }
    }
}

// Nobody answers at the other end.
BOOST_AUTO_TEST_CASE(a_cancelled_handshake_ends_with_operation_aborted) {
    asio::io_context io;
    tls_pair streams(io.get_executor());
    hand h;
    auto op = streams.here.async_handshake(ssl::stream_base::client, use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    run_ready(io);
    BOOST_TEST(h.poll(op).is_pending());
    h.cancel();
    BOOST_CHECK_EXCEPTION(finish(h, io, op), boost::system::system_error, is_operation_aborted);
}

BOOST_AUTO_TEST_SUITE_END()
