// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// fork in a program with timers, which a thread of the process wakes (behaviour 65). It forks, with threads alive, which
// is more than a sanitizer's own run-time library bears.

#include <support/forked.hpp>
#include <support/pool_kit.hpp>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>

#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>
#include <rouse.hpp>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_timer_fork)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::spawn;
using rouse::task;
namespace asio = boost::asio;

namespace {

bool poll_once(rouse::sleep_future& f, rouse::waker const& w) {
    rouse::context cx(w);
    return f.poll(cx).is_ready();
}

}  // namespace

// Somebody is always about to enter a timer, or to take one out, and has the lock at the moment of the fork, perhaps.
BOOST_AUTO_TEST_CASE(b65_timers_of_the_parent_are_dropped_and_go_on_in_a_child) {
    std::atomic<bool> over{false};
    std::vector<std::thread> others;
    for (int n = 0; n < 3; ++n) {
        others.emplace_back([&] {
            rouse::waker const nobody;
            while (!over) {
                rouse::sleep_future f(10ms);
                poll_once(f, nobody);
            }
        });
    }
    int hung = 0;
    int wrong = 0;
    for (int n = 0; n < scaled(2000); ++n) {
        wake_counter wakes;
        auto const waker = wakes.make();
        std::optional<rouse::sleep_future> dropped(1h);
        std::optional<rouse::sleep_future> again(1ms);
        poll_once(*dropped, waker);
        poll_once(*again, waker);
        forked const child;
        if (child.in_child()) {
            dropped.reset();
            while (!poll_once(*again, waker)) ::usleep(100);
            ::_exit(7);
        }
        fate const f = child.wait();
        hung += f.hung();
        wrong += !f.exited_with(7);
        if (hung != 0) break;
    }
    over = true;
    for (auto& t : others) t.join();
    BOOST_TEST(hung == 0);
    BOOST_TEST(wrong == 0);
}

// As Asio has it: whoever tells the context of the fork goes on with it in the child.
BOOST_AUTO_TEST_CASE(b65_tasks_that_sleep_go_on_in_a_child_that_tells_the_context) {
    asio::io_context io;
    bool both = false;
    auto h = spawn(io, [&]() -> task<> {
        co_await rouse::join(rouse::sleep_for(50ms), rouse::timeout(rouse::sleep_for(20ms), 1h));
        both = true;
    });
    io.poll();
    io.notify_fork(asio::io_context::fork_prepare);
    forked const child;
    if (child.in_child()) {
        io.notify_fork(asio::io_context::fork_child);
        io.restart();
        io.run();
        ::_exit(both && h.is_finished() ? 7 : 1);
    }
    io.notify_fork(asio::io_context::fork_parent);
    io.restart();
    io.run();
    BOOST_TEST(both);
    fate const f = child.wait();
    BOOST_TEST(!f.hung());
    BOOST_TEST(f.exited_with(7));
}

// Many are due at that very moment, and are being woken, or move from slot to slot.
BOOST_AUTO_TEST_CASE(b65_tasks_whose_time_comes_during_the_fork) {
    int wrong = 0;
    for (int n = 0; n < scaled(200) && wrong == 0; ++n) {
        asio::io_context io;
        constexpr int count = 5'000;
        int over = 0;
        for (int k = 0; k < count; ++k) {
            rouse::spawn_ok(io, [](int& ended, std::chrono::microseconds time) -> task<> {
                co_await rouse::sleep_for(time);
                ++ended;
            }(over, std::chrono::microseconds(k % 4 == 0 ? 68'000 + k : 1000 + k)));
        }
        io.poll();
        io.notify_fork(asio::io_context::fork_prepare);
        forked const child;
        if (child.in_child()) {
            io.notify_fork(asio::io_context::fork_child);
            io.restart();
            io.run();
            ::_exit(over == count ? 7 : 1);
        }
        io.notify_fork(asio::io_context::fork_parent);
        io.restart();
        io.run();
        wrong += over != count;
        fate const f = child.wait();
        wrong += !f.exited_with(7);
    }
    BOOST_TEST(wrong == 0);
}

// Two threads do that at the same time, each with a context of its own: what the first has taken out of the wheel and
// not yet woken, the second wakes.
BOOST_AUTO_TEST_CASE(b65_two_threads_tell_their_contexts_of_a_fork) {
    constexpr int count = 10;
    std::atomic<bool> in_a_wake{false};
    std::atomic<bool> go_on{false};
    acting_waker slow;
    acting_waker last;
    slow.when_woken = [&] {
        in_a_wake = true;
        while (!go_on) ::usleep(100);
    };
    last.when_woken = [&] { go_on = true; };
    // They are taken in the order of their times.
    rouse::sleep_future first(600ms);
    poll_once(first, slow.make());

    asio::io_context mine;
    int over = 0;
    for (int k = 0; k < count; ++k) {
        rouse::spawn_ok(mine, [](int& ended) -> task<> {
            co_await rouse::sleep_for(1s);
            ++ended;
        }(over));
    }
    mine.poll();
    rouse::sleep_future second(1h);
    poll_once(second, last.make());

    asio::io_context others;
    rouse::spawn_ok(others, rouse::ready_future<int>(1));
    others.run();
    std::thread other([&] {
        others.notify_fork(asio::io_context::fork_prepare);
        others.notify_fork(asio::io_context::fork_parent);
    });
    while (!in_a_wake) ::usleep(100);
    mine.notify_fork(asio::io_context::fork_prepare);
    forked const child;
    if (child.in_child()) {
        mine.notify_fork(asio::io_context::fork_child);
        mine.restart();
        mine.run();
        ::_exit(over == count ? 7 : 1);
    }
    mine.notify_fork(asio::io_context::fork_parent);
    BOOST_TEST(go_on);
    go_on = true;
    other.join();
    mine.restart();
    mine.run();
    BOOST_TEST(over == count);
    fate const f = child.wait();
    BOOST_TEST(!f.hung());
    BOOST_TEST(f.exited_with(7));
}

// It forks, too: in the child nobody is waited for who has not come along.
BOOST_AUTO_TEST_CASE(b65_a_wake_that_forks_while_another_thread_wakes) {
    asio::io_context mine;
    asio::io_context others;
    for (auto* const io : {&mine, &others}) {
        rouse::spawn_ok(*io, rouse::ready_future<int>(1));
        io->run();
    }
    std::atomic<bool> in_a_wake{false};
    std::atomic<bool> go_on{false};
    acting_waker slow;
    acting_waker forks;
    slow.when_woken = [&] {
        in_a_wake = true;
        while (!go_on) ::usleep(100);
    };
    rouse::sleep_future first(1h);
    poll_once(first, slow.make());
    std::thread other([&] {
        others.notify_fork(asio::io_context::fork_prepare);
        others.notify_fork(asio::io_context::fork_parent);
    });
    while (!in_a_wake) ::usleep(100);
    std::optional<forked> child;
    forks.when_woken = [&] {
        child.emplace();
        go_on = true;
    };
    rouse::sleep_future second(1h);
    poll_once(second, forks.make());
    mine.notify_fork(asio::io_context::fork_prepare);
    if (child->in_child()) ::_exit(7);
    mine.notify_fork(asio::io_context::fork_parent);
    other.join();
    fate const f = child->wait();
    BOOST_TEST(!f.hung());
    BOOST_TEST(f.exited_with(7));
}

// A wake is code of users: by an executor that runs its functions at once, it may get that far.
BOOST_AUTO_TEST_CASE(b65_a_wake_that_tells_a_context_of_a_fork) {
    asio::io_context io;
    rouse::spawn_ok(io, rouse::ready_future<int>(1));
    io.run();
    auto const fork_in = [&](std::atomic<bool>& done) {
        return [&] {
            io.notify_fork(asio::io_context::fork_prepare);
            io.notify_fork(asio::io_context::fork_parent);
            done = true;
        };
    };
    std::atomic<bool> by_the_thread{false};
    std::atomic<bool> by_another{false};
    acting_waker a;
    acting_waker b;
    a.when_woken = fork_in(by_the_thread);
    b.when_woken = fork_in(by_another);
    rouse::sleep_future at_once(1ms);
    poll_once(at_once, a.make());
    while (!by_the_thread) ::usleep(100);
    rouse::sleep_future never(1h);
    poll_once(never, b.make());
    io.notify_fork(asio::io_context::fork_prepare);
    io.notify_fork(asio::io_context::fork_parent);
    BOOST_TEST(by_another);
}

BOOST_AUTO_TEST_SUITE_END()
