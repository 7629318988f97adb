// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Completion tokens of spawn that spawn.cpp has not: the stackful coroutine and the promise.

#include <support/asio_hand.hpp>
#include <support/asio_worlds.hpp>
#include <support/scale.hpp>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
// use_promise.hpp of Asio 1.26 does not compile without it
#include <boost/asio/experimental/promise.hpp>
#include <boost/asio/experimental/use_promise.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <rouse/deferred.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <rouse/use_poll.hpp>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_spawn_tokens)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::use_poll;
using asio::experimental::use_promise;

rouse::task<int> answer() {
    co_await rouse::this_task::yield_now();
    co_return 42;
}
rouse::task<> nothing() { co_await rouse::this_task::yield_now(); }
rouse::task<std::unique_ptr<int>> move_only() { co_return std::make_unique<int>(7); }
rouse::task<int> failing() {
    co_await rouse::this_task::yield_now();
    throw std::runtime_error("failing");
}

struct results {
    bool none_failed = true;
    int number = 0;
    int owned = 0;
    std::string error{};
    bool waited_in_between = false;
    std::atomic<bool> over{false};
};

}  // namespace

// With Asio 1.26 a plain `yield` cannot take what may be an exception: see coming_from_asio.md.
BOOST_AUTO_TEST_CASE(as_tuple_of_a_yield_context) {
    if (tsan) return;  // it does not know the stacks of Boost.Context 1.81
    on_each_world([](world& w) {
        auto const ex = w.executor();
        results r;
        asio::spawn(
            ex,
            [&](asio::yield_context yield) {
                auto const token = asio::as_tuple(yield);
                auto const [e1] = rouse::spawn(ex, nothing(), token);
                auto const [e2, number] = rouse::spawn(ex, answer(), token);
                asio::steady_timer timer(ex, 1ms);
                auto const [waited] = timer.async_wait(token);
                r.waited_in_between = !waited;
                auto const [e3, owned] = rouse::spawn(ex, move_only(), token);
                auto const [e4, unused] = rouse::spawn(ex, failing(), token);
                r.none_failed = !e1 && !e2 && !e3;
                r.number = number;
                r.owned = owned ? *owned : 0;
                r.error = e4 ? what_of(e4) : "none";
            },
            [&](std::exception_ptr e) {
                if (e) r.none_failed = false;
                r.over = true;
            });
        w.run_until([&] { return r.over.load(); });
        BOOST_TEST(r.none_failed);
        BOOST_TEST(r.number == 42);
        BOOST_TEST(r.owned == 7);
        BOOST_TEST(r.error == "failing");
        BOOST_TEST(r.waited_in_between);
    });
}

// The other direction: a task awaits a stackful coroutine.
BOOST_AUTO_TEST_CASE(a_task_awaits_a_stackful_coroutine) {
    if (tsan) return;  // as above
    on_each_world([](world& w) {
        auto const ex = w.executor();
        auto const waits = [&](asio::yield_context yield) {
            asio::steady_timer timer(ex, 1ms);
            timer.async_wait(yield);
            return 5;
        };
        auto const returns_nothing = [&](asio::yield_context yield) {
            asio::steady_timer timer(ex, 1ms);
            timer.async_wait(yield);
        };
        BOOST_TEST(result_in(w, asio::spawn(ex, waits, use_poll)) == 5);
        result_in(w, asio::spawn(ex, returns_nothing, use_poll));
        auto const [error, value] = result_in(w, asio::spawn(ex, waits, asio::as_tuple(use_poll)));
        BOOST_TEST(!error);
        BOOST_TEST(value == 5);
    });
}

// The task starts by itself; the promise is asked later, by a task. Asio's promise has no lock: its
// completion and who waits for it share a strand.
BOOST_AUTO_TEST_CASE(use_promise_starts_at_once) {
    on_each_world([](world& w) {
        asio::any_io_executor const ex = asio::make_strand(w.executor());
        auto handle = rouse::spawn(ex, [ex]() -> rouse::task<int> {
            std::atomic<bool> ran{false};
            auto promise = rouse::spawn(
                ex,
                [&ran]() -> rouse::task<int> {
                    ran = true;
                    co_return 6;
                },
                use_promise);
            while (!ran) co_await rouse::this_task::yield_now();
            int const value = co_await std::move(promise)(use_poll);
            co_return value;
        });
        BOOST_TEST(wait(w, std::move(handle)) == 6);
    });
}

BOOST_AUTO_TEST_CASE(use_promise_of_every_kind_of_result) {
    on_each_world([](world& w) {
        asio::any_io_executor const ex = asio::make_strand(w.executor());
        auto handle = rouse::spawn(ex, [ex]() -> rouse::task<int> {
            auto none = rouse::spawn(ex, nothing(), use_promise);
            auto number = rouse::spawn(ex, answer(), use_promise);
            auto owned = rouse::spawn(ex, move_only(), use_promise);
            auto error = rouse::spawn(ex, failing(), use_promise);
            co_await std::move(none)(use_poll);
            int const first = co_await std::move(number)(use_poll);
            auto const second = co_await std::move(owned)(use_poll);
            try {
                co_await std::move(error)(use_poll);
            } catch (std::runtime_error const& e) {
                if (std::string(e.what()) == "failing") co_return first + *second;
            }
            co_return 0;
        });
        BOOST_TEST(wait(w, std::move(handle)) == 49);
    });
}

// What is spawned only moves, so the deferred operation is good for once.
BOOST_AUTO_TEST_CASE(a_deferred_spawn_is_awaited_without_a_token) {
    on_each_world([](world& w) {
        auto const ex = w.executor();
        auto handle = rouse::spawn(ex, [ex]() -> rouse::task<int> {
            int const first = co_await rouse::spawn(ex, answer(), asio::deferred);
            auto later = rouse::spawn(ex, move_only(), asio::deferred);
            auto const second = co_await std::move(later);
            co_return first + *second;
        });
        BOOST_TEST(wait(w, std::move(handle)) == 49);
    });
}

BOOST_AUTO_TEST_SUITE_END()
