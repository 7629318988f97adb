// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// asio::awaitable, awaited like a future: what it gives, and where it runs.

#include <support/asio_hand.hpp>
#include <support/asio_worlds.hpp>

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <concepts>
#include <memory>
#include <rouse/asio_awaitable.hpp>
#include <rouse/block_on.hpp>
#include <rouse/join.hpp>
#include <rouse/select.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/then.hpp>
#include <rouse/this_task.hpp>
#include <rouse/timeout.hpp>
#include <rouse/use_poll.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>

BOOST_AUTO_TEST_SUITE(test_awaitables)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using asio::ip::tcp;
using asio::use_awaitable;

struct no_default {
    explicit no_default(int n) : value(n) {}
    int value;
};

asio::awaitable<void> short_pause() {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
    co_await timer.async_wait(use_awaitable);
}
asio::awaitable<int> number(int n) {
    co_await short_pause();
    co_return n;
}
asio::awaitable<std::unique_ptr<int>> move_only() {
    co_await short_pause();
    co_return std::make_unique<int>(7);
}
asio::awaitable<no_default> without_default() {
    co_await short_pause();
    co_return no_default(8);
}
asio::awaitable<int> failing() {
    co_await short_pause();
    throw std::runtime_error("failing");
}
asio::awaitable<std::string> echo() {
    auto const ex = co_await asio::this_coro::executor;
    tcp::acceptor acceptor(ex, {asio::ip::address_v4::loopback(), 0});
    tcp::socket client(ex);
    co_await client.async_connect(acceptor.local_endpoint(), use_awaitable);
    tcp::socket server = co_await acceptor.async_accept(use_awaitable);
    co_await asio::async_write(client, asio::buffer("hello", 5), use_awaitable);
    std::string got(5, ' ');
    co_await asio::async_read(server, asio::buffer(got), use_awaitable);
    co_return got;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_task_awaits_awaitables_of_every_kind_of_result) {
    static_assert(std::same_as<rouse::output_t<rouse::into_future_t<asio::awaitable<int>>>, int>);
    on_each_world([](world& w) {
        std::string error = "none";
        auto handle = rouse::spawn(w.executor(), [&error]() -> rouse::task<int> {
            co_await short_pause();
            int const first = co_await number(5);
            auto const second = co_await move_only();
            auto const third = co_await without_default();
            try {
                co_await failing();
            } catch (std::runtime_error const& e) {
                error = e.what();
            }
            co_return first + *second + third.value;
        });
        BOOST_TEST(wait(w, std::move(handle)) == 20);
        BOOST_TEST(error == "failing");
    });
}

BOOST_AUTO_TEST_CASE(an_awaitable_makes_its_io_objects_of_its_own_executor) {
    on_each_world([](world& w) { BOOST_TEST(result_in(w, echo()) == "hello"); });
}

BOOST_AUTO_TEST_CASE(combinators_take_awaitables) {
    on_each_world([](world& w) {
        auto handle = rouse::spawn(w.executor(), []() -> rouse::task<int> {
            auto [a, b, c] = co_await rouse::join(number(1), short_pause(), move_only());
            static_assert(std::same_as<decltype(b), std::monostate>);
            auto first = co_await rouse::select(number(10), rouse::pending_future<>());
            int const in_time = co_await rouse::timeout(number(100), 1h);
            int const mapped = co_await rouse::map(number(500), [](int n) { return 2 * n; });
            co_return a + *c + std::get<0>(first) + in_time + mapped;
        });
        BOOST_TEST(wait(w, std::move(handle)) == 1118);
    });
}

BOOST_AUTO_TEST_CASE(an_awaitable_is_spawned) {
    on_each_world([](world& w) {
        BOOST_TEST(wait(w, rouse::spawn(w.executor(), number(3))) == 3);
        BOOST_TEST(wait(w, rouse::spawn(w.executor(), [] { return number(4); })) == 4);
    });
}

BOOST_AUTO_TEST_CASE(its_context_is_that_of_the_tasks_executor) {
    rouse::thread_pool pool(2);
    asio::execution_context* seen = nullptr;
    auto const look = [&seen]() -> asio::awaitable<void> {
        seen = &asio::query(co_await asio::this_coro::executor, asio::execution::context);
    };
    rouse::block_on(rouse::spawn(pool, look()));
    BOOST_TEST(seen == &pool.context());
}

// Without an executor it runs on the thread that blocks; its timers are the system context's.
BOOST_AUTO_TEST_CASE(block_on_runs_an_awaitable_on_the_calling_thread) {
    std::thread::id ran_on[2];
    auto const runs = [&ran_on]() -> asio::awaitable<int> {
        ran_on[0] = std::this_thread::get_id();
        co_await short_pause();
        ran_on[1] = std::this_thread::get_id();
        co_return 6;
    };
    BOOST_TEST(rouse::block_on(runs()) == 6);
    BOOST_TEST((ran_on[0] == std::this_thread::get_id()));
    BOOST_TEST((ran_on[1] == std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE(nothing_runs_before_the_first_poll_nor_between_polls) {
    asio::io_context io;
    hand h;
    int steps = 0;
    auto const body = [&]() -> asio::awaitable<int> {
        ++steps;
        co_await asio::post(io.get_executor(), use_awaitable);
        ++steps;
        co_return 9;
    };
    auto f = rouse::into_future(body());
    run_ready(io);
    BOOST_TEST(steps == 0);
    BOOST_TEST(h.poll(f).is_pending());
    BOOST_TEST(steps == 1);
    run_ready(io);
    BOOST_TEST(steps == 1);
    BOOST_TEST(h.woken());
    BOOST_TEST(finish(h, io, f) == 9);
    BOOST_TEST(steps == 2);
}

BOOST_AUTO_TEST_CASE(an_awaitable_that_is_never_polled_is_destroyed) {
    ledger book;
    bool ran = false;
    auto const body = [&ran](token) -> asio::awaitable<void> {
        ran = true;
        co_return;
    };
    {
        auto f = rouse::into_future(body(token(book)));
        hand h;
        auto g = rouse::into_future(body(token(book)));
        BOOST_TEST(h.poll_cancel(g).is_ready());
    }
    BOOST_TEST(book.live() == 0);
    BOOST_TEST(!ran);
}

BOOST_AUTO_TEST_CASE(an_awaitable_that_was_moved_from_is_misuse) {
    hand h;
    auto a = number(1);
    auto const b = std::move(a);
    auto f = rouse::into_future(std::move(a));
    BOOST_CHECK_EXCEPTION(
        (void)h.poll(f), std::logic_error,
        with_sentence("co_await of an asio::awaitable that was moved from"));
}

// On three threads, with handlers that complete on all of them: its own steps never overlap, nor
// with the polls of the task.
BOOST_AUTO_TEST_CASE(an_awaitable_is_serialised_with_its_task) {
    on_each_world([](world& w) {
        auto const ex = w.executor();
        int unprotected = 0;
        auto const steps = [&unprotected, ex](int n) -> asio::awaitable<void> {
            for (int i = 0; i < n; ++i) {
                ++unprotected;
                co_await asio::post(ex, use_awaitable);
            }
        };
        auto handle = rouse::spawn(ex, [&]() -> rouse::task<> {
            for (int i = 0; i < 20; ++i) {
                ++unprotected;
                co_await rouse::join(steps(10), steps(7), rouse::this_task::yield_now());
            }
        });
        wait(w, std::move(handle));
        BOOST_TEST(unprotected == 20 * 18);
    });
}

// What it spawns on its executor goes on in the task, and ends with it.
BOOST_AUTO_TEST_CASE(what_an_awaitable_leaves_behind_runs_in_the_task_until_that_ends) {
    on_each_world([](world& w) {
        auto const ex = w.executor();
        ledger book;
        std::atomic<int> ran{0};
        auto const lasting = [&](token) -> asio::awaitable<void> {
            for (;;) {
                co_await asio::post(ex, use_awaitable);
                ++ran;
            }
        };
        auto const leaves = [&]() -> asio::awaitable<void> {
            asio::co_spawn(co_await asio::this_coro::executor, lasting(token(book)), asio::detached);
        };
        auto handle = rouse::spawn(ex, [&]() -> rouse::task<int> {
            co_await leaves();
            int const then = ran;
            while (ran < then + 3) co_await rouse::this_task::yield_now();
            co_return book.live();
        });
        BOOST_TEST(wait(w, std::move(handle)) == 1);
        w.run_until([&] { return book.live() == 0; });
        BOOST_TEST(book.exactly_one_died());
    });
}

// Elsewhere than in the task: by name.
BOOST_AUTO_TEST_CASE(co_spawn_with_use_poll_takes_another_executor) {
    asio::thread_pool other(1);
    std::thread::id there;
    auto const where = [&there]() -> asio::awaitable<int> {
        there = std::this_thread::get_id();
        co_return 5;
    };
    BOOST_TEST(rouse::block_on(asio::co_spawn(other, where(), rouse::use_poll)) == 5);
    BOOST_TEST((there != std::this_thread::get_id()));
}

BOOST_AUTO_TEST_SUITE_END()
