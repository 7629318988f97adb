// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// An io_context that is stopped with operations in flight and run again, and one that is destroyed
// with them: tasks on it, tasks of a pool that uses it, and tasks elsewhere.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>
#include <support/pool_kit.hpp>
#include <support/scale.hpp>
#include <support/stress_threads.hpp>

#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <rouse/as_result.hpp>
#include <rouse/block_on.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/thread_pool.hpp>
#include <rouse/use_poll.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_stop_and_restart)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using boost::system::error_code;
using rouse::as_result;
using rouse::use_poll;

// Echoes and is echoed to; each side waits for the other all the time.
rouse::task<int> echo(tcp::socket& socket, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        std::array<char, 4> data{};
        co_await asio::async_read(socket, asio::buffer(data), use_poll);
        co_await asio::async_write(socket, asio::buffer(data), use_poll);
    }
    co_return rounds;
}
rouse::task<int> talk(tcp::socket& socket, int rounds) {
    int right = 0;
    for (int i = 0; i < rounds; ++i) {
        std::array<char, 4> const said{'a', 'b', static_cast<char>(i % 100), 'd'};
        std::array<char, 4> heard{};
        co_await asio::async_write(socket, asio::buffer(said), use_poll);
        co_await asio::async_read(socket, asio::buffer(heard), use_poll);
        if (said == heard) ++right;
    }
    co_return right;
}

void run_again(asio::io_context& io) {
    io.restart();
    io.run();
}

}  // namespace

// ---- stopped and run again (67)
// ------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(b67_every_kind_of_operation_outlives_a_stop) {
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    tcp::acceptor acceptor = listening(io.get_executor());
    tcp::socket client(io);
    asio::steady_timer timer(io, 1ms);
    std::array<char, 3> plain{};
    std::array<char, 6> composed{};
    auto read = rouse::spawn(io, sockets.here.async_read_some(asio::buffer(plain), use_poll));
    auto read_all =
        rouse::spawn(io, asio::async_read(sockets.there, asio::buffer(composed), use_poll));
    auto accept = rouse::spawn(io, acceptor.async_accept(use_poll));
    auto waiting = rouse::spawn(io, timer.async_wait(use_poll));
    auto queued = rouse::spawn(io, [&]() -> rouse::task<int> {
        co_await asio::post(io, use_poll);
        co_return 4;
    });
    io.poll_one();  // some have begun, some not
    io.poll_one();
    io.stop();
    BOOST_TEST(io.run() == 0U);
    io.restart();
    while (!queued.is_finished() && io.poll_one() != 0) {
    }
    io.stop();
    asio::write(sockets.there, asio::buffer("abc", 3));
    asio::write(sockets.here, asio::buffer("abcdef", 6));
    client.connect(acceptor.local_endpoint());
    BOOST_TEST(io.run() == 0U);
    BOOST_TEST(!read.is_finished());
    BOOST_TEST(!read_all.is_finished());
    BOOST_TEST(!accept.is_finished());
    BOOST_TEST(!waiting.is_finished());
    run_again(io);
    BOOST_TEST(poll_once(read).value() == 3U);
    BOOST_TEST(poll_once(read_all).value() == 6U);
    BOOST_TEST(poll_once(accept).value().is_open());
    BOOST_TEST(poll_once(waiting).is_ready());
    BOOST_TEST(poll_once(queued).value() == 4);
}

// Stopped after each single function that it runs.
BOOST_AUTO_TEST_CASE(b67_stopped_after_every_step) {
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    auto const echoing = rouse::spawn(io, echo(sockets.there, 100));
    auto talking = rouse::spawn(io, talk(sockets.here, 100));
    int stops = 0;
    for (;;) {
        io.restart();
        if (io.run_one() == 0) break;
        io.stop();
        BOOST_TEST_REQUIRE(io.run() == 0U);
        ++stops;
    }
    BOOST_TEST(poll_once(talking).value() == 100);
    BOOST_TEST(stops > 400);
    BOOST_TEST(echoing.is_finished());
}

// An abort that comes while nothing runs is obeyed when it goes on.
BOOST_AUTO_TEST_CASE(b67_aborted_while_it_is_stopped) {
    asio::io_context io;
    asio::steady_timer timer(io, 24h);
    auto handle = rouse::spawn(io, timer.async_wait(use_poll));
    io.poll();
    io.stop();
    handle.abort();
    BOOST_TEST(io.run() == 0U);
    BOOST_TEST(!handle.is_finished());
    run_again(io);
    BOOST_TEST_REQUIRE(handle.is_finished());
    BOOST_CHECK_EXCEPTION(static_cast<void>(poll_once(handle)), boost::system::system_error,
                          with_code(rouse::errc::aborted));
}

// run() has returned because there was nothing to do. Tasks that come later wait for the restart,
// and hold it up to their end.
BOOST_AUTO_TEST_CASE(b67_run_returns_at_zero_work_and_again) {
    asio::io_context io;
    for (int round = 0; round < 10; ++round) {
        io.run();
        BOOST_TEST(io.stopped());
        asio::steady_timer timer(io, 1ms);
        auto handle = rouse::spawn(io, [&]() -> rouse::task<int> {
            co_await timer.async_wait(use_poll);
            timer.expires_after(1ms);
            co_await timer.async_wait(use_poll);
            co_return 2;
        });
        BOOST_TEST(io.run() == 0U);
        BOOST_TEST(!handle.is_finished());
        run_again(io);
        BOOST_TEST_REQUIRE(handle.is_finished());
        BOOST_TEST(poll_once(handle).value() == 2);
    }
}

// Three threads run it, a fourth one stops it in the middle of everything.
BOOST_AUTO_TEST_CASE(b67_stopped_under_load_by_another_thread) {
    asio::io_context io;
    constexpr int pairs = 8;
    int const rounds = scaled(tsan ? 500 : 2000);
    std::deque<tcp_pair> sockets;
    std::vector<rouse::join_handle<int>> talks;
    std::vector<rouse::join_handle<int>> echoes;
    for (int i = 0; i < pairs; ++i) {
        auto& pair = sockets.emplace_back(io.get_executor());
        echoes.push_back(rouse::spawn(io, echo(pair.there, rounds)));
        talks.push_back(rouse::spawn(io, talk(pair.here, rounds)));
    }
    std::atomic<bool> over{false};
    int stops = 0;
    stress_random random(67);
    while (!over) {
        io.restart();
        std::vector<std::thread> threads;
        std::atomic<int> running{3};
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&] {
                io.run();
                --running;
            });
        }
        if (stops == 0) {
            asio::post(io, [&] { io.stop(); });  // soon, whatever the threads do
        } else {
            for (unsigned i = random.below(200); i-- > 0 && running == 3;)
                std::this_thread::yield();
            io.stop();
        }
        ++stops;
        for (auto& thread : threads) thread.join();
        bool all = true;
        for (auto const& handle : talks) all = all && handle.is_finished();
        for (auto const& handle : echoes) all = all && handle.is_finished();
        over = all;
    }
    for (auto& handle : talks) BOOST_TEST(poll_once(handle).value() == rounds);
    for (auto& handle : echoes) BOOST_TEST(poll_once(handle).value() == rounds);
    BOOST_TEST(stops >= 2);
}

// The pool's workers go on with what needs no event loop; what waits for it waits.
BOOST_AUTO_TEST_CASE(b67_the_applications_event_loop_of_a_pool_is_stopped_and_run_again) {
    for (unsigned const workers : {1U, 2U}) {
        asio::io_context io;
        rouse::thread_pool pool(io, workers);
        tcp_pair sockets(pool.get_executor());
        std::atomic<int> steps{0};
        auto handle = rouse::spawn(pool, [&]() -> rouse::task<std::size_t> {
            std::array<char, 8> data{};
            ++steps;
            std::size_t n =
                co_await asio::async_read(sockets.here, asio::buffer(data, 4), use_poll);
            ++steps;
            asio::steady_timer timer(pool, 1ms);
            co_await timer.async_wait(use_poll);
            ++steps;
            n += co_await sockets.here.async_read_some(asio::buffer(data), use_poll);
            co_return n;
        });
        wait_until([&] { return steps == 1; }, "a first poll");
        for (int stop = 0; stop < 3; ++stop) {
            // The stop is part of what the loop runs, so that it returns for that reason only.
            std::thread running([&] { run_again(io); });
            asio::post(io, [&] { io.stop(); });
            running.join();
            BOOST_TEST(io.stopped());
            BOOST_TEST(!handle.is_finished());
            BOOST_TEST(rouse::block_on(rouse::spawn(pool, rouse::ready_future(stop))) == stop);
        }
        asio::write(sockets.there, asio::buffer("abcdef", 6));
        run_again(io);  // to the end of the task, which is its only work
        BOOST_TEST(rouse::block_on(std::move(handle)) == 6U);
        BOOST_TEST(steps == 3);
    }
}

BOOST_AUTO_TEST_CASE(b67_a_pools_event_loop_is_stopped_under_load) {
    int const rounds = scaled(tsan ? 500 : 2000);
    for (unsigned const workers : {1U, 2U}) {
        asio::io_context io;
        rouse::thread_pool pool(io, workers);
        std::deque<tcp_pair> sockets;
        std::vector<rouse::join_handle<int>> talks;
        std::vector<rouse::join_handle<int>> echoes;
        for (int i = 0; i < 4; ++i) {
            auto& pair = sockets.emplace_back(pool.get_executor());
            echoes.push_back(rouse::spawn(pool, echo(pair.there, rounds)));
            talks.push_back(rouse::spawn(pool, talk(pair.here, rounds)));
        }
        stress_random random(670);
        for (int stop = 0; stop < 20; ++stop) {
            std::thread running([&] { run_again(io); });
            for (unsigned i = random.below(200); i-- > 0;) std::this_thread::yield();
            io.stop();
            running.join();
        }
        run_again(io);
        for (auto& handle : talks) BOOST_TEST(rouse::block_on(std::move(handle)) == rounds);
        for (auto& handle : echoes) BOOST_TEST(rouse::block_on(std::move(handle)) == rounds);
    }
}

// A handler stops the event loop that a pool has for itself: it is the pool's to run.
BOOST_AUTO_TEST_CASE(b67_a_handler_stops_a_pools_own_event_loop) {
    for (unsigned const workers : {1U, 2U}) {
        rouse::thread_pool pool(workers);
        tcp_pair sockets(pool.get_executor());
        auto echoing = rouse::spawn(pool, echo(sockets.there, 200));
        auto talking = rouse::spawn(pool, talk(sockets.here, 200));
        for (int i = 0; i < 50; ++i) {
            asio::post(pool.context(), [&] { pool.context().stop(); });
            std::this_thread::yield();
        }
        BOOST_TEST(rouse::block_on(std::move(talking)) == 200);
        BOOST_TEST(rouse::block_on(std::move(echoing)) == 200);
        pool.join();
    }
}

// ---- destroyed (68)
// ------------------------------------------------------------------------------

namespace {

// What runs in a pool and waits for operations of an io_context that is not the pool's. The objects
// are destroyed before the io_context, as Asio wants it, and nobody runs that any more.
struct foreign {
    std::unique_ptr<asio::io_context> io = std::make_unique<asio::io_context>();
    std::unique_ptr<tcp_pair> sockets = std::make_unique<tcp_pair>(io->get_executor());
    std::unique_ptr<asio::steady_timer> timer = std::make_unique<asio::steady_timer>(*io, 24h);
    std::array<char, 8> data{};

    void destroy() {
        sockets.reset();
        timer.reset();
        io.reset();
    }
};

// Starts the operation in a task of a pool, waits until that is pending, and destroys the
// io_context.
template <class Start>
auto outlived_by_task(rouse::thread_pool& pool, Start start) {
    foreign f;
    auto op = start(f);
    door pending;
    auto handle = rouse::spawn(pool, rouse::poll_fn([&, first = true](rouse::context& cx) mutable {
                                   auto polled = op.poll(cx);
                                   if (std::exchange(first, false)) pending.open();
                                   return polled;
                               }));
    pending.wait();
    f.destroy();
    return rouse::block_on(std::move(handle));
}

}  // namespace

BOOST_AUTO_TEST_CASE(b68_tasks_of_a_pool_get_operation_aborted_from_another_io_context) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        BOOST_CHECK_EXCEPTION(
            outlived_by_task(*pool, [](foreign& f) { return f.timer->async_wait(use_poll); }),
            boost::system::system_error, is_operation_aborted);
        BOOST_CHECK_EXCEPTION(
            static_cast<void>(outlived_by_task(*pool,
                                               [](foreign& f) {
                                                   return f.sockets->here.async_read_some(
                                                       asio::buffer(f.data), use_poll);
                                               })),
            boost::system::system_error, is_operation_aborted);
        BOOST_CHECK_EXCEPTION(static_cast<void>(outlived_by_task(
                                  *pool,
                                  [](foreign& f) {
                                      return asio::async_read(f.sockets->here, asio::buffer(f.data),
                                                              use_poll);
                                  })),
                              boost::system::system_error, is_operation_aborted);
        BOOST_CHECK_EXCEPTION(
            outlived_by_task(*pool,
                             [](foreign& f) { return asio::post(f.io->get_executor(), use_poll); }),
            boost::system::system_error, is_operation_aborted);
        auto const result = outlived_by_task(*pool, [](foreign& f) {
            return asio::async_read(f.sockets->here, asio::buffer(f.data), as_result(use_poll));
        });
        BOOST_TEST((result.error() == asio::error::operation_aborted));
        auto const both = outlived_by_task(*pool, [](foreign& f) {
            return asio::async_read(f.sockets->here, asio::buffer(f.data),
                                    asio::as_tuple(use_poll));
        });
        BOOST_TEST((std::get<0>(both) == asio::error::operation_aborted));
        BOOST_TEST(std::get<1>(both) == 0U);
        pool->join();
    });
}

// Many tasks, on it and elsewhere, some of them aborted at the same time by another thread.
BOOST_AUTO_TEST_CASE(b68_many_operations_die_with_their_io_context) {
    int const rounds = scaled(tsan ? 200 : 1000);
    constexpr std::size_t count = 16;
    rouse::thread_pool pool(2);
    for (int round = 0; round < rounds; ++round) {
        ledger book;
        std::vector<rouse::join_handle<error_code>> elsewhere;
        std::vector<rouse::join_handle<void>> on_it;
        auto io = std::make_unique<asio::io_context>();
        for (std::size_t i = 0; i < count; ++i) {
            on_it.push_back(rouse::spawn(*io, [&]() -> rouse::task<> {
                token const mine(book);
                tcp_pair sockets(io->get_executor());
                std::array<char, 8> data{};
                co_await asio::async_read(sockets.here, asio::buffer(data), use_poll);
            }));
        }
        io->poll();
        BOOST_TEST(book.live() == static_cast<int>(count));
        countdown first_polls(count);
        for (std::size_t i = 0; i < count; ++i) {
            // The function of the post is queued, and nobody runs it.
            elsewhere.push_back(rouse::spawn(
                pool,
                rouse::poll_fn(
                    [op = asio::post(io->get_executor(), use_poll), &first_polls,
                     first = true](rouse::context& cx) mutable -> rouse::poll_result<error_code> {
                        try {
                            auto const polled = op.poll(cx);
                            if (std::exchange(first, false)) first_polls.down();
                            if (polled.is_pending()) return rouse::pending;
                        } catch (boost::system::system_error const& e) {
                            return e.code();
                        }
                        return error_code();
                    })));
        }
        first_polls.wait("all first polls");
        std::thread aborting([&] {
            for (std::size_t i = 0; i < count; i += 2) on_it[i].abort();
        });
        io.reset();
        aborting.join();
        for (auto& handle : elsewhere)
            BOOST_TEST((rouse::block_on(std::move(handle)) == asio::error::operation_aborted));
        for (auto& handle : on_it) {
            BOOST_TEST_REQUIRE(handle.is_finished());
            BOOST_CHECK_EXCEPTION(static_cast<void>(poll_once(handle)), boost::system::system_error,
                                  with_code(rouse::errc::aborted));
        }
        BOOST_TEST(book.live() == 0);
    }
}

BOOST_AUTO_TEST_SUITE_END()
