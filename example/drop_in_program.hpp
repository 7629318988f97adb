// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef DROP_IN_PROGRAM_HPP
#define DROP_IN_PROGRAM_HPP

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <latch>
#include <memory>
#include <ostream>
#include <utility>
#include <vector>

// A program for Asio, with callbacks and with coroutines of Asio's. It runs wherever it is told to,
// and knows of no other library.
namespace drop_in {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

constexpr int clients = 20;
constexpr int rounds = 50;
constexpr int ticks = 10;
constexpr int posts = 1000;

// A connection of the server, in callbacks: adds one to each byte and sends it back.
class connection : public std::enable_shared_from_this<connection> {
public:
    explicit connection(tcp::socket socket) : socket_(std::move(socket)) {}

    void read() {
        socket_.async_read_some(asio::buffer(buffer_),
                                [self = shared_from_this()](error_code error, std::size_t n) {
                                    if (!error) self->write(n);
                                });
    }

private:
    void write(std::size_t size) {
        for (std::size_t i = 0; i != size; ++i) ++buffer_[i];
        asio::async_write(socket_, asio::buffer(buffer_, size),
                          [self = shared_from_this()](error_code error, std::size_t) {
                              if (!error) self->read();
                          });
    }

    tcp::socket socket_;
    std::array<unsigned char, 64> buffer_{};
};

// Accepts as many connections as there are clients.
class server : public std::enable_shared_from_this<server> {
public:
    explicit server(tcp::acceptor acceptor) : acceptor_(std::move(acceptor)) {}

    void accept(int left) {
        if (left == 0) return;
        acceptor_.async_accept(
            [self = shared_from_this(), left](error_code error, tcp::socket socket) {
                if (error) return;
                std::make_shared<connection>(std::move(socket))->read();
                self->accept(left - 1);
            });
    }

private:
    tcp::acceptor acceptor_;
};

// A client, as a coroutine: how many bytes came back as they should.
inline asio::awaitable<int> client(tcp::endpoint address, int id) {
    tcp::socket socket(co_await asio::this_coro::executor);
    co_await socket.async_connect(address, asio::use_awaitable);
    int right = 0;
    for (int round = 0; round != rounds; ++round) {
        auto sent = static_cast<unsigned char>(id + round);
        unsigned char received = 0;
        co_await asio::async_write(socket, asio::buffer(&sent, 1), asio::use_awaitable);
        co_await asio::async_read(socket, asio::buffer(&received, 1), asio::use_awaitable);
        if (received == static_cast<unsigned char>(sent + 1)) ++right;
    }
    co_return right;
}

// A timer that is set again by its own handler, on a strand.
class clock : public std::enable_shared_from_this<clock> {
public:
    clock(asio::any_io_executor ex, std::promise<int>& done)
        : strand_(asio::make_strand(ex)), timer_(strand_), done_(done) {}

    void tick() {
        timer_.expires_after(1ms);
        timer_.async_wait([self = shared_from_this()](error_code error) {
            if (error) return;
            if (++self->count_ == ticks) {
                self->done_.set_value(self->count_);
            } else {
                self->tick();
            }
        });
    }

private:
    asio::strand<asio::any_io_executor> strand_;
    asio::steady_timer timer_;
    std::promise<int>& done_;
    int count_ = 0;
};

// Waits for a timer that is cancelled by a handler, which Asio reports as an error.
inline asio::awaitable<int> cancelled_wait() {
    auto const ex = co_await asio::this_coro::executor;
    auto const strand = asio::make_strand(ex);
    asio::steady_timer timer(strand, 24h);
    asio::post(strand, [&] { timer.cancel(); });
    try {
        co_await timer.async_wait(asio::bind_executor(strand, asio::use_awaitable));
    } catch (boost::system::system_error const& e) {
        co_return e.code() == asio::error::operation_aborted ? 1 : 0;
    }
    co_return 0;
}

// `where` is a context or an executor of it: sockets, acceptors and timers are made from either.
template <class Where, class Executor>
void program(Where&& where, Executor const& ex, std::ostream& out) {
    tcp::acceptor acceptor(where, {asio::ip::address_v4::loopback(), 0});
    auto const address = acceptor.local_endpoint();
    std::make_shared<server>(std::move(acceptor))->accept(clients);
    std::vector<std::future<int>> answers;
    for (int id = 0; id != clients; ++id)
        answers.push_back(asio::co_spawn(where, client(address, id), asio::use_future));

    std::promise<int> ticked;
    std::make_shared<clock>(ex, ticked)->tick();

    auto aborted = asio::co_spawn(asio::make_strand(ex), cancelled_wait(), asio::use_future);

    // A thousand functions on a strand: in order, one at a time, without a lock.
    auto const strand = asio::make_strand(ex);
    std::uint64_t in_order = 0;
    std::promise<void> strand_done;
    for (std::uint64_t i = 0; i != posts; ++i)
        asio::post(strand, [&in_order, i] { in_order += in_order == i; });
    asio::post(strand, [&strand_done] { strand_done.set_value(); });

    // And as many without one, each of which brings forth two more.
    std::latch free(3 * posts);
    for (int i = 0; i != posts; ++i) {
        asio::post(where, [&free, ex] {
            asio::defer(ex, [&free] { free.count_down(); });
            asio::dispatch(ex, [&free] { free.count_down(); });
            free.count_down();
        });
    }

    int right = 0;
    for (auto& answer : answers) right += answer.get();
    int const count = ticked.get_future().get();
    int const timers = aborted.get();
    strand_done.get_future().wait();
    free.wait();

    out << "bytes that came back: " << right << '\n'
        << "ticks: " << count << '\n'
        << "timers cancelled: " << timers << '\n'
        << "functions on a strand, in order: " << in_order << '\n'
        << "functions on the pool: " << 3 * posts << '\n';
}

}  // namespace drop_in

#endif
