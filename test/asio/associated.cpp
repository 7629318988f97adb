// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The executor, the allocator and the cancellation slot that were bound to a token are used: in
// every order of the adaptors, for every step of a composed operation, and by a spawn's token.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>
#include <support/asio_matrix.hpp>

#include <array>
#include <atomic>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <string>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_associated)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::as_result;
using rouse::use_poll;

// What was used, and how often.
struct uses {
    std::atomic<int> executed{0};
    std::atomic<int> allocated{0};
    asio::cancellation_signal signal{};

    auto executor(world& w) { return counting_executor(w.executor(), executed); }
    auto allocator() { return counting_allocator<void>(allocated); }
};

// Calls function(token) for each order in which the three are bound, with as_result inside or
// outside.
template <class Function>
void each_order(world& w, uses& u, Function function) {
    auto const ex = u.executor(w);
    auto const a = u.allocator();
    auto const s = u.signal.slot();
    BOOST_TEST_CONTEXT("as_result inside") {
        function(asio::bind_executor(
            ex, asio::bind_allocator(a, asio::bind_cancellation_slot(s, as_result(use_poll)))));
    }
    BOOST_TEST_CONTEXT("as_result outside") {
        function(as_result(asio::bind_cancellation_slot(
            s, asio::bind_allocator(a, asio::bind_executor(ex, use_poll)))));
    }
    BOOST_TEST_CONTEXT("as_result between") {
        function(asio::bind_allocator(
            a, as_result(asio::bind_executor(ex, asio::bind_cancellation_slot(s, use_poll)))));
    }
}

// Runs what is ready, until operations wait.
void begin(io_context_world& w) {
    w.io.restart();  // without work it had stopped
    while (w.io.poll() != 0) {
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(b79_bound_in_every_order_they_serve_a_plain_operation) {
    on_each_world([](world& w) {
        uses u;
        each_order(w, u, [&](auto token) {
            u.executed = 0;
            u.allocated = 0;
            asio::steady_timer timer(w.executor(), 1ms);
            auto const result = result_in(w, timer.async_wait(std::move(token)));
            BOOST_TEST(result.has_value());
            BOOST_TEST(u.executed == 1);
            BOOST_TEST(u.allocated >= 1);
        });
    });
}

// Each of the steps goes by way of the bound executor, and asks the bound allocator for its memory.
BOOST_AUTO_TEST_CASE(b79_bound_in_every_order_they_serve_each_step) {
    on_each_world([](world& w) {
        uses u;
        each_order(w, u, [&](auto token) {
            u.executed = 0;
            u.allocated = 0;
            tcp_pair sockets(w.executor());
            std::array<char, 3> data{};
            auto reading = rouse::spawn(
                w.executor(), asio::async_read(sockets.here, asio::buffer(data), std::move(token)));
            // One byte, and the next when it was taken: three steps at least.
            result_in(w, [&]() -> rouse::task<> {
                for (int i = 0; i < 3; ++i) {
                    co_await asio::async_write(sockets.there, asio::buffer("x", 1), use_poll);
                    while (u.executed <= i) co_await rouse::this_task::yield_now();
                }
            });
            BOOST_TEST(*wait(w, std::move(reading)) == 3U);
            BOOST_TEST(u.executed == 3);
            BOOST_TEST(u.allocated >= 3);
        });
    });
}

// The signal is emitted where the operation's steps run, as Asio asks for.
BOOST_AUTO_TEST_CASE(b79_a_bound_slot_in_every_order_cancels) {
    io_context_world w;
    uses u;
    each_order(w, u, [&](auto token) {
        asio::steady_timer timer(w.io, 24h);
        auto plain = rouse::spawn(w.io, timer.async_wait(token));
        begin(w);
        BOOST_TEST(!plain.is_finished());
        u.signal.emit(asio::cancellation_type::terminal);
        BOOST_TEST((wait(w, std::move(plain)).error() == asio::error::operation_aborted));

        tcp_pair sockets(w.executor());
        std::array<char, 3> data{};
        asio::write(sockets.there, asio::buffer("x", 1));
        auto composed =
            rouse::spawn(w.io, asio::async_read(sockets.here, asio::buffer(data), token));
        begin(w);
        BOOST_TEST(!composed.is_finished());
        u.signal.emit(asio::cancellation_type::terminal);
        BOOST_TEST((wait(w, std::move(composed)).error() == asio::error::operation_aborted));
    });
}

// Of two the outer one counts, as for any handler of Asio's.
BOOST_AUTO_TEST_CASE(b79_of_two_the_outer_one_is_used) {
    io_context_world w;
    uses outer;
    uses inner;
    asio::steady_timer timer(w.io, 1ms);
    result_in(w, timer.async_wait(asio::bind_executor(
                     outer.executor(w),
                     asio::bind_allocator(
                         outer.allocator(),
                         asio::bind_executor(inner.executor(w),
                                             asio::bind_allocator(inner.allocator(), use_poll))))));
    BOOST_TEST(outer.executed == 1);
    BOOST_TEST(inner.executed == 0);
    BOOST_TEST(outer.allocated >= 1);
    BOOST_TEST(inner.allocated == 0);
}

// With nothing bound the handler has all three from its operation: the executor leads into the
// task's polls, the slot hears of the task's abort, and the allocator's memory is no heap's of
// ours.
BOOST_AUTO_TEST_CASE(b79_with_nothing_bound_they_are_the_tasks) {
    on_each_world([](world& w) {
        struct seen {
            std::uint64_t ran_in = 0;
            bool slot_is_free = false;
            bool equal_executors = false;
            bool equal_allocators = false;
            bool emitted_in_poll = false;
            bool emitted = false;
        } s;
        std::atomic<bool> begun{false};
        std::uint64_t id = 0;
        auto const start = [&](auto token) {
            return asio::async_initiate<decltype(token), void(error_code)>(
                [&](auto handler) {
                    auto const ex = asio::get_associated_executor(handler);
                    auto const a = asio::get_associated_allocator(handler);
                    s.equal_executors = ex == asio::get_associated_executor(handler);
                    s.equal_allocators = a == asio::get_associated_allocator(handler);
                    auto slot = asio::get_associated_cancellation_slot(handler);
                    s.slot_is_free = slot.is_connected() && !slot.has_handler();
                    auto const kept = std::make_shared<decltype(handler)>(std::move(handler));
                    slot.assign([&, kept](asio::cancellation_type_t) {
                        auto const* task = rouse::detail::current_task();
                        s.emitted = true;
                        s.emitted_in_poll = task && task->id == id;
                        auto h = std::move(*kept);
                        auto const executor = asio::get_associated_executor(h);
                        asio::post(executor, [h = std::move(h)]() mutable {
                            std::move(h)(asio::error::operation_aborted);
                        });
                    });
                    asio::post(ex, [&] {
                        auto const* task = rouse::detail::current_task();
                        s.ran_in = task ? task->id : 0;
                        begun = true;
                    });
                },
                token);
        };
        auto handle = rouse::spawn(w.executor(), [&]() -> rouse::task<> {
            id = rouse::this_task::id();
            co_await start(use_poll);
        });
        w.run_until([&] { return begun.load(); });
        handle.abort();
        BOOST_CHECK_EXCEPTION(wait(w, std::move(handle)), boost::system::system_error,
                              with_code(rouse::errc::aborted));
        BOOST_TEST(s.ran_in == id);
        BOOST_TEST(s.equal_executors);
        BOOST_TEST(s.equal_allocators);
        BOOST_TEST(s.slot_is_free);
        BOOST_TEST(s.emitted);
        BOOST_TEST(s.emitted_in_poll);
    });
}

// The handler of a spawn, with an executor and an allocator in either order. An any_io_executor
// passes no allocator on, so that only the executor is seen where the tasks' executor is one.
BOOST_AUTO_TEST_CASE(b79_of_a_spawns_handler) {
    auto const spawned = [](world& w, auto const& where, bool has_allocator, auto bind) {
        uses u;
        std::atomic<int> value{0};
        rouse::spawn(
            where,
            []() -> rouse::task<int> {
                co_await rouse::this_task::yield_now();
                co_return 42;
            },
            bind(w, u, [&value](std::exception_ptr, int n) { value = n; }));
        w.run_until([&] { return value != 0; });
        BOOST_TEST(value == 42);
        BOOST_TEST(u.executed == 1);
        if (has_allocator) BOOST_TEST(u.allocated >= 1);
    };
    auto const executor_first = [](world& w, uses& u, auto handler) {
        return asio::bind_executor(u.executor(w),
                                   asio::bind_allocator(u.allocator(), std::move(handler)));
    };
    auto const allocator_first = [](world& w, uses& u, auto handler) {
        return asio::bind_allocator(u.allocator(),
                                    asio::bind_executor(u.executor(w), std::move(handler)));
    };
    on_each_world([&](world& w) {
        spawned(w, w.executor(), false, executor_first);
        spawned(w, w.executor(), false, allocator_first);
    });
    io_context_world on_io;
    spawned(on_io, on_io.io.get_executor(), true, executor_first);
    spawned(on_io, on_io.io.get_executor(), true, allocator_first);
    rouse_pool_world on_pool;
    spawned(on_pool, on_pool.pool.get_executor(), true, executor_first);
    spawned(on_pool, on_pool.pool.get_executor(), true, allocator_first);
}

BOOST_AUTO_TEST_SUITE_END()
