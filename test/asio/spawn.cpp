// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// spawn on every kind of Asio executor, with every kind of completion token.

#include <support/asio_hand.hpp>
#include <support/asio_matrix.hpp>
#include <support/asio_worlds.hpp>

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <rouse/block_on.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <rouse/use_poll.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_spawn)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::use_poll;

auto const is_aborted = with_code(rouse::errc::aborted);

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

// Neither copyable nor default-constructible: for join handles only.
struct cargo {
    explicit cargo(int n) : value(std::make_unique<int>(n)) {}
    std::unique_ptr<int> value;
};

// What reached the process-wide hook.
class unhandled_record {
public:
    unhandled_record() {
        last() = this;
        before_ = rouse::set_unhandled_handler([](std::exception_ptr e, std::source_location at) {
            std::lock_guard guard(last()->mutex_);
            last()->errors.push_back(std::move(e));
            last()->places.push_back(at);
        });
    }
    unhandled_record(unhandled_record const&) = delete;
    unhandled_record& operator=(unhandled_record const&) = delete;
    ~unhandled_record() { rouse::set_unhandled_handler(before_); }

    std::vector<std::exception_ptr> errors{};
    std::vector<std::source_location> places{};

private:
    static unhandled_record*& last() {
        static unhandled_record* record = nullptr;
        return record;
    }
    rouse::unhandled_handler before_;
    std::mutex mutex_{};
};

template <class Future>
void drive(world& w, Future& future) {
    if (!w.is_driven_by_caller()) return;
    w.run_until([&] { return future.wait_for(0s) == std::future_status::ready; });
}

// Every token, on one executor or context.
template <class Where>
void every_token(world& w, Where& where) {
    BOOST_TEST_CONTEXT("join handle") {
        BOOST_TEST(wait(w, rouse::spawn(where, answer())) == 42);
        wait(w, rouse::spawn(where, nothing()));
        BOOST_TEST(*wait(w, rouse::spawn(where, move_only())) == 7);
        BOOST_CHECK_THROW(wait(w, rouse::spawn(where, failing())), std::runtime_error);
    }
    BOOST_TEST_CONTEXT("callback") {
        auto const called = std::make_shared<std::promise<int>>();
        auto result = called->get_future();
        rouse::spawn(where, answer(), [called](std::exception_ptr e, int n) {
            called->set_value(e ? -1 : n);
        });
        drive(w, result);
        BOOST_TEST(result.get() == 42);

        auto const failed = std::make_shared<std::promise<bool>>();
        auto said = failed->get_future();
        rouse::spawn(where, failing(), [failed](std::exception_ptr e, int n) {
            failed->set_value(e && n == 0 && std::string(what_of(e)) == "failing");
        });
        drive(w, said);
        BOOST_TEST(said.get());
    }
    BOOST_TEST_CONTEXT("use_future") {
        auto number = rouse::spawn(where, answer(), asio::use_future);
        auto none = rouse::spawn(where, nothing(), asio::use_future);
        auto pointer = rouse::spawn(where, move_only(), asio::use_future);
        auto error = rouse::spawn(where, failing(), asio::use_future);
        drive(w, number);
        drive(w, none);
        drive(w, pointer);
        drive(w, error);
        BOOST_TEST(number.get() == 42);
        none.get();
        BOOST_TEST(*pointer.get() == 7);
        BOOST_CHECK_THROW(error.get(), std::runtime_error);
    }
#if BOOST_ASIO_VERSION >= 102800  // before, as_tuple did not work over use_future
    BOOST_TEST_CONTEXT("as_tuple(use_future)") {
        auto number = rouse::spawn(where, answer(), asio::as_tuple(asio::use_future));
        drive(w, number);
        auto const [none, n] = number.get();
        BOOST_TEST(!none);
        BOOST_TEST(n == 42);
        auto failed = rouse::spawn(where, failing(), asio::as_tuple(asio::use_future));
        drive(w, failed);
        auto const error = std::get<0>(failed.get());
        BOOST_TEST_REQUIRE(!!error);
        BOOST_TEST(what_of(error) == "failing");
    }
#endif
    BOOST_TEST_CONTEXT("use_awaitable") {
        auto all = asio::co_spawn(
            w.executor(),
            [&where]() -> asio::awaitable<int> {
                co_await rouse::spawn(where, nothing(), asio::use_awaitable);
                auto p = co_await rouse::spawn(where, move_only(), asio::use_awaitable);
                bool thrown = false;
                try {
                    co_await rouse::spawn(where, failing(), asio::use_awaitable);
                } catch (std::runtime_error const&) {
                    thrown = true;
                }
                auto const [error, n] =
                    co_await rouse::spawn(where, answer(), asio::as_tuple(asio::use_awaitable));
                if (error) thrown = false;
                co_return n + *p + (thrown ? 100 : 0);
            },
            asio::use_future);
        drive(w, all);
        BOOST_TEST(all.get() == 149);
    }
    BOOST_TEST_CONTEXT("deferred") {
        std::atomic<bool> started{false};
        auto later = rouse::spawn(
            where,
            [&]() -> rouse::task<int> {
                started = true;
                co_return 5;
            },
            asio::deferred);
        BOOST_TEST(!started);
        auto result = std::move(later)(asio::use_future);
        drive(w, result);
        BOOST_TEST(result.get() == 5);
    }
    BOOST_TEST_CONTEXT("use_poll") {
        auto future = rouse::spawn(where, answer(), use_poll);
        static_assert(std::same_as<rouse::output_t<decltype(future)>, int>);
        BOOST_TEST(result_in(w, std::move(future)) == 42);
        result_in(w, rouse::spawn(where, nothing(), use_poll));
        BOOST_CHECK_THROW(result_in(w, rouse::spawn(where, failing(), use_poll)),
                          std::runtime_error);
        auto const [error, n] =
            result_in(w, rouse::spawn(where, answer(), asio::as_tuple(use_poll)));
        BOOST_TEST(!error);
        BOOST_TEST(n == 42);
    }
    BOOST_TEST_CONTEXT("detached and spawn_ok") {
        auto const one = std::make_shared<std::promise<void>>();
        auto const two = std::make_shared<std::promise<void>>();
        auto first = one->get_future();
        auto second = two->get_future();
        rouse::spawn(where, [one]() -> rouse::task<> { one->set_value(); co_return; },
                     asio::detached);
        rouse::spawn_ok(where, [two]() -> rouse::task<> { two->set_value(); co_return; });
        drive(w, first);
        drive(w, second);
        first.get();
        second.get();
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tokens)

BOOST_AUTO_TEST_CASE(on_any_io_executor) {
    on_each_world([](world& w) {
        auto const ex = w.executor();
        every_token(w, ex);
    });
}
BOOST_AUTO_TEST_CASE(on_an_io_context) {
    io_context_world w;
    every_token(w, w.io);
}
BOOST_AUTO_TEST_CASE(on_an_io_context_executor) {
    io_threads_world w;
    auto const ex = w.io.get_executor();
    every_token(w, ex);
}
BOOST_AUTO_TEST_CASE(on_a_strand) {
    io_threads_world w;
    auto const ex = asio::make_strand(w.io);
    every_token(w, ex);
}
BOOST_AUTO_TEST_CASE(on_an_asio_thread_pool) {
    asio_pool_world w;
    every_token(w, w.pool);
}
BOOST_AUTO_TEST_CASE(on_the_system_executor) {
    asio_pool_world w;  // only for what every_token does beside
    asio::system_executor const ex;
    every_token(w, ex);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(what_is_spawned)

BOOST_AUTO_TEST_CASE(a_value_without_a_default_for_a_join_handle) {
    on_each_world([](world& w) {
        auto handle =
            rouse::spawn(w.executor(), []() -> rouse::task<cargo> { co_return cargo(9); });
        BOOST_TEST(*wait(w, std::move(handle)).value == 9);
    });
}

BOOST_AUTO_TEST_CASE(a_callable_with_captures_lives_as_long_as_its_coroutine) {
    on_each_world([](world& w) {
        auto text = std::make_unique<std::string>("captured");
        auto const size =
            result_in(w, [text = std::move(text)]() -> rouse::task<std::size_t> {
                for (int i = 0; i < 5; ++i) co_await rouse::this_task::yield_now();
                co_return text->size();
            });
        BOOST_TEST(size == 8U);
    });
}

BOOST_AUTO_TEST_CASE(an_operation_itself) {
    on_each_world([](world& w) {
        asio::steady_timer timer(w.executor(), 1ms);
        result_in(w, timer.async_wait(use_poll));
        timer.expires_after(1ms);
        result_in(w, timer.async_wait(asio::deferred));
        timer.expires_after(1ms);
        auto waited =
            rouse::spawn(w.executor(), timer.async_wait(asio::deferred), asio::use_future);
        drive(w, waited);
        waited.get();
    });
}

BOOST_AUTO_TEST_CASE(a_callable_that_throws) {
    on_each_world([](world& w) {
        BOOST_CHECK_THROW(result_in(w, []() -> rouse::task<> { throw std::out_of_range("x"); }),
                          std::out_of_range);
    });
}

// The first poll is not made by spawn, not even where dispatch would run a function at once.
BOOST_AUTO_TEST_CASE(nothing_runs_inside_spawn) {
    io_context_world w;
    bool polled = false;
    asio::post(w.io, [&] {
        rouse::spawn_ok(w.io, [&]() -> rouse::task<> {
            polled = true;
            co_return;
        });
        BOOST_TEST(!polled);
    });
    w.io.run();
    BOOST_TEST(polled);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(handlers)

BOOST_AUTO_TEST_CASE(b79_run_on_their_associated_executor) {
    on_each_world([](world& w) {
        asio::thread_pool other(1);
        std::thread::id ran_in;
        std::thread::id of_other;
        asio::post(other, [&] { of_other = std::this_thread::get_id(); });
        rouse::spawn(w.executor(), answer(),
                     asio::bind_executor(other.get_executor(), [&](std::exception_ptr, int) {
                         ran_in = std::this_thread::get_id();
                     }));
        result_in(w, nothing());
        if (w.is_driven_by_caller()) result_in(w, nothing());
        other.join();  // the handler is work
        BOOST_TEST((ran_in == of_other));
    });
}

BOOST_AUTO_TEST_CASE(b79_run_once_on_the_associated_executor) {
    io_context_world w;
    std::atomic<int> executed{0};
    bool called = false;
    rouse::spawn(w.io, nothing(),
                 asio::bind_executor(counting_executor(w.executor(), executed),
                                     [&](std::exception_ptr) { called = true; }));
    w.run_until([&] { return called; });
    BOOST_TEST(executed == 1);
}

BOOST_AUTO_TEST_CASE(b79_their_allocator_is_used) {
    io_context_world w;
    std::atomic<int> allocated{0};
    bool called = false;
    rouse::spawn(w.io, nothing(),
                 asio::bind_allocator(counting_allocator<void>(allocated),
                                      [&](std::exception_ptr) { called = true; }));
    w.run_until([&] { return called; });
    BOOST_TEST(allocated >= 1);
}

BOOST_AUTO_TEST_CASE(are_never_called_inside_a_poll) {
    on_each_world([](world& w) {
        auto const in_a_poll = std::make_shared<std::promise<bool>>();
        auto result = in_a_poll->get_future();
        rouse::spawn(w.executor(), rouse::ready_future(), [in_a_poll](std::exception_ptr) {
            in_a_poll->set_value(rouse::detail::current_task() != nullptr);
        });
        drive(w, result);
        BOOST_TEST(!result.get());
    });
}

BOOST_AUTO_TEST_CASE(are_called_when_the_future_is_destroyed) {
    on_each_world([](world& w) {
        ledger book;
        auto const alive = std::make_shared<std::promise<int>>();
        auto result = alive->get_future();
        rouse::spawn(
            w.executor(),
            [t = token(book)]() -> rouse::task<> { co_await rouse::this_task::yield_now(); },
            [&book, alive](std::exception_ptr) { alive->set_value(book.live()); });
        drive(w, result);
        BOOST_TEST(result.get() == 0);
    });
}

// The executor that the handler is to run on has work until it has run.
BOOST_AUTO_TEST_CASE(keep_their_executor_busy) {
    asio::io_context tasks;
    asio::io_context other;
    bool called = false;
    rouse::spawn(tasks, nothing(), asio::bind_executor(other.get_executor(),
                                                       [&](std::exception_ptr) { called = true; }));
    std::thread thread([&] { other.run(); });
    tasks.run();
    thread.join();
    BOOST_TEST(called);
}

BOOST_AUTO_TEST_CASE(are_told_of_a_task_that_never_ended) {
    // Destroyed with its io_context: the handler gets errc::aborted, on an executor that lives.
    asio::io_context other;
    std::exception_ptr error;
    {
        asio::io_context io;
        rouse::spawn(io, rouse::pending_future<int>(),
                     asio::bind_executor(other.get_executor(),
                                         [&](std::exception_ptr e, int) { error = e; }));
    }
    other.run();
    BOOST_TEST_REQUIRE(!!error);
    BOOST_CHECK_EXCEPTION(std::rethrow_exception(error), boost::system::system_error, is_aborted);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(aborted)

BOOST_AUTO_TEST_CASE(a_join_handle_throws_aborted) {
    on_each_world([](world& w) {
        asio::steady_timer timer(w.executor(), 24h);
        auto handle = rouse::spawn(w.executor(), timer.async_wait(use_poll));
        handle.abort();
        BOOST_CHECK_EXCEPTION(wait(w, std::move(handle)), boost::system::system_error, is_aborted);
    });
}

BOOST_AUTO_TEST_CASE(a_dropped_handle_ends_the_task) {
    on_each_world([](world& w) {
        auto const begun = std::make_shared<std::promise<void>>();
        auto const ended = std::make_shared<std::promise<void>>();
        auto has_begun = begun->get_future();
        auto has_ended = ended->get_future();
        std::optional<rouse::join_handle<void>> handle(
            rouse::spawn(w.executor(), [&w, begun, ended]() -> rouse::task<> {
                at_exit const at_end([ended] { ended->set_value(); });
                begun->set_value();
                asio::steady_timer timer(w.executor(), 24h);
                co_await timer.async_wait(use_poll);
            }));
        drive(w, has_begun);
        has_begun.get();
        handle.reset();
        drive(w, has_ended);
        has_ended.get();
    });
}

BOOST_AUTO_TEST_CASE(a_callback_gets_aborted_where_its_future_cannot_go_on) {
    // Nobody can wake it: its executor ends it.
    on_each_world([](world& w) {
        auto result = rouse::spawn(w.executor(), rouse::pending_future<int>(), asio::use_future);
        drive(w, result);
        BOOST_CHECK_EXCEPTION(result.get(), boost::system::system_error, is_aborted);
    });
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(unhandled)

BOOST_AUTO_TEST_CASE(an_exception_of_a_detached_task_is_reported_with_the_place) {
    unhandled_record record;
    io_context_world w;
    auto const before = std::source_location::current();
    rouse::spawn_ok(w.io, failing());
    rouse::spawn(w.io, failing(), asio::detached);
    rouse::spawn(w.io, failing()).detach();
    w.io.run();
    BOOST_TEST_REQUIRE(record.errors.size() == 3U);
    for (std::uint32_t i = 0; i < 3; ++i) {
        BOOST_TEST(what_of(record.errors[i]) == "failing");
        BOOST_TEST(record.places[i].file_name() == before.file_name());
        BOOST_TEST(record.places[i].line() == before.line() + 1 + i);
    }
}

BOOST_AUTO_TEST_CASE(an_exception_that_a_handler_gets_is_not_reported) {
    unhandled_record record;
    io_context_world w;
    int called = 0;
    rouse::spawn(w.io, failing(), [&](std::exception_ptr, int) { ++called; });
    w.io.run();
    BOOST_TEST(called == 1);
    BOOST_TEST(record.errors.empty());
}

BOOST_AUTO_TEST_CASE(the_end_of_an_aborted_task_is_not_reported) {
    unhandled_record record;
    io_context_world w;
    asio::steady_timer timer(w.io, 24h);
    auto handle = rouse::spawn(w.io, timer.async_wait(use_poll));
    w.io.poll();
    handle.abort();
    handle.detach();
    // Cancelled from outside, and so ended by operation_aborted.
    rouse::cancellation_state* state = nullptr;
    rouse::waker waker;
    rouse::spawn_ok(w.io, [&]() -> rouse::task<> {
        co_await rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
            state = &cx.cancellation();
            waker = cx.waker();
            return rouse::ready();
        });
        asio::steady_timer mine(w.io, 24h);
        co_await mine.async_wait(use_poll);
    });
    w.io.poll();
    state->request(rouse::cancellation_type::all);
    std::move(waker).wake();
    w.io.run();
    BOOST_TEST(record.errors.empty());
}

// operation_aborted of a task that nobody told to end is an error like others.
BOOST_AUTO_TEST_CASE(operation_aborted_of_a_task_that_was_not_aborted_is_reported) {
    unhandled_record record;
    io_context_world w;
    asio::steady_timer timer(w.io, 24h);
    rouse::spawn_ok(w.io, timer.async_wait(use_poll));
    w.io.poll();
    timer.cancel();
    w.io.run();
    BOOST_TEST(record.errors.size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_end_of_the_io_context_is_not_reported) {
    unhandled_record record;
    {
        asio::io_context io;
        rouse::spawn_ok(io, [&]() -> rouse::task<> {
            asio::steady_timer timer(io, 24h);
            co_await timer.async_wait(use_poll);
        });
        rouse::spawn_ok(io, nothing());
        io.poll_one();
    }
    BOOST_TEST(record.errors.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(life)

// From inside a task, spawn goes to the executor of the task.
BOOST_AUTO_TEST_CASE(this_task_spawn_stays_on_the_executor) {
    asio::io_context io;
    auto const strand = asio::make_strand(io);
    bool in_strand = false;
    bool grandchild_in_strand = false;
    auto handle = rouse::spawn(strand, [&]() -> rouse::task<> {
        auto child = rouse::this_task::spawn([&]() -> rouse::task<> {
            in_strand = strand.running_in_this_thread();
            rouse::this_task::spawn_ok([&]() -> rouse::task<> {
                grandchild_in_strand = strand.running_in_this_thread();
                co_return;
            });
            co_return;
        });
        co_await std::move(child);
    });
    io.run();
    BOOST_TEST(handle.is_finished());
    BOOST_TEST(in_strand);
    BOOST_TEST(grandchild_in_strand);
}

BOOST_AUTO_TEST_CASE(b67_run_returns_when_all_tasks_are_done_and_not_before) {
    asio::io_context io;
    gate g;
    int done = 0;
    rouse::spawn_ok(io, [&]() -> rouse::task<> {
        // Waits for something that is no work of Asio's.
        co_await gate_future(g);
        rouse::this_task::spawn_ok([&]() -> rouse::task<> {
            co_await rouse::this_task::yield_now();
            ++done;
        });
        ++done;
    });
    std::atomic<bool> returned{false};
    std::thread runner([&] {
        io.run();
        returned = true;
    });
    // The gate is of one thread: it is opened where the task runs.
    for (int i = 0; i < 100; ++i) {
        auto const turn = std::make_shared<std::promise<void>>();
        auto had = turn->get_future();
        asio::post(io, [turn] { turn->set_value(); });
        had.get();
    }
    BOOST_TEST(!returned);
    asio::post(io, [&] { g.set(); });
    runner.join();
    BOOST_TEST(done == 2);
    BOOST_TEST(io.stopped());
}

// A join handle, a waker and a finished task hold no work.
BOOST_AUTO_TEST_CASE(what_is_left_of_a_task_holds_no_work) {
    asio::io_context io;
    rouse::waker waker;
    auto handle = rouse::spawn(io, rouse::poll_fn([&](rouse::context& cx) {
                                   waker = cx.waker();
                                   return rouse::poll_result<int>(3);
                               }));
    io.run();
    io.restart();
    BOOST_TEST(io.run() == 0U);
    waker.wake_by_ref();
    BOOST_TEST(io.run() == 0U);
    BOOST_TEST(poll_once(handle).value() == 3);
}

BOOST_AUTO_TEST_CASE(b67_a_stopped_io_context_goes_on_later) {
    asio::io_context io;
    int steps = 0;
    auto handle = rouse::spawn(io, [&]() -> rouse::task<> {
        for (int i = 0; i < 10; ++i) {
            ++steps;
            if (i == 4) io.stop();
            co_await asio::post(io, use_poll);
        }
    });
    io.run();
    BOOST_TEST(steps == 5);
    BOOST_TEST(!handle.is_finished());
    io.restart();
    io.run();
    BOOST_TEST(steps == 10);
    BOOST_TEST(handle.is_finished());
}

BOOST_AUTO_TEST_CASE(block_on_inside_a_task_throws) {
    on_each_world([](world& w) {
        BOOST_CHECK_EXCEPTION(
            result_in(w, []() -> rouse::task<int> { co_return rouse::block_on(answer()); }),
            boost::system::system_error, with_code(rouse::errc::blocking_in_worker));
    });
}

BOOST_AUTO_TEST_CASE(block_on_an_operation_of_another_thread) {
    io_threads_world w;
    asio::steady_timer timer(w.executor(), 1ms);
    rouse::block_on(timer.async_wait(use_poll));
    timer.expires_after(1ms);
    rouse::block_on(timer.async_wait(asio::deferred));
    auto handle = rouse::spawn(w.executor(), answer());
    BOOST_TEST(rouse::block_on(handle) == 42);
    BOOST_TEST(rouse::block_on(rouse::spawn(w.executor(), answer(), use_poll)) == 42);
}

// Tasks of one executor wait for tasks of another.
BOOST_AUTO_TEST_CASE(tasks_join_across_executors) {
    io_threads_world one;
    asio_pool_world two;
    auto const sum = result_in(one, [&]() -> rouse::task<int> {
        int total = 0;
        for (int i = 0; i < 200; ++i) {
            total += co_await rouse::spawn(two.pool, [&]() -> rouse::task<int> {
                co_return co_await rouse::spawn(one.io, answer());
            });
        }
        co_return total;
    });
    BOOST_TEST(sum == 200 * 42);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
