// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
#ifndef ROUSE_BENCH_SYSTEMS_HPP
#define ROUSE_BENCH_SYSTEMS_HPP

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <rouse.hpp>
#include <semaphore>
#include <thread>
#include <vector>

// The systems that are compared, each with two workers and the same few operations, so that each
// benchmark is written once and all systems run in one process, in turn.

namespace bench {

namespace asio = boost::asio;

constexpr unsigned workers = 2;

// Counts down; the last one releases the benchmark's thread.
class latch {
public:
    explicit latch(long n) : left_(n) {}
    void count_down() {
        if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) done_.release();
    }
    void wait() { done_.acquire(); }

private:
    std::atomic<long> left_;
    std::binary_semaphore done_{0};
};

struct on_rouse {
    static constexpr char const* name = "rouse";
    template <class T = void>
    using coroutine = rouse::task<T>;

    rouse::thread_pool pool{workers};

    auto executor() { return pool.get_executor(); }
    template <class Make>
    void spawn(Make make) {
        rouse::spawn_ok(pool, make());
    }
    template <class Make>
    static coroutine<> spawn_here(Make make) {
        rouse::this_task::spawn_ok(make());
        co_return;
    }
    static rouse::this_task::yield_now yield() { return {}; }
};

// Asio's coroutines are awaitables, and a yield is a post of the continuation.
struct on_asio_thread_pool {
    static constexpr char const* name = "asio::thread_pool";
    template <class T = void>
    using coroutine = asio::awaitable<T>;

    asio::thread_pool pool{workers};

    auto executor() { return pool.get_executor(); }
    template <class Make>
    void spawn(Make make) {
        asio::co_spawn(pool, make(), asio::detached);
    }
    template <class Make>
    static coroutine<> spawn_here(Make make) {
        asio::co_spawn(co_await asio::this_coro::executor, make(), asio::detached);
    }
    static auto yield() { return asio::post(asio::use_awaitable); }
    ~on_asio_thread_pool() { pool.join(); }
};

struct on_io_context {
    static constexpr char const* name = "io_context";
    template <class T = void>
    using coroutine = asio::awaitable<T>;

    asio::io_context io{workers};
    asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
    std::vector<std::jthread> threads;

    on_io_context() {
        for (unsigned i = 0; i < workers; ++i) threads.emplace_back([this] { io.run(); });
    }
    ~on_io_context() { work.reset(); }

    auto executor() { return io.get_executor(); }
    template <class Make>
    void spawn(Make make) {
        asio::co_spawn(io, make(), asio::detached);
    }
    template <class Make>
    static coroutine<> spawn_here(Make make) {
        asio::co_spawn(co_await asio::this_coro::executor, make(), asio::detached);
    }
    static auto yield() { return asio::post(asio::use_awaitable); }
};

}  // namespace bench

#endif
