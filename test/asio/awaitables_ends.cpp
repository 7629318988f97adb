// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// How an asio::awaitable that is awaited like a future ends when nobody wants its result any more.

#include <support/asio_hand.hpp>
#include <support/asio_worlds.hpp>
#include <support/pool_kit.hpp>
#include <support/scale.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <rouse/abandonable.hpp>
#include <rouse/asio_awaitable.hpp>
#include <rouse/block_on.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <rouse/timeout.hpp>
#include <rouse/use_poll.hpp>
#include <string>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_awaitables_ends)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using asio::use_awaitable;
using boost::system::system_error;

// Writes down in which order things happen; for one task.
struct story {
    std::string told{};

    auto at_end_of(char letter) {
        return at_exit([this, letter] { told += letter; });
    }
};

// Two frames that wait for ever, until they are told to stop.
asio::awaitable<void> inner(asio::io_context& io, story& s, token) {
    auto const end = s.at_end_of('i');
    asio::steady_timer timer(io, 24h);
    co_await timer.async_wait(use_awaitable);
    s.told += '!';
}
asio::awaitable<int> outer(asio::io_context& io, story& s, ledger& book) {
    auto const end = s.at_end_of('o');
    co_await inner(io, s, token(book));
    s.told += '!';
    co_return 1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_cooperative_cancellation_reaches_the_awaitable) {
    asio::io_context io;
    hand h;
    story s;
    ledger book;
    auto f = rouse::into_future(outer(io, s, book));
    BOOST_TEST(h.poll(f).is_pending());
    h.cancel();
    BOOST_CHECK_EXCEPTION(finish(h, io, f), system_error, is_operation_aborted);
    BOOST_TEST(s.told == "io");
    BOOST_TEST(book.exactly_one_died());
}

BOOST_AUTO_TEST_CASE(a_partial_cancellation_reaches_what_lets_it_through) {
    asio::io_context io;
    hand h;
    auto const body = [&io](bool lets_through) -> asio::awaitable<bool> {
        if (lets_through) {
            co_await asio::this_coro::reset_cancellation_state(
                asio::enable_partial_cancellation());
        }
        asio::steady_timer timer(io, lets_through ? 24h : 0h);
        co_await timer.async_wait(use_awaitable);
        co_return true;
    };
    auto deaf = rouse::into_future(body(false));
    auto hears = rouse::into_future(body(true));
    BOOST_TEST(h.poll(deaf).is_pending());
    BOOST_TEST(h.poll(hears).is_pending());
    h.cancel(rouse::cancellation_type::partial);
    BOOST_CHECK_EXCEPTION(finish(h, io, hears), system_error, is_operation_aborted);
    BOOST_TEST(finish(h, io, deaf));
}

BOOST_AUTO_TEST_CASE(an_abort_waits_for_the_awaitable) {
    asio::io_context io;
    hand h;
    story s;
    ledger book;
    auto f = rouse::into_future(outer(io, s, book));
    BOOST_TEST(h.poll(f).is_pending());
    BOOST_TEST(h.poll_cancel(f).is_pending());
    BOOST_TEST(s.told == "");
    auto const value = finish_cancel(h, io, f);
    BOOST_TEST(!value.has_value());
    BOOST_TEST(s.told == "io");
    BOOST_TEST(book.exactly_one_died());
}

// It may take its time, and may have a result after all.
BOOST_AUTO_TEST_CASE(an_aborted_awaitable_may_clean_up_and_keeps_its_result) {
    asio::io_context io;
    hand h;
    auto const body = [&io]() -> asio::awaitable<int> {
        asio::steady_timer timer(io, 24h);
        try {
            co_await timer.async_wait(use_awaitable);
        } catch (system_error const&) {
        }
        co_await asio::this_coro::throw_if_cancelled(false);
        for (int i = 0; i < 3; ++i) co_await asio::post(io, use_awaitable);
        co_return 3;
    };
    auto f = rouse::into_future(body());
    BOOST_TEST(h.poll(f).is_pending());
    auto const value = finish_cancel(h, io, f);
    BOOST_REQUIRE(value.has_value());
    BOOST_TEST(*value == 3);
}

// What resolvers give is no sign that the awaitable is a resolver's operation: it is waited for.
BOOST_AUTO_TEST_CASE(an_awaitable_of_resolver_results_is_waited_for) {
    using results = asio::ip::tcp::resolver::results_type;
    asio::io_context io;
    hand h;
    bool over = false;
    auto const body = [&]() -> asio::awaitable<results> {
        at_exit const end([&over] { over = true; });
        asio::steady_timer timer(io, 24h);
        co_await timer.async_wait(use_awaitable);
        co_return results();
    };
    auto f = rouse::into_future(body());
    BOOST_TEST(h.poll(f).is_pending());
    BOOST_TEST(h.poll_cancel(f).is_pending());
    finish_cancel(h, io, f);
    BOOST_TEST(over);
}

BOOST_AUTO_TEST_CASE(a_dropped_awaitable_runs_no_further_and_is_destroyed_once) {
    asio::io_context io;
    story s;
    ledger book;
    {
        hand h;
        auto f = rouse::into_future(outer(io, s, book));
        BOOST_TEST(h.poll(f).is_pending());
    }
    run_ready(io);
    BOOST_TEST(s.told == "io");
    BOOST_TEST(book.exactly_one_died());
}

// The same while the function that would resume it is in the inbox.
BOOST_AUTO_TEST_CASE(an_awaitable_dropped_with_its_resumption_queued_is_destroyed_once) {
    asio::io_context io;
    ledger book;
    bool resumed = false;
    auto const body = [&](token) -> asio::awaitable<void> {
        co_await asio::post(io, use_awaitable);
        resumed = true;
    };
    {
        hand h;
        auto f = rouse::into_future(body(token(book)));
        BOOST_TEST(h.poll(f).is_pending());
        run_ready(io);
        BOOST_TEST(h.woken());
    }
    BOOST_TEST(!resumed);
    BOOST_TEST(book.exactly_one_died());
}

BOOST_AUTO_TEST_CASE(an_io_context_that_ends_completes_the_awaitable_as_aborted) {
    std::optional<asio::io_context> io(std::in_place);
    ledger book;
    bool resumed = false;
    hand h;
    auto const body = [&](token) -> asio::awaitable<int> {
        co_await asio::post(*io, use_awaitable);
        resumed = true;
        co_return 1;
    };
    auto f = rouse::into_future(body(token(book)));
    BOOST_TEST(h.poll(f).is_pending());
    io.reset();
    BOOST_TEST(h.woken());
    BOOST_CHECK_EXCEPTION((void)h.poll(f), system_error, is_operation_aborted);
    BOOST_TEST(!resumed);
    BOOST_TEST(book.exactly_one_died());
}

// In the other order: what runs on the io_context, and its I/O objects, die with it.
BOOST_AUTO_TEST_CASE(an_io_context_that_ends_takes_the_awaitables_of_its_tasks_along) {
    std::optional<asio::io_context> io(std::in_place);
    story s;
    ledger book;
    auto handle = rouse::spawn(*io, outer(*io, s, book));
    run_ready(*io);
    BOOST_TEST(book.live() == 1);
    io.reset();
    BOOST_TEST(s.told == "io");
    BOOST_TEST(book.exactly_one_died());
    BOOST_CHECK_EXCEPTION(rouse::block_on(std::move(handle)), system_error,
                          with_code(rouse::errc::aborted));
}

BOOST_AUTO_TEST_CASE(a_handle_aborts_a_task_in_an_awaitable) {
    on_each_world([](world& w) {
        auto const ex = w.executor();
        story s;
        std::atomic<bool> waits{false};
        auto const body = [&]() -> asio::awaitable<void> {
            auto const end = s.at_end_of('a');
            asio::steady_timer timer(co_await asio::this_coro::executor, 24h);
            waits = true;
            co_await timer.async_wait(use_awaitable);
        };
        auto handle = rouse::spawn(ex, [&]() -> rouse::task<> {
            auto const end = s.at_end_of('t');
            co_await body();
        });
        w.run_until([&] { return waits.load(); });
        handle.abort();
        BOOST_CHECK_EXCEPTION(wait(w, std::move(handle)), system_error,
                              with_code(rouse::errc::aborted));
        BOOST_TEST(s.told == "at");
    });
}

BOOST_AUTO_TEST_CASE(a_timeout_ends_an_awaitable) {
    on_each_world([](world& w) {
        bool over = false;
        auto const body = [&]() -> asio::awaitable<int> {
            at_exit const end([&over] { over = true; });
            asio::steady_timer timer(co_await asio::this_coro::executor, 24h);
            co_await timer.async_wait(use_awaitable);
            co_return 1;
        };
        BOOST_CHECK_EXCEPTION(result_in(w, rouse::timeout(body(), 2ms)), system_error,
                              with_code(rouse::errc::timed_out));
        BOOST_TEST(over);
    });
}

// By co_spawn elsewhere: the cancellation is on its way to that executor when the operation ends.
BOOST_AUTO_TEST_CASE(a_cancellation_of_co_spawn_may_arrive_late) {
    asio::io_context io;
    auto const body = [&io]() -> asio::awaitable<int> {
        co_await asio::post(io, use_awaitable);
        co_return 4;
    };
    auto const abort_at_the_end = [&](auto op) {
        hand h;
        BOOST_TEST(h.poll(op).is_pending());
        io.restart();
        io.run_one();  // its beginning; what resumes it is queued
        BOOST_TEST(h.poll_cancel(op).is_pending());
        io.run_one();
        auto released = h.poll_cancel(op);
        BOOST_TEST(released.is_ready());
        run_ready(io);
        return released.value().has_value();
    };
    BOOST_TEST(abort_at_the_end(asio::co_spawn(io, body(), rouse::use_poll)));
    BOOST_TEST(abort_at_the_end(asio::co_spawn(io, body(), asio::as_tuple(rouse::use_poll))));
}

// The awaitables of a group run, and are cancelled, on the executor of the one that awaits it. With
// Asio alone this races on a pool of threads (chriskohlhoff/asio#1348).
BOOST_AUTO_TEST_CASE(awaitable_operators_are_serialised_on_a_pool_of_threads) {
    using namespace asio::experimental::awaitable_operators;
    int const rounds = scaled(3000);
    rouse_pool_world w;
    auto const ex = w.executor();
    auto const some_posts = [ex](int n) -> asio::awaitable<int> {
        for (int i = 0; i < n; ++i) co_await asio::post(ex, use_awaitable);
        co_return n;
    };
    auto const waits = [ex](std::chrono::microseconds d) -> asio::awaitable<void> {
        asio::steady_timer timer(ex, d);
        co_await timer.async_wait(use_awaitable);
    };
    auto const race = [&](int n) -> asio::awaitable<std::size_t> {
        auto const winner = co_await (some_posts(n % 5) || waits(std::chrono::microseconds(n % 9)));
        co_return winner.index();
    };
    int finished = 0;
    int aborted = 0;
    for (int i = 0; i < rounds; ++i) {
        auto handle = rouse::spawn(ex, race(i));
        if (i % 3 == 0) handle.abort();
        try {
            rouse::block_on(std::move(handle));
            ++finished;
        } catch (std::exception const&) {  // of the task, or the two that both awaitables have thrown
            ++aborted;
        }
    }
    BOOST_TEST(finished + aborted == rounds);
    BOOST_TEST(finished >= rounds / 2);
}

// At random moments, while the threads of the event loop complete what it waits for.
BOOST_AUTO_TEST_CASE(awaitables_dropped_on_a_pool_of_threads_are_destroyed_once) {
    int const rounds = scaled(5000);
    ledger book;
    {
        rouse_pool_world w;
        auto const ex = w.executor();
        auto const body = [ex](token) -> asio::awaitable<void> {
            for (;;) {
                co_await asio::post(ex, use_awaitable);
                asio::steady_timer timer(ex, 10us);
                co_await timer.async_wait(use_awaitable);
            }
        };
        for (int i = 0; i < rounds; ++i) {
            auto drops = rouse::timeout(rouse::abandonable(body(token(book))),
                                        std::chrono::microseconds(i % 300));
            BOOST_CHECK_EXCEPTION(wait(w, rouse::spawn(ex, std::move(drops))), system_error,
                                  with_code(rouse::errc::timed_out));
        }
    }
    BOOST_TEST(book.made == rounds);
    BOOST_TEST(book.live() == 0);
}

BOOST_AUTO_TEST_CASE(a_pool_that_stops_ends_awaitables) {
    in_both_modes({1, 3}, [](mode m, unsigned workers) {
        ledger book;
        pool_home pool(m, workers);
        std::vector<rouse::join_handle<void>> handles;
        auto const body = [](token, door& d) -> asio::awaitable<void> {
            asio::steady_timer timer(co_await asio::this_coro::executor, 24h);
            d.open();
            co_await timer.async_wait(use_awaitable);
        };
        std::vector<door> doors(8);
        for (door& d : doors) handles.push_back(rouse::spawn(*pool, body(token(book), d)));
        for (door& d : doors) d.wait();
        pool->stop();
        pool->join();
        BOOST_TEST(book.live() == 0);
        BOOST_TEST(book.made == 8);
    });
}

BOOST_AUTO_TEST_SUITE_END()
