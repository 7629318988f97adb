// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What two tasks on two workers share: a socket, one for each direction, where the one cancels or is
// aborted while the other starts its operations; and a concurrent_channel. The socket is non-blocking
// before both begin, since otherwise the first operation would change it.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>
#include <support/asio_worlds.hpp>
#include <support/scale.hpp>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <latch>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/use_poll.hpp>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_shared_socket)

namespace {

using namespace rouse_test;
using boost::system::error_code;
using rouse::use_poll;

constexpr auto no_throw = asio::as_tuple(use_poll);

struct shared {
    explicit shared(asio::any_io_executor const& ex, std::ptrdiff_t tasks)
        : sockets(ex), together(tasks) {
        sockets.here.non_blocking(true);
        sockets.there.non_blocking(true);
    }

    tcp_pair sockets;
    std::latch together;  // each waits for the others: as many workers
};

// Reads until the end; an operation that was cancelled is started again.
rouse::task<int> read_all(shared& s) {
    s.together.arrive_and_wait();
    char data[16];
    int bytes = 0;
    for (;;) {
        auto const [error, n] = co_await s.sockets.here.async_read_some(asio::buffer(data), no_throw);
        bytes += static_cast<int>(n);
        if (error && error != asio::error::operation_aborted) co_return bytes;
    }
}

// Cancels everything on the socket after each write.
rouse::task<int> write_and_cancel(shared& s, int rounds) {
    s.together.arrive_and_wait();
    int written = 0;
    for (int i = 0; i < rounds; ++i) {
        auto const [error, n] =
            co_await s.sockets.here.async_write_some(asio::buffer("x", 1), no_throw);
        written += static_cast<int>(n);
        s.sockets.here.cancel();
    }
    co_return written;
}

rouse::task<> feed(shared& s, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        co_await asio::async_write(s.sockets.there, asio::buffer("yy", 2), use_poll);
    }
    s.sockets.there.shutdown(tcp::socket::shutdown_send);
}

// The other end: how many bytes come.
rouse::task<int> drain(shared& s) {
    char data[256];
    int bytes = 0;
    for (;;) {
        auto const [error, n] = co_await s.sockets.there.async_read_some(asio::buffer(data), no_throw);
        bytes += static_cast<int>(n);
        if (error) co_return bytes;
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(cancel_of_the_socket_beside_reads_that_start) {
    int const rounds = scaled(20'000);
    on_each_world([&](world& w) {
        if (w.threads() < 2) return;
        shared s(w.executor(), 2);
        auto reader = rouse::spawn(w.executor(), read_all(s));
        auto writer = rouse::spawn(w.executor(), write_and_cancel(s, rounds));
        auto feeder = rouse::spawn(w.executor(), feed(s, rounds));
        auto drained = rouse::spawn(w.executor(), drain(s));
        int const written = wait(w, std::move(writer));
        wait(w, std::move(feeder));
        BOOST_TEST(wait(w, std::move(reader)) == 2 * rounds);  // no byte was lost
        s.sockets.here.shutdown(tcp::socket::shutdown_send);
        BOOST_TEST(wait(w, std::move(drained)) == written);
    });
}

BOOST_AUTO_TEST_CASE(an_abort_of_a_read_beside_writes_that_start) {
    int const rounds = scaled(2'000);
    on_each_world([&](world& w) {
        if (w.threads() < 2) return;
        shared s(w.executor(), 1);
        std::atomic<bool> over{false};
        auto writer = rouse::spawn(w.executor(), [&]() -> rouse::task<int> {
            int written = 0;
            while (!over) {
                co_await asio::async_write(s.sockets.here, asio::buffer("x", 1), use_poll);
                ++written;
            }
            co_return written;
        });
        auto drained = rouse::spawn(w.executor(), drain(s));
        int aborted = 0;
        for (int i = 0; i < rounds; ++i) {
            std::atomic<bool> begun{false};
            auto reader = rouse::spawn(w.executor(), [&]() -> rouse::task<> {
                char data[16];
                begun = true;
                co_await s.sockets.here.async_read_some(asio::buffer(data), use_poll);
            });
            w.run_until([&] { return begun.load(); });
            reader.abort();
            try {
                wait(w, std::move(reader));
            } catch (boost::system::system_error const& e) {
                if (e.code() == rouse::errc::aborted) ++aborted;
            }
        }
        over = true;
        int const written = wait(w, std::move(writer));
        BOOST_TEST(aborted == rounds);
        s.sockets.here.shutdown(tcp::socket::shutdown_send);
        BOOST_TEST(wait(w, std::move(drained)) == written);
    });
}

namespace {

using numbers = asio::experimental::concurrent_channel<void(error_code, int)>;

// Not close(): with Asio 1.26 it throws away what is in the channel.
constexpr int end_of_numbers = -1;

struct channel_ends {
    channel_ends(asio::any_io_executor const& ex, std::size_t capacity)
        : channel(ex, capacity), together(2) {}

    numbers channel;
    std::latch together;
};

rouse::task<> send_numbers(channel_ends& ends, int count) {
    ends.together.arrive_and_wait();
    for (int i = 0; i < count; ++i) co_await ends.channel.async_send(error_code(), i, use_poll);
    co_await ends.channel.async_send(error_code(), end_of_numbers, use_poll);
}

// How many came, in order.
rouse::task<int> receive_numbers(channel_ends& ends) {
    ends.together.arrive_and_wait();
    for (int next = 0;; ++next) {
        int const number = co_await ends.channel.async_receive(use_poll);
        if (number == end_of_numbers) co_return next;
        if (number != next) co_return -1;
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_concurrent_channel_between_two_tasks) {
    int const count = scaled(20'000);
    for (std::size_t capacity : {0U, 1U, 7U}) {
        on_each_world([&](world& w) {
            if (w.threads() < 2) return;
            channel_ends ends(w.executor(), capacity);
            auto receiver = rouse::spawn(w.executor(), receive_numbers(ends));
            auto sender = rouse::spawn(w.executor(), send_numbers(ends, count));
            wait(w, std::move(sender));
            BOOST_TEST(wait(w, std::move(receiver)) == count);
        });
    }
}

// Either the number arrives or the next receiver gets it, whenever the first one is aborted. The channel
// has no buffer: of one that has, Asio 1.26 says that it is full once its last receiver was cancelled.
BOOST_AUTO_TEST_CASE(an_abort_of_a_receiver_beside_a_sender) {
    int const rounds = scaled(2'000);
    on_each_world([&](world& w) {
        if (w.threads() < 2) return;
        numbers channel(w.executor(), 0);
        int wrong = 0;
        for (int i = 0; i < rounds; ++i) {
            auto receiver = rouse::spawn(w.executor(), channel.async_receive(use_poll));
            auto sender =
                rouse::spawn(w.executor(), channel.async_send(error_code(), i, use_poll));
            receiver.abort();
            int got = -1;
            try {
                got = wait(w, std::move(receiver));
            } catch (boost::system::system_error const& e) {
                if (e.code() != rouse::errc::aborted) ++wrong;
            }
            if (got == -1) got = result_in(w, channel.async_receive(use_poll));
            wait(w, std::move(sender));
            if (got != i) ++wrong;
        }
        BOOST_TEST(wrong == 0);
    });
}

BOOST_AUTO_TEST_SUITE_END()
