// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// with_group: no task outlives it, whatever its end; on the pool, on an io_context and in block_on.

#include <support/pool_kit.hpp>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <algorithm>
#include <barrier>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <rouse.hpp>
#include <rouse/task_group.hpp>
#include <source_location>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_groups)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::on_error;
using rouse::spawn;
using rouse::task;
using rouse::task_group;
using rouse::with_group;

namespace {

// Runs a future on the pool in both modes, on an io_context, and in a thread that blocks, where the
// group's owner polls the tasks.
template <class Function>
void everywhere(Function function) {
    in_both_modes({1, 2, 4}, [&](mode m, unsigned workers) {
        pool_home pool(m, workers);
        function([&](auto f) { return block_on(spawn(*pool, std::move(f))); });
    });
    BOOST_TEST_CONTEXT("an io_context") {
        function([](auto f) {
            asio::io_context io;
            auto handle = spawn(io, std::move(f));
            io.run();
            return block_on(std::move(handle));
        });
    }
    BOOST_TEST_CONTEXT("block_on") {
        function([](auto f) { return block_on(std::move(f)); });
    }
}

task<> counts(std::atomic<long>& alive, std::atomic<long>& done, int yields) {
    counted const lives(alive);
    for (int n = 0; n < yields; ++n) co_await rouse::this_task::yield_now();
    ++done;
}
task<> nothing() { co_return; }
task<> fails(std::string what) {
    co_await rouse::this_task::yield_now();
    throw std::runtime_error(what);
}
task<> sleeps(std::atomic<long>& alive) {
    counted const lives(alive);
    co_await rouse::sleep_for(1h);
}

std::string what_was_thrown(std::exception_ptr const& error) {
    try {
        std::rethrow_exception(error);
    } catch (std::exception const& e) {
        return e.what();
    }
}

auto says_what(std::string what) {
    return [what](std::exception const& e) { return e.what() == what; };
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_group_ends_when_its_body_and_all_tasks_have) {
    everywhere([](auto run) {
        std::atomic<long> alive{0};
        std::atomic<long> done{0};
        int const value = run(with_group([&](task_group& g) -> task<int> {
            for (int n = 0; n < 50; ++n) g.spawn(counts(alive, done, n % 4));
            co_await rouse::this_task::yield_now();
            co_return 7;
        }));
        BOOST_TEST(value == 7);
        BOOST_TEST(done == 50);
        BOOST_TEST(alive == 0);
        run(with_group([](task_group&) -> task<> { co_return; }));
    });
}

BOOST_AUTO_TEST_CASE(tasks_of_a_group_spawn_into_it) {
    everywhere([](auto run) {
        std::atomic<long> done{0};
        struct tree {
            static task<> grow(task_group& g, std::atomic<long>& count, int depth) {
                ++count;
                if (depth == 0) co_return;
                co_await rouse::this_task::yield_now();
                g.spawn(grow(g, count, depth - 1));
                g.spawn(grow(g, count, depth - 1));
            }
        };
        run(with_group([&](task_group& g) -> task<> {
            g.spawn(tree::grow(g, done, 6));
            co_return;
        }));
        BOOST_TEST(done == 127);
    });
}

BOOST_AUTO_TEST_CASE(the_first_error_aborts_the_others) {
    everywhere([](auto run) {
        std::atomic<long> alive{0};
        auto const group = [&](bool by_body) {
            return with_group([&alive, by_body](task_group& g) -> task<int> {
                for (int n = 0; n < 10; ++n) g.spawn(sleeps(alive));
                if (by_body) throw std::runtime_error("body");
                g.spawn(fails("task"));
                co_await sleeps(alive);
                co_return 7;
            });
        };
        BOOST_CHECK_EXCEPTION(run(group(false)), std::runtime_error, says_what("task"));
        BOOST_TEST(alive == 0);
        BOOST_CHECK_EXCEPTION(run(group(true)), std::runtime_error, says_what("body"));
        BOOST_TEST(alive == 0);
    });
}

namespace {
struct throws_when_moved {
    explicit throws_when_moved() {}
    throws_when_moved(throws_when_moved&&) { throw std::runtime_error("moved"); }
    rouse::poll_result<void> poll(rouse::context&) { return rouse::ready(); }
};
}  // namespace

BOOST_AUTO_TEST_CASE(what_throws_as_it_is_spawned_is_not_in_the_group) {
    everywhere([](auto run) {
        run(with_group([](task_group& g) -> task<> {
            bool thrown = false;
            try {
                g.spawn(throws_when_moved());
            } catch (std::runtime_error const&) {
                thrown = true;
            }
            if (!thrown || g.size() != 0) throw std::logic_error("it has entered");
            co_return;
        }));
    });
}

BOOST_AUTO_TEST_CASE(a_function_that_throws_leaves_no_task_behind) {
    everywhere([](auto run) {
        std::atomic<long> alive{0};
        BOOST_CHECK_EXCEPTION(run(with_group([&](task_group& g) -> task<> {
                                  g.spawn(sleeps(alive));
                                  if (alive == 0) throw std::runtime_error("function");
                                  return sleeps(alive);
                              })),
                              std::runtime_error, says_what("function"));
        BOOST_TEST(alive == 0);
    });
}

BOOST_AUTO_TEST_CASE(what_a_body_without_value_throws_in_an_abort_is_thrown) {
    everywhere([](auto run) {
        BOOST_CHECK_EXCEPTION(run(with_group([](task_group& g) -> task<> {
                                  g.abort();
                                  throw boost::system::system_error(asio::error::operation_aborted);
                                  co_return;
                              })),
                              boost::system::system_error,
                              [](auto const& e) { return e.code() == asio::error::operation_aborted; });
    });
}

BOOST_AUTO_TEST_CASE(errors_are_collected) {
    everywhere([](auto run) {
        std::atomic<long> alive{0};
        std::atomic<long> done{0};
        std::vector<std::string> said;
        try {
            run(with_group(on_error::collect, [&](task_group& g) -> task<> {
                g.spawn(fails("one"));
                g.spawn(counts(alive, done, 5));
                g.spawn(fails("two"));
                co_await rouse::this_task::yield_now();
                throw std::runtime_error("body");
            }));
        } catch (rouse::group_error const& e) {
            for (auto const& error : e.errors()) said.push_back(what_was_thrown(error));
            BOOST_TEST(e.what() == std::string("rouse::with_group: 3 of its tasks have failed"));
        }
        std::sort(said.begin(), said.end());
        BOOST_TEST(said == (std::vector<std::string>{"body", "one", "two"}));
        BOOST_TEST(done == 1);
    });
}

// As an exception must be: it is copied where nobody can catch what that throws.
static_assert(std::is_nothrow_copy_constructible_v<rouse::group_error>);
static_assert(std::is_nothrow_copy_assignable_v<rouse::group_error>);

BOOST_AUTO_TEST_CASE(a_group_is_aborted_by_itself) {
    everywhere([](auto run) {
        std::atomic<long> alive{0};
        BOOST_CHECK_EXCEPTION(run(with_group([&](task_group& g) -> task<> {
                                  g.spawn(sleeps(alive));
                                  g.spawn([](task_group& group) -> task<> {
                                      co_await rouse::this_task::yield_now();
                                      group.abort();
                                  }(g));
                                  co_await sleeps(alive);
                              })),
                              boost::system::system_error, says_aborted);
        BOOST_TEST(alive == 0);
    });
}

BOOST_AUTO_TEST_CASE(a_limit_holds_and_everybody_has_a_turn) {
    everywhere([](auto run) {
        std::atomic<long> now{0};
        std::atomic<long> most{0};
        std::atomic<long> done{0};
        auto const busy = [&]() -> task<> {
            long const n = ++now;
            long seen = most;
            while (n > seen && !most.compare_exchange_weak(seen, n)) {
            }
            for (int i = 0; i < 3; ++i) co_await rouse::this_task::yield_now();
            --now;
            ++done;
        };
        run(with_group([&](task_group& g) -> task<> {
            g.limit(3);
            for (int n = 0; n < 40; ++n) g.spawn(busy());
            co_return;
        }));
        BOOST_TEST(done == 40);
        BOOST_TEST(most <= 3);

        // With back-pressure none waits for its turn.
        done = 0;
        std::size_t largest = 0;
        run(with_group([&](task_group& g) -> task<> {
            g.limit(3);
            for (int n = 0; n < 40; ++n) {
                co_await g.has_room();
                g.spawn(busy());
                largest = std::max(largest, g.size());
            }
        }));
        BOOST_TEST(done == 40);
        BOOST_TEST(largest <= 3U);
        BOOST_CHECK_THROW(run(with_group([](task_group& g) -> task<> {
                              g.limit(0);
                              co_return;
                          })),
                          std::logic_error);
    });
}

BOOST_AUTO_TEST_CASE(an_abort_of_the_owner_reaches_all_tasks_and_waits_for_them) {
    in_both_modes({1, 2, 4}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        std::atomic<long> alive{0};
        door begun;
        auto owner = spawn(*pool, with_group([&](task_group& g) -> task<> {
            g.limit(4);
            for (int n = 0; n < 8; ++n) g.spawn(sleeps(alive));  // some wait for their turn
            asio::steady_timer timer(*pool, 1h);
            begun.open();
            co_await timer.async_wait(rouse::use_poll);
        }));
        begun.wait();
        owner.abort();
        BOOST_CHECK_EXCEPTION(block_on(std::move(owner)), boost::system::system_error, says_aborted);
        BOOST_TEST(alive == 0);
        pool->join();
    });
}

BOOST_AUTO_TEST_CASE(a_request_to_cancel_the_owner_reaches_all_tasks) {
    everywhere([](auto run) {
        rouse::cancellation_source source;
        std::atomic<long> cancelled{0};
        auto const waits = [&]() -> task<> {
            try {
                co_await rouse::sleep_for(1h);
            } catch (boost::system::system_error const& e) {
                cancelled += e.code() == asio::error::operation_aborted;
            }
        };
        run(rouse::with_cancellation(with_group([&](task_group& g) -> task<> {
                                         for (int n = 0; n < 5; ++n) g.spawn(waits());
                                         co_await rouse::this_task::yield_now();
                                         source.cancel();
                                         co_await waits();
                                     }),
                                     source.token()));
        BOOST_TEST(cancelled == 6);
    });
}

BOOST_AUTO_TEST_CASE(b96_a_group_that_is_over_takes_no_tasks) {
    task_group* late = nullptr;
    pool_home pool(mode::own, 2);
    auto f = with_group([&](task_group& g) -> task<> {
        late = &g;
        co_return;
    });
    block_on(f);
    BOOST_CHECK_EXCEPTION(late->spawn(rouse::ready_future()), boost::system::system_error,
                          [](auto const& e) { return e.code() == rouse::errc::closed; });
}

BOOST_AUTO_TEST_CASE(a_pool_that_stops_ends_groups_too) {
    in_both_modes({1, 2, 4}, [](mode m, unsigned workers) {
        std::atomic<long> alive{0};
        {
            pool_home pool(m, workers);
            door begun;
            auto owner = spawn(*pool, with_group([&](task_group& g) -> task<> {
                for (int n = 0; n < 20; ++n) g.spawn(sleeps(alive));
                begun.open();
                co_await sleeps(alive);
            }));
            begun.wait();
            pool->stop();
            pool->join();
            BOOST_CHECK_EXCEPTION(block_on(std::move(owner)), boost::system::system_error,
                                  says_aborted);
        }
        BOOST_TEST(alive == 0);
    });
}

// Foreign threads spawn, fail and abort while the group runs and ends.
BOOST_AUTO_TEST_CASE(foreign_threads_spawn_into_a_group) {
    in_both_modes({1, 2, 4}, [](mode m, unsigned workers) {
        unsigned const rounds = scaled(sanitized ? 1000U : 4000U);
        pool_home pool(m, workers);
        std::atomic<long> alive{0};
        unsigned wrong = 0;
        for (unsigned round = 0; round < rounds; ++round) {
            event over;
            event threads_are_out;  // which the group waits for, aborted or not
            std::atomic<task_group*> group{nullptr};
            std::atomic<long> done{0};
            auto owner = spawn(*pool, with_group([&](task_group& g) -> task<int> {
                group = &g;
                co_await rouse::finally(over.happened(), [&] { return threads_are_out.happened(); });
                co_return 7;
            }));
            wait_until([&] { return group != nullptr; }, "a group");
            run_threads(3, [&](unsigned who) {
                stress_random random(3 * round + who);
                for (int n = 0; n < 5; ++n) {
                    random.delay();
                    if (who == 0 && n == 3 && round % 3 == 0) group.load()->abort();
                    if (who == 1 && n == 3 && round % 3 == 1) group.load()->spawn(fails("one"));
                    group.load()->spawn(counts(alive, done, static_cast<int>(random.below(3))));
                }
            });
            threads_are_out.set();
            over.set();
            try {
                int const value = block_on(std::move(owner));
                wrong += value != 7 || (round % 3 == 2 && done != 15);
            } catch (boost::system::system_error const& e) {
                wrong += !(round % 3 == 0 && says_aborted(e));
            } catch (std::runtime_error const& e) {
                wrong += !(round % 3 == 1 && says_what("one")(e));
            }
            wrong += alive != 0;
        }
        BOOST_TEST(wrong == 0U);
    });
}

BOOST_AUTO_TEST_CASE(errors_are_reported_and_the_group_goes_on) {
    static std::atomic<int> reports{0};
    reports = 0;
    auto const before = rouse::set_unhandled_handler([](std::exception_ptr, auto) { ++reports; });
    int rounds = 0;
    everywhere([&](auto run) {
        std::atomic<long> alive{0};
        std::atomic<long> done{0};
        run(with_group(on_error::report, [&](task_group& g) -> task<> {
            g.spawn(fails("one"));
            g.spawn(counts(alive, done, 50));
            g.spawn(fails("two"));
            co_return;
        }));
        BOOST_TEST(done.load() == 1);
        BOOST_TEST(alive.load() == 0);
        BOOST_TEST(reports.load() == ++rounds * 2);
        // What the body throws is thrown, when the tasks have ended.
        BOOST_CHECK_THROW(run(with_group(on_error::report,
                                         [&](task_group& g) -> task<> {
                                             g.spawn(counts(alive, done, 50));
                                             co_await fails("body");
                                         })),
                          std::runtime_error);
        BOOST_TEST(done.load() == 2);
        BOOST_TEST(reports.load() == rounds * 2);
    });
    rouse::set_unhandled_handler(before);
}

// By the executor, that is, which knows where the task was spawned.
BOOST_AUTO_TEST_CASE(a_pool_hears_of_errors_that_are_reported) {
    static std::atomic<int> heard{0};
    static std::atomic<unsigned> line{0};
    heard = 0;
    auto pool = rouse::thread_pool::builder()
                    .workers(2)
                    .on_unhandled_exception([](std::exception_ptr, std::source_location where) {
                        line = where.line();
                        ++heard;
                    })
                    .build();
    unsigned spawned_at = 0;
    block_on(spawn(*pool, with_group(on_error::report, [&](task_group& g) -> task<> {
        spawned_at = std::source_location::current().line() + 1;
        g.spawn(fails("one"));
        co_return;
    })));
    BOOST_TEST(heard.load() == 1);
    BOOST_TEST(line.load() == spawned_at);
}

// A lambda that is a coroutine may use its captures: it lives as long as its future.
BOOST_AUTO_TEST_CASE(callables_are_spawned_and_live_as_long_as_their_futures) {
    everywhere([](auto run) {
        std::atomic<int> sum{0};
        auto const adds = [&](task_group& g) -> task<> {
            for (int n = 1; n <= 10; ++n) {
                g.spawn([&sum, n, kept = std::make_unique<int>(n)]() -> task<> {
                    co_await rouse::this_task::yield_now();
                    sum += n == *kept ? n : 1000;
                });
            }
            g.spawn([] { return rouse::ready_future<>(); });
            g.spawn(nothing);  // a function
            co_return;
        };
        run(with_group(adds));
        BOOST_TEST(sum.load() == 55);

        auto const values = [](rouse::task_group_of<int>& g) -> task<int> {
            for (int n = 1; n <= 10; ++n) {
                g.spawn([n]() -> task<int> {
                    co_await rouse::this_task::yield_now();
                    co_return n;
                });
            }
            int all = 0;
            while (auto const n = co_await g.next()) all += *n;
            co_return all;
        };
        BOOST_TEST(run(rouse::with_group_of<int>(values)) == 55);
    });
}

BOOST_AUTO_TEST_SUITE_END()
