// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
#include <benchmark/benchmark.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "systems.hpp"

// A foreign thread wakes something on the system and sleeps until it has answered: a round trip
// between two threads, both of which sleep in between. The bare form is two threads that wake each
// other by futex.

namespace bench {

namespace {

// One thread sleeps until another has signalled.
class signal {
public:
    void raise() {
        word_.store(1, std::memory_order_release);
        ::syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    }
    void wait() {
        while (word_.load(std::memory_order_acquire) == 0)
            ::syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
        word_.store(0, std::memory_order_relaxed);
    }

private:
    std::atomic<int> word_{0};
};

void wake_bare_futex(benchmark::State& state) {
    signal question;
    signal answer;
    std::atomic<bool> over{false};
    std::thread other([&] {
        for (;;) {
            question.wait();
            if (over) return;
            answer.raise();
        }
    });
    for (auto _ : state) {
        question.raise();
        answer.wait();
    }
    over = true;
    question.raise();
    other.join();
}

void wake_rouse(benchmark::State& state) {
    rouse::thread_pool pool(workers);
    rouse::atomic_waker waker;
    std::atomic<long> questions{0};
    signal answer;
    long answered = 0;
    rouse::spawn_ok(pool, rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                        for (;;) {
                            waker.register_waker(cx.waker());
                            long const asked = questions.load(std::memory_order_acquire);
                            if (asked < 0) return rouse::ready();
                            if (asked == answered) return rouse::pending;
                            answered = asked;
                            answer.raise();
                        }
                    }));
    for (auto _ : state) {
        questions.fetch_add(1, std::memory_order_release);
        waker.wake();
        answer.wait();
    }
    questions = -1;
    waker.wake();
    pool.join();
}

template <class System>
void wake_by_post(benchmark::State& state) {
    System system;
    signal answer;
    for (auto _ : state) {
        asio::post(system.executor(), [&] { answer.raise(); });
        answer.wait();
    }
}

}  // namespace

BENCHMARK(wake_bare_futex)->UseRealTime();
BENCHMARK(wake_rouse)->UseRealTime();
BENCHMARK(wake_by_post<on_rouse>)->UseRealTime();
BENCHMARK(wake_by_post<on_asio_thread_pool>)->UseRealTime();
BENCHMARK(wake_by_post<on_io_context>)->UseRealTime();

}  // namespace bench
