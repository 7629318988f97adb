// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_PARKER_HPP
#define ROUSE_DETAIL_PARKER_HPP

#include <chrono>
#include <cstdint>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/driver.hpp>

namespace rouse::detail {

// A wake that the system loses must cost time, and not the program: after so long somebody looks.
inline constexpr auto longest_sleep = std::chrono::seconds(10);

// One thread sleeps, any thread wakes it. A token keeps an unpark that comes before the park; a
// second unpark adds nothing to it.
//
//   empty      park: -> parked, sleep        unpark: -> notified
//   notified   park: -> empty, return        unpark: nothing (but memory is published)
//   parked     (the owner sleeps)            unpark: -> notified, wake the owner
//   in_driver  (it sleeps in an event loop)  unpark: -> notified, unpark the event loop
class ROUSE_DECL parker {
public:
    parker() noexcept = default;
    parker(parker const&) = delete;
    parker& operator=(parker const&) = delete;

    // By the owner: returns when the token is there, and takes it.
    void park() noexcept;

    // The same, until `deadline` at the longest. True: the token was there.
    bool park_until(time_point deadline) noexcept;

    // By the owner, who has the driver's seat: sleeps in the event loop. True: the token was there.
    // `ran`: how many things the loop has run.
    bool park_in(driver& loop, time_point deadline, unsigned& ran) noexcept;

    // By any thread. What it did before is visible to the owner after its park.
    void unpark() noexcept;

    // By any thread: should the owner have a token and sleep all the same, because the system has lost
    // the wake, it is woken once more.
    void wake_again() noexcept;

private:
    static constexpr std::uint32_t empty = 0;
    static constexpr std::uint32_t notified = 1;
    static constexpr std::uint32_t parked = 2;
    static constexpr std::uint32_t in_driver = 3;

    bool take_token() noexcept;

    atomic<std::uint32_t> state_{empty};
    driver* loop_ = nullptr;  // written by the owner before it sets in_driver
};

}  // namespace rouse::detail

#endif
