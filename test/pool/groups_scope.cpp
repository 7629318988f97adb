// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What is over when a group is: nothing of its tasks is left, neither in their inboxes nor on its way to a handler.

#include <support/pool_kit.hpp>
#include <support/unit_kit.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <atomic>
#include <chrono>
#include <memory>
#include <rouse.hpp>
#include <source_location>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_groups_scope)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::on_error;
using rouse::spawn;
using rouse::task;
using rouse::task_group;
using rouse::with_group;

namespace {

// A place that something refers to; whoever comes late finds it gone.
struct place {
    std::atomic<bool> there{false};
    std::atomic<int> dropped{0};
    std::atomic<int> late{0};
};

class refers {
public:
    explicit refers(place& p) noexcept : to_(&p) {}
    refers(refers&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
    ~refers() {
        if (!to_) return;
        std::this_thread::yield();
        if (!to_->there) ++to_->late;
        ++to_->dropped;
    }

private:
    place* to_;
};

struct scope {
    explicit scope(place& p) noexcept : around(&p) { p.there = true; }
    scope(scope const&) = delete;
    scope& operator=(scope const&) = delete;
    ~scope() { around->there = false; }
    place* around;
};

// Posts itself again and again, until there is nothing that would run it.
template <class Executor>
struct comes_back {
    Executor executor;
    refers place_of;
    void operator()() {
        auto const ex = executor;
        asio::post(ex, std::move(*this));
    }
};

asio::awaitable<void> leaves_a_function(place& p) {
    auto const ex = co_await asio::this_coro::executor;
    asio::post(ex, comes_back<std::remove_const_t<decltype(ex)>>{ex, refers(p)});
    co_await asio::post(ex, asio::use_awaitable);
}

task<> leaves_in_a_group(place& p) {
    scope const s(p);
    co_await with_group([&](task_group& g) -> task<> {
        for (int n = 0; n < 3; ++n) g.spawn(leaves_a_function(p));
        co_return;
    });
}

}  // namespace

BOOST_AUTO_TEST_CASE(late_functions_of_tasks_are_gone) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        for (int n = 0; n < 50; ++n) {
            place p;
            block_on(spawn(*pool, leaves_in_a_group(p)));
            BOOST_TEST(p.dropped == 3);
            BOOST_TEST(p.late == 0);
        }
    });
}

BOOST_AUTO_TEST_CASE(late_functions_of_tasks_that_the_owner_polls_are_gone) {
    place p;
    block_on(leaves_in_a_group(p));
    BOOST_TEST(p.dropped == 3);
    BOOST_TEST(p.late == 0);
}

// Also where the group is one of several futures, and nobody else is woken.
BOOST_AUTO_TEST_CASE(late_functions_are_run_while_the_owner_polls) {
    std::atomic<int> ran{0};
    auto posts = [&]() -> asio::awaitable<void> {
        auto const ex = co_await asio::this_coro::executor;
        asio::post(ex, [&ran, ex] { asio::post(ex, [&ran] { ++ran; }); });
        co_await asio::post(ex, asio::use_awaitable);
    };
    auto body = [&](task_group& g) -> task<> {
        g.spawn(posts());
        while (ran == 0) co_await rouse::this_task::yield_now();
    };
    block_on(rouse::join(with_group(body), rouse::ready_future()));
    BOOST_TEST(ran == 1);
}

// ---- what is reported ---------------------------------------------------------------------------

namespace {

struct told {
    std::atomic<int> reports{0};
    std::atomic<int> late{0};
    std::atomic<unsigned> line{0};
};

struct failure {
    place const* who;
};

std::unique_ptr<rouse::thread_pool> listening_pool(told& heard) {
    return rouse::thread_pool::builder()
        .workers(2)
        .on_unhandled_exception([&heard](std::exception_ptr const& e, std::source_location where) {
            heard.line = where.line();
            try {
                std::rethrow_exception(e);
            } catch (failure const& f) {
                if (!f.who->there) ++heard.late;
            } catch (...) {
            }
            ++heard.reports;
        })
        .build();
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_reported_is_reported_before) {
    told heard;
    auto const pool = listening_pool(heard);
    for (int n = 1; n <= 100; ++n) {
        place p;
        block_on(spawn(*pool, [&]() -> task<> {
            scope const s(p);
            co_await with_group(on_error::report, [&](task_group& g) -> task<> {
                g.spawn([](place& mine) -> task<> {
                    throw failure{&mine};
                    co_return;
                }(p));
                co_return;
            });
        }));
        BOOST_TEST(heard.reports == n);
    }
    BOOST_TEST(heard.late == 0);
}

namespace {

struct throws_as_it_lets_go {
    explicit throws_as_it_lets_go(rouse::atomic_waker& w, std::atomic<bool>& b) noexcept : waits(&w), begun(&b) {}
    rouse::poll_result<void> poll(rouse::context& cx) {
        waits->register_waker(cx.waker());
        *begun = true;
        return rouse::pending;
    }
    rouse::cancel_result<void> poll_cancel(rouse::context&) { throw std::runtime_error("commit failed"); }
    rouse::atomic_waker* waits;
    std::atomic<bool>* begun;
};

}  // namespace

// By the same handler as those of detached tasks, with the place.
BOOST_AUTO_TEST_CASE(what_a_task_throws_as_it_lets_go_is_reported_by_its_executor) {
    told heard;
    rouse::atomic_waker waits;
    std::atomic<bool> begun{false};
    unsigned line = 0;
    {
        auto const pool = listening_pool(heard);
        spawn_ok(*pool, with_group(on_error::report, [&](task_group& g) -> task<> {
            line = std::source_location::current().line() + 1;
            g.spawn(throws_as_it_lets_go(waits, begun));
            co_await rouse::pending_future<>();
        }));
        wait_until([&] { return begun.load(); }, "a task of the group");
        pool->stop();
        pool->join();
    }
    BOOST_TEST(heard.reports == 1);
    BOOST_TEST(heard.line == line);
}

namespace {

// Has the executor stop, and says that it was cancelled, as one does that joins somebody who was told before.
template <class Stop>
struct echo_of_a_stop {
    Stop stop;
    bool lets_go;
    rouse::poll_result<void> poll(rouse::context&) {
        stop();
        if (lets_go) return rouse::pending;
        throw boost::system::system_error(asio::error::operation_aborted);
    }
    rouse::cancel_result<void> poll_cancel(rouse::context&) {
        throw boost::system::system_error(asio::error::operation_aborted);
    }
};

}  // namespace

// As with a detached task.
BOOST_AUTO_TEST_CASE(the_echo_of_a_stop_is_not_reported) {
    for (bool const lets_go : {false, true}) {
        told heard;
        bool stopped = false;
        auto const pool = listening_pool(heard);
        auto const stop = [&] {
            pool->stop();
            stopped = true;
        };
        spawn_ok(*pool, with_group(on_error::report, [&](task_group& g) {
                     g.spawn(echo_of_a_stop<decltype(stop)>{stop, lets_go});
                     return rouse::pending_future<>();
                 }));
        pool->join();
        BOOST_TEST(stopped);
        BOOST_TEST(heard.reports == 0);
    }
    // An io_context that ends tells its tasks to let go.
    static std::atomic<int> reports{0};
    reports = 0;
    auto const before = rouse::set_unhandled_handler([](std::exception_ptr, auto) { ++reports; });
    bool begun = false;
    {
        asio::io_context io;
        auto const begin = [&] { begun = true; };
        rouse::spawn_ok(io, with_group(on_error::report, [&](task_group& g) {
                     g.spawn(echo_of_a_stop<decltype(begin)>{begin, true});
                     return rouse::pending_future<>();
                 }));
        io.poll();
    }
    rouse::set_unhandled_handler(before);
    BOOST_TEST(begun);
    BOOST_TEST(reports == 0);
}

// An io_context that ends drops its tasks, and waits for none; those of a group before the one that has the scope.
BOOST_AUTO_TEST_CASE(an_io_context_that_ends_drops_the_tasks_of_a_group_before_its_owner) {
    place p;
    std::atomic<int> begun{0};
    {
        asio::io_context io;
        rouse::spawn_ok(io, [](place& mine, std::atomic<int>& n) -> task<> {
            scope const s(mine);
            co_await with_group([&](task_group& g) -> task<> {
                for (int k = 0; k < 3; ++k) {
                    g.spawn([](refers, std::atomic<int>& count) -> task<> {
                        ++count;
                        co_await rouse::sleep_for(1h);
                    }(refers(mine), n));
                }
                co_await rouse::sleep_for(1h);
            });
        }(p, begun));
        io.poll();
    }
    BOOST_TEST(begun == 3);
    BOOST_TEST(p.dropped == 3);
    BOOST_TEST(p.late == 0);
}

// The end of a pool is no news, whatever is done with errors.
BOOST_AUTO_TEST_CASE(the_stop_of_a_pool_is_not_reported) {
    for (auto const policy : {on_error::abort_others, on_error::collect, on_error::report}) {
        told heard;
        std::atomic<int> begun{0};
        auto const pool = listening_pool(heard);
        spawn_ok(*pool, with_group(policy, [&](task_group& g) -> task<> {
            auto sleeps = [&]() -> task<> {
                ++begun;
                co_await rouse::sleep_for(1h);
            };
            for (int n = 0; n < 3; ++n) g.spawn(sleeps());
            co_await rouse::sleep_for(1h);
        }));
        wait_until([&] { return begun == 3; }, "the tasks of the group");
        pool->stop();
        pool->join();
        BOOST_TEST(heard.reports == 0);
    }
}

// ---- values -------------------------------------------------------------------------------------

namespace {

class with_a_witness {
public:
    explicit with_a_witness(std::atomic<bool>& gone) noexcept : gone_(&gone) {}
    with_a_witness(with_a_witness&& other) noexcept : gone_(std::exchange(other.gone_, nullptr)) {}
    ~with_a_witness() {
        if (gone_) *gone_ = true;
    }
    rouse::poll_result<std::atomic<bool>*> poll(rouse::context&) { return gone_; }

private:
    std::atomic<bool>* gone_;
};

// Notes, as it is moved first, which is into the group, whether its future is gone.
struct noting {
    noting(std::atomic<bool>* g) noexcept : gone(g) {}
    noting(noting&& other) noexcept : was_gone(other.gone ? other.gone->load() : other.was_gone) {}
    std::atomic<bool>* gone = nullptr;
    bool was_gone = false;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_value_is_seen_when_its_future_is_gone) {
    std::atomic<bool> gone{false};
    bool was_gone = false;
    auto body = [&](rouse::task_group_of<noting>& g) -> task<> {
        g.spawn(with_a_witness(gone));
        while (auto value = co_await g.next()) was_gone = value->was_gone;
    };
    block_on(rouse::with_group_of<noting>(body));
    BOOST_TEST(was_gone);
}

// ---- executors that end -------------------------------------------------------------------------

namespace {

// Tells that it is being destroyed, and takes its time.
class slow_to_die {
public:
    slow_to_die(std::atomic<bool>& begins, std::atomic<bool> const& until) noexcept : begins_(&begins), until_(&until) {}
    slow_to_die(slow_to_die&& other) noexcept
        : begins_(std::exchange(other.begins_, nullptr)), until_(other.until_) {}
    ~slow_to_die() {
        if (!begins_) return;
        *begins_ = true;
        for (int n = 0; n < 100'000 && !*until_; ++n) std::this_thread::yield();
    }
    rouse::poll_result<void> poll(rouse::context& cx) {
        waits_ = cx.waker();
        return rouse::pending;
    }

private:
    std::atomic<bool>* begins_;
    std::atomic<bool> const* until_;
    rouse::waker waits_{};
};

}  // namespace

// The context waits for whoever is about to spawn there.
BOOST_AUTO_TEST_CASE(another_thread_spawns_while_the_context_ends) {
    for (int round = 0; round < 20; ++round) {
        std::atomic<task_group*> group{nullptr};
        std::atomic<bool> ends{false};
        std::atomic<bool> refused{false};
        std::atomic<bool> spawned{false};
        std::atomic<bool> const at_once{true};
        auto io = std::make_unique<asio::io_context>();
        rouse::spawn_ok(*io, with_group([&](task_group& g) -> task<> {
            group = &g;
            co_await rouse::pending_future<>();
        }));
        // Ended first: while it is, the other thread spawns into the group, which is still there.
        rouse::spawn_ok(*io, slow_to_die(ends, refused));
        io->poll();
        std::thread other([&] {
            while (!ends) std::this_thread::yield();
            group.load()->spawn(slow_to_die(refused, at_once));
            spawned = true;
        });
        io.reset();
        other.join();
        BOOST_TEST(spawned);
    }
}

BOOST_AUTO_TEST_SUITE_END()
