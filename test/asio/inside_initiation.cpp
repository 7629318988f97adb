// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Operations that complete inside their initiation, as often as one likes, without recursion and
// under locks of their own; and handlers that throw out of run(), which is then called again.

#include <support/asio_hand.hpp>
#include <support/asio_worlds.hpp>
#include <support/pool_kit.hpp>
#include <support/scale.hpp>

#include <algorithm>
#include <atomic>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <rouse/as_result.hpp>
#include <rouse/block_on.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/thread_pool.hpp>
#include <rouse/use_poll.hpp>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_inside_initiation)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using boost::system::error_code;
using rouse::use_poll;

int const many = sanitized && !long_tests() ? 10'000 : 100'000;

// How much the depth of the stack varies, on the thread that asks. Recursion cannot hide: a poll
// has a hundred operations or so at least, each of which takes a few frames.
class stack_depth {
public:
    void here() {
        auto const at = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
        if (thread_ != std::this_thread::get_id()) {  // another worker polls now
            thread_ = std::this_thread::get_id();
            low_ = high_ = at;
        }
        low_ = std::min(low_, at);
        high_ = std::max(high_, at);
        most_ = std::max(most_, high_ - low_);
    }
    bool is_bounded() const { return most_ < (sanitized ? 32'768U : 8192U); }

private:
    std::thread::id thread_{};
    std::uintptr_t low_ = 0;
    std::uintptr_t high_ = 0;
    std::uintptr_t most_ = 0;
};

// Completes before the initiation returns, in one of the ways that operations have.
enum class way { call, execute, dispatch, post };

template <class Token>
auto async_at_once(way how, stack_depth& depth, int value, Token&& token) {
    return asio::async_initiate<Token, void(error_code, int)>(
        [how, &depth, value](auto handler) {
            depth.here();
            auto const ex = asio::get_associated_executor(handler);
            auto completion = [h = std::move(handler), value]() mutable {
                std::move(h)(error_code(), value);
            };
            switch (how) {
                case way::call: return completion();
                case way::execute: return ex.execute(std::move(completion));
                case way::dispatch: return asio::dispatch(ex, std::move(completion));
                case way::post: return asio::post(ex, std::move(completion));
            }
        },
        token);
}

void many_at_once(way how) {
    on_each_world([how](world& w) {
        stack_depth depth;
        auto const sum = result_in(w, [&]() -> rouse::task<long> {
            long total = 0;
            for (int i = 0; i < many; ++i) {
                int const one = co_await async_at_once(how, depth, 1, use_poll);
                total += one;
                depth.here();
            }
            co_return total;
        });
        BOOST_TEST(sum == many);
        BOOST_TEST(depth.is_bounded());
    });
}

}  // namespace

// ---- at once
// -------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(b72_a_handler_called_by_the_initiation) { many_at_once(way::call); }
BOOST_AUTO_TEST_CASE(b72_a_handler_executed_by_the_initiation) { many_at_once(way::execute); }
BOOST_AUTO_TEST_CASE(b72_a_handler_dispatched_by_the_initiation) { many_at_once(way::dispatch); }
BOOST_AUTO_TEST_CASE(b72_a_handler_posted_by_the_initiation) { many_at_once(way::post); }

// Polled by hand: ready at the first poll, and so it is with results.
BOOST_AUTO_TEST_CASE(b72_what_completes_inside_its_initiation_is_ready_at_once) {
    for (way const how : {way::call, way::execute, way::dispatch, way::post}) {
        hand h;
        stack_depth depth;
        auto op = async_at_once(how, depth, 7, use_poll);
        BOOST_TEST(h.poll(op).value() == 7);
        auto result = async_at_once(how, depth, 8, rouse::as_result(use_poll));
        BOOST_TEST(*h.poll(result).value() == 8);
        BOOST_TEST(h.wakes.live == 1);  // only our own
    }
}

// The steps of one composed operation.
BOOST_AUTO_TEST_CASE(b72_a_composed_operation_whose_steps_complete_at_once) {
    on_each_world([](world& w) {
        stack_depth depth;
        auto const executor = w.executor();
        auto const steps =
            result_in(w, asio::async_compose<rouse::use_poll_t const, void(error_code, int)>(
                             [&depth, step = 0](auto& self, error_code = {}, int = 0) mutable {
                                 depth.here();
                                 if (++step > many) return self.complete(error_code(), step - 1);
                                 async_at_once(way::dispatch, depth, step, std::move(self));
                             },
                             use_poll, executor));
        BOOST_TEST(steps == many);
        BOOST_TEST(depth.is_bounded());
    });
}

// One task of many levels, each of which awaits what is there at once.
BOOST_AUTO_TEST_CASE(b72_many_levels_of_tasks_that_await_what_is_there) {
    struct levels {
        static rouse::task<long> down(stack_depth& depth, int n) {
            int const one = co_await async_at_once(way::execute, depth, 1, use_poll);
            if (n == 0) co_return one;
            long const below = co_await down(depth, n - 1);
            int const again = co_await async_at_once(way::call, depth, 1, use_poll);
            co_return below + one + again - 1;
        }
    };
    on_each_world([](world& w) {
        stack_depth depth;
        BOOST_TEST(result_in(w, levels::down(depth, many)) == many + 1);
        BOOST_TEST(depth.is_bounded());
    });
}

// The operation completes under a lock that whoever awaits it takes next: it is not held any more.
BOOST_AUTO_TEST_CASE(b72_completed_under_a_lock_of_the_operations) {
    on_each_world([](world& w) {
        for (way const how : {way::call, way::execute, way::dispatch, way::post}) {
            std::mutex lock;
            stack_depth depth;
            auto const locked = [&](auto&& token) {
                return asio::async_initiate<decltype(token), void(error_code, int)>(
                    [&](auto handler) {
                        std::lock_guard guard(lock);
                        async_at_once(how, depth, 1, std::move(handler));
                    },
                    token);
            };
            auto const free = result_in(w, [&]() -> rouse::task<int> {
                int count = 0;
                for (int i = 0; i < 1000; ++i) {
                    int const one = co_await locked(use_poll);
                    if (!lock.try_lock()) continue;
                    count += one;
                    lock.unlock();
                }
                co_return count;
            });
            BOOST_TEST(free == 1000);
        }
    });
}

// ---- handlers that throw
// -------------------------------------------------------------------------

// Functions of the application's throw out of run() in the middle of everything that tasks do.
BOOST_AUTO_TEST_CASE(b72_run_is_called_again_after_a_handler_has_thrown) {
    asio::io_context io;
    constexpr int rounds = 200;
    int thrown_by_run = 0;
    auto handle = rouse::spawn(io, [&]() -> rouse::task<int> {
        int waits = 0;
        for (int i = 0; i < rounds; ++i) {
            asio::post(io, [] { throw std::runtime_error("handler"); });
            asio::steady_timer timer(io, std::chrono::microseconds(10));
            co_await timer.async_wait(use_poll);
            timer.expires_after(0ms);
            timer.async_wait([](error_code) { throw 1; });
            co_await asio::post(io, use_poll);
            ++waits;
        }
        co_return waits;
    });
    for (;;) {
        try {
            io.run();
            break;
        } catch (std::runtime_error const&) {
            ++thrown_by_run;
        } catch (int) {
            ++thrown_by_run;
        }
    }
    BOOST_TEST_REQUIRE(handle.is_finished());
    BOOST_TEST(poll_once(handle).value() == rounds);
    BOOST_TEST(thrown_by_run == 2 * rounds);
}

// On several threads, each of which goes on.
BOOST_AUTO_TEST_CASE(b72_run_is_called_again_on_many_threads) {
    asio::io_context io;
    constexpr int rounds = 100;
    constexpr int tasks = 8;
    std::atomic<int> thrown{0};
    std::vector<rouse::join_handle<int>> handles;
    for (int t = 0; t < tasks; ++t) {
        handles.push_back(rouse::spawn(io, [&]() -> rouse::task<int> {
            int waits = 0;
            for (int i = 0; i < rounds; ++i) {
                asio::post(io, [] { throw std::runtime_error("handler"); });
                co_await asio::post(io, use_poll);
                ++waits;
            }
            co_return waits;
        }));
    }
    std::vector<std::thread> threads;
    for (int n = 0; n < 3; ++n) {
        threads.emplace_back([&] {
            for (;;) {
                try {
                    io.run();
                    return;
                } catch (std::runtime_error const&) {
                    ++thrown;
                }
            }
        });
    }
    for (auto& thread : threads) thread.join();
    for (auto& handle : handles) BOOST_TEST(poll_once(handle).value() == rounds);
    BOOST_TEST(thrown == rounds * tasks);
}

namespace {
std::atomic<int> reported{0};
}

// What throws in a pool's own event loop ends no worker; on the application's it leaves run(). In
// both cases the tasks go on. The pool knows nothing of these handlers: they come from objects of
// the bare io_context.
BOOST_AUTO_TEST_CASE(b72_a_handler_throws_in_the_event_loop_of_a_pool) {
    constexpr int rounds = 200;
    auto const before = rouse::set_unhandled_handler([](auto, auto) { ++reported; });
    for (unsigned const workers : {1U, 2U, 8U}) {
        reported = 0;
        rouse::thread_pool pool(workers);
        auto const value = rouse::block_on(rouse::spawn(pool, [&]() -> rouse::task<int> {
            int waits = 0;
            for (int i = 0; i < rounds; ++i) {
                asio::post(pool.context(), [] { throw std::runtime_error("handler"); });
                asio::steady_timer timer(pool, std::chrono::microseconds(10));
                co_await timer.async_wait(use_poll);
                ++waits;
            }
            co_return waits;
        }));
        BOOST_TEST(value == rounds);
        pool.join();
        wait_until([&] { return reported == rounds; }, "all reports");
    }
    rouse::set_unhandled_handler(before);
}

BOOST_AUTO_TEST_CASE(b72_a_handler_throws_in_the_applications_event_loop_of_a_pool) {
    constexpr int rounds = 200;
    for (unsigned const workers : {1U, 2U, 8U}) {
        asio::io_context io;
        auto work = asio::make_work_guard(io);
        int thrown_by_run = 0;
        std::thread running([&] {
            for (;;) {
                try {
                    io.run();
                    return;
                } catch (std::runtime_error const&) {
                    ++thrown_by_run;
                }
            }
        });
        {
            rouse::thread_pool pool(io, workers);
            auto const value = rouse::block_on(rouse::spawn(pool, [&]() -> rouse::task<int> {
                int waits = 0;
                for (int i = 0; i < rounds; ++i) {
                    asio::post(io, [] { throw std::runtime_error("handler"); });
                    asio::steady_timer timer(io, std::chrono::microseconds(10));
                    co_await timer.async_wait(use_poll);
                    ++waits;
                }
                co_return waits;
            }));
            BOOST_TEST(value == rounds);
            work.reset();
            running.join();
            BOOST_TEST(thrown_by_run == rounds);
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
