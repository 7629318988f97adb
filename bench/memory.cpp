// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <boost/asio/experimental/channel.hpp>
#include <fstream>

#include "systems.hpp"

// How much memory a task takes while it waits for something: the growth of the process's resident
// memory, divided by the number of tasks that are parked at once.

namespace bench {

namespace {

constexpr long parked = 200'000;

// What a system has freed stays with the process unless it is given back, and the next one would
// start with it.
long resident_bytes() {
    ::malloc_trim(0);
    long pages = 0;
    std::ifstream("/proc/self/statm").ignore(64, ' ') >> pages;
    return pages * 4096;
}

rouse::task<> wait_for_ever(latch& there) {
    there.count_down();
    co_await rouse::pending_future();
}

using channel = asio::experimental::channel<void(boost::system::error_code)>;

asio::awaitable<void> wait_for_ever(channel& never, latch& there) {
    there.count_down();
    co_await never.async_receive(asio::use_awaitable);
}

void report(benchmark::State& state, long before) {
    state.counters["bytes"] = static_cast<double>(resident_bytes() - before) / parked;
}

void parked_rouse(benchmark::State& state) {
    for (auto _ : state) {
        rouse::thread_pool pool(workers);
        std::vector<rouse::join_handle<void>> handles;
        handles.reserve(parked);
        latch there(parked);
        long const before = resident_bytes();
        for (long i = 0; i < parked; ++i)
            handles.push_back(rouse::spawn(pool, wait_for_ever(there)));
        there.wait();
        report(state, before);
    }
}

void parked_asio(benchmark::State& state) {
    for (auto _ : state) {
        asio::io_context io;
        channel never(io);
        latch there(parked);
        long const before = resident_bytes();
        for (long i = 0; i < parked; ++i)
            asio::co_spawn(io, wait_for_ever(never, there), asio::detached);
        io.poll();
        report(state, before);
    }
}

}  // namespace

BENCHMARK(parked_asio)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(parked_rouse)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace bench
