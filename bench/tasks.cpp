// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
#include <benchmark/benchmark.h>

#include "systems.hpp"

// What tasks and functions cost on each system. One iteration of a benchmark is a whole round of
// `items`; the time that counts is per item.

namespace bench {

namespace {

constexpr long many = 400'000;

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

template <class System>
typename System::template coroutine<> count_down(latch& done) {
    done.count_down();
    co_return;
}

template <class System>
void spawn_foreign(benchmark::State& state) {
    per_item<System>(state, many, [](System& system) {
        latch done(many);
        for (long i = 0; i < many; ++i) system.spawn([&] { return count_down<System>(done); });
        done.wait();
    });
}

template <class System>
typename System::template coroutine<> spawner(latch& done) {
    for (long i = 0; i < many; ++i)
        co_await System::spawn_here([&] { return count_down<System>(done); });
}

template <class System>
void spawn_local(benchmark::State& state) {
    per_item<System>(state, many, [](System& system) {
        latch done(many);
        system.spawn([&] { return spawner<System>(done); });
        done.wait();
    });
}

template <class System>
void post_foreign(benchmark::State& state) {
    per_item<System>(state, many, [](System& system) {
        latch done(many);
        auto executor = system.executor();
        for (long i = 0; i < many; ++i) asio::post(executor, [&done] { done.count_down(); });
        done.wait();
    });
}

template <class System>
void post_local(benchmark::State& state) {
    per_item<System>(state, many, [](System& system) {
        latch done(many);
        auto executor = system.executor();
        asio::post(executor, [&] {
            for (long i = 0; i < many; ++i) asio::post(executor, [&done] { done.count_down(); });
        });
        done.wait();
    });
}

template <class System>
typename System::template coroutine<> yielder(long times, latch& done) {
    for (long i = 0; i < times; ++i) co_await System::yield();
    done.count_down();
}

template <class System>
void yield(benchmark::State& state) {
    constexpr long tasks = 1000;
    constexpr long times = 400;
    per_item<System>(state, tasks * times, [](System& system) {
        latch done(tasks);
        for (long i = 0; i < tasks; ++i) system.spawn([&] { return yielder<System>(times, done); });
        done.wait();
    });
}

template <class System>
typename System::template coroutine<> link(long depth, latch& done) {
    if (depth == 0) {
        done.count_down();
    } else {
        co_await System::spawn_here([&] { return link<System>(depth - 1, done); });
    }
}

template <class System>
void chained_spawn(benchmark::State& state) {
    constexpr long depth = 1000;
    per_item<System>(state, depth, [](System& system) {
        latch done(1);
        system.spawn([&] { return link<System>(depth, done); });
        done.wait();
    });
}

}  // namespace

#define ROUSE_COMPARE(row)                                              \
    BENCHMARK(row<on_rouse>)->UseRealTime()->Unit(benchmark::kMillisecond);            \
    BENCHMARK(row<on_asio_thread_pool>)->UseRealTime()->Unit(benchmark::kMillisecond); \
    BENCHMARK(row<on_io_context>)->UseRealTime()->Unit(benchmark::kMillisecond)

ROUSE_COMPARE(spawn_foreign);
ROUSE_COMPARE(spawn_local);
ROUSE_COMPARE(post_foreign);
ROUSE_COMPARE(post_local);
ROUSE_COMPARE(yield);
ROUSE_COMPARE(chained_spawn);

}  // namespace bench
