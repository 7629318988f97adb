// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What only a process of its own can show: a getaddrinfo that does not return, threads that nobody
// asked for, and rules whose breach ends the program.

#include <netdb.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <memory>
#include <rouse/block_on.hpp>
#include <rouse/cancellation_source.hpp>
#include <rouse/join.hpp>
#include <rouse/join_handle.hpp>
#include <rouse/select.hpp>
#include <rouse/sleep.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/then.hpp>
#include <rouse/this_task.hpp>
#include <rouse/use_poll.hpp>
#include <rouse/with_cancellation.hpp>
#include <string>
#include <support/asio_hand.hpp>
#include <thread>
#include <utility>
#include <vector>

namespace {

// Closed, every getaddrinfo waits here.
std::atomic<bool> gate_open{true};
std::atomic<int> waiting{0};

}  // namespace

extern "C" int getaddrinfo(char const*, char const*, addrinfo const*, addrinfo** result) {
    ++waiting;
    gate_open.wait(false);
    --waiting;
    *result = nullptr;
    return EAI_NONAME;
}
extern "C" void freeaddrinfo(addrinfo*) noexcept {}

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using asio::ip::tcp;
using rouse::use_poll;

class closed_gate {
public:
    closed_gate() { gate_open = false; }
    ~closed_gate() { open(); }
    void open() {
        gate_open = true;
        gate_open.notify_all();
    }
};

long threads_of_process() {
    using std::filesystem::directory_iterator;
    return std::distance(directory_iterator("/proc/self/task"), directory_iterator());
}

// What a program that does this says on stderr before it aborts; empty if it does not.
template <class F>
std::string last_words_of(F f) {
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::pipe(ends.data()) == 0);
    pid_t const child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);  // the test framework catches it
        rlimit const no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::dup2(ends[1], STDERR_FILENO);
        f();
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string said;
    std::array<char, 512> buffer{};
    for (ssize_t n; (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
        said.append(buffer.data(), static_cast<std::size_t>(n));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? said : std::string();
}

}  // namespace

// Must come before anything that starts the threads of Asio's system context.
BOOST_AUTO_TEST_CASE(a_future_of_std_starts_no_threads) {
    asio::io_context io;
    auto value = rouse::spawn(io, rouse::ready_future(5), asio::use_future);
    auto handle = rouse::spawn(io, []() -> rouse::task<> { throw std::runtime_error("x"); },
                               asio::use_future);
    io.run();
    BOOST_TEST(value.get() == 5);
    BOOST_CHECK_THROW(handle.get(), std::runtime_error);
    BOOST_TEST(threads_of_process() == 1);
}

// Nor does whoever is cancelled with it, as if it had heard of that.
BOOST_AUTO_TEST_CASE(a_request_to_cancel_does_not_wait_for_a_resolver_that_loses) {
    closed_gate gate;
    asio::io_context io;
    tcp::resolver resolver(io);
    rouse::cancellation_source stop;
    auto const name = [&] { return resolver.async_resolve("example.invalid", "80", use_poll); };
    auto const time = [] { return rouse::sleep_for(std::chrono::hours(1)); };
    std::vector<rouse::join_handle<void>> all;
    auto const run = [&](auto future) {
        all.push_back(rouse::spawn(io, rouse::with_cancellation(rouse::map(std::move(future), [](auto&&) {}), stop.token())));
    };
    run(rouse::select_biased(time(), name()));
    run(rouse::try_join(name(), time()));
    run(rouse::select_biased(time(), resolver.async_resolve("example.invalid", "80", asio::as_tuple(use_poll))));
    io.poll();
    stop.cancel();
    io.restart();
    for (auto& one : all) {
        while (!one.is_finished()) io.poll();
        BOOST_CHECK_THROW(rouse::block_on(std::move(one)), boost::system::system_error);
    }
    gate.open();
    io.restart();
    io.run();
}

BOOST_AUTO_TEST_CASE(an_abort_does_not_wait_for_a_resolver) {
    closed_gate gate;
    asio::io_context io;
    tcp::resolver resolver(io);
    auto plain = rouse::spawn(io, resolver.async_resolve("example.invalid", "80", use_poll));
    auto tuple = rouse::spawn(
        io, resolver.async_resolve("example.invalid", "80", asio::as_tuple(use_poll)));
    auto in_a_task = rouse::spawn(io, [&]() -> rouse::task<> {
        co_await resolver.async_resolve("example.invalid", "80", use_poll);
    });
    io.poll();
    while (waiting == 0) std::this_thread::yield();
    BOOST_TEST(!plain.is_finished());
    plain.abort();
    tuple.abort();
    in_a_task.abort();
    io.poll();
    BOOST_TEST(plain.is_finished());
    BOOST_TEST(tuple.is_finished());
    BOOST_TEST(in_a_task.is_finished());
    BOOST_TEST(waiting == 1);
    gate.open();
    io.run();  // the answers come to nobody
}

BOOST_AUTO_TEST_CASE(a_resolver_that_answers_is_an_error_like_others) {
    asio::io_context io;
    tcp::resolver resolver(io);
    auto handle = rouse::spawn(
        io, resolver.async_resolve("example.invalid", "80", asio::as_tuple(use_poll)));
    io.run();
    BOOST_TEST_REQUIRE(handle.is_finished());
    BOOST_TEST((std::get<0>(poll_once(handle).value()) == asio::error::host_not_found));
}

BOOST_AUTO_TEST_CASE(a_move_after_the_first_poll_ends_the_program) {
    auto const said = last_words_of([] {
        asio::io_context io;
        asio::steady_timer timer(io, 24h);
        auto op = timer.async_wait(use_poll);
        static_cast<void>(poll_once(op));
        auto moved = std::move(op);
        static_cast<void>(moved);
    });
    BOOST_TEST(said.find("rouse: an operation was moved after its first poll") !=
               std::string::npos);
}
