// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_POOL_TIME_HPP
#define ROUSE_DETAIL_POOL_TIME_HPP

#include <cstddef>
#include <memory>
#include <optional>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/time_driver.hpp>
#include <rouse/detail/timer_wheel.hpp>

namespace rouse::detail {

// The timers of a pool: a wheel for each worker, so that they do not wait for each other, and all of
// them are looked at by whoever looks.
//
// Somebody looks in time:
//   a worker that is awake   every k-th turn
//   the watcher              every millisecond; there is one while anybody is awake and anybody sleeps
//   the keeper               the one in the driver's seat, or, without an event loop, the first
//                            worker: it sleeps until the earliest deadline at the longest
//
// The race that this survives: worker A enters a deadline while the keeper is about to sleep until a
// later one. While A is awake nothing need be done. When it parks, it looks how long the keeper
// sleeps, and wakes it if that is too long. Keeper and A each write first and look second, in one
// order (seq_cst): the keeper sees the deadline, or A sees how long it sleeps.
class ROUSE_DECL pool_time final : public time_driver {
public:
    // For so many workers; others share a wheel.
    explicit pool_time(std::size_t workers);

    time_point now() noexcept override;
    void enter(timer_entry& entry, time_point when, waker w) override;

    // A worker that looks, for the nth time. One that is busy leaves those wheels alone whose worker has
    // looked in the last millisecond.
    struct look {
        std::size_t worker;
        unsigned nth;
        bool busy;
    };
    // Fires what is due, but not more than `most`: the rest at the next look, of whomever. Returns how many.
    std::size_t advance(std::size_t most, look by) noexcept;

    // A lower limit of the earliest deadline.
    time_point earliest() const noexcept { return time_of(earliest_.load(seq_cst)); }

    // Around the sleep of the keeper, who must not sleep longer than to the deadline that this returns.
    time_point begin_keeping(std::size_t worker, time_point deadline) noexcept;
    void end_keeping() noexcept;

    // By a worker that is parking, and is not the keeper: the one that must be woken, if any.
    std::optional<std::size_t> keeper_to_wake() noexcept;

private:
    timer_wheel& wheel_here() noexcept;
    void publish(tick next) noexcept;

    struct alignas(64) place {
        wheel_ptr wheel;
        atomic<tick> looked{0};  // when its worker has looked last; 0: it is not busy, or there is none
    };

    std::size_t const wheels_count_;
    std::unique_ptr<place[]> wheels_;  // the last is for all other threads
    atomic<tick> earliest_{no_tick};  // no later than `next` of any wheel
    atomic<tick> keeps_until_{0};   // 0: nobody sleeps as the keeper
    atomic<std::size_t> keeper_{0};
};

}  // namespace rouse::detail

#endif
