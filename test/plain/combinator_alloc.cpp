// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// How often combinators, groups, cancellation and timers ask for memory: not in steady state (behaviour
// 88). malloc is replaced by one that counts.

#include <support/counted_malloc.hpp>
#include <support/stress_threads.hpp>

#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <rouse.hpp>

using namespace std::chrono_literals;
using rouse::sleep_for;
using rouse::task;
using rouse::timeout;
using rouse::this_task::yield_now;

namespace {

task<int> value() {
    co_await yield_now();
    co_return 1;
}
task<> nothing() { co_await yield_now(); }

constexpr int rounds = 200;

// What rounds of it ask for when it has gone round for a while.
template <class Round>
task<unsigned long> counted(Round round) {
    for (int n = 0; n < rounds; ++n) co_await round();
    unsigned long const before = counted_calls;
    for (int n = 0; n < rounds; ++n) co_await round();
    co_return counted_calls - before;
}

// In a thread that blocks, and on a worker.
template <class Round>
void asks_for_nothing(char const* what, Round round) {
    BOOST_TEST_CONTEXT(what) {
        rouse::paused_clock clock;
        BOOST_TEST(rouse::block_on(counted(round), clock) == 0U);
        rouse::paused_clock of_pool;
        rouse::thread_pool pool(rouse::thread_pool::builder().workers(1).clock(of_pool));
        BOOST_TEST(rouse::block_on(rouse::spawn(pool, counted(round))) == 0U);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(b88_combinators_of_fixed_size) {
    asks_for_nothing("join", [] { return rouse::join(value(), nothing(), value()); });
    asks_for_nothing("try_join", [] { return rouse::try_join(value(), nothing()); });
    asks_for_nothing("select", [] { return rouse::select(value(), sleep_for(1h), value()); });
    asks_for_nothing("select_biased", [] { return rouse::select_biased(nothing(), nothing()); });
    asks_for_nothing("race", [] { return rouse::race(value(), value()); });
    asks_for_nothing("map", [] { return rouse::map(value(), [](int n) { return n + 1; }); });
    asks_for_nothing("then", [] { return rouse::then(value(), [](int) { return value(); }); });
    asks_for_nothing("catch_all", [] {
        return rouse::catch_all(value(), [](std::exception_ptr) { return 2; });
    });
    asks_for_nothing("finally", [] { return rouse::finally(value(), [] { return nothing(); }); });
    asks_for_nothing("shielded", [] { return rouse::shielded(value()); });
    asks_for_nothing("background", [] { return rouse::background(value()); });
    asks_for_nothing("shared", [] { return rouse::shared(value()); });
}

BOOST_AUTO_TEST_CASE(b88_sets_and_ranges) {
    asks_for_nothing("futures_unordered", []() -> task<> {
        rouse::futures_unordered<task<int>> set;
        for (int n = 0; n < 10; ++n) set.push(value());
        for (int n = 0; n < 10; ++n) co_await set.next();
    });
    asks_for_nothing("select_all", []() -> task<> {
        std::array<task<int>, 1> all{value()};
        co_await rouse::select_all(std::move(all));
    });
}

BOOST_AUTO_TEST_CASE(b88_cancellation) {
    rouse::cancellation_source source;
    asks_for_nothing("with_cancellation",
                     [&source] { return rouse::with_cancellation(value(), source.token()); });
    asks_for_nothing("cancelled", [&source]() -> task<> {
        co_await rouse::select(source.token().cancelled(), nothing());
    });
    asks_for_nothing("a tree", []() -> task<> {
        rouse::cancellation_source root;
        rouse::cancellation_source below(root.token());
        root.cancel();
        co_await below.token().cancelled();
    });
    asks_for_nothing("with_deadline", [] { return rouse::with_deadline(value(), 1h); });
}

BOOST_AUTO_TEST_CASE(b88_time) {
    asks_for_nothing("sleep_for", [] { return sleep_for(1s); });
    asks_for_nothing("timeout", [] { return timeout(value(), 1h); });
    asks_for_nothing("retry", [] { return rouse::retry(rouse::backoff(1s), [] { return value(); }); });
    rouse::interval every(1s);
    rouse::paused_clock clock;
    BOOST_TEST(rouse::block_on(counted([&every] { return every.tick(); }), clock) == 0U);
    asks_for_nothing("delay_queue", []() -> task<> {
        rouse::delay_queue<int> queue;
        for (int n = 0; n < 5; ++n) queue.insert(n, std::chrono::seconds(5 - n));
        for (int n = 0; n < 5; ++n) co_await queue.next();
    });
}

BOOST_AUTO_TEST_CASE(b88_groups) {
    asks_for_nothing("with_group", [] {
        return rouse::with_group([](rouse::task_group& g) -> task<> {
            g.limit(2);
            for (int n = 0; n < 5; ++n) {
                co_await g.has_room();
                g.spawn(nothing());
            }
        });
    });
    asks_for_nothing("with_group_of", [] {
        return rouse::with_group_of<int>([](rouse::task_group_of<int>& g) -> task<> {
            for (int n = 0; n < 5; ++n) g.spawn(value());
            while (co_await g.next()) {
            }
        });
    });
}
