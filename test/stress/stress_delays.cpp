// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The cases of stress_task.cpp and stress_task_races.cpp once more, with random delays between the
// steps of the library's protocols (rouse/detail/hooks.hpp). The library's sources are part of this
// file, under another namespace: nothing here is mistaken for what the linked library defines.

#include <support/scale.hpp>

#define rouse rouse_with_delays
#define ROUSE_HOOK(place)

#include <rouse/task.hpp>
#include <rouse/this_task.hpp>

#include "../../src/atomic_waker.cpp"
#include "../../src/cancellation.cpp"
#include "../../src/coroutine.cpp"
#include "../../src/deep_destroy.cpp"
#include "../../src/error.cpp"
#include "../../src/fatal.cpp"
#include "../../src/inbox.cpp"
#include "../../src/join_handle.cpp"
#include "../../src/scheduler.cpp"
#include "../../src/slab.cpp"
#include "../../src/task_cell.cpp"
#include "../../src/task_state.cpp"
#include "../../src/unhandled.cpp"
#include "../../src/waiter_list.cpp"
#include "../../src/waker.cpp"

#include "stress_task.cpp"
#include "stress_task_races.cpp"

namespace {
constexpr std::size_t places = static_cast<std::size_t>(rouse::detail::hook::count);
std::array<std::atomic<unsigned>, places> reached{};
}  // namespace

void rouse::detail::hook_reached(hook place) noexcept {
    reached[static_cast<std::size_t>(place)].fetch_add(1, std::memory_order_relaxed);
    rouse_test::random_delay();
}

BOOST_AUTO_TEST_CASE(delays_were_injected_at_every_place_of_the_task) {
    using rouse::detail::hook;
    for (hook place : {hook::before_schedule, hook::after_poll, hook::before_join_waker,
                       hook::after_completion, hook::before_drop}) {
        BOOST_TEST(reached[static_cast<std::size_t>(place)] > 0U);
    }
}
