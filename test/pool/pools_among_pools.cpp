// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Pools in unusual places: in a worker of another one, waiting for each other, in static and in
// thread-local storage; and how they end there.

#include <support/pool_end.hpp>

#include <atomic>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <memory>
#include <optional>
#include <rouse.hpp>
#include <thread>

BOOST_AUTO_TEST_SUITE(test_pools_among_pools)

using namespace rouse_test;
using rouse::block_on;
using rouse::spawn;
using rouse::spawn_ok;
using rouse::task;
using rouse::thread_pool;

BOOST_AUTO_TEST_CASE(b63_a_pool_in_another_pools_worker) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_home outer(m, workers);
        auto const kept = std::make_shared<int>(0);
        std::atomic<int> rounds{0};
        for (int n = 0; n < 10; ++n) {
            asio::post(*outer, [&, m] {  // a function: it may block
                pool_home inner(m, 2);
                auto handle = spawn(*inner, [kept]() -> task<> { co_return; });
                wait_until([&] { return handle.is_finished(); }, "a task of the inner pool");
                spawn_ok(*inner, waits_for(event(), kept));
                if (inner->get_executor().running_in_this_thread()) rounds += 100;
                if (!outer->get_executor().running_in_this_thread()) rounds += 100;
                ++rounds;
            });
        }
        outer->join();
        BOOST_TEST(rounds == 10);
        BOOST_TEST(kept.use_count() == 1);
    });
}

BOOST_AUTO_TEST_CASE(b63_tasks_of_two_pools_wait_for_each_other_and_destroy_pools) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_home a(m, workers);
        std::optional<pool_home> b(std::in_place, m, workers);
        int const value = block_on(spawn(*a, [&]() -> task<int> {
            int const first = co_await spawn(**b, [&]() -> task<int> {
                int const inner = co_await spawn(*a, []() -> task<int> { co_return 20; });
                co_return inner + 1;
            });
            co_return 2 * first;
        }));
        BOOST_TEST(value == 42);
        auto const kept = std::make_shared<int>(0);
        spawn_ok(**b, waits_for(event(), kept));
        block_on(spawn(*a, [&]() -> task<> {
            b.reset();  // blocks until the threads of b have ended; a has others or none
            co_return;
        }));
        BOOST_TEST(kept.use_count() == 1);
    });
}

// Destroyed after main(): the objects that it uses are still alive then, or it would crash here.
BOOST_AUTO_TEST_CASE(b63_a_pool_in_static_storage) {
    static thread_pool pool(2);
    static event never;
    BOOST_TEST(block_on(spawn(pool, []() -> task<int> { co_return 3; })) == 3);
    spawn_ok(pool, waits_for(never, std::make_shared<int>(0)));
    asio::post(pool, [] {});
}

BOOST_AUTO_TEST_CASE(b63_a_pool_in_thread_local_storage) {
    auto const kept = std::make_shared<int>(0);
    std::thread([&] {
        thread_local thread_pool pool(2);
        spawn_ok(pool, waits_for(event(), kept));
        if (block_on(spawn(pool, []() -> task<int> { co_return 3; })) != 3) std::abort();
    }).join();
    BOOST_TEST(kept.use_count() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
