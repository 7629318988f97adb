// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// How a pool is made, its threads, and its hooks; in both modes. The end is in join_and_stop.cpp.

#include <support/pool_kit.hpp>
#include <support/unit_kit.hpp>

#include <pthread.h>
#include <sched.h>

#include <array>
#include <barrier>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <numeric>
#include <rouse.hpp>
#include <stdexcept>
#include <string>

BOOST_AUTO_TEST_SUITE(test_life)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::spawn;
using rouse::spawn_ok;
using rouse::task;
using rouse::thread_pool;

namespace {

task<int> twice(int n) { co_return 2 * n; }
task<> nothing() { co_return; }

}  // namespace

// ---- construction --------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(b53_pools_of_each_size_run_tasks_and_functions) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        BOOST_TEST(pool->size() == workers);
        std::vector<rouse::join_handle<int>> handles;
        for (int n = 0; n < 1000; ++n) handles.push_back(spawn(*pool, twice(n)));
        countdown functions(1000);
        for (int n = 0; n < 1000; ++n) asio::post(*pool, [&] { functions.down(); });
        int sum = 0;
        for (auto& handle : handles) sum += block_on(std::move(handle));
        BOOST_TEST(sum == 999 * 1000);
        functions.wait();
    });
}

BOOST_AUTO_TEST_CASE(b53_no_workers_are_refused) {
    asio::io_context io;
    auto const none = says("rouse: a thread_pool has at least one worker");
    BOOST_CHECK_EXCEPTION(thread_pool(0U), std::invalid_argument, none);
    BOOST_CHECK_EXCEPTION(thread_pool(io, 0U), std::invalid_argument, none);
    struct wrong {
        thread_pool::builder how;
        char const* sentence;
    };
    for (auto const& [how, sentence] :
         {wrong{thread_pool::builder().workers(0), "rouse: a thread_pool has at least one worker"},
          wrong{thread_pool::builder().workers(32768),
                "rouse: a thread_pool has at most 32767 workers"},
          wrong{thread_pool::builder().workers(2).event_interval(0),
                "rouse: the event interval of a thread_pool is at least 1"}}) {
        BOOST_CHECK_EXCEPTION(static_cast<void>(how.build()), std::invalid_argument,
                              says(sentence));
        BOOST_CHECK_EXCEPTION(static_cast<void>(how.build(io)), std::invalid_argument,
                              says(sentence));
    }
    BOOST_TEST(threads_become(threads_at_rest));
    // The io_context is as good as before, and may die: no pool uses it.
    int ran = 0;
    asio::post(io, [&] { ++ran; });
    io.run();
    BOOST_TEST(ran == 1);
}

BOOST_AUTO_TEST_CASE(b53_by_default_a_pool_has_a_worker_for_each_usable_processor) {
    {
        thread_pool pool;
        BOOST_TEST(pool.size() >= 1U);
        BOOST_TEST(pool.size() <= std::max(1U, std::thread::hardware_concurrency()));
        BOOST_TEST(block_on(spawn(pool, twice(2))) == 4);
    }
    cpu_set_t before;
    BOOST_REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &before)) continue;
        CPU_SET(cpu, &one);
        break;
    }
    BOOST_REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
    std::size_t const restricted = thread_pool().size();
    asio::io_context io;
    std::size_t const restricted_too = thread_pool(io).size();
    BOOST_REQUIRE(::sched_setaffinity(0, sizeof before, &before) == 0);
    BOOST_TEST(restricted == 1U);
    BOOST_TEST(restricted_too == 1U);
}

BOOST_AUTO_TEST_CASE(b54_a_stack_below_the_minimum_is_an_error) {
    asio::io_context io;
    auto const how = thread_pool::builder().workers(2).stack_size(1);
    auto const names_the_rule =
        says("rouse: the stack size of a worker is below the system's minimum");
    BOOST_CHECK_EXCEPTION(static_cast<void>(how.build()), std::system_error, names_the_rule);
    BOOST_CHECK_EXCEPTION(static_cast<void>(how.build(io)), std::system_error, names_the_rule);
    BOOST_TEST(threads_become(threads_at_rest));
}

BOOST_AUTO_TEST_CASE(a_pool_has_its_workers_and_no_other_thread) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        {
            pool_home pool(m, workers);
            asio::steady_timer timer(*pool, 1ms);
            timer.async_wait([](auto) {});
            spawn_ok(*pool, nothing());
            pool->join();
        }
        BOOST_TEST(threads_become(threads_at_rest));
        {
            pool_home pool(m, workers);
            BOOST_TEST(block_on(spawn(*pool, twice(1))) == 2);
            BOOST_TEST(threads_become(threads_at_rest + pool.threads()));
        }
        BOOST_TEST(threads_become(threads_at_rest));
    });
}

// ---- the builder ---------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_builder_builds_any_number_of_pools) {
    auto const how = thread_pool::builder().workers(3);
    auto const a = how.build();
    auto const b = how.build();
    thread_pool c(how);
    asio::io_context io;
    auto const d = how.build(io);
    thread_pool e(io, how);
    for (thread_pool* pool : {a.get(), b.get(), &c, d.get(), &e}) {
        BOOST_TEST(pool->size() == 3U);
        BOOST_TEST(block_on(spawn(*pool, twice(4))) == 8);
    }
}

BOOST_AUTO_TEST_CASE(workers_are_named_by_prefix_and_number) {
    struct expectation {
        char const* prefix;
        std::array<char const*, 2> names;
    };
    for (auto const& [prefix, names] :
         {expectation{"net", {"net0", "net1"}}, expectation{"", {"0", "1"}},
          expectation{"twelve_long_", {"twelve_long_0", "twelve_long_1"}},
          expectation{"exactly_14_abc", {"exactly_14_abc0", "exactly_14_abc1"}},
          expectation{"longer_than_15_characters", {"longer_than_15_", "longer_than_15_"}}}) {
        std::mutex mutex;
        std::map<unsigned, std::string> seen;
        for (mode const m : {mode::own, mode::applications}) {
            auto const how = thread_pool::builder().workers(2).thread_name(prefix).after_start(
                [&](unsigned index) {
                    std::array<char, 64> name{};
                    ::pthread_getname_np(::pthread_self(), name.data(), name.size());
                    std::lock_guard guard(mutex);
                    seen[index] = name.data();
                });
            pool_home pool(m, how);
            pool->join();
            BOOST_TEST(seen.size() == 2U);
            BOOST_TEST(seen[0] == names[0]);
            BOOST_TEST(seen[1] == names[1]);
        }
    }
}

BOOST_AUTO_TEST_CASE(workers_have_the_stack_that_was_asked_for) {
    // The system may hand out a larger one that it has at hand.
    for (std::size_t const size : {std::size_t{16} << 20, std::size_t{64} << 20}) {
        std::array<std::atomic<std::size_t>, 2> stacks{};
        auto const how = thread_pool::builder().workers(2).stack_size(size).after_start(
            [&](unsigned index) {
                pthread_attr_t attributes;
                ::pthread_getattr_np(::pthread_self(), &attributes);
                std::size_t stack = 0;
                ::pthread_attr_getstacksize(&attributes, &stack);
                ::pthread_attr_destroy(&attributes);
                stacks[index] = stack;
            });
        how.build()->join();
        std::size_t const margin = std::size_t{256} << 10;  // guard, thread-local storage
        for (auto const& stack : stacks) BOOST_TEST(stack + margin > size);
    }
}

BOOST_AUTO_TEST_CASE(hooks_are_called_once_by_each_worker_around_its_work) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        struct log {
            std::vector<std::string> events{};
            std::thread::id thread{};
        };
        std::mutex mutex;
        std::map<unsigned, log> logs;
        static thread_local int number = -1;
        auto const how = thread_pool::builder()
                             .workers(workers)
                             .after_start([&](unsigned index) {
                                 number = static_cast<int>(index);
                                 std::lock_guard guard(mutex);
                                 logs[index].events.push_back("start");
                                 logs[index].thread = std::this_thread::get_id();
                             })
                             .before_stop([&](unsigned index) {
                                 std::lock_guard guard(mutex);
                                 logs[index].events.push_back("stop");
                                 if (logs[index].thread != std::this_thread::get_id())
                                     logs[index].events.push_back("in another thread");
                             });
        std::atomic<unsigned> homeless{0};
        {
            pool_home pool(m, how);
            for (int n = 0; n < 200; ++n) {
                spawn_ok(*pool, [&]() -> task<> {
                    if (number < 0) {
                        ++homeless;
                        co_return;
                    }
                    std::lock_guard guard(mutex);
                    auto& events = logs[static_cast<unsigned>(number)].events;
                    if (events.size() == 1) events.push_back("work");
                });
            }
            pool->join();
            BOOST_TEST(logs.size() == workers);
        }
        BOOST_TEST(homeless == 0U);
        BOOST_TEST(logs.size() == workers);
        unsigned worked = 0;
        for (auto const& [index, l] : logs) {
            BOOST_TEST(index < workers);
            BOOST_REQUIRE(l.events.size() >= 2U);
            BOOST_TEST(l.events.front() == "start");
            BOOST_TEST(l.events.back() == "stop");
            if (l.events.size() == 3) ++worked;
            BOOST_TEST(l.events.size() == 2U + (l.events[1] == "work" ? 1U : 0U));
        }
        BOOST_TEST(worked >= 1U);
    });
}

BOOST_AUTO_TEST_CASE(hooks_are_destroyed_when_pool_and_builder_are_gone) {
    in_both_modes({2}, [](mode m, unsigned workers) {
        auto const kept = std::make_shared<int>(0);
        std::optional<pool_home> pool;
        {
            auto how = thread_pool::builder()
                           .workers(workers)
                           .after_start([kept](unsigned) {})
                           .before_stop([kept](unsigned) {})
                           .on_unhandled_exception([kept](auto, auto) {});
            BOOST_TEST(kept.use_count() == 4);
            pool.emplace(m, how);
        }
        BOOST_TEST(kept.use_count() > 1);
        pool.reset();
        BOOST_TEST(kept.use_count() == 1);
    });
}

BOOST_AUTO_TEST_CASE(b100_hooks_that_throw_are_reported_and_harm_nobody) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        reports unhandled;
        auto const how =
            thread_pool::builder()
                .workers(workers)
                .after_start([](unsigned) { throw std::runtime_error("after_start"); })
                .before_stop([](unsigned) { throw 7; })
                .on_unhandled_exception(unhandled.handler());
        {
            pool_home pool(m, how);
            BOOST_TEST(block_on(spawn(*pool, twice(21))) == 42);
        }
        BOOST_TEST(unhandled.all.size() == 2 * workers);
        auto const said = [&](std::string const& what) {
            return static_cast<unsigned>(std::count_if(unhandled.all.begin(), unhandled.all.end(),
                                                       [&](auto& r) { return r.what == what; }));
        };
        BOOST_TEST(said("after_start") == workers);
        BOOST_TEST(said("no std::exception") == workers);
    });
}

BOOST_AUTO_TEST_CASE(b100_hooks_that_spawn_and_post) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        door built;
        std::atomic<thread_pool*> self{nullptr};
        std::atomic<unsigned> ran_early{0};
        std::atomic<unsigned> posted_early{0};
        std::atomic<unsigned> ran_late{0};
        auto const alive = std::make_shared<int>(0);
        std::mutex mutex;
        std::vector<rouse::join_handle<void>> late;
        auto const how =
            thread_pool::builder()
                .workers(workers)
                .after_start([&](unsigned) {
                    built.wait();
                    spawn_ok(*self, [&]() -> task<> {
                        ++ran_early;
                        co_return;
                    });
                    asio::post(*self, [&] { ++posted_early; });
                })
                .before_stop([&](unsigned) {
                    auto handle = spawn(*self, [&, alive]() -> task<> {
                        ++ran_late;
                        co_return;
                    });
                    asio::post(*self, [&, alive] { ++ran_late; });
                    asio::defer(*self, [&, alive] { ++ran_late; });
                    std::lock_guard guard(mutex);
                    late.push_back(std::move(handle));
                });
        {
            pool_home pool(m, how);
            self = &*pool;
            built.open();
            pool->join();
            BOOST_TEST(ran_early == workers);
            BOOST_TEST(posted_early == workers);
        }
        // Too late to be run: destroyed, and their handles know it.
        BOOST_TEST(ran_late == 0U);
        BOOST_TEST(alive.use_count() == 1);
        BOOST_TEST(late.size() == workers);
        for (auto& handle : late)
            BOOST_CHECK_EXCEPTION(block_on(std::move(handle)), boost::system::system_error,
                                  says_aborted);
    });
}

// The handler brings about the next exception, in each way that it has.
BOOST_AUTO_TEST_CASE(b100_a_handler_of_exceptions_that_spawns_and_posts_what_throws) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        constexpr unsigned count = 300;
        std::atomic<thread_pool*> self{nullptr};
        std::atomic<unsigned> reported{0};
        static thread_local bool in_handler = false;
        std::atomic<unsigned> nested{0};  // nothing runs inside of spawn and post
        auto const throws = []() -> task<> { throw std::runtime_error("again"); co_return; };
        auto const handler = [&](std::exception_ptr, std::source_location) {
            if (std::exchange(in_handler, true)) ++nested;
            unsigned const n = ++reported;
            if (n < count) {
                switch (n % 4) {
                    case 0: spawn_ok(*self, throws()); break;
                    case 1: spawn(*self, throws(), asio::detached); break;
                    case 2: asio::post(*self, [] { throw 7; }); break;
                    default: asio::defer(*self, [] { throw 7; });
                }
            }
            in_handler = false;
        };
        pool_home pool(m, thread_pool::builder().workers(workers).on_unhandled_exception(handler));
        self = &*pool;
        asio::post(*pool, [] { throw 7; });
        pool->join();
        BOOST_TEST(reported == count);
        BOOST_TEST(nested == 0U);
        BOOST_TEST(pool->metrics().tasks_done == pool->metrics().tasks_spawned);
    });
}

BOOST_AUTO_TEST_CASE(b100_a_handler_of_exceptions_that_stops_the_pool) {
    enum class thrown_by { task, function, handler };
    for (thrown_by const who : {thrown_by::task, thrown_by::function, thrown_by::handler}) {
        in_both_modes({1, 2, 8}, [&](mode m, unsigned workers) {
            std::atomic<thread_pool*> self{nullptr};
            std::atomic<unsigned> reported{0};
            auto const handler = [&](std::exception_ptr, std::source_location) {
                ++reported;
                self.load()->stop();
            };
            auto const kept = std::make_shared<int>(0);
            {
                pool_home pool(m, thread_pool::builder().workers(workers).on_unhandled_exception(
                                      handler));
                self = &*pool;
                std::vector<rouse::join_handle<void>> waiting;
                for (int n = 0; n < 20; ++n) waiting.push_back(spawn(*pool, forever(kept)));
                asio::steady_timer timer(*pool, 1ms);
                switch (who) {
                    case thrown_by::task:
                        spawn_ok(*pool, []() -> task<> { throw 7; co_return; });
                        break;
                    case thrown_by::function: asio::post(*pool, [] { throw 7; }); break;
                    case thrown_by::handler: timer.async_wait([](auto) { throw 7; }); break;
                }
                for (auto& handle : waiting)
                    BOOST_CHECK_EXCEPTION(block_on(std::move(handle)), boost::system::system_error,
                                          says_aborted);
                pool->join();
            }
            BOOST_TEST(reported == 1U);
            BOOST_TEST(kept.use_count() == 1);
        });
    }
}

namespace {

// What a thread_local of each worker does in its destructor, when the worker is one no more.
struct last_words {
    explicit last_words(unsigned workers) : waits(workers) {
        for (event const& wait : waits) {
            woken.push_back(spawn(other, [wait]() -> task<> { co_await wait.happened(); }));
            aborted.push_back(spawn(other, forever(kept)));
            dropped.emplace_back(spawn(other, forever(kept)));
        }
        for (event const& wait : waits)
            wait_until([&] { return wait.polls() != 0; }, "a task that waits");
    }
    void say(unsigned worker) {
        waits[worker].set();
        aborted[worker].abort();
        dropped[worker].reset();
        late.wake_by_ref();
        rouse::waker(late).wake();
        for (thread_pool* pool : {&other, own}) {
            auto& ran = pool == own ? ran_late : ran_elsewhere;
            asio::post(*pool, [&ran, k = kept] { ++ran; });
            spawn_ok(*pool, [&ran, k = kept]() -> task<> {
                ++ran;
                co_return;
            });
        }
        ++said;
    }

    std::shared_ptr<int> const kept = std::make_shared<int>(0);
    std::atomic<unsigned> ran_elsewhere{0};
    std::atomic<unsigned> ran_late{0};
    std::atomic<unsigned> said{0};
    thread_pool other{2};
    std::vector<event> waits;
    std::vector<rouse::join_handle<void>> woken{};
    std::vector<rouse::join_handle<void>> aborted{};
    std::vector<std::optional<rouse::join_handle<void>>> dropped{};
    thread_pool* own = nullptr;
    rouse::waker late{};  // of a task of the own pool that has ended
};

struct speaks_at_exit {
    speaks_at_exit() = default;
    speaks_at_exit(speaks_at_exit const&) = delete;
    speaks_at_exit& operator=(speaks_at_exit const&) = delete;
    ~speaks_at_exit() {
        if (words) words->say(worker);
    }
    last_words* words = nullptr;
    unsigned worker = 0;
};

}  // namespace

// Made by a hook: before the thread has any thread_local of the library's, which then are dead when
// this one dies; or after them.
BOOST_AUTO_TEST_CASE(b16_thread_locals_of_workers_wake_abort_and_post_as_they_die) {
    for (bool const outlives_the_librarys : {true, false}) {
        in_both_modes({1, 2, 8}, [&](mode m, unsigned workers) {
            last_words words(workers);
            auto const hook = [&](unsigned worker) {
                static thread_local speaks_at_exit mine;
                mine.words = &words;
                mine.worker = worker;
            };
            auto how = thread_pool::builder().workers(workers);
            outlives_the_librarys ? how.after_start(hook) : how.before_stop(hook);
            {
                pool_home pool(m, how);
                words.own = &*pool;
                auto const leaves_a_waker = [&](rouse::context& cx) -> rouse::poll_result<void> {
                    words.late = cx.waker();
                    return rouse::ready();
                };
                block_on(spawn(*pool, rouse::poll_fn(leaves_a_waker)));
                // Each worker has run something, and given memory back.
                std::barrier together(static_cast<std::ptrdiff_t>(workers));
                for (unsigned n = 0; n < workers; ++n)
                    asio::post(*pool, [&] { together.arrive_and_wait(); });
                pool->join();
                BOOST_TEST(words.said == workers);
            }
            for (auto& handle : words.woken) block_on(std::move(handle));
            for (auto& handle : words.aborted)
                BOOST_CHECK_EXCEPTION(block_on(std::move(handle)), boost::system::system_error,
                                      says_aborted);
            words.other.join();
            BOOST_TEST(words.ran_elsewhere == 2 * workers);
            BOOST_TEST(words.ran_late == 0U);
            BOOST_TEST(words.kept.use_count() == 1);
        });
    }
}

BOOST_AUTO_TEST_CASE(every_event_interval_and_lifo_cap_runs_everything) {
    for (unsigned const interval : {1U, 2U, 61U, 1'000'000U}) {
        for (unsigned const cap : {0U, 1U, 3U, 1'000'000U}) {
            in_both_modes({1, 2}, [&](mode m, unsigned workers) {
                pool_home pool(m, thread_pool::builder().workers(workers).event_interval(interval)
                                      .lifo_cap(cap));
                std::atomic<int> ran{0};
                for (int n = 0; n < 50; ++n) {
                    spawn_ok(*pool, [&]() -> task<> {
                        for (int i = 0; i < 5; ++i) {
                            rouse::this_task::spawn_ok([&]() -> task<> {
                                co_await rouse::this_task::yield_now();
                                ++ran;
                            });
                            co_await rouse::this_task::yield_now();
                        }
                    });
                }
                asio::steady_timer timer(*pool, 1ms);
                timer.async_wait([&](auto) { ++ran; });
                pool->join();
                BOOST_TEST(ran == 251);
            });
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
