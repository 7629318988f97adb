// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What tasks and functions throw, and where that goes.

#include <support/pool_kit.hpp>
#include <support/unit_kit.hpp>

#include <boost/asio/defer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <rouse.hpp>
#include <stdexcept>
#include <string>

BOOST_AUTO_TEST_SUITE(test_exceptions)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::spawn;
using rouse::spawn_ok;
using rouse::task;
using rouse::thread_pool;

namespace {

task<> nothing() { co_return; }

}  // namespace

// A task that has thrown before its handle is detached is reported by the thread that detaches it,
// to the handler of the process: the pool may be gone by then.
std::atomic<unsigned> reported_to_process{0};

struct counting_process_reports {
    counting_process_reports() {
        reported_to_process = 0;
        before = rouse::set_unhandled_handler(
            [](std::exception_ptr, std::source_location) { ++reported_to_process; });
    }
    ~counting_process_reports() { rouse::set_unhandled_handler(before); }
    rouse::unhandled_handler before;
};

BOOST_AUTO_TEST_CASE(b23_b25_exceptions_of_tasks_and_functions_are_reported_and_kill_no_worker) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        reports unhandled;
        counting_process_reports const process;
        constexpr unsigned each = 50;
        unsigned line = 0;
        {
            pool_home pool(m, thread_pool::builder().workers(workers).on_unhandled_exception(
                                  unhandled.handler()));
            for (unsigned n = 0; n < each; ++n) {
                line = __LINE__ + 1;
                spawn_ok(*pool, []() -> task<> { throw std::runtime_error("task"); co_return; });
                spawn(*pool, []() -> task<int> { throw 7; co_return 0; }, asio::detached);
                spawn(*pool, []() -> task<int> { throw 7; co_return 0; }).detach();
                asio::post(*pool, [] { throw std::runtime_error("function"); });
                asio::defer(*pool, [] { throw std::runtime_error("function"); });
                asio::dispatch(*pool, [] { throw std::runtime_error("function"); });
            }
            wait_until([&] { return unhandled.count() + reported_to_process == 6 * each; },
                       "all reports");
            // All workers are there.
            std::barrier together(static_cast<std::ptrdiff_t>(workers));
            countdown met(workers);
            for (unsigned n = 0; n < workers; ++n) {
                asio::post(*pool, [&] {
                    together.arrive_and_wait();
                    met.down();
                });
            }
            met.wait();
            BOOST_TEST(threads_become(threads_at_rest + pool.threads()));
        }
        BOOST_TEST(unhandled.all.size() + reported_to_process == 6 * each);
        BOOST_TEST(reported_to_process <= each);
        unsigned of_tasks = 0;
        for (auto const& report : unhandled.all) {
            if (report.what != "task") continue;
            ++of_tasks;
            BOOST_TEST(report.line == line);
        }
        BOOST_TEST(of_tasks == each);
    });
}

BOOST_AUTO_TEST_CASE(b25_an_exception_that_somebody_waits_for_is_not_reported) {
    in_both_modes({2}, [](mode m, unsigned workers) {
        reports unhandled;
        {
            pool_home pool(m, thread_pool::builder().workers(workers).on_unhandled_exception(
                                  unhandled.handler()));
            auto handle =
                spawn(*pool, []() -> task<int> { throw std::runtime_error("mine"); co_return 0; });
            BOOST_CHECK_THROW(block_on(std::move(handle)), std::runtime_error);
            spawn_ok(*pool, forever(nullptr));  // aborted at the end
            auto aborted = spawn(*pool, forever(nullptr));
            aborted.abort();
            aborted.detach();
        }
        BOOST_TEST(unhandled.all.empty());
    });
}

// Whoever runs the handler of an operation on the pool's executor, its exception is the pool's.
BOOST_AUTO_TEST_CASE(b25_b72_an_exception_of_an_operations_handler_is_reported_to_the_pool) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        for (bool const busy : {false, true}) {
            BOOST_TEST_CONTEXT((busy ? "busy" : "idle")) {
                reports unhandled;
                constexpr unsigned count = 50;
                std::atomic<bool> done{false};
                pool_home pool(m, thread_pool::builder()
                                      .workers(workers)
                                      .event_interval(2)
                                      .on_unhandled_exception(unhandled.handler()));
                for (unsigned n = 0; busy && n < 2 * workers; ++n) {
                    spawn_ok(*pool, [&]() -> task<> {
                        while (!done) co_await rouse::this_task::yield_now();
                    });
                }
                std::vector<std::unique_ptr<asio::steady_timer>> timers;
                for (unsigned n = 0; n < count; ++n) {
                    timers.push_back(std::make_unique<asio::steady_timer>(
                        *pool, std::chrono::microseconds(100 * n)));
                    timers.back()->async_wait([](auto) { throw std::runtime_error("handler"); });
                }
                wait_until([&] { return unhandled.count() == count; }, "all reports");
                done = true;
                pool->join();
                BOOST_TEST(unhandled.all.size() == count);
            }
        }
    });
}

namespace {
std::atomic<unsigned> process_wide{0};
}

BOOST_AUTO_TEST_CASE(b25_without_a_handler_of_its_own_the_pool_reports_to_the_process) {
    auto const before = rouse::set_unhandled_handler([](auto, auto) { ++process_wide; });
    {
        thread_pool pool(2);
        asio::post(pool, [] { throw 1; });
        spawn_ok(pool, []() -> task<> { throw 1; co_return; });
        pool.join();
    }
    rouse::set_unhandled_handler(before);
    BOOST_TEST(process_wide == 2U);
}

// ---- block_on ------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(b64_block_on_inside_a_worker_is_an_error) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        auto const refused = [] {
            try {
                block_on(nothing());
            } catch (boost::system::system_error const& e) {
                return e.code() == rouse::errc::blocking_in_worker &&
                       std::string(e.what()).starts_with("rouse::block_on: a blocking call inside a "
                                                         "task or on a worker of a thread_pool");
            }
            return false;
        };
        BOOST_TEST(block_on(spawn(*pool, [&]() -> task<bool> { co_return refused(); })));
        std::atomic<int> results{0};
        asio::post(*pool, [&] { results += refused() ? 1 : 100; });
        asio::steady_timer timer(*pool, 1ms);
        timer.async_wait([&](auto) { results += refused() ? 1 : 100; });
        pool->join();
        BOOST_TEST(results == 2);
    });
}

BOOST_AUTO_TEST_SUITE_END()
