// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The completion handlers of tasks whose pool ends: those on executors of their own are called,
// once.

#include <support/pool_kit.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <rouse.hpp>

BOOST_AUTO_TEST_SUITE(test_completions)

using namespace rouse_test;
using rouse::spawn;
using rouse::task;
namespace asio = boost::asio;

namespace {

// Waits for ever, and says that it does.
class waits {
public:
    explicit waits(std::atomic<bool>& begun) : begun_(&begun) {}
    rouse::poll_result<int> poll(rouse::context& cx) {
        waker_ = cx.waker();
        *begun_ = true;
        return rouse::pending;
    }

private:
    std::atomic<bool>* begun_;
    rouse::waker waker_;
};

bool is_aborted(std::exception_ptr const& error) {
    try {
        if (error) std::rethrow_exception(error);
    } catch (boost::system::system_error const& e) {
        return e.code() == rouse::errc::aborted;
    }
    return false;
}

// A pool with a task that waits; it ends, by stop() or by its destructor alone.
template <class Token>
auto spawned_in_a_pool_that_ends(mode m, unsigned workers, bool by_stop, Token token) {
    std::atomic<bool> begun{false};
    pool_home pool(m, workers);
    auto result = [&] {
        if constexpr (std::is_void_v<decltype(spawn(*pool, waits(begun), std::move(token)))>) {
            spawn(*pool, waits(begun), std::move(token));
            return 0;
        } else {
            return spawn(*pool, waits(begun), std::move(token));
        }
    }();
    wait_until([&] { return begun.load(); }, "the first poll");
    if (by_stop) pool->stop();
    return result;
}

template <class Executor>
void check_handler() {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        for (bool const by_stop : {true, false}) {
            asio::io_context elsewhere;
            auto work = asio::make_work_guard(elsewhere);
            int calls = 0;
            std::exception_ptr error;
            Executor const ex(elsewhere.get_executor());
            spawned_in_a_pool_that_ends(m, workers, by_stop,
                                        asio::bind_executor(ex, [&](std::exception_ptr e, int) {
                                            ++calls;
                                            error = e;
                                        }));
            work.reset();
            elsewhere.run();
            BOOST_TEST(calls == 1);
            BOOST_TEST(is_aborted(error));
        }
    });
}

}  // namespace

BOOST_AUTO_TEST_CASE(b57_a_handler_on_another_io_context_gets_aborted) {
    check_handler<asio::io_context::executor_type>();
}
BOOST_AUTO_TEST_CASE(b57_a_handler_on_another_any_io_executor_gets_aborted) {
    check_handler<asio::any_io_executor>();
}

BOOST_AUTO_TEST_CASE(b57_use_future_gets_aborted) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        for (bool const by_stop : {true, false}) {
            auto result = spawned_in_a_pool_that_ends(m, workers, by_stop, asio::use_future);
            std::exception_ptr error;
            try {
                result.get();
            } catch (...) {
                error = std::current_exception();
            }
            BOOST_TEST(is_aborted(error));
        }
    });
}

BOOST_AUTO_TEST_CASE(b57_a_coroutine_of_asios_elsewhere_goes_on_with_aborted) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        asio::io_context elsewhere;
        std::atomic<bool> begun{false};
        bool aborted = false;
        auto pool = std::make_unique<pool_home>(m, workers);
        asio::co_spawn(
            elsewhere,
            [&]() -> asio::awaitable<void> {
                try {
                    co_await spawn(**pool, waits(begun), asio::use_awaitable);
                } catch (boost::system::system_error const& e) {
                    aborted = e.code() == rouse::errc::aborted;
                }
            },
            asio::detached);
        elsewhere.poll();  // it waits for the task now
        wait_until([&] { return begun.load(); }, "the first poll");
        pool.reset();
        elsewhere.run();
        BOOST_TEST(aborted);
    });
}

// The task ends by itself, and at that moment the pool is stopped: its value, or errc::aborted.
BOOST_AUTO_TEST_CASE(b57_b59_a_result_on_its_way_to_another_executor_arrives) {
    for (unsigned round = 0; round < 200; ++round) {
        asio::io_context elsewhere;
        auto work = asio::make_work_guard(elsewhere);
        std::atomic<bool> polled{false};
        int calls = 0;
        bool right = false;
        {
            pool_home pool(mode::own, 1);
            spawn(
                *pool,
                [&polled]() -> task<int> {
                    polled = true;
                    co_return 7;
                },
                asio::bind_executor(elsewhere.get_executor(), [&](std::exception_ptr e, int value) {
                    ++calls;
                    right = e ? is_aborted(e) : value == 7;
                }));
            wait_until([&] { return polled.load(); }, "the poll");
            pool->stop();
        }
        work.reset();
        elsewhere.run();
        BOOST_REQUIRE(calls == 1);
        BOOST_REQUIRE(right);
    }
}

BOOST_AUTO_TEST_SUITE_END()
