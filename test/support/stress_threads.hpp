// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_STRESS_THREADS_HPP
#define ROUSE_TEST_SUPPORT_STRESS_THREADS_HPP

#include <support/scale.hpp>

#include <rouse/error.hpp>
#include <rouse/future.hpp>
#include <rouse/waker.hpp>

#include <boost/system/system_error.hpp>

#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

// What tests with real threads share. The threads record, the main thread asserts: the test
// framework's own functions are for one thread.

namespace rouse_test {

// More threads than this machine is likely to have cores for: they get in each other's way.
inline constexpr unsigned stress_threads = 8;

// The seed of all random decisions: $ROUSE_TEST_SEED, or another one each time. Printed once.
inline std::uint64_t stress_seed() {
    static std::uint64_t const seed = [] {
        char const* set = std::getenv("ROUSE_TEST_SEED");
        std::uint64_t const chosen =
            set ? std::strtoull(set, nullptr, 0) : std::uint64_t{std::random_device{}()};
        std::printf("ROUSE_TEST_SEED=%llu\n", static_cast<unsigned long long>(chosen));
        std::fflush(stdout);
        return chosen;
    }();
    return seed;
}

// Random numbers for one thread (splitmix64).
class stress_random {
public:
    explicit stress_random(std::uint64_t stream) noexcept
        : state_(stress_seed() ^ (stream * 0x9e3779b97f4a7c15U)) {}

    std::uint64_t operator()() noexcept {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }
    unsigned below(unsigned n) noexcept { return static_cast<unsigned>((*this)() % n); }

    // Mostly nothing, often a few cycles, now and then the rest of the time slice.
    void delay() noexcept {
        unsigned const kind = below(16);
        if (kind < 6) return;
        if (kind == 15) {
            std::this_thread::yield();
            return;
        }
        std::atomic<unsigned> cycles{below(kind < 14 ? 64 : 2048)};
        while (cycles.load(std::memory_order_relaxed) != 0) {
            cycles.store(cycles.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
        }
    }

private:
    std::uint64_t state_;
};

// A random delay of this thread, where no generator is at hand.
inline void random_delay() noexcept {
    static std::atomic<std::uint64_t> threads{0};
    thread_local stress_random random(1'000'000 + threads.fetch_add(1, std::memory_order_relaxed));
    random.delay();
}

// Waits on a condition variable; a test that would wait for ever says what it waited for, and ends.
template <class Condition>
void wait_or_die(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                 Condition condition, char const* awaited) {
    if (changed.wait_for(lock, std::chrono::minutes(2), condition)) return;
    std::fprintf(stderr, "two minutes without %s; ROUSE_TEST_SEED=%llu\n", awaited,
                 static_cast<unsigned long long>(stress_seed()));
    std::abort();
}

// Runs function(index) on `count` threads, which start together.
template <class Function>
void run_threads(unsigned count, Function function) {
    std::barrier start(static_cast<std::ptrdiff_t>(count));
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; ++i) {
        threads.emplace_back([&start, &function, i] {
            start.arrive_and_wait();
            function(i);
        });
    }
    for (auto& thread : threads) thread.join();
}

// Wakes a thread that waits. The waker's reference is a shared_ptr on the heap, so that a count
// that does not balance is a leak or a double free for AddressSanitizer.
class thread_waker {
public:
    rouse::waker make() const { return {new shared(state_), table}; }

    // Returns when it was woken since the last time.
    void wait() const {
        std::unique_lock lock(state_->mutex);
        wait_or_die(
            state_->changed, lock, [this] { return state_->woken; }, "a wake");
        state_->woken = false;
    }

    // True if it was woken since the last time.
    bool woken() const {
        std::lock_guard guard(state_->mutex);
        return std::exchange(state_->woken, false);
    }

private:
    struct state {
        std::mutex mutex;
        std::condition_variable changed;
        bool woken = false;
    };
    using shared = std::shared_ptr<state>;

    static shared& of(void* data) noexcept { return *static_cast<shared*>(data); }
    static void set(void* data) noexcept {
        // The state, not the reference: whoever waits may drop what woke it.
        shared const keep = of(data);
        {
            std::lock_guard guard(keep->mutex);
            keep->woken = true;
        }
        keep->changed.notify_one();
    }

    static constexpr rouse::waker_vtable table{
        [](void* data) -> void* {
            random_delay();  // whoever keeps a waker copies it in the middle of something
            return new shared(of(data));
        },
        [](void* data) {
            set(data);
            delete static_cast<shared*>(data);
        },
        [](void* data) { set(data); },
        [](void* data) { delete static_cast<shared*>(data); },
        "test thread",
    };

    shared state_ = std::make_shared<state>();
};

// What became of a future.
enum class ending { value, aborted, error };

// Polls a future by hand, on this thread, until it has completed.
template <rouse::future F>
ending wait_for(F& future) {
    thread_waker const wakes;
    rouse::waker const waker = wakes.make();
    try {
        for (;;) {
            rouse::context cx(waker);
            auto const polled = future.poll(cx);
            if (polled.is_ready()) return ending::value;
            wakes.wait();
        }
    } catch (boost::system::system_error const& e) {
        return e.code() == rouse::errc::aborted ? ending::aborted : ending::error;
    } catch (...) {
        return ending::error;
    }
}

// Counts its live objects; a check at the end that all have died, once each.
class counted {
public:
    explicit counted(std::atomic<long>& live) noexcept : live_(&live) { add(1); }
    counted(counted const& other) noexcept : live_(other.live_) { add(1); }
    counted(counted&& other) noexcept : live_(other.live_) { add(1); }
    counted& operator=(counted const&) noexcept = default;
    counted& operator=(counted&&) noexcept = default;
    ~counted() { add(-1); }

private:
    void add(long n) noexcept { live_->fetch_add(n, std::memory_order_relaxed); }

    std::atomic<long>* live_;
};

}  // namespace rouse_test

#endif
