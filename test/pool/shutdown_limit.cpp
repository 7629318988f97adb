// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// shutdown() with a time limit, and tasks that do not let go (behaviour 62).

#include <support/pool_end.hpp>
#include <support/pool_kit.hpp>

#include <algorithm>
#include <array>
#include <boost/asio/steady_timer.hpp>
#include <cstring>
#include <rouse.hpp>
#include <source_location>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_shutdown_limit)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::spawn;
using rouse::task;
using rouse::task_info;
using std::chrono::steady_clock;

namespace {

bool is_of_this_file(std::source_location const& where) {
    return std::strstr(where.file_name(), "shutdown_limit.cpp") != nullptr;
}

// "In time" on a machine that has other things to do.
constexpr auto grace = 20s;

}  // namespace

BOOST_AUTO_TEST_CASE(b62_shutdown_returns_in_time_and_names_the_tasks_that_are_left) {
    for (auto const limit :
         {steady_clock::duration(-1s), steady_clock::duration(0), steady_clock::duration(50ms)}) {
        in_both_modes({1, 2, 8}, [limit](mode m, unsigned workers) {
            std::atomic<int> polled{0};
            std::atomic<int> dead{0};
            std::atomic<int> let_go{0};
            unsigned line_of_spawn = 0;
            std::atomic<unsigned> line_of_await{0};
            std::vector<rouse::join_handle<void>> handles;
            {
                pool_home pool(m, workers);
                auto const waits = [&]() -> task<> {
                    line_of_await = __LINE__ + 1;
                    co_await stubborn(polled, dead);
                };
                auto const lets_go = [&]() -> task<> {
                    struct count {
                        ~count() { ++*of; }
                        std::atomic<int>* of;
                    } const counts{&let_go};
                    asio::steady_timer timer(*pool, 24h);
                    ++polled;
                    co_await timer.async_wait(rouse::use_poll);
                };
                for (int n = 0; n < 3; ++n) {
                    line_of_spawn = __LINE__ + 1;
                    handles.push_back(spawn(*pool, waits()));
                    handles.push_back(spawn(*pool, lets_go()));
                }
                wait_until([&] { return polled == 6; }, "all tasks wait");

                auto const begin = steady_clock::now();
                auto const left = pool->shutdown(limit);
                auto const took = steady_clock::now() - begin;
                BOOST_TEST((took >= limit));
                BOOST_TEST((took < std::max(limit, steady_clock::duration(0)) + grace));

                // All that have not let go are named by their places, once each. With no time at
                // all the others may be among them.
                std::vector<std::uint64_t> ids;
                unsigned stubborn_ones = 0;
                for (task_info const& info : left) {
                    ids.push_back(info.id);
                    BOOST_TEST(is_of_this_file(info.spawned_at));
                    if (info.spawned_at.line() != line_of_spawn) continue;
                    ++stubborn_ones;
                    BOOST_TEST(is_of_this_file(info.awaiting));
                    BOOST_TEST(info.awaiting.line() == line_of_await);
                }
                BOOST_TEST(stubborn_ones == 3U);
                std::sort(ids.begin(), ids.end());
                BOOST_TEST((std::adjacent_find(ids.begin(), ids.end()) == ids.end()));
                BOOST_TEST(dead == 0);

                wait_until([&] { return let_go == 3; }, "those that let go");
                // By now only the stubborn ones are left, which a second call says too.
                wait_until([&] { return pool->metrics().tasks_done == 3; }, "three ends");
                BOOST_TEST(pool->shutdown(1ms).size() == 3U);
            }
            BOOST_TEST(dead == 3);  // the destructor waits no longer
            for (auto& handle : handles) {
                BOOST_CHECK_EXCEPTION(block_on(std::move(handle)), boost::system::system_error,
                                      says_aborted);
            }
        });
    }
}

// A task that is in the middle of a poll is named as well; the destructor waits for that poll.
BOOST_AUTO_TEST_CASE(b62_shutdown_does_not_wait_for_a_poll_that_takes_long) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        door begun;
        door over;
        std::atomic<bool> ended{false};
        std::optional<rouse::join_handle<void>> handle;
        std::thread opener;
        {
            pool_home pool(m, workers);
            handle.emplace(spawn(*pool, [&]() -> task<> {
                begun.open();
                over.wait();
                ended = true;
                co_return;
            }));
            begun.wait();
            auto const left = pool->shutdown(20ms);
            BOOST_TEST_REQUIRE(left.size() == 1U);
            BOOST_TEST(is_of_this_file(left[0].spawned_at));
            BOOST_TEST(!ended);
            opener = std::thread([&] {
                std::this_thread::sleep_for(20ms);  // the destructor has begun, most likely
                over.open();
            });
        }
        BOOST_TEST(ended);
        opener.join();
        block_on(std::move(*handle));  // it has completed, and was not cut off
    });
}

BOOST_AUTO_TEST_CASE(b62_a_limit_that_is_not_reached_costs_nothing) {
    auto const with_limit = [](auto limit) {
        in_both_modes({1, 2, 8}, [limit](mode m, unsigned workers) {
            pool_home pool(m, workers);
            std::atomic<int> waiting{0};
            std::vector<rouse::join_handle<void>> handles;
            for (int n = 0; n < 10; ++n) {
                handles.push_back(spawn(*pool, [&]() -> task<> {
                    asio::steady_timer timer(*pool, 24h);
                    ++waiting;
                    co_await timer.async_wait(rouse::use_poll);
                }));
            }
            wait_until([&] { return waiting == 10; }, "tasks that wait");
            auto const begin = steady_clock::now();
            BOOST_TEST(pool->shutdown(limit).empty());
            BOOST_TEST((steady_clock::now() - begin < grace));
            for (auto& handle : handles) {
                BOOST_CHECK_EXCEPTION(block_on(std::move(handle)), boost::system::system_error,
                                      says_aborted);
            }
            BOOST_TEST(pool->shutdown(limit).empty());  // nothing is left to do
        });
    };
    with_limit(1h);
    with_limit(steady_clock::duration::max());
    with_limit(std::chrono::hours::max());
    with_limit(std::chrono::duration<double>(1e300));
}

BOOST_AUTO_TEST_SUITE_END()
