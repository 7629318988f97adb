// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Nobody is kept from running: not what waits behind a stuck worker, and not timers, sockets and
// other tasks beside tasks that never stop. The bounds in time are in plain/pool_time.cpp.

#include <support/asio_loopback.hpp>
#include <support/pool_stuck.hpp>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <rouse.hpp>

BOOST_AUTO_TEST_SUITE(test_fairness)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::spawn;
using rouse::spawn_ok;
using rouse::task;
using rouse::thread_pool;

namespace {

void check_stuck(behind where) {
    in_both_modes({2, 8}, [&](mode m, unsigned workers) {
        for (bool const busy : {false, true}) {
            pool_home pool(m, workers);
            stuck_worker stuck(*pool, where, busy);
            BOOST_TEST(stuck.run(20).size() == 20U);
        }
    });
}

}  // namespace

BOOST_AUTO_TEST_CASE(b47_a_task_in_the_lifo_slot_of_a_stuck_worker_runs_elsewhere) {
    check_stuck(behind::lifo);
}
BOOST_AUTO_TEST_CASE(b47_a_function_in_the_queue_of_a_stuck_worker_runs_elsewhere) {
    check_stuck(behind::queue);
}
BOOST_AUTO_TEST_CASE(b47_a_task_that_gave_up_its_turn_to_a_stuck_worker_runs_elsewhere) {
    check_stuck(behind::yielded);
}
BOOST_AUTO_TEST_CASE(b73_the_event_loop_of_a_stuck_worker_is_run_by_another) {
    check_stuck(behind::event_loop);
}
BOOST_AUTO_TEST_CASE(b47_b73_what_a_stuck_handler_has_spawned_runs_elsewhere) {
    check_stuck(behind::own_handler);
}

// All workers but one are stuck, and many things wait.
BOOST_AUTO_TEST_CASE(b47_one_free_worker_does_everything) {
    in_both_modes({2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        door release;
        countdown stuck(workers - 1);
        countdown done(300 * (workers - 1));
        for (unsigned n = 1; n < workers; ++n) {
            spawn_ok(*pool, [&]() -> task<> {
                for (int i = 0; i < 300; ++i) {  // more than a queue takes
                    rouse::this_task::spawn_ok([&]() -> task<> {
                        co_await rouse::this_task::yield_now();
                        done.down();
                    });
                }
                stuck.down();
                release.wait();
                co_return;
            });
        }
        stuck.wait();
        done.wait("what stuck workers had in their queues");
        release.open();
        pool->join();
        BOOST_TEST(pool->metrics().tasks_done == 301 * (workers - 1));
    });
}

BOOST_AUTO_TEST_CASE(b45_many_tasks_at_once_use_all_workers) {
    in_both_modes({2, 4}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        for (unsigned round = 0; round < scaled(1000U); ++round) {
            // They meet: each needs a worker of its own.
            countdown here(workers);
            countdown gone(workers);
            asio::post(*pool, [&] {
                for (unsigned n = 0; n < workers; ++n) {
                    asio::post(*pool, [&] {
                        here.down();
                        here.wait("all workers at work");
                        gone.down();
                    });
                }
            });
            gone.wait();
        }
        BOOST_TEST(pool->metrics().inject_queue_empty);
    });
}

// ---- tasks that never stop -----------------------------------------------------------------------

namespace {

struct hogs {
    std::atomic<bool> stop{false};
    std::atomic<unsigned> turns{0};
};

task<> yields(hogs& h) {
    while (!h.stop) {
        ++h.turns;
        co_await rouse::this_task::yield_now();
    }
}

// Wakes itself, and is pending.
auto wakes_itself(hogs& h) {
    return rouse::poll_fn([&h](rouse::context& cx) -> rouse::poll_result<void> {
        ++h.turns;
        if (h.stop) return rouse::ready();
        cx.waker().wake_by_ref();
        return rouse::pending;
    });
}

// Its end is the spawn of the next one.
task<> spawns_for_ever(hogs& h) {
    ++h.turns;
    if (!h.stop) rouse::this_task::spawn_ok(spawns_for_ever(h));
    co_return;
}

// The same with functions.
void posts_for_ever(thread_pool& pool, hogs& h) {
    ++h.turns;
    if (!h.stop) asio::post(pool, [&] { posts_for_ever(pool, h); });
}

// Two that wake each other.
struct ball {
    std::mutex mutex{};
    rouse::waker waiting[2]{};
    int at = 0;
};
auto plays(hogs& h, std::shared_ptr<ball> b, int me) {
    return rouse::poll_fn([&h, b, me](rouse::context& cx) -> rouse::poll_result<void> {
        ++h.turns;
        rouse::waker other;
        {
            std::lock_guard guard(b->mutex);
            b->waiting[me] = cx.waker();
            if (b->at == me || h.stop) {
                b->at = 1 - me;
                other = std::move(b->waiting[1 - me]);
            }
        }
        std::move(other).wake();
        if (h.stop) return rouse::ready();
        return rouse::pending;
    });
}

// Everything else works while the hogs run.
void check_beside(std::function<void(thread_pool&, hogs&, unsigned)> start) {
    in_both_modes({1, 2}, [&](mode m, unsigned workers) {
        for (unsigned const interval : {1U, 61U}) {
            hogs h;
            pool_home pool(m, thread_pool::builder().workers(workers).event_interval(interval));
            tcp_pair sockets(pool->get_executor());
            start(*pool, h, workers);
            wait_until([&] { return h.turns > 100; }, "hogs");

            asio::steady_timer timer(*pool);
            auto ticks = spawn(*pool, [&]() -> task<> {  // b50: spawned from another thread
                for (int n = 0; n < 10; ++n) {
                    timer.expires_after(1ms);
                    co_await timer.async_wait(rouse::use_poll);
                }
            });
            auto echo = spawn(*pool, [&]() -> task<> {
                char c = 0;
                for (int n = 0; n < 20; ++n) {
                    co_await asio::async_read(sockets.there, asio::buffer(&c, 1), rouse::use_poll);
                    co_await asio::async_write(sockets.there, asio::buffer(&c, 1), rouse::use_poll);
                }
            });
            auto client = spawn(*pool, [&]() -> task<int> {
                int right = 0;
                for (char n = 0; n < 20; ++n) {
                    char c = 0;
                    co_await asio::async_write(sockets.here, asio::buffer(&n, 1), rouse::use_poll);
                    co_await asio::async_read(sockets.here, asio::buffer(&c, 1), rouse::use_poll);
                    if (c == n) ++right;
                }
                co_return right;
            });
            door handler;
            asio::steady_timer plain(*pool, 2ms);
            plain.async_wait([&](auto) { handler.open(); });
            countdown functions(100);
            for (int n = 0; n < 100; ++n) asio::post(*pool, [&] { functions.down(); });

            BOOST_TEST(block_on(std::move(client)) == 20);
            block_on(std::move(echo));
            block_on(std::move(ticks));
            handler.wait();
            functions.wait();
            unsigned const turns = h.turns;
            wait_until([&] { return h.turns > turns + 10; }, "hogs still");
            h.stop = true;
            pool->join();
        }
    });
}

}  // namespace

BOOST_AUTO_TEST_CASE(b48_tasks_that_yield_for_ever_stop_nobody) {
    check_beside([](thread_pool& pool, hogs& h, unsigned workers) {
        for (unsigned n = 0; n < workers + 1; ++n) spawn_ok(pool, yields(h));
    });
}
BOOST_AUTO_TEST_CASE(b48_tasks_that_wake_themselves_stop_nobody) {
    check_beside([](thread_pool& pool, hogs& h, unsigned workers) {
        for (unsigned n = 0; n < workers + 1; ++n) spawn_ok(pool, wakes_itself(h));
    });
}
BOOST_AUTO_TEST_CASE(b50_tasks_that_spawn_for_ever_stop_nobody) {
    check_beside([](thread_pool& pool, hogs& h, unsigned workers) {
        for (unsigned n = 0; n < workers + 1; ++n) spawn_ok(pool, spawns_for_ever(h));
    });
}
BOOST_AUTO_TEST_CASE(b50_functions_that_post_for_ever_stop_nobody) {
    check_beside([](thread_pool& pool, hogs& h, unsigned workers) {
        for (unsigned n = 0; n < workers + 1; ++n) posts_for_ever(pool, h);
    });
}
BOOST_AUTO_TEST_CASE(b49_tasks_that_wake_each_other_stop_nobody) {
    check_beside([](thread_pool& pool, hogs& h, unsigned workers) {
        for (unsigned n = 0; n < workers; ++n) {
            auto const b = std::make_shared<ball>();
            spawn_ok(pool, plays(h, b, 0));
            spawn_ok(pool, plays(h, b, 1));
        }
    });
}
BOOST_AUTO_TEST_CASE(b48_a_huge_ready_set_stops_nobody) {
    check_beside([](thread_pool& pool, hogs& h, unsigned) {
        for (unsigned n = 0; n < 2000; ++n) spawn_ok(pool, yields(h));
    });
}

// Within a LIFO cap, two that wake each other let a third in between.
BOOST_AUTO_TEST_CASE(b49_the_lifo_cap_counts) {
    for (unsigned const cap : {0U, 1U, 3U, 16U}) {
        hogs h;
        auto const pool = thread_pool::builder().workers(1).lifo_cap(cap).event_interval(1'000'000)
                              .build();
        unsigned worst = 0;
        unsigned rounds = 0;
        block_on(spawn(*pool, [&]() -> task<> {
            auto const b = std::make_shared<ball>();
            rouse::this_task::spawn_ok(plays(h, b, 0));
            rouse::this_task::spawn_ok(plays(h, b, 1));
            co_await rouse::this_task::yield_now();
            for (; rounds < 200; ++rounds) {
                unsigned const before = h.turns;
                co_await rouse::this_task::yield_now();
                worst = std::max(worst, h.turns - before);
            }
            h.stop = true;
        }));
        pool->join();
        BOOST_TEST(rounds == 200U);
        BOOST_TEST(worst <= 2 * cap + 4);
    }
}

// More tasks are ready than fit the workers' queues: those that did not fit get as many turns as the
// others, give or take.
BOOST_AUTO_TEST_CASE(b50_what_overflows_gets_its_share) {
    constexpr std::size_t tasks = 2000;
    constexpr unsigned turns = 20;  // that each of them takes until all may stop
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        std::vector<std::atomic<unsigned>> taken(tasks);
        std::atomic<std::size_t> satisfied{0};
        countdown done(tasks);
        auto const takes_turns = [&](std::atomic<unsigned>& own) -> task<> {
            while (satisfied != tasks) {
                if (++own == turns) ++satisfied;
                co_await rouse::this_task::yield_now();
            }
            done.down();
        };
        for (auto& own : taken) spawn_ok(*pool, takes_turns(own));
        done.wait();
        unsigned all = 0;
        for (auto const& own : taken) all += own;
        // 1 would be a queue that everybody shares; a few hundred is what starvation looks like
        BOOST_TEST(all / (tasks * turns) < 6U);
    });
}

// Of what one worker submits, the part that does not fit its queue comes after the part that does.
BOOST_AUTO_TEST_CASE(b39_what_overflows_keeps_its_order) {
    auto const pool = thread_pool::builder().workers(1).event_interval(1'000'000).build();
    std::vector<unsigned> order;
    boost::asio::post(*pool, [&] {
        for (unsigned n = 0; n < 1000; ++n)
            boost::asio::post(*pool, [&order, n] { order.push_back(n); });
    });
    pool->join();
    BOOST_TEST(order.size() == 1000U);
    BOOST_TEST(std::is_sorted(order.begin(), order.end()));
    BOOST_TEST(pool->metrics().workers[0].overflows > 0U);
}

BOOST_AUTO_TEST_SUITE_END()
