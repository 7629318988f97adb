// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// An io_context that was made with a concurrency hint: without locks a pool refuses it, with hint 1
// it works, and tasks on it alone are a matter of one thread.

#include <support/asio_loopback.hpp>
#include <support/pool_kit.hpp>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <memory>
#include <rouse.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_hints)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::task;
using rouse::thread_pool;
using rouse::use_poll;

namespace {

// The hints that take locks away, and those that leave all of them in place.
std::vector<int> const unsafe_hints = {
    BOOST_ASIO_CONCURRENCY_HINT_UNSAFE,
    BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO,
#ifdef BOOST_ASIO_CONCURRENCY_HINT_LOCKING_SCHEDULER
    // One lock at a time.
    static_cast<int>(static_cast<unsigned>(BOOST_ASIO_CONCURRENCY_HINT_SAFE) &
                     ~BOOST_ASIO_CONCURRENCY_HINT_LOCKING_SCHEDULER),
    static_cast<int>(static_cast<unsigned>(BOOST_ASIO_CONCURRENCY_HINT_SAFE) &
                     ~BOOST_ASIO_CONCURRENCY_HINT_LOCKING_REACTOR_REGISTRATION),
    static_cast<int>(static_cast<unsigned>(BOOST_ASIO_CONCURRENCY_HINT_SAFE) &
                     ~BOOST_ASIO_CONCURRENCY_HINT_LOCKING_REACTOR_IO),
#endif
};
std::vector<int> const safe_hints = {BOOST_ASIO_CONCURRENCY_HINT_SAFE, -1, 0, 1, 2, 64};

bool names_the_rule(std::invalid_argument const& e) {
    std::string const said = e.what();
    return said.starts_with("rouse: ") && said.find("without locks") != std::string::npos &&
           said.find("unsafe concurrency hint") != std::string::npos;
}

task<int> echo(tcp::socket& socket, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        std::array<char, 4> data{};
        co_await asio::async_read(socket, asio::buffer(data), use_poll);
        co_await asio::async_write(socket, asio::buffer(data), use_poll);
    }
    co_return rounds;
}
task<int> talk(tcp::socket& socket, int rounds) {
    int right = 0;
    for (int i = 0; i < rounds; ++i) {
        std::array<char, 4> const said{'a', 'b', static_cast<char>(i % 100), 'd'};
        std::array<char, 4> heard{};
        co_await asio::async_write(socket, asio::buffer(said), use_poll);
        co_await asio::async_read(socket, asio::buffer(heard), use_poll);
        if (said == heard) ++right;
        if (i % 16 == 0) {
            asio::steady_timer timer(socket.get_executor(), 100us);
            co_await timer.async_wait(use_poll);
        }
    }
    co_return right;
}

}  // namespace

BOOST_AUTO_TEST_CASE(b78_an_io_context_without_locks_is_refused) {
    for (int const hint : unsafe_hints) {
        BOOST_TEST_CONTEXT("hint " << std::hex << hint) {
            asio::io_context io(hint);
            auto const kept = std::make_shared<int>(0);
            auto how = thread_pool::builder().workers(2).after_start([kept](unsigned) { ++*kept; });
            BOOST_CHECK_EXCEPTION(thread_pool(io, how), std::invalid_argument, names_the_rule);
            BOOST_CHECK_EXCEPTION(static_cast<void>(how.build(io)), std::invalid_argument,
                                  names_the_rule);
            BOOST_CHECK_EXCEPTION(thread_pool(io, 1U), std::invalid_argument, names_the_rule);
            BOOST_CHECK_EXCEPTION(thread_pool{io}, std::invalid_argument, names_the_rule);
            BOOST_TEST(threads_become(threads_at_rest));
            BOOST_TEST(*kept == 0);

            // It is as good as before, for one thread.
            bool ran = false;
            asio::post(io, [&] { ran = true; });
            io.run();
            BOOST_TEST(ran);
        }
    }
}

// Tasks on such an io_context, which one thread runs, need no locks.
BOOST_AUTO_TEST_CASE(b78_tasks_on_an_io_context_without_locks) {
    for (int const hint : unsafe_hints) {
        BOOST_TEST_CONTEXT("hint " << std::hex << hint) {
            asio::io_context io(hint);
            tcp_pair sockets(io.get_executor());
            auto echoing = rouse::spawn(io, echo(sockets.there, 100));
            auto talking = rouse::spawn(io, talk(sockets.here, 100));
            asio::steady_timer never(io, 24h);
            auto aborted = rouse::spawn(io, never.async_wait(use_poll));
            io.poll();
            aborted.abort();
            io.run();
            BOOST_TEST_REQUIRE(talking.is_finished());
            BOOST_TEST(rouse::block_on(std::move(talking)) == 100);
            BOOST_TEST(rouse::block_on(std::move(echoing)) == 100);
            BOOST_CHECK_EXCEPTION(rouse::block_on(std::move(aborted)), boost::system::system_error,
                                  says_aborted);
        }
    }
}

// Hint 1 among them, which has locks and saves wake-ups: one thread of the application's runs the
// io_context, and the workers start operations.
BOOST_AUTO_TEST_CASE(b78_an_io_context_with_locks_is_accepted) {
    for (int const hint : safe_hints) {
        for (unsigned const workers : {1U, 2U, 8U}) {
            BOOST_TEST_CONTEXT("hint " << hint << ", " << workers << " workers") {
                asio::io_context io(hint);
                auto work = asio::make_work_guard(io);
                std::thread running([&] { io.run(); });
                {
                    thread_pool pool(io, workers);
                    std::deque<tcp_pair> sockets;
                    std::vector<rouse::join_handle<int>> handles;
                    for (int i = 0; i < 4; ++i) {
                        auto& pair = sockets.emplace_back(pool.get_executor());
                        handles.push_back(rouse::spawn(pool, echo(pair.there, 100)));
                        handles.push_back(rouse::spawn(pool, talk(pair.here, 100)));
                    }
                    // The application's own functions, and those of the pool that come from them.
                    countdown left(100);
                    for (int i = 0; i < 100; ++i) {
                        asio::post(io, [&] { asio::post(pool, [&] { left.down(); }); });
                    }
                    left.wait();
                    for (auto& handle : handles)
                        BOOST_TEST(rouse::block_on(std::move(handle)) == 100);
                    asio::steady_timer never(pool, 24h);
                    auto aborted = rouse::spawn(pool, never.async_wait(use_poll));
                    aborted.abort();
                    BOOST_CHECK_EXCEPTION(rouse::block_on(std::move(aborted)),
                                          boost::system::system_error, says_aborted);
                }
                work.reset();
                running.join();
            }
        }
    }
}

// Nobody runs it but join().
BOOST_AUTO_TEST_CASE(b78_join_runs_an_io_context_with_hint_1) {
    for (unsigned const workers : {1U, 2U}) {
        asio::io_context io(1);
        thread_pool pool(io, workers);
        tcp_pair sockets(pool.get_executor());
        auto echoing = rouse::spawn(pool, echo(sockets.there, 100));
        auto talking = rouse::spawn(pool, talk(sockets.here, 100));
        pool.join();
        BOOST_TEST(rouse::block_on(std::move(talking)) == 100);
        BOOST_TEST(rouse::block_on(std::move(echoing)) == 100);
    }
}

// join() helps to run the io_context of one thread of the application's, and leaves. Asio wakes nobody
// then, and that thread has to go on with what is the application's own.
BOOST_AUTO_TEST_CASE(b78_after_a_join_the_one_runner_goes_on) {
    asio::io_context io(1);
    auto work = asio::make_work_guard(io);
    tcp_pair sockets(io.get_executor());
    std::thread running([&] { io.run(); });
    unsigned served = 0;
    unsigned const rounds = scaled(1000U);
    for (unsigned round = 0; round < rounds; ++round) {
        thread_pool pool(io, 2);
        for (int n = 0; n < 4; ++n) {
            rouse::spawn_ok(pool, [&io]() -> rouse::task<> {
                asio::steady_timer timer(io, std::chrono::microseconds(100));
                co_await timer.async_wait(use_poll);
            });
        }
        door read;
        char c = 0;
        asio::post(io, [&] {
            sockets.here.async_read_some(asio::buffer(&c, 1), [&](auto...) { read.open(); });
        });
        pool.join();
        asio::write(sockets.there, asio::buffer("x", 1));
        read.wait();
        ++served;
    }
    BOOST_TEST(served == rounds);
    work.reset();
    running.join();
}

BOOST_AUTO_TEST_SUITE_END()
