// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// join() and stop(), in both modes. The destruction of a pool is in life_end.cpp.

#include <support/pool_kit.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <rouse.hpp>

BOOST_AUTO_TEST_SUITE(test_join_and_stop)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::spawn;
using rouse::spawn_ok;
using rouse::task;
using rouse::thread_pool;

namespace {

task<int> twice(int n) { co_return 2 * n; }
task<> nothing() { co_return; }

}  // namespace

// ---- join ----------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(join_waits_for_tasks_functions_and_tracked_work) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        event released;
        std::atomic<int> done{0};
        auto const count = [&] { ++done; };

        spawn_ok(*pool, [&]() -> task<> {  // a parked task
            co_await released.happened();
            count();
        });
        asio::post(*pool, [&] { asio::post(*pool, count); });  // queued functions
        asio::steady_timer timer(*pool, 20ms);                 // a pending operation
        timer.async_wait([&](auto) { asio::post(*pool, count); });
        auto guard = asio::make_work_guard(*pool);  // work of others

        int spawned = 0;
        std::thread other([&] {
            wait_until([&] { return done == 2; }, "functions");
            // Nothing is refused while somebody waits in join().
            for (int n = 0; n < 100; ++n) asio::post(*pool, count);
            spawned = block_on(spawn(*pool, twice(4)));
            released.set();
            wait_until([&] { return done == 103; }, "the parked task");
            asio::post(*pool, count);
            guard.reset();
        });
        pool->join();
        other.join();
        BOOST_TEST(done == 104);
        BOOST_TEST(spawned == 8);

        pool->join();
        pool->wait();
        BOOST_CHECK_EXCEPTION(block_on(spawn(*pool, twice(1))), boost::system::system_error,
                              says_aborted);
        auto const kept = std::make_shared<int>(0);
        asio::post(*pool, [kept, &count] { count(); });
        BOOST_TEST(kept.use_count() == 1);
        BOOST_TEST(done == 104);
    });
}

BOOST_AUTO_TEST_CASE(join_of_an_idle_pool_returns) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home fresh(m, workers);
        fresh->join();
        pool_home used(m, workers);
        block_on(spawn(*used, nothing()));
        used->join();
        BOOST_TEST(used->metrics().tasks_done == 1U);
    });
}

BOOST_AUTO_TEST_CASE(several_threads_join_the_same_pool) {
    in_both_modes({2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        std::atomic<int> done{0};
        for (int n = 0; n < 1000; ++n) {
            spawn_ok(*pool, [&]() -> task<> {
                co_await rouse::this_task::yield_now();
                ++done;
            });
        }
        std::atomic<unsigned> early{0};
        run_threads(4, [&](unsigned) {
            pool->join();
            if (done != 1000) ++early;
        });
        BOOST_TEST(early == 0U);
    });
}

// Each handler begins the next operation: at every moment one thing keeps join() waiting.
BOOST_AUTO_TEST_CASE(join_waits_for_a_chain_that_goes_from_hand_to_hand) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        unsigned const rounds = scaled(3000U);
        for (unsigned round = 0; round < rounds; ++round) {
            pool_home pool(m, workers);
            std::optional<asio::steady_timer> timer(std::in_place, *pool);
            constexpr unsigned length = 10;
            std::atomic<unsigned> links{0};
            std::function<void()> next = [&] {
                if (++links == length) return;
                timer->expires_after(std::chrono::microseconds(round % 50));
                timer->async_wait([&](auto) { next(); });
            };
            asio::post(*pool, next);
            pool->join();
            timer.reset();
            BOOST_REQUIRE(links == length);
        }
    });
}

// ---- stop ----------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(b31_stop_aborts_every_task_and_destroys_queued_functions) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        auto const kept = std::make_shared<int>(0);
        std::atomic<int> ran{0};
        pool_home pool(m, workers);
        std::vector<rouse::join_handle<void>> parked;
        for (int n = 0; n < 100; ++n) parked.push_back(spawn(*pool, forever(kept)));
        asio::steady_timer timer(*pool, 1h);
        parked.push_back(spawn(*pool, [&]() -> task<> {
            co_await timer.async_wait(rouse::use_poll);  // in flight: has to be let go
        }));

        // All workers are held, so that what comes now stays in queues.
        door release;
        countdown held(workers);
        for (unsigned n = 0; n < workers; ++n) {
            asio::post(*pool, [&] {
                held.down();
                release.wait();
            });
        }
        held.wait();
        for (int n = 0; n < 100; ++n) asio::post(*pool, [kept, &ran] { ++ran; });
        auto queued = spawn(*pool, [kept, &ran]() -> task<> {
            ++ran;
            co_return;
        });
        pool->stop();  // returns although all workers are busy
        pool->stop();
        release.open();
        for (auto& handle : parked)
            BOOST_CHECK_EXCEPTION(block_on(std::move(handle)), boost::system::system_error,
                                  says_aborted);
        BOOST_CHECK_EXCEPTION(block_on(std::move(queued)), boost::system::system_error,
                              says_aborted);
        pool->join();
        BOOST_TEST(kept.use_count() == 1);
        BOOST_TEST(ran == 0);
    });
}

BOOST_AUTO_TEST_CASE(b57_what_comes_after_stop_is_refused) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        auto const kept = std::make_shared<int>(0);
        std::atomic<int> ran{0};
        pool_home pool(m, workers);
        pool->stop();
        for (int after_join = 0; after_join < 2; ++after_join) {
            auto handle = spawn(*pool, [kept, &ran]() -> task<> {
                ++ran;
                co_return;
            });
            BOOST_CHECK_EXCEPTION(block_on(std::move(handle)), boost::system::system_error,
                                  says_aborted);
            spawn_ok(*pool, forever(kept));
            asio::post(*pool, [kept, &ran] { ++ran; });
            asio::defer(*pool, [kept, &ran] { ++ran; });
            asio::dispatch(*pool, [kept, &ran] { ++ran; });
            pool->join();
            BOOST_TEST(kept.use_count() == 1);
        }
        BOOST_TEST(ran == 0);
    });
}

BOOST_AUTO_TEST_CASE(b57_after_stop_a_completion_token_gets_aborted) {
    thread_pool pool(2);
    asio::io_context io;
    pool.stop();
    std::exception_ptr error;
    spawn(pool, twice(1),
          asio::bind_executor(io.get_executor(), [&](std::exception_ptr e, int) { error = e; }));
    io.run();
    BOOST_REQUIRE(error);
    BOOST_CHECK_EXCEPTION(std::rethrow_exception(error), boost::system::system_error, says_aborted);
}

BOOST_AUTO_TEST_CASE(stop_is_called_from_inside) {
    enum class place { task, function, handler, handler_of_the_event_loop, several_threads };
    for (place const where : {place::task, place::function, place::handler,
                              place::handler_of_the_event_loop, place::several_threads}) {
        in_both_modes({1, 2, 8}, [&](mode m, unsigned workers) {
            auto const kept = std::make_shared<int>(0);
            pool_home pool(m, workers);
            for (int n = 0; n < 10; ++n) spawn_ok(*pool, forever(kept));
            asio::steady_timer timer(*pool, 1ms);
            asio::steady_timer raw(pool->context(), 1ms);
            std::atomic<bool> returned{false};
            std::atomic<bool> went_on{false};
            auto const stop = [&] {
                pool->stop();
                returned = true;
            };
            switch (where) {
                case place::task:
                    spawn_ok(*pool, [&]() -> task<> {
                        stop();
                        co_await rouse::this_task::yield_now();
                        went_on = true;  // not reached: it was aborted, too
                    });
                    break;
                case place::function: asio::post(*pool, stop); break;
                case place::handler: timer.async_wait([&](auto) { stop(); }); break;
                case place::handler_of_the_event_loop: raw.async_wait([&](auto) { stop(); }); break;
                case place::several_threads: run_threads(4, [&](unsigned) { stop(); }); break;
            }
            pool->join();
            // The event loop of the application may be run by a thread that join() does not wait for.
            wait_until([&] { return returned.load(); }, "the end of stop()");
            BOOST_TEST(!went_on);
            BOOST_TEST(kept.use_count() == 1);
        });
    }
}

// After stop(), join() waits for the pool's own drain only.
BOOST_AUTO_TEST_CASE(after_stop_join_does_not_wait_for_the_work_of_others) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        auto const guard = asio::make_work_guard(*pool);
        asio::steady_timer timer(*pool, 1h);
        timer.async_wait([](auto) {});
        std::thread joining([&] { pool->join(); });
        pool->stop();
        joining.join();
        pool->join();
    });
}

// stop() tells one task after the other, and those that were spawned from outside last, the
// youngest at the end: a child that was told early ends before its parent's turn. What the parent
// makes of that is an echo of the abort, too.
BOOST_AUTO_TEST_CASE(b31_who_joins_a_task_that_stop_has_aborted_is_not_reported) {
    in_both_modes({1, 2, 8, 2, 8}, [](mode m, unsigned workers) {
        reports heard;
        pool_home pool(
            m, thread_pool::builder().workers(workers).on_unhandled_exception(heard.handler()));
        unsigned const others = scaled(100'000U);
        for (unsigned n = 0; n < others; ++n) spawn_ok(*pool, forever(nullptr));
        std::atomic<unsigned> begun{0};
        auto const child = [&]() -> task<> {
            ++begun;
            return forever(nullptr);
        };
        for (int n = 0; n < 100; ++n)
            spawn_ok(*pool, [&]() -> task<> { co_await rouse::this_task::spawn(child); });
        wait_until([&] { return begun == 100; }, "the children");
        // The last that are told. Meanwhile the workers do not sleep.
        for (unsigned n = 0; n < workers; ++n) {
            spawn_ok(*pool, []() -> task<> {
                for (;;) co_await rouse::this_task::yield_now();
            });
        }
        pool->stop();
        pool->join();
        BOOST_TEST(heard.count() == 0U);
    });
}

BOOST_AUTO_TEST_SUITE_END()
