// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_IO_OPERATION_HPP
#define ROUSE_EXAMPLE_IO_OPERATION_HPP

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <rouse.hpp>
#include <shared_mutex>
#include <string>
#include <thread>
#include <utility>

// A future that waits for an I/O event loop, and a thread that plays the event loop: wrong and
// right.

using seconds = std::chrono::duration<double>;

// A port, line by line, of the program with which many a text on Rust's futures begins. It prints
// the right thing, and has four faults that its one way of being used happens not to meet:
//
//   1. "There is a waker" doubles as "it is done": any second poll, also a spurious one, is ready,
//      whether the event has come or not.
//   2. An event that comes before the first poll finds no waker and is forgotten: the task waits
//      for ever (try --delay 0).
//   3. The waker of the first poll is kept for good: polled by another task afterwards, the future
//      wakes the one that has gone.
//   4. It wakes while it holds the lock. Whoever polls inside a wake, as some executors do, waits
//      for itself.
namespace literal {

// [literal]
struct shared_state {
    std::shared_mutex mutex;
    std::optional<rouse::waker> waker;
};

class io_operation {
public:
    explicit io_operation(std::shared_ptr<shared_state> state) : state_(std::move(state)) {}

    rouse::poll_result<std::string> poll(rouse::context& cx) {
        std::unique_lock lock(state_->mutex);
        if (state_->waker) return "I/O Operation completed!";
        state_->waker = cx.waker();
        return rouse::pending;
    }

private:
    std::shared_ptr<shared_state> state_;
};
// [/literal]

inline void simulate_io_event_loop(std::shared_ptr<shared_state> state, seconds delay) {
    std::thread([state, delay] {
        std::this_thread::sleep_for(delay);
        std::shared_lock lock(state->mutex);
        if (state->waker) state->waker->wake_by_ref();
    }).join();
}

}  // namespace literal

// The same without the faults.
namespace correct {

// [correct]
struct shared_state {
    std::atomic<bool> done{false};
    rouse::atomic_waker waker;
};

class io_operation {
public:
    explicit io_operation(std::shared_ptr<shared_state> state) : state_(std::move(state)) {}

    rouse::poll_result<std::string> poll(rouse::context& cx) {
        state_->waker.register_waker(cx.waker());  // always the latest one, and before the look
        if (!state_->done) return rouse::pending;
        return "I/O Operation completed!";
    }

private:
    std::shared_ptr<shared_state> state_;
};
// [/correct]

inline void simulate_io_event_loop(std::shared_ptr<shared_state> state, seconds delay) {
    std::thread([state, delay] {
        std::this_thread::sleep_for(delay);
        // [event]
        state->done = true;  // first the event, then the wake
        state->waker.wake();
        // [/event]
    }).join();
}

}  // namespace correct

#endif
