// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
#include <benchmark/benchmark.h>

#include <chrono>
#include <rouse.hpp>

// What combinators cost beside their futures: each row awaits two ready futures, alone or combined, in
// one task; the difference to `alone` is the combinator's own.

namespace bench {

namespace {

using namespace std::chrono_literals;

constexpr int awaits = 10'000;

template <class Round>
void per_await(benchmark::State& state, Round round) {
    auto const body = [&]() -> rouse::task<> {
        for (int n = 0; n < awaits; ++n) co_await round();
    };
    rouse::block_on(body());  // warm up
    for (auto _ : state) rouse::block_on(body());
    state.SetItemsProcessed(state.iterations() * awaits);
    state.counters["each"] = benchmark::Counter(
        awaits, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

rouse::ready_future<int> one() { return rouse::ready_future<int>(1); }

void alone(benchmark::State& state) {
    auto const body = []() -> rouse::task<> {
        for (int n = 0; n < awaits; ++n) {
            benchmark::DoNotOptimize(co_await one());
            benchmark::DoNotOptimize(co_await one());
        }
    };
    rouse::block_on(body());
    for (auto _ : state) rouse::block_on(body());
    state.SetItemsProcessed(state.iterations() * awaits);
    state.counters["each"] = benchmark::Counter(
        awaits, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
void join(benchmark::State& state) {
    per_await(state, [] { return rouse::join(one(), one()); });
}
void try_join(benchmark::State& state) {
    per_await(state, [] { return rouse::try_join(one(), one()); });
}
void select(benchmark::State& state) {
    per_await(state, [] { return rouse::select(one(), one()); });
}
void timeout(benchmark::State& state) {
    per_await(state, [] { return rouse::timeout(one(), 5s); });
}
void with_cancellation(benchmark::State& state) {
    rouse::cancellation_source source;
    per_await(state, [&] { return rouse::with_cancellation(one(), source.token()); });
}

}  // namespace

BENCHMARK(alone);
BENCHMARK(join);
BENCHMARK(try_join);
BENCHMARK(select);
BENCHMARK(timeout);
BENCHMARK(with_cancellation);

}  // namespace bench
