// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The end of a pool: its destructor, whatever its tasks are doing, and what outlives it.

#include <support/pool_kit.hpp>
#include <support/unit_kit.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <rouse.hpp>

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::join_handle;
using rouse::spawn;
using rouse::spawn_ok;
using rouse::task;
using rouse::thread_pool;

namespace {

task<> nothing() { co_return; }

task<> waits_for(event e, std::shared_ptr<void> kept) {
    co_await e.happened();
    kept.reset();
}

// Does something when it is destroyed, unless it was moved from.
template <class F>
class finally {
public:
    explicit finally(F f) : function_(std::move(f)) {}
    finally(finally&& other) : function_(std::exchange(other.function_, std::nullopt)) {}
    ~finally() {
        if (function_) (*function_)();
    }

private:
    std::optional<F> function_;
};

bool is_aborted(join_handle<void> handle) {
    try {
        block_on(std::move(handle));
    } catch (boost::system::system_error const& e) {
        return e.code() == rouse::errc::aborted;
    }
    return false;
}

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
        wait_until([&] { return std::all_of(events.begin(), events.end(),
                                            [](event& e) { return e.polls() != 0; }); },
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
            wait_until([&] { return std::all_of(values.begin(), values.end(),
                                                [](auto& h) { return h.is_finished(); }); },
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

BOOST_AUTO_TEST_CASE(the_application_sees_work_exactly_while_there_are_tasks) {
    asio::io_context io;
    thread_pool pool(io, 2);
    BOOST_TEST(io.run() == 0U);  // no work: it returns at once
    for (int round = 0; round < scaled(1000); ++round) {
        event begin;
        auto handle = spawn(pool, waits_for(begin, nullptr));
        io.restart();
        std::atomic<bool> ended{false};
        std::thread running([&] {
            io.run();
            ended = true;
        });
        wait_until([&] { return begin.polls() != 0; }, "a first poll");
        if (round % 64 == 0) std::this_thread::sleep_for(2ms);  // enough to be wrong in
        BOOST_TEST(!ended);
        begin.set();
        running.join();
        block_on(std::move(handle));
    }
}

BOOST_AUTO_TEST_CASE(the_destructor_runs_the_applications_event_loop_if_nobody_else_does) {
    for (unsigned const workers : {1U, 2U}) {
        asio::io_context io;
        auto const kept = std::make_shared<int>(0);
        std::optional<join_handle<void>> handle;
        {
            thread_pool pool(io, workers);
            asio::steady_timer timer(pool, 1h);
            auto const started = std::make_shared<door>();
            handle = spawn(pool, [&timer, kept, started]() -> task<> {
                started->open();
                co_await timer.async_wait(rouse::use_poll);
            });
            started->wait();
            pool.stop();
            pool.join();
        }
        BOOST_TEST(is_aborted(std::move(*handle)));
        BOOST_TEST(kept.use_count() == 1);
    }
}

namespace {
std::atomic<int> reported{0};
}

BOOST_AUTO_TEST_CASE(a_handler_that_throws_in_the_applications_event_loop_does_not_leave_the_destructor) {
    auto const before = rouse::set_unhandled_handler([](auto, auto) { ++reported; });
    {
        asio::io_context io;
        thread_pool pool(io, 1);
        asio::post(io, [] { throw std::runtime_error("no"); });
        asio::steady_timer timer(pool, 1h);
        auto const started = std::make_shared<door>();
        spawn_ok(pool, [&timer, started]() -> task<> {
            started->open();
            co_await timer.async_wait(rouse::use_poll);
        });
        started->wait();
        pool.stop();
        pool.join();
    }
    rouse::set_unhandled_handler(before);
    BOOST_TEST(reported == 1);
}

BOOST_AUTO_TEST_CASE(an_event_loop_that_was_stopped_cannot_hold_up_the_destructor) {
    for (unsigned const workers : {1U, 2U}) {
        asio::io_context io;
        auto const kept = std::make_shared<int>(0);
        asio::steady_timer timer(io, 1h);
        std::optional<join_handle<void>> handle;
        {
            thread_pool pool(io, workers);
            auto const started = std::make_shared<door>();
            handle = spawn(pool, [&timer, kept, started]() -> task<> {
                started->open();
                co_await timer.async_wait(rouse::use_poll);
            });
            started->wait();
            io.stop();
        }
        BOOST_TEST(is_aborted(std::move(*handle)));
        BOOST_TEST(kept.use_count() == 1);
        io.restart();
        io.run();
    }
}

// Operations of others have the pool's executor, and are delivered, or die, after it is gone.
BOOST_AUTO_TEST_CASE(pending_operations_outlive_a_pool_on_the_applications_event_loop) {
    auto const kept = std::make_shared<int>(0);
    int called = 0;
    {
        asio::io_context io;
        asio::steady_timer completes(io, 1ms);
        asio::steady_timer dies(io, 1h);
        for (int round = 0; round < 10; ++round) {
            thread_pool pool(io, 2);
            auto const ex = pool.get_executor();
            completes.async_wait(asio::bind_executor(ex, [kept, &called](auto) { ++called; }));
            dies.async_wait(asio::bind_executor(ex, [kept, &called](auto) { ++called; }));
            asio::steady_timer of_the_pool(pool, 1h);
            of_the_pool.async_wait([kept, &called](auto) { ++called; });
            if (round % 2) pool.stop();
        }
        BOOST_TEST(kept.use_count() >= 11);
        completes.expires_at(std::chrono::steady_clock::now());
        io.poll();  // delivers to pools that are gone
        thread_pool another(io, 1);
    }
    BOOST_TEST(kept.use_count() == 1);
    BOOST_TEST(called == 0);
}

BOOST_AUTO_TEST_CASE(pending_operations_die_with_a_pools_own_event_loop) {
    auto const kept = std::make_shared<int>(0);
    std::atomic<int> called{0};
    for (unsigned const workers : {1U, 2U, 8U}) {
        thread_pool pool(workers);
        auto const ex = pool.get_executor();
        auto const timer = std::make_shared<asio::steady_timer>(pool, 1h);
        timer->async_wait([kept, timer, &called](auto) { ++called; });
        asio::post(pool.context(), [&pool, kept] { asio::post(pool, [kept] {}); });
        // What dies with the event loop uses the pool once more.
        auto const other = std::make_shared<asio::steady_timer>(pool, 1h);
        other->async_wait([other, last = finally([ex, kept] {
                               asio::post(ex, [kept] {});
                               spawn_ok(ex, waits_for(event(), kept));
                           })](auto) {});
    }
    BOOST_TEST(kept.use_count() == 1);
    BOOST_TEST(called == 0);
}

// ---- pools among pools ---------------------------------------------------------------------------

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
                int const inner =
                    co_await spawn(*a, []() -> task<int> { co_return 20; });
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

// ---- the pool's scheduler behind other executors -------------------------------------------------

BOOST_AUTO_TEST_CASE(an_any_io_executor_of_the_pool_leads_to_the_pool_in_every_property_form) {
    namespace ex = asio::execution;
    in_both_modes({2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        auto const own = pool->get_executor();
        asio::any_io_executor const any = own;
        asio::steady_timer timer(*pool);
        std::vector<asio::any_io_executor> const forms = {
            any,
            timer.get_executor(),
            asio::steady_timer(own).get_executor(),
            asio::require(any, ex::blocking.never),
            asio::prefer(any, ex::blocking.possibly),
            asio::prefer(any, ex::outstanding_work.tracked),
            asio::prefer(any, ex::outstanding_work.untracked),
            asio::prefer(any, ex::relationship.continuation),
            asio::prefer(any, ex::relationship.fork),
            asio::require(own, ex::blocking.always),
            asio::require(own, ex::blocking.never),
            asio::prefer(asio::require(own, ex::blocking.never), ex::outstanding_work.tracked),
            asio::prefer(asio::require(any, ex::blocking.never), ex::relationship.continuation,
                         ex::outstanding_work.tracked),
        };
        std::uint64_t expected = 0;
        std::vector<join_handle<void>> parked;
        for (std::size_t n = 0; n < forms.size(); ++n) {
            BOOST_TEST_CONTEXT("form " << n) {
                bool const here = block_on(spawn(forms[n], [own]() -> task<bool> {
                    co_return own.running_in_this_thread();
                }));
                BOOST_TEST(here);
                spawn_ok(forms[n], nothing());
                spawn(forms[n], nothing(), asio::use_future).get();
                parked.push_back(spawn(forms[n], waits_for(event(), nullptr)));
                expected += 4;
                BOOST_TEST(pool->metrics().tasks_spawned == expected);
            }
        }
        parked.push_back(spawn(asio::require(own, ex::allocator(std::allocator<int>())),
                               waits_for(event(), nullptr)));
        BOOST_TEST(pool->metrics().tasks_spawned == expected + 1);
        BOOST_TEST(!parked.front().is_finished());
        pool->stop();
        for (auto& handle : parked) BOOST_TEST(is_aborted(std::move(handle)));
    });
}
