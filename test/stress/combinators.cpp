// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Combinators on a pool, whose children are woken by foreign threads while their tasks are polled,
// moved to other workers, and aborted.

#include <support/pool_kit.hpp>
#include <support/scale.hpp>

#include <array>
#include <atomic>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <deque>
#include <rouse.hpp>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_combinators)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::join_handle;
using rouse::spawn;
using rouse::task;

namespace {

constexpr unsigned setters = 2;

// Sets events, in an order of its own for each thread.
void set_all(std::deque<event> const& events, stress_random& random, unsigned who) {
    std::vector<std::size_t> order;
    for (std::size_t n = who; n < events.size(); n += setters) order.push_back(n);
    for (std::size_t n = order.size(); n > 1; --n)
        std::swap(order[n - 1], order[random.below(static_cast<unsigned>(n))]);
    for (std::size_t const n : order) {
        if (random.below(4) == 0) random.delay();
        events[n].set();
    }
}

task<int> numbered(event e, int n) {
    co_await e.happened();
    co_return n;
}

// The task's value, or -1 if it was aborted.
int value_of(join_handle<int> handle) {
    try {
        return block_on(std::move(handle));
    } catch (boost::system::system_error const& e) {
        return e.code() == rouse::errc::aborted ? -1 : -2;
    }
}

}  // namespace

// Each wake reaches its child, in fixed joins, in ranges and in sets.
BOOST_AUTO_TEST_CASE(no_wake_of_a_child_is_lost) {
    in_both_modes({1, 2, 4}, [](mode m, unsigned workers) {
        unsigned const rounds = scaled(sanitized ? 2000U : 10'000U);
        constexpr int width = 12;
        pool_home pool(m, workers);
        unsigned wrong = 0;
        for (unsigned round = 0; round < rounds; ++round) {
            std::deque<event> events(3 * width);
            auto const at = [&](int n) { return events[static_cast<std::size_t>(n)]; };
            auto fixed = spawn(*pool, [&]() -> task<int> {
                auto const [a, b, c, d] = co_await rouse::join(
                    rouse::join(numbered(at(0), 0), numbered(at(1), 1), numbered(at(2), 2)),
                    rouse::join(numbered(at(3), 3), numbered(at(4), 4), numbered(at(5), 5)),
                    rouse::join(numbered(at(6), 6), numbered(at(7), 7), numbered(at(8), 8)),
                    rouse::join(numbered(at(9), 9), numbered(at(10), 10), numbered(at(11), 11)));
                co_return std::get<2>(a) + std::get<2>(b) + std::get<2>(c) + std::get<2>(d);
            });
            auto range = spawn(*pool, [&]() -> task<int> {
                std::vector<task<int>> all;
                for (int n = 0; n < width; ++n) all.push_back(numbered(at(width + n), n));
                int sum = 0;
                for (int const v : co_await rouse::join_all(std::move(all))) sum += v;
                co_return sum;
            });
            auto set = spawn(*pool, [&]() -> task<int> {
                rouse::futures_unordered<task<int>> all;
                for (int n = 0; n < width; ++n) all.push(numbered(at(2 * width + n), n));
                int sum = 0;
                while (auto v = co_await all.next()) sum += *v;
                co_return sum;
            });
            run_threads(setters, [&](unsigned who) {
                stress_random random(2 * round + who);
                set_all(events, random, who);
            });
            wrong += value_of(std::move(fixed)) != 2 + 5 + 8 + 11;
            wrong += value_of(std::move(range)) != width * (width - 1) / 2;
            wrong += value_of(std::move(set)) != width * (width - 1) / 2;
        }
        BOOST_TEST(wrong == 0U);
    });
}

// Events, limits of time and aborts race; each task has one end, and nothing is left.
BOOST_AUTO_TEST_CASE(selects_races_and_time_limits_under_aborts) {
    in_both_modes({1, 2, 4}, [](mode m, unsigned workers) {
        unsigned const rounds = scaled(sanitized ? 2000U : 10'000U);
        pool_home pool(m, workers);
        std::atomic<long> alive{0};
        unsigned ended = 0;
        unsigned wrong = 0;
        for (unsigned round = 0; round < rounds; ++round) {
            std::deque<event> events(8);
            std::vector<join_handle<int>> all;
            for (int n = 0; n < 4; ++n) {
                auto const first = events[static_cast<std::size_t>(2 * n)];
                auto const second = events[static_cast<std::size_t>(2 * n + 1)];
                all.push_back(spawn(*pool, [&alive, first, second, n]() -> task<int> {
                    counted const lives(alive);
                    auto const limit = std::chrono::microseconds(50 * n);
                    for (int turn = 0; turn < 3; ++turn) {
                        auto const one = co_await rouse::select(
                            numbered(first, 1), rouse::sleep_for(limit), numbered(second, 2));
                        if (one.index() != 1) co_return static_cast<int>(one.index());
                    }
                    auto const won =
                        co_await rouse::race(numbered(first, 1), numbered(second, 2));
                    co_return won.index() == 0 ? 0 : 2;
                }));
            }
            run_threads(3, [&](unsigned who) {
                stress_random random(3 * round + who);
                if (who < setters) {
                    set_all(events, random, who);
                } else {
                    for (auto const& handle : all) {
                        random.delay();
                        if (random.below(3) == 0) handle.abort();
                    }
                }
            });
            for (auto& handle : all) {
                int const value = value_of(std::move(handle));
                wrong += value != 0 && value != 2 && value != -1;
                ++ended;
            }
        }
        pool->join();
        BOOST_TEST(wrong == 0U);
        BOOST_TEST(alive == 0);
        BOOST_TEST(ended == 4 * rounds);
    });
}

// Many tasks wait for one future, which is polled by whichever of them is there; some are aborted.
BOOST_AUTO_TEST_CASE(a_shared_future_under_aborts) {
    in_both_modes({2, 4}, [](mode m, unsigned workers) {
        unsigned const rounds = scaled(sanitized ? 2000U : 10'000U);
        pool_home pool(m, workers);
        unsigned wrong = 0;
        unsigned values = 0;
        for (unsigned round = 0; round < rounds; ++round) {
            std::deque<event> events(4);
            std::atomic<unsigned> runs{0};
            auto const future = rouse::shared([](std::deque<event> const& wait,
                                                 std::atomic<unsigned>& count) -> task<int> {
                ++count;
                for (auto const& e : wait) {
                    co_await e.happened();
                    co_await rouse::this_task::yield_now();
                }
                co_return 7;
            }(events, runs));
            std::vector<join_handle<int>> all;
            for (int n = 0; n < 6; ++n) {
                all.push_back(spawn(*pool, [mine = future]() mutable -> task<int> {
                    co_return co_await std::move(mine);
                }));
            }
            run_threads(3, [&](unsigned who) {
                stress_random random(3 * round + who);
                if (who < setters) {
                    set_all(events, random, who);
                } else {
                    for (auto const& handle : all) {
                        random.delay();
                        if (random.below(2)) handle.abort();
                    }
                }
            });
            for (auto& handle : all) {
                int const value = value_of(std::move(handle));
                wrong += value != 7 && value != -1;
                values += value == 7;
            }
            wrong += runs > 1;
        }
        BOOST_TEST(wrong == 0U);
        BOOST_TEST(values > 0U);
    });
}

// All who wait are cancelled at the same time, by other threads. The last of them passes that on, whoever it is, so that
// the future ends in order; it is never dropped.
BOOST_AUTO_TEST_CASE(a_shared_future_whose_copies_are_all_cancelled) {
    in_both_modes({2, 4}, [](mode m, unsigned workers) {
        unsigned const rounds = scaled(sanitized ? 2000U : 10'000U);
        pool_home pool(m, workers);
        unsigned wrong = 0;
        std::atomic<unsigned> begun{0};
        std::atomic<unsigned> cleaned{0};
        for (unsigned round = 0; round < rounds; ++round) {
            rouse::cancellation_source sources[setters];
            std::vector<join_handle<int>> all;
            {
                auto future = rouse::shared([](std::atomic<unsigned>& in, std::atomic<unsigned>& out) -> task<int> {
                    ++in;
                    try {
                        co_await rouse::sleep_for(1h);
                    } catch (boost::system::system_error const&) {
                    }
                    co_await rouse::shielded(rouse::this_task::yield_now());
                    ++out;
                    throw boost::system::system_error(boost::asio::error::operation_aborted);
                }(begun, cleaned));
                for (unsigned n = 0; n < 2 * setters; ++n) {
                    all.push_back(spawn(
                        *pool, rouse::with_cancellation(rouse::shared_future(future), sources[n % setters].token())));
                }
            }
            run_threads(setters, [&](unsigned who) {
                stress_random random(setters * round + who);
                random.delay();
                sources[who].cancel();
            });
            for (auto& handle : all) {
                try {
                    block_on(std::move(handle));
                    ++wrong;
                } catch (boost::system::system_error const& e) {
                    wrong += e.code() != boost::asio::error::operation_aborted;
                }
            }
            wrong += begun != cleaned;
        }
        BOOST_TEST(wrong == 0U);
        BOOST_TEST(begun > 0U);
    });
}

BOOST_AUTO_TEST_SUITE_END()
