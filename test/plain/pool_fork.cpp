// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// fork in a program with a thread pool (behaviour 65). It forks, with many threads alive, which is
// more than a sanitizer's own run-time library bears.

#include <support/forked.hpp>
#include <support/pool_kit.hpp>

#include <unistd.h>

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <atomic>
#include <mutex>
#include <rouse.hpp>
#include <string>
#include <support/scale.hpp>
#include <thread>

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::spawn;
using rouse::task;
using rouse::thread_pool;

namespace {

// Work that goes on all the time: tasks that yield, that wait for timers, and that send bytes to
// and fro; and functions.
class load {
public:
    using local = asio::local::stream_protocol::socket;

    explicit load(thread_pool& pool) : pool_(pool), here_(pool), there_(pool) {
        asio::local::connect_pair(here_, there_);
        tasks_.push_back(spawn(pool, [this]() -> task<> {
            asio::steady_timer timer(pool_);
            while (!over_) {
                timer.expires_after(100us);
                co_await timer.async_wait(rouse::use_poll);
                ++timers_;
            }
        }));
        for (int n = 0; n < 3; ++n) {
            tasks_.push_back(spawn(pool, [this]() -> task<> {
                while (!over_) {
                    auto child = rouse::this_task::spawn([]() -> task<int> { co_return 1; });
                    yields_ += co_await std::move(child);
                    co_await rouse::this_task::yield_now();
                }
            }));
        }
        tasks_.push_back(spawn(pool, [this]() -> task<> {
            for (;;) {
                std::array<char, 1> c{};
                co_await asio::async_read(there_, asio::buffer(c), rouse::use_poll);
                co_await asio::async_write(there_, asio::buffer(c), rouse::use_poll);
                if (c[0] == 'e') co_return;
            }
        }));
        tasks_.push_back(spawn(pool, [this]() -> task<> {
            for (std::array<char, 1> c{'a'}; c[0] != 'e';) {
                if (over_) c[0] = 'e';
                std::array<char, 1> back{};
                co_await asio::async_write(here_, asio::buffer(c), rouse::use_poll);
                co_await asio::async_read(here_, asio::buffer(back), rouse::use_poll);
                if (back == c) ++echoes_;
            }
        }));
    }

    // Returns when everything has gone on since this was called.
    void goes_on() const {
        long const y = yields_;
        long const t = timers_;
        long const e = echoes_;
        wait_until([&] { return yields_ > y && timers_ > t && echoes_ > e; }, "the parent's work");
    }

    void end() {
        over_ = true;
        for (auto& t : tasks_) block_on(std::move(t));
    }

private:
    thread_pool& pool_;
    local here_;
    local there_;
    std::atomic<bool> over_{false};
    std::atomic<long> yields_{0};
    std::atomic<long> timers_{0};
    std::atomic<long> echoes_{0};
    std::vector<rouse::join_handle<void>> tasks_{};
};

}  // namespace

namespace {

std::mutex of_the_application;
std::atomic<bool> forking{false};

void allocates() {
    rouse::any_future<> const one(rouse::poll_fn([](rouse::context&) -> rouse::poll_result<void> { return rouse::ready(); }));
}

}  // namespace

// A handler that the application, or another library, has registered before waits for a lock, whose holder uses
// this library meanwhile: whoever forks holds nothing that he could wait for.
BOOST_AUTO_TEST_CASE(b65_whoever_forks_holds_no_lock_while_other_handlers_wait) {
    static_cast<void>(::pthread_atfork([] { of_the_application.lock(); }, [] { of_the_application.unlock(); },
                                       [] { of_the_application.unlock(); }));
    static_cast<void>(::pthread_atfork([] { forking = true; }, nullptr, nullptr));
    // The first use of memory and of timers.
    allocates();
    block_on(rouse::timeout(rouse::ready_future(), 1h));
    forking = false;
    std::atomic<bool> holds{false};
    std::thread uses([&] {
        std::lock_guard const guard(of_the_application);
        holds = true;
        while (!forking) std::this_thread::yield();
        allocates();
        block_on(rouse::sleep_for(1us));
    });
    while (!holds) std::this_thread::yield();
    forked const child;
    if (child.in_child()) {
        allocates();
        block_on(rouse::sleep_for(1us));
        ::_exit(7);
    }
    uses.join();
    BOOST_TEST(child.wait().exited_with(7));
}

BOOST_AUTO_TEST_CASE(b65_a_child_that_execs_or_exits_is_fine_and_the_parent_goes_on) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        load work(*pool);
        for (int n = 0; n < scaled(100); ++n) {
            forked const child;
            if (child.in_child()) {
                if (n % 2) ::execl("/bin/sh", "sh", "-c", "exit 7", nullptr);
                ::_exit(7);
            }
            fate const f = child.wait();
            BOOST_TEST(f.exited_with(7));
            BOOST_TEST(f.said.empty(), f.said);
            work.goes_on();
        }
        work.end();
        pool->join();
    });
}

BOOST_AUTO_TEST_CASE(b65_a_task_or_a_function_forks_for_exec) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        load work(*pool);
        for (int n = 0; n < scaled(100); ++n) {
            std::optional<fate> f;
            door done;
            auto const body = [&] {
                forked const child;
                if (child.in_child()) {
                    if (n % 4 < 2) ::execl("/bin/sh", "sh", "-c", "exit 7", nullptr);
                    ::_exit(7);
                }
                f = child.wait();
                done.open();
            };
            if (n % 2) {
                asio::post(*pool, body);
            } else {
                rouse::spawn_ok(*pool, [&]() -> task<> {
                    body();
                    co_return;
                });
            }
            done.wait();
            BOOST_TEST(f->exited_with(7));
            BOOST_TEST(f->said.empty(), f->said);
            work.goes_on();
        }
        work.end();
        pool->join();
    });
}

namespace {

// What a child may try to do with its parent's pool, from the thread that has forked.
struct use {
    char const* name;
    void (*act)(std::unique_ptr<thread_pool>& pool, rouse::join_handle<void>& waiting,
                event const&);
};

constexpr use uses[] = {
    {"join", [](auto& pool, auto&, auto&) { pool->join(); }},
    {"wait", [](auto& pool, auto&, auto&) { pool->wait(); }},
    {"stop", [](auto& pool, auto&, auto&) { pool->stop(); }},
    {"shutdown", [](auto& pool, auto&, auto&) { static_cast<void>(pool->shutdown(1s)); }},
    {"the destructor", [](auto& pool, auto&, auto&) { pool.reset(); }},
    {"spawn", [](auto& pool, auto&, auto&) { block_on(spawn(*pool, rouse::ready_future(1))); }},
    {"spawn_ok", [](auto& pool, auto&, auto&) { rouse::spawn_ok(*pool, rouse::ready_future()); }},
    {"post", [](auto& pool, auto&, auto&) { asio::post(*pool, [] {}); }},
    {"a strand", [](auto& pool, auto&, auto&) { asio::post(asio::make_strand(*pool), [] {}); }},
    {"an abort", [](auto&, auto& waiting, auto&) { waiting.abort(); }},
    {"a wake", [](auto&, auto&, auto& happens) { happens.set(); }},
};

constexpr char const* sentence =
    "rouse: a thread_pool was used in a child of fork: its workers are threads of the parent\n";

void check_refused(fate const& f) {
    BOOST_TEST(!f.hung());
    BOOST_TEST(f.was_aborted());
    BOOST_TEST(f.said.find(sentence) != std::string::npos, "it said: " << f.said);
}

}  // namespace

BOOST_AUTO_TEST_CASE(b65_a_child_that_uses_its_parents_pool_is_told_so) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home home(m, workers);
        load work(*home);
        event happens;
        auto waiting = spawn(*home, [&]() -> task<> { co_await happens.happened(); });
        wait_until([&] { return happens.polls() != 0; }, "a task that waits");
        auto pool = home.release();
        for (use const& u : uses) {
            for (int n = 0; n < scaled(10); ++n) {
                BOOST_TEST_CONTEXT(u.name) {
                    forked const child;
                    if (child.in_child()) {
                        u.act(pool, waiting, happens);
                        ::_exit(0);
                    }
                    check_refused(child.wait());
                    work.goes_on();
                }
            }
        }
        happens.set();
        block_on(std::move(waiting));
        work.end();
        pool->join();
    });
}

// Whoever forks on a worker and does not exec comes back into the worker's loop.
BOOST_AUTO_TEST_CASE(b65_a_worker_that_goes_on_in_a_child_is_told_so) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        load work(*pool);
        for (int n = 0; n < scaled(30); ++n) {
            std::optional<fate> f;
            door done;
            auto const body = [&] {
                forked const child;
                if (child.in_child()) return;
                f = child.wait();
                done.open();
            };
            if (n % 3 == 0) {
                asio::post(*pool, body);
            } else {
                rouse::spawn_ok(*pool, [&, yields = n % 3 == 1]() -> task<> {
                    body();
                    if (yields) co_await rouse::this_task::yield_now();
                });
            }
            done.wait();
            check_refused(*f);
            work.goes_on();
        }
        work.end();
        pool->join();
    });
}

BOOST_AUTO_TEST_CASE(b65_a_child_may_make_a_pool_of_its_own) {
    in_both_modes({2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        load work(*pool);
        // Memory that one thread always takes and others always give back goes by way of what all
        // threads share; its locks must not be inherited while another thread holds them.
        std::atomic<bool> over{false};
        std::thread spawner([&] {
            while (!over) {
                countdown left(500);
                for (int i = 0; i < 500; ++i) asio::post(*pool, [&] { left.down(); });
                left.wait();
            }
        });
        for (int n = 0; n < scaled(500); ++n) {
            forked const child;
            if (child.in_child()) {
                int sum = 0;
                {
                    thread_pool own(2);
                    std::vector<rouse::join_handle<int>> handles;
                    for (int i = 0; i < 200; ++i)
                        handles.push_back(spawn(own, rouse::ready_future(1)));
                    for (auto& h : handles) sum += block_on(std::move(h));
                    own.join();
                }
                ::_exit(sum == 200 ? 7 : 1);
            }
            fate const f = child.wait();
            BOOST_TEST(!f.hung());
            BOOST_TEST(f.exited_with(7));
            BOOST_TEST(f.said.empty(), f.said);
            work.goes_on();
        }
        over = true;
        spawner.join();
        work.end();
        pool->join();
    });
}

BOOST_AUTO_TEST_CASE(b65_executors_and_handles_die_in_a_child_without_a_word) {
    in_both_modes({2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        load work(*pool);
        for (int n = 0; n < scaled(100); ++n) {
            auto tracked = std::make_unique<asio::any_io_executor>(
                asio::prefer(pool->get_executor(), asio::execution::outstanding_work.tracked));
            rouse::join_handle<void> done = spawn(*pool, rouse::ready_future());
            wait_until([&] { return done.is_finished(); }, "a task's end");
            forked const child;
            if (child.in_child()) {
                tracked.reset();
                block_on(std::move(done));
                ::_exit(7);
            }
            fate const f = child.wait();
            BOOST_TEST(f.exited_with(7));
            BOOST_TEST(f.said.empty(), f.said);
            block_on(std::move(done));
        }
        work.end();
        pool->join();
    });
}
