// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
#include <benchmark/benchmark.h>

#include "systems.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <chrono>

// What time limits and sleeps cost on each system. Asio's `||` is safe on a strand only, so each of its
// coroutines has one.

namespace bench {

namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

template <class System, class Round>
void per_item(benchmark::State& state, long items, Round round) {
    System system;
    round(system);  // warm up
    for (auto _ : state) round(system);
    state.SetItemsProcessed(state.iterations() * items);
    state.counters["each"] =
        benchmark::Counter(static_cast<double>(items),
                           benchmark::Counter::kIsIterationInvariantRate |
                               benchmark::Counter::kInvert);
}

// ---- a time limit around what is ready after one yield ------------------------------------------

constexpr long limits = 20'000;
constexpr long limiters = 10;

rouse::task<> limited(on_rouse&, latch& done) {
    for (long n = 0; n < limits; ++n) co_await rouse::timeout(rouse::this_task::yield_now(), 5s);
    done.count_down();
}
template <class System>
asio::awaitable<void> limited(System&, latch& done) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (long n = 0; n < limits; ++n) {
        timer.expires_after(5s);
        co_await (asio::post(asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
    }
    done.count_down();
}

void start(on_rouse& system, rouse::task<> body) { rouse::spawn_ok(system.pool, std::move(body)); }
template <class System>
void start(System& system, asio::awaitable<void> body) {
    asio::co_spawn(asio::make_strand(system.executor()), std::move(body), asio::detached);
}

template <class System>
void timeout_around_a_yield(benchmark::State& state) {
    per_item<System>(state, limits * limiters, [](System& system) {
        latch done(limiters);
        for (long n = 0; n < limiters; ++n) start(system, limited(system, done));
        done.wait();
    });
}

// ---- sleeps -------------------------------------------------------------------------------------

constexpr long sleepers = 100'000;
constexpr int times = 20;

// All of them sleep at the same time, again and again. There are far more than can be woken in one period,
// and each sleeps often, so that what counts is the work for a sleep.
std::chrono::microseconds period(long n) { return std::chrono::microseconds(2'000 + n % 1000); }

rouse::task<> sleeping(on_rouse&, std::chrono::microseconds d, latch& done) {
    for (int n = 0; n < times; ++n) co_await rouse::sleep_for(d);
    done.count_down();
}
template <class System>
asio::awaitable<void> sleeping(System&, std::chrono::microseconds d, latch& done) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (int n = 0; n < times; ++n) {
        timer.expires_after(d);
        co_await timer.async_wait(asio::use_awaitable);
    }
    done.count_down();
}

rouse::task<> spawning_sleepers(on_rouse& system, latch& done) {
    for (long n = 0; n < sleepers; ++n)
        rouse::this_task::spawn_ok(sleeping(system, period(n), done));
    co_return;
}
template <class System>
asio::awaitable<void> spawning_sleepers(System& system, latch& done) {
    auto const here = co_await asio::this_coro::executor;
    for (long n = 0; n < sleepers; ++n)
        asio::co_spawn(here, sleeping(system, period(n), done), asio::detached);
}

template <class System>
void concurrent_sleeps(benchmark::State& state) {
    per_item<System>(state, sleepers * times, [](System& system) {
        latch done(sleepers);
        system.spawn([&] { return spawning_sleepers(system, done); });
        done.wait();
    });
}

// ---- timers that are left before they fire ------------------------------------------------------

constexpr long timers = 500'000;  // of each of two

// A sleep that is polled once, and dropped.
rouse::task<> leaving(on_rouse&, latch& done) {
    for (long n = 0; n < timers; ++n) {
        auto one = rouse::sleep_for(1h);
        co_await rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
            benchmark::DoNotOptimize(one.poll(cx).is_ready());
            return rouse::ready();
        });
    }
    done.count_down();
}
template <class System>
asio::awaitable<void> leaving(System& system, latch& done) {
    for (long n = 0; n < timers; ++n) {
        asio::steady_timer one(system.executor(), 1h);
        one.async_wait([](auto) {});
    }
    done.count_down();
    co_return;
}

template <class System>
void timers_entered_and_left(benchmark::State& state) {
    per_item<System>(state, 2 * timers, [](System& system) {
        latch done(2);
        for (int n = 0; n < 2; ++n) system.spawn([&] { return leaving(system, done); });
        done.wait();
    });
}

}  // namespace

#define ROUSE_COMPARE(row)                                              \
    BENCHMARK(row<on_rouse>)->UseRealTime()->Unit(benchmark::kMillisecond);            \
    BENCHMARK(row<on_asio_thread_pool>)->UseRealTime()->Unit(benchmark::kMillisecond); \
    BENCHMARK(row<on_io_context>)->UseRealTime()->Unit(benchmark::kMillisecond)

ROUSE_COMPARE(timeout_around_a_yield);
ROUSE_COMPARE(concurrent_sleeps);
ROUSE_COMPARE(timers_entered_and_left);

}  // namespace bench
