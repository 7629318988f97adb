// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_POOL_END_HPP
#define ROUSE_TEST_SUPPORT_POOL_END_HPP

#include <support/pool_kit.hpp>

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
