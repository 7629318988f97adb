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

// Set once, by one thread, and waited for by another one.
class flag {
public:
    void set() {
        set_ = true;
        set_.notify_all();
    }
    void wait() const { set_.wait(false); }
    bool is_set() const { return set_; }

private:
    std::atomic<bool> set_{false};
};

// Another thread that tells a context of its own of a fork, and is in a wake until it may go on.
class waking_thread {
public:
    explicit waking_thread(std::chrono::milliseconds timer) : timer_(timer) {
        slow_.when_woken = [this] {
            in_a_wake_.set();
            go_on.wait();
        };
        poll_once(timer_, slow_.make());
        rouse::spawn_ok(io_, rouse::ready_future<int>(1));
        io_.run();
    }
    void begin() {
        thread_ = std::thread([this] {
            io_.notify_fork(asio::io_context::fork_prepare);
            io_.notify_fork(asio::io_context::fork_parent);
        });
        in_a_wake_.wait();
    }
    void end() {
        go_on.set();
        thread_.join();
    }

    flag go_on;

private:
    flag in_a_wake_;
    acting_waker slow_;
    rouse::sleep_future timer_;
    asio::io_context io_;
    std::thread thread_;
};

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
    waking_thread other(600ms);  // timers are taken in the order of their times
    acting_waker last;
    last.when_woken = [&] { other.go_on.set(); };
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
    other.begin();
    mine.notify_fork(asio::io_context::fork_prepare);
    forked const child;
    if (child.in_child()) {
        mine.notify_fork(asio::io_context::fork_child);
        mine.restart();
        mine.run();
        ::_exit(over == count ? 7 : 1);
    }
    mine.notify_fork(asio::io_context::fork_parent);
    BOOST_TEST(other.go_on.is_set());
    other.end();
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
    rouse::spawn_ok(mine, rouse::ready_future<int>(1));
    mine.run();
    waking_thread other(1h);
    other.begin();
    std::optional<forked> child;
    acting_waker forks;
    forks.when_woken = [&] {
        child.emplace();
        other.go_on.set();
    };
    rouse::sleep_future second(1h);
    poll_once(second, forks.make());
    mine.notify_fork(asio::io_context::fork_prepare);
    if (child->in_child()) ::_exit(7);
    mine.notify_fork(asio::io_context::fork_parent);
    other.end();
    fate const f = child->wait();
    BOOST_TEST(!f.hung());
    BOOST_TEST(f.exited_with(7));
}

// A wake is code of users: by an executor that runs its functions at once, it may get that far.
BOOST_AUTO_TEST_CASE(b65_a_wake_that_tells_a_context_of_a_fork) {
    asio::io_context io;
    rouse::spawn_ok(io, rouse::ready_future<int>(1));
    io.run();
    auto const fork_in = [&](flag& done) {
        return [&] {
            io.notify_fork(asio::io_context::fork_prepare);
            io.notify_fork(asio::io_context::fork_parent);
            done.set();
        };
    };
    flag by_the_thread;
    flag by_another;
    acting_waker a;
    acting_waker b;
    a.when_woken = fork_in(by_the_thread);
    b.when_woken = fork_in(by_another);
    rouse::sleep_future at_once(1ms);
    poll_once(at_once, a.make());
    by_the_thread.wait();
    rouse::sleep_future never(1h);
    poll_once(never, b.make());
    io.notify_fork(asio::io_context::fork_prepare);
    io.notify_fork(asio::io_context::fork_parent);
    BOOST_TEST(by_another.is_set());
}

BOOST_AUTO_TEST_SUITE_END()
