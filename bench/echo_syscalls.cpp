// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <linux/futex.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdarg>
#include <cstdlib>
#include <memory>
#include <rouse.hpp>
#include <thread>
#include <vector>

// How many system calls a server makes for each request. The same echo server runs on Rouse's pool
// and on an io_context; its clients are a process of their own, with 64 connections of which each
// has always one request under way. What the C library's functions do is counted where they are
// called, on the server's threads. The locks of the C library make calls of their own when threads
// meet at them; these are not seen, which favours the io_context.

namespace {

enum kind : unsigned { reads, writes, epoll_waits, epoll_ctls, futexes, others, kinds };
constexpr char const* const names[kinds] = {"recv",      "send",  "epoll_wait",
                                            "epoll_ctl", "futex", "other"};

std::array<std::atomic<std::uint64_t>, kinds> counts{};
thread_local bool in_server = false;

void count(kind k) {
    if (in_server) counts[k].fetch_add(1, std::memory_order_relaxed);
}

template <class Function>
Function next(char const* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

// One function of the C library, counted and passed on.
#define COUNTED(kind, result, name, parameters, ...)             \
    extern "C" result name parameters {                          \
        static auto const f = next<result(*) parameters>(#name); \
        count(kind);                                             \
        return f(__VA_ARGS__);                                   \
    }
COUNTED(reads, ssize_t, recv, (int s, void* data, size_t n, int flags), s, data, n, flags)
COUNTED(reads, ssize_t, recvmsg, (int s, msghdr* m, int flags), s, m, flags)
COUNTED(reads, ssize_t, read, (int fd, void* data, size_t n), fd, data, n)
COUNTED(writes, ssize_t, send, (int s, void const* data, size_t n, int flags), s, data, n, flags)
COUNTED(writes, ssize_t, sendmsg, (int s, msghdr const* m, int flags), s, m, flags)
COUNTED(writes, ssize_t, write, (int fd, void const* data, size_t n), fd, data, n)
COUNTED(epoll_waits, int, epoll_wait, (int e, epoll_event* ev, int n, int time), e, ev, n, time)
COUNTED(others, int, accept, (int s, sockaddr* a, socklen_t* n), s, a, n)
extern "C" int epoll_ctl(int e, int what, int fd, epoll_event* event) noexcept {
    static auto const f = next<int (*)(int, int, int, epoll_event*)>("epoll_ctl");
    count(epoll_ctls);
    return f(e, what, fd, event);
}
extern "C" int timerfd_settime(int fd, int flags, itimerspec const* to, itimerspec* was) noexcept {
    static auto const f =
        next<int (*)(int, int, itimerspec const*, itimerspec*)>("timerfd_settime");
    count(others);
    return f(fd, flags, to, was);
}
extern "C" long syscall(long number, ...) noexcept {
    static auto const f = next<long (*)(long, ...)>("syscall");
    std::va_list arguments;
    va_start(arguments, number);
    std::array<long, 6> a{};
    for (long& x : a) x = va_arg(arguments, long);
    va_end(arguments);
    count(number == SYS_futex ? futexes : others);
    return f(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
// Asio's threads sleep on these: a call of the system each, if somebody waits.
extern "C" int pthread_cond_wait(pthread_cond_t* c, pthread_mutex_t* m) {
    static auto const f = next<int (*)(pthread_cond_t*, pthread_mutex_t*)>("pthread_cond_wait");
    count(futexes);
    return f(c, m);
}
extern "C" int pthread_cond_signal(pthread_cond_t* c) noexcept {
    static auto const f = next<int (*)(pthread_cond_t*)>("pthread_cond_signal");
    count(futexes);
    return f(c);
}

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr unsigned connections = 64;
constexpr std::size_t size = 64;
constexpr unsigned rounds = 50;  // of each connection, for each command

void must(bool holds, char const* what) {
    if (holds) return;
    std::perror(what);
    std::abort();
}

// The clients: for each byte of command, `rounds` requests on every connection.
[[noreturn]] void be_clients(int commands, int answers) {
    std::uint16_t port = 0;
    must(::read(commands, &port, sizeof port) == sizeof port, "port");
    std::vector<pollfd> links;
    for (unsigned c = 0; c < connections; ++c) {
        int const s = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        must(::connect(s, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "connect");
        int const yes = 1;
        ::setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        links.push_back({s, POLLIN, 0});
    }
    std::array<char, size> request{};
    std::array<char, size> reply{};
    for (char command = 0; ::read(commands, &command, 1) == 1;) {
        std::vector<unsigned> left(connections, rounds);
        for (auto const& link : links)
            must(::send(link.fd, request.data(), size, 0) == ssize_t{size}, "send");
        for (unsigned busy = connections; busy != 0;) {
            ::poll(links.data(), links.size(), -1);
            for (unsigned c = 0; c < connections; ++c) {
                if (!(links[c].revents & POLLIN)) continue;
                must(::recv(links[c].fd, reply.data(), size, MSG_WAITALL) == ssize_t{size}, "recv");
                if (--left[c] == 0) {
                    --busy;
                } else {
                    must(::send(links[c].fd, request.data(), size, 0) == ssize_t{size}, "send");
                }
            }
        }
        must(::write(answers, &command, 1) == 1, "answer");
    }
    ::_exit(0);
}

class clients {
public:
    clients() {
        must(::pipe(commands_.data()) == 0 && ::pipe(answers_.data()) == 0, "pipe");
        child_ = ::fork();  // before any thread of the server
        must(child_ >= 0, "fork");
        if (child_ == 0) {
            ::close(commands_[1]);
            be_clients(commands_[0], answers_[1]);
        }
        ::close(commands_[0]);
        ::close(answers_[1]);
    }
    ~clients() {
        ::close(commands_[1]);  // they end, and their connections with them
        ::close(answers_[0]);
        ::waitpid(child_, nullptr, 0);
    }
    void connect(std::uint16_t port) const {
        must(::write(commands_[1], &port, sizeof port) == sizeof port, "port");
    }
    void run() const {
        char c = 'r';
        must(::write(commands_[1], &c, 1) == 1, "command");
        must(::read(answers_[0], &c, 1) == 1, "answer");
    }

private:
    std::array<int, 2> commands_{};
    std::array<int, 2> answers_{};
    pid_t child_ = 0;
};

struct on_rouse {
    explicit on_rouse(unsigned threads)
        : pool(rouse::thread_pool::builder().workers(threads).after_start(
              [](unsigned) { in_server = true; })) {}

    static rouse::task<> session(tcp::socket socket) {
        std::array<char, 4096> buffer;
        for (;;) {
            auto const n = co_await socket.async_read_some(asio::buffer(buffer),
                                                           rouse::as_result(rouse::use_poll));
            if (!n) co_return;
            co_await asio::async_write(socket, asio::buffer(buffer, *n), rouse::use_poll);
        }
    }
    static rouse::task<> listen(rouse::thread_pool& pool, tcp::acceptor acceptor) {
        for (;;) {
            tcp::socket socket = co_await acceptor.async_accept(rouse::use_poll);
            socket.set_option(tcp::no_delay(true));
            rouse::spawn_ok(pool, session(std::move(socket)));
        }
    }
    std::uint16_t begin() {
        tcp::acceptor acceptor(pool, {asio::ip::address_v4::loopback(), 0});
        std::uint16_t const port = acceptor.local_endpoint().port();
        rouse::spawn(pool, listen(pool, std::move(acceptor)), asio::detached);
        return port;
    }

    rouse::thread_pool pool;
};

struct on_io_context {
    explicit on_io_context(unsigned n) : io(static_cast<int>(n)), count_of_threads(n) {}
    ~on_io_context() { io.stop(); }

    static asio::awaitable<void> session(tcp::socket socket) {
        std::array<char, 4096> buffer;
        for (;;) {
            boost::system::error_code error;
            std::size_t const n = co_await socket.async_read_some(
                asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
            if (error) co_return;
            co_await asio::async_write(socket, asio::buffer(buffer, n), asio::use_awaitable);
        }
    }
    static asio::awaitable<void> listen(asio::io_context& io, tcp::acceptor acceptor) {
        for (;;) {
            tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
            socket.set_option(tcp::no_delay(true));
            asio::co_spawn(io, session(std::move(socket)), asio::detached);
        }
    }
    std::uint16_t begin() {
        tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
        std::uint16_t const port = acceptor.local_endpoint().port();
        asio::co_spawn(io, listen(io, std::move(acceptor)), asio::detached);
        for (unsigned i = 0; i < count_of_threads; ++i) {
            threads.emplace_back([this] {
                in_server = true;
                io.run();
            });
        }
        return port;
    }

    asio::io_context io;
    unsigned const count_of_threads;
    std::vector<std::jthread> threads{};
};

template <class System>
void echo_syscalls(benchmark::State& state) {
    clients users;
    System system(static_cast<unsigned>(state.range(0)));
    users.connect(system.begin());
    for (int i = 0; i < 3; ++i) users.run();  // all are connected, all memory is warm
    for (auto& c : counts) c = 0;
    for (auto _ : state) users.run();
    double const requests = static_cast<double>(state.iterations()) * connections * rounds;
    double sum = 0;
    for (unsigned k = 0; k < kinds; ++k) {
        double const each = static_cast<double>(counts[k]) / requests;
        state.counters[names[k]] = each;
        sum += each;
    }
    state.counters["calls"] = sum;  // for each request
    state.SetItemsProcessed(static_cast<std::int64_t>(requests));
}

}  // namespace

BENCHMARK(echo_syscalls<on_rouse>)->Name("echo_syscalls/rouse")->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(echo_syscalls<on_io_context>)
    ->Name("echo_syscalls/io_context")
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime();
