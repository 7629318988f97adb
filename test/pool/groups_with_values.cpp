// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// with_group_of: the values of a group's tasks, as they come.

#include <support/pool_kit.hpp>
#include <support/scale.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <rouse.hpp>
#include <stdexcept>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_groups_with_values)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::on_error;
using rouse::paused_clock;
using rouse::spawn;
using rouse::task;
using rouse::task_group_of;
using rouse::with_group_of;

namespace {

task<int> after(std::chrono::seconds d, int n) {
    co_await rouse::sleep_for(d);
    if (n < 0) throw std::runtime_error("negative");
    co_return n;
}

// On a pool with one worker and in block_on, under a clock that jumps; the order is then certain.
template <class Function>
void everywhere(Function function) {
    {
        paused_clock clock;
        function([&](auto f) { return block_on(std::move(f), clock); });
    }
    in_both_modes({1}, [&](mode m, unsigned) {
        paused_clock clock;
        pool_home pool(m, rouse::thread_pool::builder().workers(1).clock(clock));
        function([&](auto f) { return block_on(spawn(*pool, std::move(f))); });
    });
}

struct counted_value {
    explicit counted_value(std::atomic<long>& n) : live(&n) { ++n; }
    counted_value(counted_value const& o) : live(o.live) { ++*live; }
    counted_value& operator=(counted_value const&) = default;
    ~counted_value() { --*live; }
    std::atomic<long>* live;
};

}  // namespace

BOOST_AUTO_TEST_CASE(values_come_in_the_order_in_which_the_tasks_finish) {
    everywhere([](auto run) {
        auto const seen = run(with_group_of<int>([](task_group_of<int>& g) -> task<std::vector<int>> {
            g.spawn(after(3s, 3));
            g.spawn(after(1s, 1));
            g.spawn(after(2s, 2));
            std::vector<int> values;
            while (auto v = co_await g.next()) {
                values.push_back(*v);
                if (*v == 1) g.spawn(after(5s, 6));  // one more, and it is waited for as well
            }
            co_return values;
        }));
        BOOST_TEST((seen == std::vector<int>{1, 2, 3, 6}));
    });
}

BOOST_AUTO_TEST_CASE(a_group_without_tasks_has_no_values) {
    everywhere([](auto run) {
        BOOST_TEST(run(with_group_of<int>([](task_group_of<int>& g) -> task<bool> {
            auto const value = co_await g.next();
            co_return value.has_value();
        })) == false);
    });
}

BOOST_AUTO_TEST_CASE(a_limit_holds_while_values_are_taken) {
    everywhere([](auto run) {
        auto const sum = run(with_group_of<int>([](task_group_of<int>& g) -> task<int> {
            g.limit(2);
            for (int n = 1; n <= 10; ++n) g.spawn(after(1s, n));
            int total = 0;
            while (auto v = co_await g.next()) total += *v;
            co_return total;
        }));
        BOOST_TEST(sum == 55);
    });
}

BOOST_AUTO_TEST_CASE(the_first_error_aborts_the_group_and_whoever_waits_for_a_value) {
    everywhere([](auto run) {
        BOOST_CHECK_THROW(run(with_group_of<int>([](task_group_of<int>& g) -> task<> {
                              g.spawn(after(1s, -1));
                              g.spawn(after(1h, 1));
                              while (co_await g.next()) {
                              }
                          })),
                          std::runtime_error);
    });
}

BOOST_AUTO_TEST_CASE(with_errors_collected_the_values_of_the_others_come) {
    everywhere([](auto run) {
        int taken = 0;
        BOOST_CHECK_THROW(
            run(with_group_of<int>(on_error::collect,
                                   [&taken](task_group_of<int>& g) -> task<> {
                                       for (int const n : {1, -1, 2, -2, 3}) g.spawn(after(1s, n));
                                       while (co_await g.next()) ++taken;
                                   })),
            rouse::group_error);
        BOOST_TEST(taken == 3);
    });
}

BOOST_AUTO_TEST_CASE(b94_a_select_that_it_loses_loses_no_value) {
    everywhere([](auto run) {
        auto const sum = run(with_group_of<int>([](task_group_of<int>& g) -> task<int> {
            for (int n = 1; n <= 3; ++n) g.spawn(after(std::chrono::seconds(2 * n), n));
            int total = 0;
            for (int n = 0; n < 3; ++n) {
                auto const first = co_await rouse::select_biased(rouse::sleep_for(500ms), g.next());
                if (first.index() == 1) total += 100;
            }
            while (auto v = co_await g.next()) total += *v;
            co_return total;
        }));
        BOOST_TEST(sum == 6);
    });
}

BOOST_AUTO_TEST_CASE(values_that_nobody_takes_are_destroyed) {
    everywhere([](auto run) {
        std::atomic<long> live{0};
        run(with_group_of<counted_value>([&live](task_group_of<counted_value>& g) -> task<> {
            for (int n = 0; n < 5; ++n)
                g.spawn([](std::atomic<long>& l) -> task<counted_value> {
                    co_return counted_value(l);
                }(live));
            co_await g.next();
        }));
        BOOST_TEST(live.load() == 0);
    });
}

BOOST_AUTO_TEST_CASE(values_that_only_move) {
    everywhere([](auto run) {
        using pointer = std::unique_ptr<int>;
        BOOST_TEST(run(with_group_of<pointer>([](task_group_of<pointer>& g) -> task<int> {
            g.spawn(rouse::ready_future<pointer>(std::make_unique<int>(7)));
            auto v = co_await g.next();
            co_return **v;
        })) == 7);
    });
}

// Nobody is told that the tasks have ended because another took the value that he was woken for.
BOOST_AUTO_TEST_CASE(b94_several_wait_and_each_value_goes_to_one_of_them) {
    in_both_modes({2, 4}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        int const count = scaled(20'000);
        std::atomic<long> sum{0};
        std::atomic<int> left_too_early{0};
        block_on(spawn(*pool, with_group_of<int>([&](task_group_of<int>& g) -> task<> {
            g.spawn([](int n, task_group_of<int>& to) -> task<int> {
                for (int k = 1; k < n; ++k) {
                    co_await to.has_room();
                    to.spawn(rouse::ready_future<int>(k));
                }
                co_return n;
            }(count, g));
            g.limit(8);
            co_await rouse::with_group([&](rouse::task_group& consumers) -> task<> {
                for (int n = 0; n < 4; ++n) {
                    consumers.spawn([](auto& from, auto& to, auto& early) -> task<> {
                        while (auto v = co_await from.next()) to += *v;
                        early += from.size() != 0;
                    }(g, sum, left_too_early));
                }
                co_return;
            });
        })));
        BOOST_TEST(left_too_early == 0);
        BOOST_TEST(sum == static_cast<long>(count) * (count + 1) / 2);
    });
}

BOOST_AUTO_TEST_CASE(on_many_workers_every_value_comes_once) {
    in_both_modes({2, 4}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        int const count = scaled(20'000);
        auto const all = block_on(spawn(
            *pool, with_group_of<int>([count](task_group_of<int>& g) -> task<std::vector<int>> {
                g.limit(64);
                std::vector<int> values;
                for (int n = 0; n < count; ++n) {
                    co_await g.has_room();
                    g.spawn([](int k) -> task<int> {
                        co_await rouse::this_task::yield_now();
                        co_return k;
                    }(n));
                }
                while (auto v = co_await g.next()) values.push_back(*v);
                co_return values;
            })));
        auto sorted = all;
        std::sort(sorted.begin(), sorted.end());
        BOOST_TEST(sorted.size() == static_cast<std::size_t>(count));
        bool each = true;
        for (int n = 0; n < count; ++n) each = each && sorted[static_cast<std::size_t>(n)] == n;
        BOOST_TEST(each);
    });
}

BOOST_AUTO_TEST_SUITE_END()
