// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What asio/issue_1348.cpp does with Asio's `||`: one of two futures is over while the other is in the
// middle of its steps, on several threads, without a strand. Under ThreadSanitizer nothing is reported.

#include <support/pool_kit.hpp>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <rouse.hpp>

BOOST_AUTO_TEST_SUITE(test_issue_1348)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::select;
using rouse::spawn;
using rouse::task;

namespace {

task<> pause(rouse::thread_pool& pool, std::chrono::microseconds how_long) {
    asio::steady_timer timer(pool, how_long);
    co_await timer.async_wait(rouse::use_poll);
}

task<> many_steps(rouse::thread_pool& pool, std::atomic<long>& alive) {
    counted const lives(alive);
    for (int step = 0; step != 100; ++step) co_await pause(pool, 1us);
}

auto in_the_middle(long round) { return std::chrono::microseconds(round % 300); }

// The loser has let go when there is a result.
template <class Race>
void rounds(long n, Race race) {
    in_both_modes({4}, [&](mode m, unsigned workers) {
        std::atomic<long> alive{0}, ended{0}, left{0};
        pool_home pool(m, workers);
        auto const all = [&]() -> task<> {
            for (long round = 0; round != n; ++round) {
                co_await race(*pool, alive, round);
                ++ended;
                left += alive;
            }
        };
        block_on(spawn(*pool, all));
        BOOST_TEST(ended == n);
        BOOST_TEST(left == 0);
    });
}

BOOST_AUTO_TEST_CASE(b71_one_task_with_both_branches) {
    rounds(scaled(2000L), [](auto& pool, auto& alive, long round) -> task<> {
        co_await select(many_steps(pool, alive), pause(pool, in_the_middle(round)));
    });
}

// Each on some worker, as with Asio.
BOOST_AUTO_TEST_CASE(b71_a_task_for_each_branch) {
    rounds(scaled(2000L), [](auto& pool, auto& alive, long round) -> task<> {
        co_await select(spawn(pool, many_steps(pool, alive)),
                        spawn(pool, pause(pool, in_the_middle(round))));
    });
}

BOOST_AUTO_TEST_CASE(b71_a_request_from_another_task) {
    rounds(scaled(2000L), [](auto& pool, auto& alive, long round) -> task<> {
        rouse::cancellation_source stop;
        auto cancels = spawn(pool, [&pool, stop, round]() -> task<> {
            co_await pause(pool, in_the_middle(round));
            stop.cancel();
        });
        auto ended = rouse::catch_all(
            rouse::with_cancellation(many_steps(pool, alive), stop.token()), [](std::exception_ptr) {});
        co_await rouse::join(std::move(ended), std::move(cancels));
    });
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
