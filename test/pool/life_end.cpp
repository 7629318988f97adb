// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The end of a pool: its destructor, whatever its tasks are doing and other threads do to them, and
// what outlives it. With the event loop of the application it is in life_end_event_loop.cpp, and
// for a pool in another one's worker in pools_among_pools.cpp.

#include <support/pool_end.hpp>

#include <algorithm>
#include <atomic>
#include <boost/asio/defer.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <rouse.hpp>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_life_end)

using namespace rouse_test;
using rouse::block_on;
using rouse::join_handle;
using rouse::spawn;
using rouse::spawn_ok;
using rouse::task;

namespace {

task<> nothing() { co_return; }

}  // namespace

BOOST_AUTO_TEST_CASE(b55_destroyed_with_tasks_queued_running_and_parked) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        auto const kept = std::make_shared<int>(0);
        std::optional<pool_home> pool(std::in_place, m, workers);
        event never;
        std::vector<join_handle<void>> handles;
        std::mutex mutex;
        std::vector<std::thread::id> died_in;
        std::vector<std::thread::id> worker_threads;
        countdown parked(20);
        // Parked ones, in the middle of their body.
        for (int n = 0; n < 20; ++n) {
            handles.push_back(spawn(**pool, [&, kept]() -> task<> {
                finally const last([&] {
                    std::lock_guard guard(mutex);
                    died_in.push_back(std::this_thread::get_id());
                });
                event mine;
                parked.down();
                co_await mine.happened();
            }));
            spawn_ok(**pool, waits_for(never, kept));
        }
        parked.wait();
        // Running ones: each worker is held.
        door release;
        countdown running(workers);
        for (unsigned n = 0; n < workers; ++n) {
            handles.push_back(spawn(**pool, [&, kept]() -> task<> {
                {
                    std::lock_guard guard(mutex);
                    worker_threads.push_back(std::this_thread::get_id());
                }
                running.down();
                release.wait();
                co_await rouse::this_task::yield_now();
            }));
        }
        running.wait();
        // Queued ones.
        std::atomic<int> ran{0};
        for (int n = 0; n < 300; ++n) {
            handles.push_back(spawn(**pool, [&, kept]() -> task<> {
                ++ran;
                co_return;
            }));
            asio::post(**pool, [&, kept] { ++ran; });
        }
        auto const ex = (*pool)->get_executor();
        std::thread destroying([&] { pool.reset(); });
        wait_until([&] { return spawn(ex, nothing()).is_finished(); }, "a refusal");
        release.open();
        for (auto& handle : handles) BOOST_TEST(is_aborted(std::move(handle)));
        destroying.join();
        BOOST_TEST(kept.use_count() == 1);
        BOOST_TEST(ran == 0);
        BOOST_TEST(died_in.size() == 20U);
        for (auto id : died_in) {  // on workers
            BOOST_TEST((std::find(worker_threads.begin(), worker_threads.end(), id) !=
                        worker_threads.end()));
        }
    });
}

BOOST_AUTO_TEST_CASE(b58_tasks_that_wait_for_each_other) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        auto const kept = std::make_shared<int>(0);
        // Each waits, by its handle, for the one that was spawned before it.
        join_handle<void> last = spawn(*pool, waits_for(event(), kept));
        for (int n = 0; n < 200; ++n) {
            last = spawn(*pool, [before = std::move(last), kept]() mutable -> task<> {
                try {
                    co_await std::move(before);
                } catch (boost::system::system_error const&) {
                    throw;
                }
            });
        }
        // And two for each other.
        struct two {
            event first, second;
        };
        auto const pair = std::make_shared<two>();
        spawn_ok(*pool, [pair, kept]() -> task<> {
            finally const bye([&] { pair->second.set(); });
            co_await pair->first.happened();
        });
        auto other = spawn(*pool, [pair, kept]() -> task<> {
            finally const bye([&] { pair->first.set(); });
            co_await pair->second.happened();
        });
        wait_until([&] { return pool->metrics().tasks_spawned == 203; }, "the spawns");
        pool.destroy_pool();
        BOOST_TEST(is_aborted(std::move(last)));
        BOOST_TEST(is_aborted(std::move(other)));
        BOOST_TEST(kept.use_count() == 1);
    });
}

BOOST_AUTO_TEST_CASE(b17_b59_destructors_of_tasks_spawn_post_wake_and_abort) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        auto const kept = std::make_shared<int>(0);
        auto const ex = pool->get_executor();
        std::mutex users;  // a lock of the user's, which nobody holds while destructors run
        std::mutex mutex;
        std::vector<join_handle<void>> late;
        std::atomic<int> ran{0};
        std::vector<event> events(50);
        std::vector<join_handle<void>> handles;
        for (std::size_t n = 0; n < events.size(); ++n) {
            handles.push_back(spawn(*pool, [&, n, kept]() -> task<> {
                finally const last([&] {
                    std::lock_guard user(users);
                    auto handle = spawn(ex, [&, kept]() -> task<> {
                        ++ran;
                        co_return;
                    });
                    asio::post(ex, [&, kept] { ++ran; });
                    asio::defer(ex, [&, kept] { ++ran; });
                    events[(n + 1) % events.size()].set();
                    std::lock_guard guard(mutex);
                    late.push_back(std::move(handle));
                });
                co_await events[n].happened();
            }));
        }
        wait_until(
            [&] {
                return std::all_of(events.begin(), events.end(),
                                   [](event& e) { return e.polls() != 0; });
            },
            "all first polls");
        for (std::size_t n = 0; n < handles.size(); n += 7) {
            handles[n].abort();
        }
        pool.destroy_pool();
        BOOST_TEST(late.size() == events.size());
        for (auto& handle : handles) {
            try {
                block_on(std::move(handle));
            } catch (boost::system::system_error const&) {
            }
        }
        for (auto& handle : late) {
            try {
                block_on(std::move(handle));
            } catch (boost::system::system_error const&) {
            }
        }
        BOOST_TEST(kept.use_count() == 1);
    });
}

BOOST_AUTO_TEST_CASE(b06_wakers_and_handles_outlive_the_pool) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        std::vector<event> events(20);
        std::vector<rouse::waker> wakers;
        std::vector<join_handle<int>> values;
        std::vector<join_handle<void>> aborted;
        auto const kept = std::make_shared<int>(0);
        {
            pool_home pool(m, workers);
            for (auto const& e : events) aborted.push_back(spawn(*pool, waits_for(e, kept)));
            for (int n = 0; n < 20; ++n)
                values.push_back(spawn(*pool, [n]() -> task<int> { co_return n; }));
            for (auto const& e : events) {
                wait_until([&] { return e.polls() != 0; }, "a first poll");
                wakers.push_back(e.waker());
                wakers.push_back(wakers.back());
            }
            wait_until(
                [&] {
                    return std::all_of(values.begin(), values.end(),
                                       [](auto& h) { return h.is_finished(); });
                },
                "all values");
        }
        BOOST_TEST(kept.use_count() == 1);
        for (auto const& e : events) e.set();
        for (std::size_t n = 0; n < wakers.size(); ++n) {
            wakers[n].wake_by_ref();
            if (n % 2) std::move(wakers[n]).wake();
        }
        int n = 0;
        for (auto& handle : values) {
            handle.abort();
            BOOST_TEST(block_on(std::move(handle)) == n++);
        }
        for (auto& handle : aborted) {
            handle.abort();
            BOOST_TEST(handle.is_finished());
            BOOST_TEST(is_aborted(std::move(handle)));
        }
    });
}

// The thread that wakes the last task, or posts the last function, may still be inside of that call
// when the pool has ended and is destroyed.
BOOST_AUTO_TEST_CASE(b06_b60_the_pool_dies_while_the_wake_that_ended_its_last_task_returns) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        unsigned const rounds = scaled(sanitized ? 5000U : 10'000U);
        std::atomic<unsigned> turn{0};
        event current;
        std::atomic<unsigned> wrong{0};
        std::thread waking([&] {
            for (unsigned round = 1; round <= rounds; ++round) {
                wait_until([&] { return turn == round; }, "a turn");
                current.set();
                turn = 0;
            }
        });
        for (unsigned round = 1; round <= rounds; ++round) {
            current = event();
            pool_home pool(m, workers);
            auto handle = spawn(*pool, [e = current]() -> task<int> {
                co_await e.happened();
                co_return 7;
            });
            turn = round;
            if (block_on(std::move(handle)) != 7) ++wrong;
            pool.destroy_pool();
            while (turn != 0) std::this_thread::yield();
        }
        waking.join();
        BOOST_TEST(wrong == 0U);
    });
}

BOOST_AUTO_TEST_CASE(b57_b59_foreign_threads_spawn_and_wake_while_the_pool_is_stopped) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        unsigned const rounds = scaled(sanitized ? 1000U : 10'000U);
        for (unsigned round = 0; round < rounds; ++round) {
            auto const kept = std::make_shared<int>(0);
            std::atomic<unsigned> undecided{0};
            {
                pool_home pool(m, workers);
                std::vector<event> events(4);
                std::vector<join_handle<void>> parked;
                for (auto const& e : events) parked.push_back(spawn(*pool, waits_for(e, kept)));
                run_threads(4, [&](unsigned who) {
                    stress_random random(4 * round + who);
                    random.delay();
                    if (who == 3) {
                        random.delay();
                        pool->stop();
                        return;
                    }
                    for (int n = 0; n < 4; ++n) {
                        switch (who) {
                            case 0: {
                                auto handle = spawn(*pool, [kept]() -> task<> { co_return; });
                                try {
                                    block_on(std::move(handle));
                                } catch (boost::system::system_error const& e) {
                                    if (e.code() != rouse::errc::aborted) ++undecided;
                                }
                                break;
                            }
                            case 1: events[static_cast<unsigned>(n)].set(); break;
                            default: asio::post(*pool, [kept] {}); break;
                        }
                    }
                });
                if (round % 2) pool->join();
            }
            BOOST_REQUIRE(undecided == 0U);
            BOOST_REQUIRE(kept.use_count() == 1);
        }
    });
}

BOOST_AUTO_TEST_CASE(b57_b59_foreign_threads_wake_while_the_pool_is_destroyed) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        unsigned const rounds = scaled(sanitized ? 1000U : 10'000U);
        for (unsigned round = 0; round < rounds; ++round) {
            auto const kept = std::make_shared<int>(0);
            pool_home pool(m, workers);
            std::vector<event> events(8);
            std::vector<join_handle<void>> handles;
            for (auto const& e : events) handles.push_back(spawn(*pool, waits_for(e, kept)));
            run_threads(3, [&](unsigned who) {
                stress_random random(3 * round + who);
                random.delay();
                if (who == 0) {
                    random.delay();
                    pool.destroy_pool();
                } else {
                    for (std::size_t n = who - 1; n < events.size(); n += 2) {
                        events[n].set();
                        if (n % 4 == 0) handles[n].abort();
                    }
                }
            });
            for (auto& handle : handles) {
                try {
                    block_on(std::move(handle));
                } catch (boost::system::system_error const&) {
                }
            }
            BOOST_REQUIRE(kept.use_count() == 1);
        }
    });
}

BOOST_AUTO_TEST_SUITE_END()
