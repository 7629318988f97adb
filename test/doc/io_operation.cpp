// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include "../../example/io_operation.hpp"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "support/scale.hpp"
#include "support/unit_kit.hpp"

BOOST_AUTO_TEST_SUITE(test_io_operation)

// The example's futures: the faults of the literal one, each shown, and that the correct one has
// none.

namespace {

template <class Operation>
bool is_ready(Operation& operation, rouse::waker const& waker) {
    rouse::context cx(waker);
    return operation.poll(cx).is_ready();
}

BOOST_AUTO_TEST_CASE(the_literal_one_takes_a_spurious_poll_for_the_event) {
    auto state = std::make_shared<literal::shared_state>();
    literal::io_operation operation(state);
    BOOST_TEST(!is_ready(operation, {}));
    BOOST_TEST(is_ready(operation, {}));  // nothing has happened
}

BOOST_AUTO_TEST_CASE(the_literal_one_forgets_an_event_that_comes_before_the_first_poll) {
    rouse_test::wake_counter task;  // the state keeps its waker
    auto state = std::make_shared<literal::shared_state>();
    literal::io_operation operation(state);
    literal::simulate_io_event_loop(state, seconds(0));
    BOOST_TEST(!is_ready(operation, task.make()));
    BOOST_TEST(task.wakes == 0);  // and nobody will come any more
}

BOOST_AUTO_TEST_CASE(the_literal_one_keeps_the_first_waker) {
    rouse_test::wake_counter first, second;
    auto state = std::make_shared<literal::shared_state>();
    literal::io_operation operation(state);
    BOOST_TEST(!is_ready(operation, first.make()));
    literal::simulate_io_event_loop(state, seconds(0));
    BOOST_TEST(first.wakes == 1);
    BOOST_TEST(is_ready(operation, second.make()));
    BOOST_TEST(second.wakes == 0);
}

// A waker that tries what an executor does that polls inside a wake: to take the lock of the poll.
struct lock_taker {
    std::shared_mutex* mutex = nullptr;
    bool could = true;
};

BOOST_AUTO_TEST_CASE(the_literal_one_wakes_while_it_holds_the_lock) {
    static constexpr rouse::waker_vtable table{
        [](void* data) { return data; },
        [](void*) {},
        [](void* data) {
            auto& self = *static_cast<lock_taker*>(data);
            self.could = self.mutex->try_lock();
            if (self.could) self.mutex->unlock();
        },
        [](void*) {},
        "lock_taker",
    };
    auto state = std::make_shared<literal::shared_state>();
    lock_taker task{&state->mutex};
    literal::io_operation operation(state);
    BOOST_TEST(!is_ready(operation, rouse::waker(&task, table)));
    literal::simulate_io_event_loop(state, seconds(0));
    BOOST_TEST(!task.could);
}

BOOST_AUTO_TEST_CASE(the_correct_one_is_ready_after_the_event_only) {
    rouse_test::wake_counter first, second;
    auto state = std::make_shared<correct::shared_state>();
    correct::io_operation operation(state);
    for (int i = 0; i != 3; ++i) BOOST_TEST(!is_ready(operation, first.make()));
    BOOST_TEST(!is_ready(operation, second.make()));
    correct::simulate_io_event_loop(state, seconds(0));
    BOOST_TEST(first.wakes == 0);
    BOOST_TEST(second.wakes == 1);
    BOOST_TEST(is_ready(operation, second.make()));
}

BOOST_AUTO_TEST_CASE(the_correct_one_sees_an_event_that_comes_before_the_first_poll) {
    auto state = std::make_shared<correct::shared_state>();
    correct::simulate_io_event_loop(state, seconds(0));
    BOOST_TEST(rouse::block_on(correct::io_operation(state)) == "I/O Operation completed!");
}

// The event at every moment of the wait.
BOOST_AUTO_TEST_CASE(the_correct_one_never_misses_the_event) {
    int const rounds = rouse_test::scaled(100'000);
    std::atomic<correct::shared_state*> pending{nullptr};
    std::thread event_loop([&] {
        for (int i = 0; i != rounds; ++i) {
            correct::shared_state* state = nullptr;
            while (!(state = pending.exchange(nullptr))) std::this_thread::yield();
            auto const until = std::chrono::steady_clock::now() + std::chrono::microseconds(i % 50);
            while (i % 50 != 0 && std::chrono::steady_clock::now() < until) {
            }
            state->done = true;
            state->waker.wake();
        }
    });
    int completed = 0;
    std::shared_ptr<correct::shared_state>
        before;  // kept for one more round: its wake may not be over
    for (int i = 0; i != rounds; ++i) {
        auto state = std::make_shared<correct::shared_state>();
        pending = state.get();
        if (!rouse::block_on(correct::io_operation(state)).empty()) ++completed;
        before = std::exchange(state, nullptr);
    }
    event_loop.join();
    BOOST_TEST(completed == rounds);
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
