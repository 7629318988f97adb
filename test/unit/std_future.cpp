// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// std::future and std::shared_future, awaited like futures.

#include <support/pool_kit.hpp>
#include <support/unit_kit.hpp>

#include <atomic>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <concepts>
#include <future>
#include <memory>
#include <rouse/block_on.hpp>
#include <rouse/join_all.hpp>
#include <rouse/spawn.hpp>
#include <rouse/std_future.hpp>
#include <rouse/task.hpp>
#include <rouse/timeout.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_std_future)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using boost::system::system_error;

template <class T, class... V>
std::future<T> made_ready(V&&... value) {
    std::promise<T> p;
    p.set_value(std::forward<V>(value)...);
    return p.get_future();
}

template <class X>
auto future_of(X&& x) {
    return rouse::into_future(std::forward<X>(x));
}

}  // namespace

// The first case: the thread that looks has not been needed yet.
BOOST_AUTO_TEST_CASE(what_is_ready_needs_no_thread) {
    auto number = future_of(made_ready<int>(4));
    auto owned = future_of(made_ready<std::unique_ptr<int>>(std::make_unique<int>(5)));
    auto nothing = future_of(made_ready<void>());
    auto shared = future_of(made_ready<std::string>("six").share());
    static_assert(std::same_as<rouse::output_t<decltype(owned)>, std::unique_ptr<int>>);
    static_assert(std::same_as<rouse::output_t<decltype(shared)>, std::string>);
    BOOST_TEST(poll_once(number).value() == 4);
    auto const five = poll_once(owned).value();
    BOOST_TEST(*five == 5);
    BOOST_TEST(poll_once(nothing).is_ready());
    BOOST_TEST(poll_once(shared).value() == "six");
    BOOST_TEST(threads_of_process() == threads_at_rest);
    BOOST_CHECK_THROW((void)poll_once(number), std::logic_error);
}

BOOST_AUTO_TEST_CASE(what_becomes_ready_wakes_the_task) {
    std::promise<std::unique_ptr<int>> p;
    std::atomic<bool> waits{false};
    std::thread sets([&] {
        while (!waits) std::this_thread::yield();
        p.set_value(std::make_unique<int>(6));
    });
    auto six = rouse::block_on([](auto f, std::atomic<bool>& w) -> rouse::task<int> {
        w = true;
        auto const value = co_await std::move(f);
        co_return *value;
    }(p.get_future(), waits));
    sets.join();
    BOOST_TEST(six == 6);
}

BOOST_AUTO_TEST_CASE(a_spurious_poll_finds_what_has_become_ready) {
    static wake_counter wakes;  // who looks may still be about to wake at the end
    auto const waker = wakes.make();
    std::promise<int> p;
    auto f = future_of(p.get_future());
    BOOST_TEST(poll_once(f, waker).is_pending());
    BOOST_TEST(poll_once(f, waker).is_pending());
    p.set_value(3);
    BOOST_TEST(poll_once(f, waker).value() == 3);
    BOOST_CHECK_THROW((void)poll_once(f), std::logic_error);
}

BOOST_AUTO_TEST_CASE(exceptions_and_broken_promises) {
    auto fails = [] {
        return std::async(std::launch::async, []() -> int { throw std::runtime_error("failing"); });
    };
    BOOST_CHECK_EXCEPTION(rouse::block_on(fails()), std::runtime_error,
                          [](auto const& e) { return std::string(e.what()) == "failing"; });
    BOOST_CHECK_THROW(rouse::block_on(fails().share()), std::runtime_error);
    std::future<void> broken;
    {
        std::promise<void> p;
        broken = p.get_future();
    }
    BOOST_CHECK_THROW(rouse::block_on(std::move(broken)), std::future_error);
    BOOST_CHECK_THROW(rouse::block_on(std::future<int>()), std::future_error);
}

BOOST_AUTO_TEST_CASE(a_named_shared_future_is_copied) {
    std::promise<std::string> p;
    std::shared_future<std::string> const shared = p.get_future().share();
    auto f = future_of(shared);
    auto g = future_of(shared);
    BOOST_TEST(poll_once(f).is_pending());
    p.set_value("once");
    BOOST_TEST(rouse::block_on(f) == "once");
    BOOST_TEST(poll_once(g).value() == "once");
    BOOST_TEST(shared.get() == "once");
}

BOOST_AUTO_TEST_CASE(a_deferred_function_is_refused_and_not_run) {
    bool ran = false;
    auto f = future_of(std::async(std::launch::deferred, [&ran] { ran = true; }));
    BOOST_CHECK_EXCEPTION((void)poll_once(f), std::logic_error, [](auto const& e) {
        return std::string(e.what()).find("deferred: nobody would run it") != std::string::npos;
    });
    BOOST_TEST(!ran);
}

BOOST_AUTO_TEST_CASE(many_are_looked_at_by_one_thread) {
    constexpr std::size_t count = 500;
    std::vector<std::promise<std::size_t>> promises(count);
    std::vector<rouse::into_future_t<std::future<std::size_t>>> futures;
    futures.reserve(count);
    for (auto& p : promises) futures.push_back(future_of(p.get_future()));
    unsigned threads = 0;
    std::thread sets;
    auto all = rouse::join_all(std::move(futures));
    BOOST_TEST(poll_once(all).is_pending());
    threads = threads_of_process();
    sets = std::thread([&] {
        for (std::size_t i = 0; i < count; ++i) promises[i].set_value(i);
    });
    std::size_t sum = 0;
    for (std::size_t const n : rouse::block_on(all)) sum += n;
    sets.join();
    BOOST_TEST(sum == count * (count - 1) / 2);
    BOOST_TEST(threads <= threads_at_rest + 1);
}

// It is not lost when it is aborted before the next poll.
BOOST_AUTO_TEST_CASE(what_is_ready_and_finds_no_budget_is_kept) {
    auto number = future_of(made_ready<int>(42));
    auto nothing = future_of(made_ready<void>());
    rouse::waker const nobody;
    rouse::cancellation_state cancellation;
    rouse::poll_root root;
    root.waker = &nobody;
    root.cancellation = &cancellation;
    root.budget = 0;
    rouse::context cx(root);
    BOOST_TEST(number.poll(cx).is_pending());
    BOOST_TEST(nothing.poll(cx).is_pending());
    BOOST_TEST(number.poll_cancel(cx).value().value() == 42);
    BOOST_TEST(nothing.poll_cancel(cx).value());
    BOOST_TEST(!number.poll_cancel(cx).value().has_value());
}

// The one of std::async would wait in its destructor; it is left to the thread that looks.
BOOST_AUTO_TEST_CASE(nobody_waits_for_what_is_dropped) {
    door ends;
    ledger book;
    {
        auto f = future_of(std::async(std::launch::async, [&ends, t = token(book)] { ends.wait(); }));
        BOOST_TEST(poll_once(f).is_pending());
    }
    BOOST_TEST(book.live() == 1);
    ends.open();
    wait_until([&] { return book.live() == 0; }, "the end of what was left behind");
    BOOST_TEST(book.exactly_one_died());
}

// Also before anybody has polled it.
BOOST_AUTO_TEST_CASE(nobody_waits_for_what_is_dropped_unpolled) {
    door ends;
    ledger book;
    auto const start = [&] {
        return future_of(
            std::async(std::launch::async, [&ends, t = token(book)] { ends.wait(); }));
    };
    {
        auto dropped = start();
        auto moved = std::move(dropped);
        auto aborted = start();
        BOOST_TEST(cancel_once(aborted).value() == false);
    }
    BOOST_TEST(book.live() == 2);
    ends.open();
    wait_until([&] { return book.live() == 0; }, "the end of what was left behind");
}

// A shared one is let go at once.
BOOST_AUTO_TEST_CASE(a_dropped_shared_future_is_gone) {
    ledger book;
    {
        std::promise<std::shared_ptr<token>> p;
        {
            auto f = future_of(p.get_future().share());
            BOOST_TEST(poll_once(f).is_pending());
        }
        p.set_value(std::make_shared<token>(book));
    }
    BOOST_TEST(book.exactly_one_died());
}

BOOST_AUTO_TEST_CASE(a_timeout_and_an_abort_leave_it_behind) {
    door ends;
    ledger book;
    auto const start = [&] {
        return std::async(std::launch::async, [&ends, t = token(book)] { ends.wait(); });
    };
    BOOST_CHECK_EXCEPTION(rouse::block_on(rouse::timeout(start(), 1ms)), system_error,
                          [](auto const& e) { return e.code() == rouse::errc::timed_out; });
    rouse::thread_pool pool(1);
    auto handle = rouse::spawn(pool, start());
    handle.abort();
    BOOST_CHECK_EXCEPTION(rouse::block_on(std::move(handle)), system_error, says_aborted);
    BOOST_TEST(book.died < 2);
    ends.open();
    wait_until([&] { return book.live() == 0; }, "the end of what was left behind");
}

BOOST_AUTO_TEST_CASE(an_abort_keeps_what_is_ready) {
    std::promise<int> p;
    auto f = future_of(p.get_future());
    BOOST_TEST(poll_once(f).is_pending());
    p.set_value(8);
    auto const value = cancel_once(f).value();
    BOOST_REQUIRE(value.has_value());
    BOOST_TEST(*value == 8);
    auto unpolled = future_of(made_ready<int>(1));
    BOOST_TEST(!cancel_once(unpolled).value().has_value());
}

BOOST_AUTO_TEST_CASE(a_cancelled_task_does_not_wait) {
    std::promise<int> p;
    auto f = future_of(p.get_future());
    auto ready = future_of(made_ready<int>(1));
    wake_counter wakes;
    auto const waker = wakes.make();
    rouse::poll_root root;
    rouse::cancellation_state cancellation;
    root.waker = &waker;
    root.cancellation = &cancellation;
    rouse::context cx(root);
    BOOST_TEST(f.poll(cx).is_pending());
    cancellation.request(rouse::cancellation_type::terminal);
    BOOST_CHECK_EXCEPTION((void)f.poll(cx), system_error, [](auto const& e) {
        return e.code() == boost::asio::error::operation_aborted;
    });
    BOOST_TEST(ready.poll(cx).value() == 1);
}

// Threads set promises while the futures are polled, dropped and looked at.
BOOST_AUTO_TEST_CASE(promises_are_set_while_futures_are_dropped) {
    int sum = 0;
    constexpr int rounds = 300;
    for (int i = 0; i < rounds; ++i) {
        std::promise<int> p;
        std::promise<int> q;
        auto kept = future_of(p.get_future());
        std::thread sets;
        {
            auto dropped = future_of(q.get_future());
            (void)poll_once(dropped);
            sets = std::thread([&] {
                q.set_value(1);
                p.set_value(1);
            });
        }
        sum += rouse::block_on(kept);
        sets.join();
    }
    BOOST_TEST(sum == rounds);
}

BOOST_AUTO_TEST_SUITE_END()
