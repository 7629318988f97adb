// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The programs that users write first, word for word, and that they do what they say. They come
// with their own includes, before any other: what they need and do not include would show.

// The program's main is called by a test.
#define main() \
    another(); \
    void server_main()

// clang-format off
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <rouse.hpp>
namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

rouse::task<> session(tcp::socket sock) {
    std::array<char, 4096> buf;
    for (;;) {
        auto n = co_await sock.async_read_some(asio::buffer(buf), rouse::as_result(rouse::use_poll));
        if (!n) co_return;                                       // the peer has closed, or an error
        co_await asio::async_write(sock, asio::buffer(buf, *n), rouse::use_poll);
    }
}
rouse::task<> listen(rouse::thread_pool& pool, tcp::acceptor acceptor) {
    for (;;) {
        tcp::socket sock = co_await acceptor.async_accept(rouse::use_poll);
        rouse::spawn(pool, session(std::move(sock)), asio::detached);
    }
}
int main() {
    rouse::thread_pool pool;                                     // workers; the idle one runs the event loop
    rouse::spawn(pool, listen(pool, tcp::acceptor(pool, {tcp::v4(), 8080})), asio::detached);
    asio::signal_set signals(pool, SIGINT, SIGTERM);
    signals.async_wait([&](auto, int) { pool.stop(); });
    pool.join();
}

struct shared_state {
    std::mutex mutex;
    bool done = false;
    rouse::waker waker;
};

struct io_operation {                                            // a future written by hand, as in the seed article
    explicit io_operation(std::shared_ptr<shared_state> s) : state(std::move(s)) {}
    std::shared_ptr<shared_state> state;
    rouse::poll_result<std::string> poll(rouse::context& cx) {
        std::lock_guard lock(state->mutex);
        if (state->done) return std::string("I/O Operation completed!");
        state->waker = cx.waker();                               // the latest one
        return rouse::pending;
    }
};
// clang-format on

#undef main

#include <support/pool_kit.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <future>
#include <mutex>
#include <string>
#include <thread>

namespace {
// Where the server listens, as soon as it does.
std::atomic<in_port_t> port_of_server{0};  // as in a sockaddr_in
}  // namespace

// In front of the system's: the port that the server names may be another process's. It gets any
// that is free instead.
extern "C" int bind(int socket, sockaddr const* where, socklen_t length) noexcept {
    sockaddr_in any{};
    bool const is_server = where->sa_family == AF_INET && length == sizeof any &&
                           reinterpret_cast<sockaddr_in const*>(where)->sin_port == htons(8080);
    if (is_server) {
        any = *reinterpret_cast<sockaddr_in const*>(where);
        any.sin_port = 0;
        where = reinterpret_cast<sockaddr const*>(&any);
    }
    auto const result = static_cast<int>(::syscall(SYS_bind, socket, where, length));
    if (is_server && result == 0) {
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&any), &length);
        port_of_server = any.sin_port;
    }
    return result;
}

namespace {

rouse::task<int> compute() { co_return 42; }

// A client of the plain kind. False: nobody listens yet.
bool echoes(std::string const& message) {
    int const client = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = port_of_server;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string answer;
    if (::connect(client, reinterpret_cast<sockaddr const*>(&where), sizeof where) == 0 &&
        ::send(client, message.data(), message.size(), MSG_NOSIGNAL) > 0) {
        char some[64];
        while (answer.size() < message.size()) {
            auto const n = ::recv(client, some, sizeof some, 0);
            if (n <= 0) break;
            answer.append(some, static_cast<std::size_t>(n));
        }
    }
    ::close(client);
    return answer == message;
}

bool somebody_waits_for_sigterm() {
    struct sigaction now {};
    ::sigaction(SIGTERM, nullptr, &now);
    return now.sa_handler != SIG_DFL;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_server) {
    bool ended = false;
    std::thread program([&] {
        server_main();
        ended = true;
    });
    rouse_test::wait_until([] { return echoes("Hello"); }, "an echo");
    rouse_test::wait_until(&somebody_waits_for_sigterm, "somebody who waits for SIGTERM");
    BOOST_TEST(echoes("Hello again"));
    ::kill(::getpid(), SIGTERM);
    program.join();
    BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(the_future_by_hand) {
    rouse::thread_pool pool(1);
    auto state = std::make_shared<shared_state>();
    auto handle = rouse::spawn(pool, io_operation(state));
    rouse_test::wait_until(
        [&] {
            std::lock_guard lock(state->mutex);
            return !state->waker.will_wake(rouse::waker());
        },
        "the first poll");
    rouse::waker waker;
    {
        std::lock_guard lock(state->mutex);
        state->done = true;
        waker = std::move(state->waker);
    }
    std::move(waker).wake();
    BOOST_TEST(rouse::block_on(std::move(handle)) == "I/O Operation completed!");
}

BOOST_AUTO_TEST_CASE(the_ways_to_start) {
    rouse::thread_pool pool;
    // clang-format off
    rouse::join_handle<int> h = rouse::spawn(pool, compute());       // no token: a join_handle, itself a future
    int v = rouse::block_on(std::move(h));                           // from a plain thread
    std::future<int> f = rouse::spawn(pool, compute(), asio::use_future);
    auto const from_awaitable = [&pool]() -> asio::awaitable<int> {
        int w = co_await rouse::spawn(pool, compute(), asio::use_awaitable);      // from an asio::awaitable
        co_return w;
    };
    // clang-format on
    BOOST_TEST(v == 42);
    BOOST_TEST(f.get() == 42);
    asio::io_context io;
    auto w = asio::co_spawn(io, from_awaitable(), asio::use_future);
    io.run();
    BOOST_TEST(w.get() == 42);
}

namespace {

using u = int;
rouse::task<std::string> fetch(u n) {
    co_await rouse::this_task::yield_now();
    co_return "page " + std::to_string(n);
}
rouse::task<std::size_t> read(tcp::socket& sock) {
    std::array<char, 16> block{};
    co_return co_await sock.async_read_some(asio::buffer(block), rouse::use_poll);
}

// Two ends of a connection.
struct connection {
    explicit connection(rouse::thread_pool& pool) : here(pool), there(pool) {
        tcp::acceptor acceptor(pool, {asio::ip::address_v4::loopback(), 0});
        here.connect(acceptor.local_endpoint());
        acceptor.accept(there);
    }
    tcp::socket here;
    tcp::socket there;
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_ways_to_combine) {
    rouse::thread_pool pool;
    connection c(pool);
    rouse::cancellation_source source;
    auto const story = rouse::block_on(rouse::spawn(pool, [&]() -> rouse::task<std::string> {
        tcp::socket& sock = c.here;
        std::array<char, 16> block{};
        auto const b = asio::buffer(block);
        rouse::cancellation_token const stop = source.token();
        u const u1 = 1;
        u const u2 = 2;
        co_await asio::async_write(c.there, asio::buffer("hello", 5), rouse::use_poll);
        // clang-format off
        auto r = co_await rouse::timeout(sock.async_read_some(b, rouse::use_poll), 5s);   // cancels and drains on expiry
        auto [x, y] = co_await rouse::join(fetch(u1), fetch(u2));
        source.cancel();
        auto first = co_await rouse::select(read(sock), rouse::sleep_for(1s), stop.cancelled());  // std::variant by index
        // clang-format on
        co_return std::to_string(r) + ", " + x + ", " + y + ", " + std::to_string(first.index());
    }));
    BOOST_TEST(story == "5, page 1, page 2, 2");
}
