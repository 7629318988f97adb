// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Awaiting Asio operations allocates nothing in steady state: malloc is interposed and counts.

#include <support/asio_loopback.hpp>
#include <support/scale.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <rouse/as_result.hpp>
#include <rouse/block_on.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/use_poll.hpp>
#include <thread>

namespace {
std::atomic<long> allocations{0};
}

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t n) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_malloc(n);
}
void* calloc(std::size_t n, std::size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t n) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_realloc(p, n);
}
void* aligned_alloc(std::size_t alignment, std::size_t n) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_memalign(alignment, n);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t n) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    *p = __libc_memalign(alignment, n);
    return *p ? 0 : 12;
}
}

namespace {

using namespace rouse_test;
using rouse::use_poll;

int const warm_up = scaled(5000);
int const rounds = scaled(10'000);
constexpr int windows = 5;  // that the rounds are counted in

// How many allocations the rounds after the warm-up made: all, and those of the window with the fewest.
// Where two threads pass memory to each other, how much of it each of them holds depends on how they
// take turns; when that changes, a few more blocks are needed, and then no more.
struct allocated {
    long all = 0;
    long least = std::numeric_limits<long>::max();

    void add(long window) {
        all += window;
        least = std::min(least, window);
    }
};

struct objects {
    explicit objects(asio::any_io_executor const& ex) : sockets(ex), timer(ex) {
        sockets.here.non_blocking(true);
    }
    tcp_pair sockets;
    asio::steady_timer timer;
};

// One of each: a read that waits for its data, a composed write, both kinds of wait.
rouse::task<> one_round(objects& o) {
    std::array<char, 16> data{};
    co_await asio::async_write(o.sockets.there, asio::buffer("ping", 4), use_poll);
    co_await o.sockets.here.async_wait(tcp::socket::wait_read, use_poll);
    co_await o.sockets.here.async_read_some(asio::buffer(data), use_poll);
    o.timer.expires_after(std::chrono::microseconds(1));
    co_await o.timer.async_wait(use_poll);
    auto const n = co_await asio::async_write(o.sockets.there, asio::buffer("pong", 4),
                                              rouse::as_result(use_poll));
    co_await asio::async_read(o.sockets.here, asio::buffer(data, *n), use_poll);
}

rouse::task<> deeper(objects& o, int depth) {
    if (depth == 0) {
        co_await one_round(o);
    } else {
        co_await deeper(o, depth - 1);
    }
}

rouse::task<allocated> counting(asio::any_io_executor ex, int depth) {
    objects o(ex);
    for (int i = 0; i < warm_up; ++i) co_await deeper(o, depth);
    allocated result;
    for (int w = 0; w < windows; ++w) {
        long const before = allocations;
        for (int i = 0; i < rounds / windows; ++i) co_await deeper(o, depth);
        result.add(allocations - before);
    }
    co_return result;
}

allocated on_this_thread(int depth) {
    asio::io_context io;
    auto handle = rouse::spawn(io, counting(io.get_executor(), depth));
    io.run();
    return rouse::block_on(std::move(handle));
}

// One thread initiates the operations, another runs the reactor. Memory that the one frees and the
// other allocates goes round by way of the slab's depot.
allocated on_another_thread(int depth) {
    asio::io_context io;
    auto work = asio::make_work_guard(io);
    std::thread reactor([&] { io.run(); });
    asio::io_context tasks;
    auto handle = rouse::spawn(tasks, counting(io.get_executor(), depth));
    tasks.run();
    work.reset();
    reactor.join();
    return rouse::block_on(std::move(handle));
}

// Plain operations only.
rouse::task<allocated> counting_plain(asio::any_io_executor ex) {
    objects o(ex);
    std::array<char, 16> data{};
    allocated result;
    long before = 0;
    for (int i = 0; i < warm_up + rounds; ++i) {
        if (i >= warm_up && (i - warm_up) % (rounds / windows) == 0) {
            if (i != warm_up) result.add(allocations - before);
            before = allocations;
        }
        co_await o.sockets.there.async_write_some(asio::buffer("ping", 4), use_poll);
        co_await o.sockets.here.async_wait(tcp::socket::wait_read, use_poll);
        co_await o.sockets.here.async_read_some(asio::buffer(data), use_poll);
        o.timer.expires_after(std::chrono::microseconds(1));
        co_await o.timer.async_wait(use_poll);
    }
    result.add(allocations - before);
    co_return result;
}

// block_on initiates in a thread that is not inside run().
template <class Make>
allocated by_block_on(Make make) {
    asio::io_context io;
    auto work = asio::make_work_guard(io);
    std::thread reactor([&] { io.run(); });
    allocated const count = rouse::block_on(make(io.get_executor()));
    work.reset();
    reactor.join();
    return count;
}

}  // namespace

BOOST_AUTO_TEST_CASE(malloc_is_interposed) {
    long const before = allocations;
    int* volatile const escaped = new int(1);  // or a compiler may leave out both calls
    delete escaped;
    BOOST_TEST(allocations > before);
}

BOOST_AUTO_TEST_CASE(awaiting_on_the_thread_of_the_reactor_allocates_nothing) {
    BOOST_TEST(on_this_thread(0).all == 0);
}
BOOST_AUTO_TEST_CASE(awaiting_in_nested_tasks_allocates_nothing) {
    BOOST_TEST(on_this_thread(5).all == 0);
}
BOOST_AUTO_TEST_CASE(awaiting_on_another_thread_allocates_nothing) {
    BOOST_TEST(on_another_thread(0).least == 0);
    BOOST_TEST(on_another_thread(3).least == 0);
}
BOOST_AUTO_TEST_CASE(awaiting_in_block_on_allocates_nothing) {
    BOOST_TEST(by_block_on([](auto ex) { return counting_plain(ex); }).least == 0);
}

// Asio's composed operations have a cancellation slot of their own below ours, whose memory comes
// from a cache that only threads inside run() have; elsewhere it is one allocation each.
BOOST_AUTO_TEST_CASE(a_composed_operation_in_block_on_allocates_once) {
    long const composed = 3L * rounds / windows;  // three in each round
    BOOST_TEST(by_block_on([](auto ex) { return counting(ex, 1); }).least <= composed);
}

// An abort allocates nothing either.
BOOST_AUTO_TEST_CASE(spawn_and_abort_allocate_nothing_once_warm) {
    asio::io_context io;
    asio::steady_timer timer(io, std::chrono::hours(24));
    long before = 0;
    for (int i = 0; i < warm_up + rounds; ++i) {
        if (i == warm_up) before = allocations;
        auto handle = rouse::spawn(io, timer.async_wait(use_poll));
        io.poll();
        handle.abort();
        io.poll();
        io.restart();
    }
    BOOST_TEST(allocations - before == 0);
}
