// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_POOL_END_HPP
#define ROUSE_TEST_SUPPORT_POOL_END_HPP

#include <support/pool_kit.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <rouse.hpp>
#include <utility>

// What the tests of the end of a pool share: tasks that are in its way, and how they ended.

namespace rouse_test {

inline rouse::task<> waits_for(event e, std::shared_ptr<void> kept) {
    co_await e.happened();
    kept.reset();
}

// Waits for ever, and never gives back what it has lent. Counts its death.
class stubborn {
public:
    stubborn(std::atomic<int>& polled, std::atomic<int>& dead) : polled_(&polled), dead_(&dead) {}
    stubborn(stubborn&& other) noexcept
        : polled_(other.polled_), dead_(std::exchange(other.dead_, nullptr)) {}
    stubborn& operator=(stubborn&&) = delete;
    ~stubborn() {
        if (dead_) ++*dead_;
    }

    rouse::poll_result<void> poll(rouse::context& cx) {
        waker_ = cx.waker();
        ++*polled_;
        return rouse::pending;
    }
    rouse::cancel_result<void> poll_cancel(rouse::context& cx) {
        waker_ = cx.waker();
        return rouse::pending;
    }

private:
    rouse::waker waker_{};
    std::atomic<int>* polled_;
    std::atomic<int>* dead_;
};

// Does something when it is destroyed, unless it was moved from.
template <class F>
class finally {
public:
    explicit finally(F f) : function_(std::move(f)) {}
    finally(finally&& other) : function_(std::exchange(other.function_, std::nullopt)) {}
    ~finally() {
        if (function_) (*function_)();
    }

private:
    std::optional<F> function_;
};

inline bool is_aborted(rouse::join_handle<void> handle) {
    try {
        rouse::block_on(std::move(handle));
    } catch (boost::system::system_error const& e) {
        return e.code() == rouse::errc::aborted;
    }
    return false;
}

}  // namespace rouse_test

#endif
