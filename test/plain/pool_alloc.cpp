// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// How often a pool asks for memory while it works: not once it has worked for a while (behaviour
// 88). malloc is replaced by one that counts, over all threads.

#include <support/counted_malloc.hpp>
#include <support/pool_kit.hpp>
#include <support/scale.hpp>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <rouse.hpp>
#include <thread>

using namespace rouse_test;
using namespace std::chrono_literals;
using local = asio::local::stream_protocol::socket;
using rouse::block_on;
using rouse::spawn;
using rouse::task;

namespace {

constexpr unsigned warm_up = 200;
unsigned const counted = scaled(5000U);

// What another task does for each round of the loop that is looked at.
task<> echo(local& socket) {
    std::array<char, 64> block{};
    for (;;) {
        std::size_t const n =
            co_await socket.async_read_some(asio::buffer(block), rouse::use_poll);
        co_await socket.async_write_some(asio::buffer(block, n), rouse::use_poll);
    }
}

// How often a task was seen on another thread than before. One task calls it at a time.
unsigned long moves = 0;
void note_moves() {
    static std::thread::id last;
    std::thread::id const now = std::this_thread::get_id();
    moves += static_cast<unsigned long>(now != last);
    last = now;
}

// How often memory is asked for, beyond what is allowed, in the best of some windows; it stops at
// one without. In most windows there is none. But a worker that joins in late fills its own stock
// first, and memory that one thread takes and another gives back goes round in batches, of which
// one may be missing.
template <class Round, class Allowed>
task<unsigned long> loop(Round round, Allowed allowed) {
    for (unsigned n = 0; n < warm_up; ++n) co_await round();
    unsigned long least = ~0UL;
    for (unsigned w = 0; least != 0 && w < 40; ++w) {
        unsigned long const before = counted_calls;
        unsigned long const moves_before = moves;
        for (unsigned n = 0; n < counted; ++n) co_await round();
        unsigned long const calls = counted_calls - before;
        unsigned long const granted = allowed(moves - moves_before);
        least = std::min(least, calls - std::min(calls, granted));
    }
    co_return least;
}

template <class Round>
void check_none(rouse::thread_pool& pool, Round round) {
    BOOST_TEST(block_on(spawn(pool, loop(round, [](unsigned long) { return 0UL; }))) == 0U);
}

// For rounds that call note_moves() around each composed operation. Inside of a composed operation
// Asio keeps memory for its cancellation, of which each thread has a stock of two: it goes to
// malloc where the stock is empty, since a task that has taken from it has given back on another
// thread. So a thread asks once at most in each window, and once more for each task that has left
// it since.
template <class Round>
void check_none_unless_it_moves(rouse::thread_pool& pool, Round round) {
    unsigned long const threads = pool.size() == 1 ? 0 : pool.size() + 1;
    auto const allowed = [=](unsigned long moved) { return threads == 0 ? 0UL : moved + threads; };
    BOOST_TEST(block_on(spawn(pool, loop(round, allowed))) == 0U);
}

template <class Check>
void with_sockets(Check check) {
    in_both_modes({1, 2, 8}, [&](mode m, unsigned workers) {
        pool_home pool(m, workers);
        local here(*pool);
        local there(*pool);
        asio::local::connect_pair(here, there);
        auto const echoing = spawn(*pool, echo(there));
        check(*pool, here);
        pool->stop();
        pool->join();
    });
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_counter_counts) {
    unsigned long const before = counted_calls;
    int* volatile const escaped = new int(1);  // or a compiler may leave out both calls
    delete escaped;
    void* volatile const memory = std::malloc(100);
    std::free(memory);
    BOOST_TEST(counted_calls >= before + 2);
}

BOOST_AUTO_TEST_CASE(b88_reads_and_writes_ask_for_no_memory) {
    with_sockets([](rouse::thread_pool& pool, local& socket) {
        check_none(pool, [&]() -> task<> {
            std::array<char, 16> block{};
            co_await socket.async_write_some(asio::buffer("hello", 5), rouse::use_poll);
            (void)co_await socket.async_read_some(asio::buffer(block), rouse::use_poll);
        });
    });
}

BOOST_AUTO_TEST_CASE(b88_waits_for_readiness_ask_for_no_memory) {
    with_sockets([](rouse::thread_pool& pool, local& socket) {
        check_none(pool, [&]() -> task<> {
            std::array<char, 16> block{};
            co_await socket.async_write_some(asio::buffer("x", 1), rouse::use_poll);
            co_await socket.async_wait(local::wait_read, rouse::use_poll);
            (void)co_await socket.async_read_some(asio::buffer(block), rouse::use_poll);
        });
    });
}

BOOST_AUTO_TEST_CASE(b88_results_without_exceptions_ask_for_no_memory) {
    with_sockets([](rouse::thread_pool& pool, local& socket) {
        check_none(pool, [&]() -> task<> {
            std::array<char, 16> block{};
            auto const written = co_await socket.async_write_some(
                asio::buffer("x", 1), rouse::as_result(rouse::use_poll));
            if (!written) std::abort();
            auto const read = co_await socket.async_read_some(asio::buffer(block),
                                                              rouse::as_result(rouse::use_poll));
            if (!read) std::abort();
        });
    });
}

namespace {

// Calls an operation at the bottom of some tasks.
template <class Operation>
task<> nested(Operation const& operation, unsigned depth) {
    if (depth != 0) {
        co_await nested(operation, depth - 1);
    } else {
        co_await operation();
    }
}

// Composed, plain, and waits of both kinds.
task<> one_of_each(local& socket, asio::steady_timer& timer) {
    char c = 'n';
    note_moves();
    co_await asio::async_write(socket, asio::buffer(&c, 1), rouse::use_poll);
    note_moves();
    co_await socket.async_wait(local::wait_read, rouse::use_poll);
    co_await socket.async_read_some(asio::buffer(&c, 1), rouse::use_poll);
    timer.expires_after(1us);
    co_await timer.async_wait(rouse::use_poll);
}

}  // namespace

BOOST_AUTO_TEST_CASE(b88_operations_in_nested_tasks_ask_for_no_memory) {
    with_sockets([](rouse::thread_pool& pool, local& socket) {
        auto const operation = [&]() -> task<> {
            char c = 'n';
            co_await socket.async_write_some(asio::buffer(&c, 1), rouse::use_poll);
            co_await socket.async_read_some(asio::buffer(&c, 1), rouse::use_poll);
        };
        check_none(pool, [&] { return nested(operation, 3); });
    });
}

BOOST_AUTO_TEST_CASE(b88_composed_operations_and_waits_in_nested_tasks_ask_for_no_memory) {
    with_sockets([](rouse::thread_pool& pool, local& socket) {
        asio::steady_timer timer(pool);
        auto const operation = [&] { return one_of_each(socket, timer); };
        for (unsigned const depth : {0U, 3U})
            check_none_unless_it_moves(pool, [&] { return nested(operation, depth); });
    });
}

BOOST_AUTO_TEST_CASE(b88_waits_in_nested_tasks_ask_for_no_memory) {
    with_sockets([](rouse::thread_pool& pool, local& socket) {
        asio::steady_timer timer(pool);
        auto const operation = [&]() -> task<> {
            co_await socket.async_wait(local::wait_write, rouse::use_poll);
            timer.expires_after(1us);
            co_await timer.async_wait(rouse::use_poll);
        };
        check_none(pool, [&] { return nested(operation, 3); });
    });
}

BOOST_AUTO_TEST_CASE(b88_composed_operations_ask_for_no_memory) {
    with_sockets([](rouse::thread_pool& pool, local& socket) {
        check_none_unless_it_moves(pool, [&]() -> task<> {
            char c = 'n';
            note_moves();
            co_await asio::async_write(socket, asio::buffer(&c, 1), rouse::use_poll);
            note_moves();
            co_await asio::async_read(socket, asio::buffer(&c, 1), rouse::use_poll);
            note_moves();
        });
    });
}

BOOST_AUTO_TEST_CASE(b88_timers_ask_for_no_memory) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        asio::steady_timer timer(*pool);
        check_none(*pool, [&]() -> task<> {
            timer.expires_after(1us);
            co_await timer.async_wait(rouse::use_poll);
        });
    });
}

BOOST_AUTO_TEST_CASE(b88_spawning_and_joining_ask_for_no_memory) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        check_none(*pool, [&]() -> task<> {
            auto child = rouse::this_task::spawn([]() -> task<int> { co_return 1; });
            rouse::this_task::spawn_ok(
                []() -> task<> { co_await rouse::this_task::yield_now(); });
            (void)co_await std::move(child);
        });
    });
}

BOOST_AUTO_TEST_CASE(b88_functions_ask_for_no_memory) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        check_none(*pool, [&]() -> task<> {
            asio::post(*pool, [] {});
            asio::defer(*pool, [] {});
            co_await rouse::this_task::yield_now();
        });
    });
}

// Wakes from another thread: the wake itself, and the worker that gets up for it.
BOOST_AUTO_TEST_CASE(b88_foreign_wakes_and_parking_ask_for_no_memory) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        std::atomic<unsigned> polls{0};
        std::mutex mutex;
        rouse::waker waiting;
        bool ended = false;
        auto handle = spawn(*pool, rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                                std::lock_guard guard(mutex);
                                ++polls;
                                if (ended) return rouse::ready();
                                waiting = cx.waker();
                                return rouse::pending;
                            }));
        auto const wake = [&](unsigned times) {
            for (unsigned n = 0; n < times; ++n) {
                unsigned const before = polls;
                rouse::waker one;
                {
                    std::lock_guard guard(mutex);
                    one = waiting;
                }
                one.wake_by_ref();
                wait_until([&] { return polls != before; }, "a poll");
            }
        };
        wait_until([&] { return polls != 0; }, "a first poll");
        unsigned long calls = 1;
        for (int tries = 0; calls != 0 && tries < 5; ++tries) {
            wake(100);
            unsigned long const before = counted_calls;
            wake(500);
            calls = counted_calls - before;
        }
        BOOST_TEST(calls == 0U);
        {
            std::lock_guard guard(mutex);
            ended = true;
        }
        waiting.wake_by_ref();
        block_on(std::move(handle));
    });
}

// A thief takes a task out of another's queue for each step of this: whoever spawns one waits, in
// its poll, until somebody else has run it.
BOOST_AUTO_TEST_CASE(b45_b88_steals_ask_for_no_memory) {
    in_both_modes({2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        std::atomic<unsigned> ran{0};
        auto const steals = [&] {
            auto const now = pool->metrics();
            std::uint64_t sum = 0;
            for (auto const& w : now.workers) sum += w.steals;
            return sum;
        };
        auto const some_steals = [&](unsigned times) {
            for (unsigned n = 0; n < times; ++n) {
                block_on(spawn(*pool, [&]() -> task<> {
                    unsigned const before = ran;
                    for (int i = 0; i < 2; ++i) {
                        rouse::this_task::spawn_ok([&]() -> task<> {
                            ++ran;
                            co_return;
                        });
                    }
                    wait_until([&] { return ran == before + 2; }, "thieves");
                    co_return;
                }));
            }
        };
        unsigned long calls = 1;
        std::uint64_t stolen = 0;
        // Short windows: what one thread takes and another gives back stays there, up to a batch.
        some_steals(20);
        for (int tries = 0; calls != 0 && tries < 140; ++tries) {
            std::uint64_t const stolen_before = steals();
            unsigned long const before = counted_calls;
            some_steals(10);
            calls = counted_calls - before;
            stolen = steals() - stolen_before;
        }
        BOOST_TEST(stolen >= 10U);
        BOOST_TEST(calls == 0U);
    });
}

// An abort of a task that waits for an operation, from a thread that is none of the pool's, and of
// one that waits for a wake: the request, the poll that lets go, and the end.
BOOST_AUTO_TEST_CASE(b88_aborts_ask_for_no_memory) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        asio::steady_timer timer(*pool, 24h);
        local here(*pool);
        local there(*pool);
        asio::local::connect_pair(here, there);
        event never;
        auto const some_aborts = [&](unsigned times) {
            for (unsigned n = 0; n < times; ++n) {
                std::atomic<bool> begun{false};
                auto handle = spawn(*pool, [&, n]() -> task<> {
                    char c = 0;
                    begun = true;
                    switch (n % 3) {
                        case 0: co_await timer.async_wait(rouse::use_poll); break;
                        case 1:
                            co_await here.async_read_some(asio::buffer(&c, 1), rouse::use_poll);
                            break;
                        default: co_await never.happened();
                    }
                });
                wait_until([&] { return begun.load(); }, "a first poll");
                handle.abort();
                wait_until([&] { return handle.is_finished(); }, "the end of an aborted task");
            }
        };
        // Short windows: where tasks change their thread all the time, Asio's stocks run empty now and then.
        some_aborts(300);
        unsigned long calls = 1;
        for (int tries = 0; calls != 0 && tries < 200; ++tries) {
            unsigned long const before = counted_calls;
            some_aborts(30);
            calls = counted_calls - before;
        }
        BOOST_TEST_MESSAGE(calls << " in 30");
        BOOST_TEST(calls == 0U);
    });
}
