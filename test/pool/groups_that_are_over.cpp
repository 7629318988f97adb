// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What is left when a group is over, or its owner has gone: copies of the task_group, and exceptions that nobody waits
// for any more.

#include <support/pool_kit.hpp>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <atomic>
#include <chrono>
#include <exception>
#include <optional>
#include <rouse.hpp>
#include <source_location>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_groups_that_are_over)

using namespace rouse_test;
using rouse::block_on;
using rouse::on_error;
using rouse::spawn;
using rouse::task;
using rouse::task_group;
using rouse::with_group;

namespace {

template <class F>
bool ready_by_hand(F& f, rouse::waker const& waker, rouse::cancellation_state& cancellation) {
    rouse::poll_root root;
    root.waker = &waker;
    root.cancellation = &cancellation;
    root.by_hand = true;
    rouse::context cx(root);
    return f.poll(cx).is_ready();
}
template <class F>
bool ready_by_hand(F& f, rouse::waker const& waker) {
    rouse::cancellation_state cancellation;
    return ready_by_hand(f, waker, cancellation);
}

task<> nothing() { co_return; }
task<> fails(char const* what) {
    throw std::runtime_error(what);
    co_return;
}

template <class Group>
bool is_closed(Group& group, std::atomic<long>& alive) {
    try {
        group.spawn([lives = counted(alive)] { return rouse::ready_future<int>(7); });
    } catch (boost::system::system_error const& e) {
        return e.code() == rouse::errc::closed && alive == 0;
    }
    return false;
}

std::vector<std::string> reported;
struct reports {
    reports() {
        reported.clear();
        before = rouse::set_unhandled_handler([](std::exception_ptr e, std::source_location) {
            reported.emplace_back(what_of(e));
        });
    }
    ~reports() { rouse::set_unhandled_handler(before); }
    rouse::unhandled_handler before;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b96_a_copy_outlives_the_group_and_says_that_it_is_over) {
    std::atomic<long> alive{0};
    for (int const end : {0, 1, 2}) {
        bool const dropped = end == 2;
        wake_counter wakes;
        auto const waker = wakes.make();
        std::optional<task_group> copy;
        std::optional f(with_group([&](task_group& g) -> task<> {
            copy.emplace(g);
            if (end != 0) copy->spawn(nothing());
            if (dropped) co_await rouse::pending_future<>();
        }));
        BOOST_TEST(ready_by_hand(*f, waker) == !dropped);
        BOOST_TEST(copy->size() == 0U);
        // It keeps nobody alive, and nobody is woken.
        if (!dropped) BOOST_TEST(wakes.live == 1);
        f.reset();
        BOOST_TEST(wakes.live == 1);
        int const before = wakes.wakes;
        BOOST_TEST(is_closed(*copy, alive));
        BOOST_TEST(copy->size() == 0U);
        copy->limit(1);
        auto room = copy->has_room();
        BOOST_TEST(ready_by_hand(room, waker));
        task_group const another = *copy;
        copy.reset();
        task_group last = another;
        last.abort();
        BOOST_TEST(is_closed(last, alive));
        BOOST_TEST(wakes.wakes == before);
    }
}

// Nor does it keep values, which are nobody's.
BOOST_AUTO_TEST_CASE(b96_a_copy_of_a_group_with_values) {
    rouse::waker const nobody;
    std::atomic<long> values{0};
    std::optional<rouse::task_group_of<counted>> copy;
    std::optional f(rouse::with_group_of<counted>([&](rouse::task_group_of<counted>& g) -> task<> {
        copy.emplace(g);
        copy->spawn(rouse::ready_future<counted>(counted(values)));
        co_await rouse::pending_future<>();
    }));
    BOOST_TEST(!ready_by_hand(*f, nobody));
    BOOST_TEST(!ready_by_hand(*f, nobody));
    BOOST_TEST(values == 1);
    f.reset();
    BOOST_TEST(values == 0);
    auto next = copy->next();
    BOOST_TEST(ready_by_hand(next, nobody));
    try {
        copy->spawn(rouse::ready_future<counted>(counted(values)));
        BOOST_ERROR("it is over");
    } catch (boost::system::system_error const& e) {
        BOOST_TEST((e.code() == rouse::errc::closed));
    }
    BOOST_TEST(values == 0);
}

// A group that is copied into tasks of its own does not keep itself.
BOOST_AUTO_TEST_CASE(copies_in_tasks_of_the_group) {
    std::atomic<long> alive{0};
    std::atomic<long> ran{0};
    auto const all = [&] {
        return with_group([&, lives = counted(alive)](task_group g) -> task<> {
            for (int n = 0; n < 3; ++n) {
                g.spawn([&ran, g]() mutable -> task<> {
                    g.spawn([&ran, g]() -> task<> {
                        ran += g.size() != 0;
                        co_return;
                    });
                    co_return;
                });
            }
            co_return;
        });
    };
    block_on(all());
    BOOST_TEST(ran == 3);
    rouse::thread_pool pool(2);
    block_on(spawn(pool, all()));
    BOOST_TEST(ran == 6);
    // Of those that have not begun, and of the body.
    {
        auto f = all();
        rouse::waker const nobody;
        BOOST_TEST(!ready_by_hand(f, nobody));
    }
    BOOST_TEST(alive == 0);
}

// Threads that know nothing of the group's end spawn into it until they hear of that. What was taken has run, or was
// destroyed, before the group was over.
BOOST_AUTO_TEST_CASE(b96_threads_with_copies_spawn_while_the_group_ends) {
    in_both_modes({1, 2, 4}, [](mode m, unsigned workers) {
        unsigned const rounds = scaled(sanitized ? 1000U : 4000U);
        pool_home pool(m, workers);
        unsigned wrong = 0;
        for (unsigned round = 0; round < rounds; ++round) {
            bool const aborts = round % 2 != 0;
            std::atomic<long> taken{0};
            std::atomic<long> ran{0};
            std::atomic<long> alive{0};
            std::optional<task_group> mine[3];
            event begun;
            event enough;
            auto owner = spawn(*pool, with_group([&](task_group& g) -> task<> {
                for (auto& copy : mine) copy.emplace(g);
                begun.set();
                co_await enough.happened();
                if (aborts) g.abort();
            }));
            block_on(begun.happened());
            std::atomic<long> late{0};
            run_threads(4, [&](unsigned who) {
                stress_random random(4 * round + who);
                if (who == 3) {
                    random.delay();
                    enough.set();
                    return;
                }
                task_group g = *mine[who];
                try {
                    for (;;) {
                        g.spawn([&ran, lives = counted(alive)]() -> task<> {
                            ++ran;
                            co_return;
                        });
                        ++taken;
                        random.delay();
                        // A group ends when none is left: so that there is such a moment.
                        while (g.size() > 1) std::this_thread::yield();
                    }
                } catch (boost::system::system_error const& e) {
                    late += e.code() == rouse::errc::closed;
                }
            });
            try {
                block_on(std::move(owner));
            } catch (boost::system::system_error const& e) {
                wrong += !(aborts && e.code() == rouse::errc::aborted);
            }
            wrong += late != 3 || alive != 0 || (aborts ? ran > taken : ran != taken);
        }
        BOOST_TEST(wrong == 0U);
    });
}

// As those of a task whose handle is dropped.
BOOST_AUTO_TEST_CASE(b25_exceptions_of_a_group_that_is_dropped_are_reported) {
    rouse::waker const nobody;
    for (on_error const policy : {on_error::abort_others, on_error::collect, on_error::report}) {
        reports const hear;
        {
            auto f = with_group(policy, [&](task_group& g) -> task<> {
                g.spawn(fails("one"));
                g.spawn(fails("two"));
                // Has its say when it is told to end.
                g.spawn(rouse::finally(rouse::pending_future<>(), [] { throw std::runtime_error("clean-up"); }));
                co_await rouse::finally(rouse::pending_future<>(), [] { return rouse::pending_future<>(); });
            });
            BOOST_TEST(!ready_by_hand(f, nobody));
            BOOST_TEST(!ready_by_hand(f, nobody));
        }
        switch (policy) {
            case on_error::abort_others: BOOST_TEST(reported == (std::vector<std::string>{"one"})); break;
            default: BOOST_TEST(reported == (std::vector<std::string>{"one", "two"}));
        }
    }
}

// One that was cancelled by itself, and not since it was told to, has failed like others.
BOOST_AUTO_TEST_CASE(b25_a_task_of_a_dropped_group_was_cancelled_by_itself) {
    rouse::waker const nobody;
    for (on_error const policy : {on_error::abort_others, on_error::collect}) {
        reports const hear;
        {
            auto f = with_group(policy, [&](task_group& g) -> task<> {
                g.spawn(rouse::poll_fn([](rouse::context&) -> rouse::poll_result<void> {
                    throw boost::system::system_error(boost::asio::error::operation_aborted);
                }));
                co_await rouse::finally(rouse::pending_future<>(), [] { return rouse::pending_future<>(); });
            });
            BOOST_TEST(!ready_by_hand(f, nobody));
        }
        BOOST_TEST(reported.size() == 1U);
    }
}

// What says only that a task was told to end is no news, whatever stands beside it.
BOOST_AUTO_TEST_CASE(b25_echoes_of_a_dropped_group_are_not_reported) {
    rouse::waker const nobody;
    for (on_error const policy : {on_error::abort_others, on_error::collect}) {
        reports const hear;
        rouse::cancellation_state cancellation;
        {
            auto f = with_group(policy, [&](task_group& g) -> task<> {
                for (int n = 0; n < 3; ++n) g.spawn(rouse::sleep_for(std::chrono::hours(1)));
                g.spawn([]() -> task<> {
                    try {
                        co_await rouse::sleep_for(std::chrono::hours(1));
                    } catch (boost::system::system_error const&) {
                    }
                    throw std::runtime_error("the disk is full");
                }());
                co_await rouse::shielded(rouse::finally(rouse::pending_future<>(), [] { return rouse::pending_future<>(); }));
            });
            for (int n = 0; n < 2; ++n) BOOST_TEST(!ready_by_hand(f, nobody, cancellation));
            cancellation.request(rouse::cancellation_type::all);
            for (int n = 0; n < 5; ++n) BOOST_TEST(!ready_by_hand(f, nobody, cancellation));
        }
        BOOST_TEST(reported == (std::vector<std::string>{"the disk is full"}));
    }
}

// Its tasks fail on another thread at that very moment. Each is reported once, before the drop or after it.
BOOST_AUTO_TEST_CASE(b25_tasks_fail_while_their_group_is_dropped) {
    static std::atomic<long> heard{0};
    heard = 0;
    auto const before = rouse::set_unhandled_handler([](std::exception_ptr, std::source_location) { ++heard; });
    int const rounds = scaled(sanitized ? 500 : 2000);
    rouse::thread_pool pool(2);
    auto const late = [](std::atomic<int>& begun) {
        return rouse::finally([](std::atomic<int>& n) -> task<> {
            ++n;
            co_await rouse::pending_future<>();
        }(begun), [] { throw std::runtime_error("late"); });
    };
    block_on(spawn(pool, [&]() -> task<> {
        for (int round = 0; round < rounds; ++round) {
            std::optional<task_group> group;
            std::atomic<int> begun{0};
            {
                auto f = with_group(on_error::collect, [&](task_group& g) -> task<> {
                    group.emplace(g);
                    g.spawn([](std::atomic<int>& has_begun) -> task<> {
                        ++has_begun;
                        throw std::runtime_error("one");
                        co_return;
                    }(begun));
                    for (int n = 0; n < 3; ++n) g.spawn(late(begun));
                    co_await rouse::pending_future<>();
                });
                co_await rouse::select_biased(f, rouse::this_task::yield_now());
                while (begun != 4) co_await rouse::this_task::yield_now();
            }
            while (group->size() != 0) co_await rouse::this_task::yield_now();
        }
    }()));
    rouse::set_unhandled_handler(before);
    BOOST_TEST(heard == 4L * rounds);
}

// Also by a task that is not waited for and fails later; but not what says only that it was told.
BOOST_AUTO_TEST_CASE(b25_exceptions_that_come_after_the_drop_of_a_group_are_reported) {
    rouse::thread_pool pool(1);
    reports const hear;
    block_on(spawn(pool, [&]() -> task<> {
        for (bool const echo : {false, true}) {
            std::optional<task_group> group;
            {
                auto f = with_group([&](task_group& g) -> task<> {
                    group.emplace(g);
                    g.spawn(rouse::finally(rouse::pending_future<>(), [echo] {
                        if (echo) throw boost::system::system_error(boost::asio::error::operation_aborted);
                        throw std::runtime_error("late");
                    }));
                    co_await rouse::pending_future<>();
                });
                co_await rouse::select_biased(f, rouse::this_task::yield_now());
                // On the one worker the task has begun, and waits, before this goes on.
                for (int n = 0; n < 3; ++n) co_await rouse::this_task::yield_now();
            }
            while (group->size() != 0) co_await rouse::this_task::yield_now();
        }
    }()));
    BOOST_TEST(reported == (std::vector<std::string>{"late"}));
}

BOOST_AUTO_TEST_SUITE_END()
