// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The rows of what is no combinator: futures of the core, tasks, groups, time, operations. See
// cancel_table.hpp.

#include <support/asio_hand.hpp>
#include <support/cancel_table.hpp>

#include <boost/asio/steady_timer.hpp>
#include <coroutine>
#include <rouse/abandonable.hpp>
#include <rouse/delay_queue.hpp>
#include <rouse/from_awaitable.hpp>
#include <rouse/interval.hpp>
#include <rouse/retry.hpp>
#include <rouse/sleep.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task_group.hpp>
#include <rouse/task_group_of.hpp>
#include <rouse/then.hpp>
#include <rouse/this_task.hpp>
#include <rouse/timeout.hpp>
#include <rouse/use_poll.hpp>
#include <rouse/with_deadline.hpp>
#include <type_traits>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_cancel_everything)

using namespace rouse_test;
using namespace std::chrono_literals;

namespace {

rouse::task<prize> one(part<prize> p) { co_return co_await std::move(p); }
rouse::task<std::pair<prize, prize>> both(part<prize> p, part<prize> q) {
    auto first = co_await one(std::move(p));
    auto second = co_await std::move(q);
    co_return std::pair(first, second);
}
rouse::task<prize> spawning(bench& b) {
    auto handle = rouse::this_task::spawn(one(b.value()));
    co_return co_await std::move(handle);
}
rouse::task<prize> masking(part<prize> p) {
    rouse::this_task::cancellation_mask const mask;
    co_return co_await std::move(p);
}

}  // namespace

BOOST_AUTO_TEST_CASE(b35_b36_core) {
    row("ready_future", {.polls = 1, .lost = loses::when_aborted},
        [](bench& b) { return rouse::ready_future(prize(b.produce())); });
    row("ready_future", {.polls = 1}, [](bench&) { return rouse::ready_future(); });
    row("pending_future", {.polls = for_ever, .cancelled = reaction::ignores},
        [](bench&) { return rouse::pending_future<int>(); });
    row("poll_fn", {.polls = 2, .cancelled = reaction::ignores}, [](bench& b) {
        return rouse::poll_fn(
            [n = 0, t = token(b.book)](rouse::context& cx) mutable -> rouse::poll_result<int> {
                if (n++) return n;
                cx.waker().wake_by_ref();
                return rouse::pending;
            });
    });
    row("any_future", {.polls = 2}, [](bench& b) { return rouse::any_future<prize>(b.value()); });
    row("into_future", {.polls = 2}, [](bench& b) { return rouse::into_future(b.value()); });
    row("abandonable", {.polls = 2, .leaves = true},
        [](bench& b) { return rouse::abandonable(b.value()); });
    row("this_task::yield_now", {.polls = 2, .cancelled = reaction::ignores},
        [](bench&) { return rouse::this_task::yield_now(); });
}

BOOST_AUTO_TEST_CASE(b35_b36_tasks) {
    row("task",
        {.polls = 3, .lost = loses::when_aborted | loses::when_failing},
        [](bench& b) { return both(b.value(), b.value()); });
    row("task",
        {.polls = 2,
         .cancelled = reaction::ignores,
         .lost = loses::when_aborted,
         .needs_task = true},
        [](bench& b) { return masking(b.value()); });
    // A handle waits for a task that has a cancellation of its own.
    row("make_task", {.polls = 3, .cancelled = reaction::ignores}, [](bench& b) {
        auto halves = rouse::make_task(b.executor, b.value());
        b.executor.schedule(std::move(halves.runnable), rouse::schedule_reason::spawned);
        return std::move(halves.handle);
    });
    row("join_handle", {.polls = 3, .cancelled = reaction::ignores, .lost = loses::when_aborted},
        [](bench& b) { return b.executor.spawn(one(b.value())); });
    row("this_task::spawn",
        {.polls = 3,
         .cancelled = reaction::ignores,
         .lost = loses::when_aborted,
         .needs_task = true},
        [](bench& b) { return spawning(b); });
}

BOOST_AUTO_TEST_CASE(b35_b36_groups) {
    constexpr unsigned of_a_group = loses::when_failing | loses::when_aborted;
    for (bool const spawns : {false, true}) {
        row("with_group", {.polls = spawns ? 5 : 4, .lost = of_a_group}, [spawns](bench& b) {
            b.spawns = spawns;
            return rouse::with_group([&b, t = token(b.book)](rouse::task_group& g) {
                g.spawn(b.errand());
                g.spawn(b.errand());
                return b.value();
            });
        });
        row("with_group", {.polls = spawns ? 5 : 2, .lost = of_a_group}, [spawns](bench& b) {
            b.spawns = spawns;
            return rouse::with_group([&b](rouse::task_group& g) {
                g.spawn(b.failing());
                g.spawn(b.errand());
                return b.value();
            });
        });
        row("with_group", {.polls = spawns ? 5 : 4}, [spawns](bench& b) {
            b.spawns = spawns;
            return rouse::with_group(rouse::on_error::collect, [&b](rouse::task_group& g) {
                g.limit(1);
                g.spawn(b.failing());
                g.spawn(b.failing());
                return b.errand();
            });
        });
        row("task_group::has_room", {.polls = spawns ? 3 : 2, .lost = of_a_group},
            [spawns](bench& b) {
                b.spawns = spawns;
                return rouse::with_group([&b](rouse::task_group& g) {
                    g.limit(1);
                    g.spawn(b.errand());
                    return g.has_room();
                });
            });
        row("with_group_of", {.polls = spawns ? 5 : 4, .lost = loses::always}, [spawns](bench& b) {
            b.spawns = spawns;
            using value = std::remove_cvref_t<rouse::output_t<decltype(b.value())>>;
            return rouse::with_group_of<value>([&b](rouse::task_group_of<value>& g) {
                g.spawn(b.value());
                g.spawn(b.value());
                return b.errand();
            });
        });
        row("task_group_of::next", {.polls = spawns ? 3 : 2, .lost = loses::always}, [spawns](bench& b) {
            b.spawns = spawns;
            using value = std::remove_cvref_t<rouse::output_t<decltype(b.value())>>;
            return rouse::with_group_of<value>([&b](rouse::task_group_of<value>& g) {
                g.spawn(b.value());
                return g.next();
            });
        });
        row("task_group_of::has_room", {.polls = spawns ? 3 : 2, .lost = loses::always},
            [spawns](bench& b) {
                b.spawns = spawns;
                using value = std::remove_cvref_t<rouse::output_t<decltype(b.value())>>;
                return rouse::with_group_of<value>([&b](rouse::task_group_of<value>& g) {
                    g.limit(1);
                    g.spawn(b.value());
                    return g.has_room();
                });
            });
    }
}

BOOST_AUTO_TEST_CASE(b35_b36_time) {
    row("sleep_for", {.polls = 4}, [](bench&) { return rouse::sleep_for(3s); });
    row("sleep_until", {.polls = 4}, [](bench& b) { return rouse::sleep_until(b.now() + 3s); });
    row("sleep_until", {.polls = 1},
        [](bench&) { return rouse::sleep_until(std::chrono::system_clock::now() - 1s); });
    row("interval::tick", {.polls = 3}, [](bench& b) {
        auto& every = b.keep(std::make_shared<rouse::interval>(b.now() + 2s, 1s));
        return every.tick();
    });
    using queue = rouse::delay_queue<prize>;
    row("delay_queue::next", {.polls = 3}, [](bench& b) {
        queue& q = b.keep(std::make_shared<queue>());
        q.insert_at(prize(b.produce()), b.now() + 5s);
        q.insert_at(prize(b.produce()), b.now() + 2s);
        return q.next();
    });
    row("retry", {.polls = 5, .lost = loses::always}, [](bench& b) {
        auto pauses = rouse::backoff(2s);
        pauses.jitter(0).attempts(3);
        return rouse::retry(std::move(pauses), [&b, n = 0, t = token(b.book)]() mutable {
            return n++ == 0 ? b.failing() : b.value();
        });
    });
}

BOOST_AUTO_TEST_CASE(b35_b36_limits_of_time) {
    row("timeout", {.polls = 2}, [](bench& b) { return rouse::timeout(b.value(), 5s); });
    row("timeout", {.polls = 2}, [](bench& b) { return rouse::timeout(b.failing(), 5s); });
    row("timeout_at", {.polls = 2},
        [](bench& b) { return rouse::timeout_at(b.value(), b.now() + 5s); });
    row("timeout_at", {.polls = 2}, [](bench& b) {
        return rouse::timeout_at(b.value(), std::chrono::system_clock::now() + 1h);
    });
    row("with_deadline", {.polls = 2}, [](bench& b) { return rouse::with_deadline(b.value(), 5s); });
    row("with_deadline", {.polls = 2},
        [](bench& b) { return rouse::with_deadline(b.failing(), b.now() + 5s); });
    // It expires: the future is cancelled, and decides.
    row("with_deadline", {.polls = 2},
        [](bench&) { return rouse::with_deadline(rouse::sleep_for(2s), 1s); });
    // It expires: what arrives then is the result.
    row("timeout", {.polls = 3}, [](bench& b) {
        return rouse::timeout(rouse::then(rouse::sleep_for(2s), [&b] { return b.value(); }), 2s);
    });
    row("timeout", {.polls = 3}, [](bench& b) {
        auto two = rouse::then(rouse::sleep_for(1s), [&b] { return b.value(); });
        return rouse::timeout(std::move(two), 1h);
    });
}

// Resumed by the test, as by another thread.
class resumed_later {
public:
    explicit resumed_later(std::coroutine_handle<>& waiting) noexcept : waiting_(&waiting) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) const noexcept { *waiting_ = h; }
    void await_resume() const noexcept {}

private:
    std::coroutine_handle<>* waiting_;
};

BOOST_AUTO_TEST_CASE(b35_b36_foreign_awaitables) {
    // It cannot be asked to let go, and is waited for.
    row("from_awaitable", {.polls = 2, .cancelled = reaction::ignores}, [](bench& b) {
        auto& waiting = b.keep(std::make_shared<std::coroutine_handle<>>());
        b.outside = [&waiting] {
            if (auto h = std::exchange(waiting, nullptr)) h.resume();
        };
        return rouse::from_awaitable(resumed_later(waiting));
    });
}

BOOST_AUTO_TEST_CASE(b35_b36_operations) {
    auto const loop = [](bench& b) -> asio::io_context& {
        auto& io = b.keep(std::make_shared<asio::io_context>());
        b.outside = [&io] { run_ready(io); };
        return io;
    };
    row("use_poll", {.polls = for_ever}, [&](bench& b) {
        auto& timer = b.keep(std::make_shared<asio::steady_timer>(loop(b), 24h));
        return timer.async_wait(rouse::use_poll);
    });
    row("use_poll", {.polls = 2}, [&](bench& b) {
        auto& io = loop(b);
        auto token = rouse::use_poll;
        return asio::async_initiate<rouse::use_poll_t, void(prize)>(
            [&b, &io](auto handler) {
                asio::post(io, [&b, h = std::move(handler)]() mutable {
                    std::move(h)(prize(b.produce()));
                });
            },
            token);
    });
    row("spawn", {.polls = 3, .cancelled = reaction::ignores},
        [&](bench& b) { return rouse::spawn(loop(b), b.value()); });
    row("spawn", {.polls = 3}, [&](bench& b) {
        return rouse::spawn(loop(b).get_executor(), b.errand(), rouse::use_poll);
    });
}

BOOST_AUTO_TEST_SUITE_END()
