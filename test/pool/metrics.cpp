// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What a pool says of itself.

#include <support/pool_kit.hpp>

#include <boost/asio/post.hpp>
#include <numeric>
#include <rouse.hpp>

BOOST_AUTO_TEST_SUITE(test_metrics)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::spawn;
using rouse::spawn_ok;
using rouse::task;
using rouse::thread_pool;

namespace {

task<> nothing() { co_return; }

// Adds up what the workers of a pool say.
std::uint64_t total(rouse::pool_metrics const& m, std::uint64_t rouse::worker_metrics::*which) {
    return std::accumulate(m.workers.begin(), m.workers.end(), std::uint64_t{0},
                           [&](std::uint64_t sum, auto const& w) { return sum + w.*which; });
}

}  // namespace

BOOST_AUTO_TEST_CASE(b99_metrics_are_consistent_at_rest) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        constexpr unsigned count = 2000;
        for (unsigned n = 0; n < count; ++n) {
            spawn_ok(*pool, []() -> task<> {
                rouse::this_task::spawn_ok(nothing());
                co_await rouse::this_task::yield_now();
            });
            asio::post(*pool, [] {});
        }
        pool->join();
        auto const now = pool->metrics();
        BOOST_TEST(now.workers.size() == workers);
        BOOST_TEST(now.tasks_spawned == 2 * count);
        BOOST_TEST(now.tasks_done == 2 * count);
        BOOST_TEST(now.inject_queue_empty);
        for (auto const& w : now.workers) BOOST_TEST(w.queued == 0U);
        BOOST_TEST(total(now, &rouse::worker_metrics::polls) == (3 + 1) * count);
        BOOST_TEST(total(now, &rouse::worker_metrics::parks) >= workers);
        if (workers == 1) BOOST_TEST(total(now, &rouse::worker_metrics::steals) == 0U);
    });
}

BOOST_AUTO_TEST_CASE(b99_a_full_queue_is_counted) {
    thread_pool pool(1);
    block_on(spawn(pool, []() -> task<> {
        for (int n = 0; n < 2000; ++n) rouse::this_task::spawn_ok(nothing());
        co_return;
    }));
    pool.join();
    BOOST_TEST(pool.metrics().workers[0].overflows > 0U);
    BOOST_TEST(pool.metrics().tasks_done == 2001U);
}

BOOST_AUTO_TEST_CASE(b99_metrics_are_read_under_load_and_during_the_shutdown) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        std::atomic<bool> done{false};
        std::atomic<unsigned> wrong{0};
        std::vector<std::thread> readers;
        for (int r = 0; r < 2; ++r) {
            readers.emplace_back([&] {
                rouse::pool_metrics last;
                last.workers.resize(workers);
                while (!done) {
                    auto const now = pool->metrics();
                    bool grown = now.tasks_spawned >= last.tasks_spawned &&
                                 now.tasks_done >= last.tasks_done &&
                                 now.tasks_done <= now.tasks_spawned;
                    for (unsigned i = 0; i < workers; ++i) {
                        grown = grown && now.workers[i].polls >= last.workers[i].polls &&
                                now.workers[i].parks >= last.workers[i].parks &&
                                now.workers[i].steals >= last.workers[i].steals &&
                                now.workers[i].queued <= 256;
                    }
                    if (!grown) ++wrong;
                    last = now;
                }
            });
        }
        std::atomic<bool> enough{false};
        for (int n = 0; n < 20; ++n) {
            spawn_ok(*pool, [&]() -> task<> {
                while (!enough) {
                    rouse::this_task::spawn_ok(nothing());
                    co_await rouse::this_task::yield_now();
                }
            });
        }
        wait_until([&] { return pool->metrics().tasks_done > scaled(20'000U); }, "a full load");
        spawn_ok(*pool, forever(nullptr));
        pool->stop();
        enough = true;
        pool->join();
        done = true;
        for (auto& reader : readers) reader.join();
        BOOST_TEST(wrong == 0U);
        auto const now = pool->metrics();
        BOOST_TEST(now.tasks_spawned == now.tasks_done);
        BOOST_TEST(now.inject_queue_empty);
    });
}

BOOST_AUTO_TEST_SUITE_END()
