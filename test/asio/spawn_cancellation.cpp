// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A cancellation slot that is bound to spawn's token cancels the task, and this_task's controls.

#include <support/pool_kit.hpp>
#include <support/scale.hpp>

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <deque>
#include <future>
#include <rouse.hpp>
#include <rouse/cancellation_source.hpp>
#include <rouse/with_cancellation.hpp>

BOOST_AUTO_TEST_SUITE(test_spawn_cancellation)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::cancellation_type;
using rouse::spawn;
using rouse::task;

namespace {

bool is_cancelled(boost::system::system_error const& e) {
    return e.code() == asio::error::operation_aborted;
}

task<int> waits(rouse::thread_pool& pool) {
    asio::steady_timer timer(pool, 1h);
    co_await timer.async_wait(rouse::use_poll);
    co_return 1;
}

// Begun, and has polled.
task<int> tells(door& begun, rouse::thread_pool& pool) {
    begun.open();
    co_return co_await waits(pool);
}

auto with_slot(asio::cancellation_signal& signal) {
    return asio::bind_cancellation_slot(signal.slot(), asio::use_future);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_signal_cancels_what_the_task_awaits) {
    in_both_modes({1, 2, 4}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        for (bool const early : {true, false}) {
            asio::cancellation_signal signal;
            door begun;
            auto result = spawn(*pool, tells(begun, *pool), with_slot(signal));
            if (!early) begun.wait();
            signal.emit(asio::cancellation_type::terminal);
            BOOST_CHECK_EXCEPTION(result.get(), boost::system::system_error, is_cancelled);
        }
    });
}

BOOST_AUTO_TEST_CASE(a_signal_of_any_type_reaches_the_children_of_a_combinator) {
    pool_home pool(mode::own, 2);
    for (auto const type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                            asio::cancellation_type::total, asio::cancellation_type::all}) {
        asio::cancellation_signal signal;
        door begun;
        auto result = spawn(
            *pool,
            [&]() -> task<> {
                co_await rouse::join(rouse::sleep_for(1h), tells(begun, *pool));
            },
            with_slot(signal));
        begun.wait();
        signal.emit(type);
        BOOST_CHECK_EXCEPTION(result.get(), boost::system::system_error, is_cancelled);
    }
}

BOOST_AUTO_TEST_CASE(the_task_decides_what_to_do_and_what_it_awaits_next_is_cancelled_too) {
    pool_home pool(mode::own, 2);
    asio::cancellation_signal signal;
    door begun;
    auto result = spawn(
        *pool,
        [&]() -> task<int> {
            int cancelled = 0;
            for (int n = 0; n < 3; ++n) {
                try {
                    co_await tells(begun, *pool);
                } catch (boost::system::system_error const& e) {
                    cancelled += is_cancelled(e);
                }
            }
            rouse::this_task::cancellation().clear();
            asio::steady_timer timer(*pool, 1ms);
            co_await timer.async_wait(rouse::use_poll);
            co_return cancelled;
        },
        with_slot(signal));
    begun.wait();
    signal.emit(asio::cancellation_type::total);
    BOOST_TEST(result.get() == 3);
}

BOOST_AUTO_TEST_CASE(a_signal_after_the_end_does_nothing) {
    pool_home pool(mode::own, 2);
    asio::cancellation_signal signal;
    BOOST_TEST(spawn(*pool, []() -> task<int> { co_return 3; }, with_slot(signal)).get() == 3);
    signal.emit(asio::cancellation_type::terminal);
    pool.destroy_pool();
    signal.emit(asio::cancellation_type::terminal);
}

BOOST_AUTO_TEST_CASE(what_is_masked_runs_to_its_end) {
    pool_home pool(mode::own, 2);
    asio::cancellation_signal signal;
    door begun;
    door emitted;
    auto result = spawn(
        *pool,
        [&]() -> task<std::string> {
            std::string story;
            {
                rouse::this_task::cancellation_mask const shield;
                {
                    rouse::this_task::cancellation_mask const nested(cancellation_type::total);
                }
                begun.open();
                emitted.wait();
                asio::steady_timer timer(*pool, 1ms);
                co_await timer.async_wait(rouse::use_poll);
                rouse::this_task::throw_if_cancelled();
                story += "masked ";
            }
            try {
                rouse::this_task::throw_if_cancelled();
            } catch (boost::system::system_error const& e) {
                story += is_cancelled(e) ? "seen" : "something else";
            }
            co_return story;
        },
        with_slot(signal));
    begun.wait();
    signal.emit(asio::cancellation_type::all);
    emitted.open();
    BOOST_TEST(result.get() == "masked seen");
}

BOOST_AUTO_TEST_CASE(what_is_shielded_runs_to_its_end_and_nothing_else_does) {
    in_both_modes({1, 2, 4}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        asio::cancellation_signal signal;
        door begun;
        event emitted;
        auto result = spawn(
            *pool,
            [&]() -> task<std::string> {
                std::string story;
                auto const unshielded = [&]() -> task<> {
                    try {
                        co_await tells(begun, *pool);
                    } catch (boost::system::system_error const& e) {
                        story += is_cancelled(e) ? "cancelled " : "something else ";
                    }
                };
                auto const shielded = [&]() -> task<> {
                    co_await emitted.happened();
                    asio::steady_timer soon(*pool, 1ms);
                    co_await soon.async_wait(rouse::use_poll);
                    co_await rouse::sleep_for(1ms);
                };
                co_await rouse::join(unshielded(), rouse::shielded(shielded()));
                story += "shielded ";
                try {
                    co_await rouse::finally(rouse::sleep_for(1h), [&] { return rouse::sleep_for(1ms); });
                } catch (boost::system::system_error const& e) {
                    story += is_cancelled(e) ? "clean" : "something else";
                }
                co_return story;
            },
            with_slot(signal));
        begun.wait();
        signal.emit(asio::cancellation_type::terminal);
        emitted.set();
        BOOST_TEST(result.get() == "cancelled shielded clean");
    });
}

BOOST_AUTO_TEST_CASE(the_controls_are_those_of_the_part_that_has_a_token) {
    pool_home pool(mode::own, 2);
    rouse::cancellation_source source;
    source.cancel();
    auto const story = block_on(spawn(*pool, [&]() -> task<std::string> {
        std::string told;
        co_await rouse::with_cancellation(
            [](std::string& s) -> task<> {
                try {
                    rouse::this_task::throw_if_cancelled();
                } catch (boost::system::system_error const&) {
                    s += "inside ";
                }
                co_return;
            }(told),
            source.token());
        rouse::this_task::throw_if_cancelled();
        co_return told + "outside";
    }));
    BOOST_TEST(story == "inside outside");
    BOOST_CHECK_THROW(rouse::this_task::throw_if_cancelled(), std::logic_error);
    BOOST_CHECK_THROW(rouse::this_task::cancellation_mask const shield, std::logic_error);
}

// ---- between tasks and awaitables ---------------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_awaitable_that_is_cancelled_cancels_the_task_that_it_awaits) {
    using namespace asio::experimental::awaitable_operators;
    pool_home pool(mode::own, 2);
    asio::io_context io;
    auto result = asio::co_spawn(
        io,
        [&]() -> asio::awaitable<std::size_t> {
            asio::steady_timer timer(co_await asio::this_coro::executor, 10ms);
            auto const first = co_await (timer.async_wait(asio::use_awaitable) ||
                                         spawn(*pool, waits(*pool), asio::use_awaitable));
            co_return first.index();
        },
        asio::use_future);
    io.run();  // which would take an hour
    BOOST_TEST(result.get() == 0U);
}

BOOST_AUTO_TEST_CASE(a_task_that_is_aborted_cancels_the_task_that_it_awaits_by_token) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        door begun;
        auto outer = spawn(*pool, [&]() -> task<int> {
            co_return co_await spawn(*pool, tells(begun, *pool), rouse::use_poll);
        });
        begun.wait();
        outer.abort();
        BOOST_CHECK_EXCEPTION(block_on(std::move(outer)), boost::system::system_error, says_aborted);
        pool->join();  // which would take an hour
    });
}

// ---- threads ------------------------------------------------------------------------------------

// One outcome: the value, or the cancellation.
BOOST_AUTO_TEST_CASE(signals_race_starts_and_ends) {
    in_both_modes({1, 2, 4}, [](mode m, unsigned workers) {
        unsigned const rounds = scaled(sanitized ? 5000U : 20'000U);
        pool_home pool(m, workers);
        unsigned values = 0;
        unsigned cancelled = 0;
        stress_random random(workers);
        for (unsigned r = 0; r < rounds; ++r) {
            asio::cancellation_signal signal;
            auto const after = std::chrono::microseconds(random.below(100));
            auto result = spawn(
                *pool,
                [&, after]() -> task<int> {
                    asio::steady_timer timer(*pool, after);
                    co_await timer.async_wait(rouse::use_poll);
                    co_await rouse::this_task::yield_now();
                    co_return 1;
                },
                with_slot(signal));
            for (unsigned n = random.below(6); n != 0; --n) random.delay();
            signal.emit(asio::cancellation_type::terminal);
            try {
                values += static_cast<unsigned>(result.get());
            } catch (boost::system::system_error const& e) {
                cancelled += is_cancelled(e);
            }
        }
        BOOST_TEST(values + cancelled == rounds);
    });
}

BOOST_AUTO_TEST_SUITE_END()
