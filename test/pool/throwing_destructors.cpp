// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Behaviour 24: a destructor of the application's that throws is reported, once, and everything
// else is destroyed and freed. Variables of coroutines go to the handler of the process, for a
// frame may die where no executor is; functions of a pool to the pool's.

#include <support/pool_kit.hpp>
#include <support/unit_kit.hpp>

#include <atomic>
#include <boost/asio/defer.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <rouse/block_on.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/unhandled.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_throwing_destructors)

namespace {

using namespace rouse_test;
using rouse::spawn;
using rouse::task;
using rouse::thread_pool;

std::atomic<unsigned> reported{0};

// While it lives, what is reported to the process is shared_count.
class counting_reports {
public:
    counting_reports() : before_(rouse::set_unhandled_handler([](auto, auto) { ++reported; })) {
        reported = 0;
    }
    counting_reports(counting_reports const&) = delete;
    counting_reports& operator=(counting_reports const&) = delete;
    ~counting_reports() { rouse::set_unhandled_handler(before_); }

private:
    rouse::unhandled_handler before_;
};

// Throws when it is destroyed, unless it was moved from.
class bomb {
public:
    bomb() = default;
    bomb(bomb&& other) noexcept : armed_(std::exchange(other.armed_, false)) {}
    bomb& operator=(bomb&&) = delete;
    ~bomb() noexcept(false) {
        if (armed_) throw std::runtime_error("a destructor");
    }

private:
    bool armed_ = true;
};

using shared_count = std::shared_ptr<int>;

task<> waits_inside(shared_count, event never) {
    auto const before = std::make_unique<int>(1);
    bomb b;
    auto const after = std::make_unique<int>(2);
    co_await never.happened();
}

// Who keeps the event keeps the waker; or else a task would end by itself with its handle.
task<int> waits_outside(shared_count all, event never = {}) {
    bomb b;
    shared_count const mine = all;
    co_await waits_inside(all, never);
    co_return 1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(
    b24_a_dropped_coroutines_variable_that_throws_is_reported_and_the_frames_are_freed) {
    counting_reports const counting;
    shared_count const all = std::make_shared<int>();
    {
        auto never_polled = waits_outside(all);
        auto dropped = waits_outside(all);
        BOOST_TEST(poll_once(dropped).is_pending());
    }
    BOOST_TEST(reported == 2U);  // of the inner frame and of the outer one
    BOOST_TEST(all.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(
    b24_a_cancelled_coroutines_variable_that_throws_is_reported_and_the_frames_are_freed) {
    counting_reports const counting;
    shared_count const all = std::make_shared<int>();
    auto cancelled = waits_outside(all);
    BOOST_TEST(poll_once(cancelled).is_pending());
    rouse::waker const nobody;
    rouse::context cx(nobody);
    BOOST_TEST(cancelled.poll_cancel(cx).is_ready());
    BOOST_TEST(reported == 2U);
    BOOST_TEST(all.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(b24_aborted_and_stopped_tasks_with_variables_that_throw) {
    counting_reports const counting;
    shared_count const all = std::make_shared<int>();
    in_both_modes({1, 2, 8}, [&](mode m, unsigned workers) {
        reported = 0;
        constexpr unsigned each = 20;
        std::vector<event> events;
        {
            pool_home pool(m, workers);
            std::vector<rouse::join_handle<int>> aborted;
            for (unsigned n = 0; n < each; ++n) {
                aborted.push_back(spawn(*pool, waits_outside(all)));
                spawn(*pool, waits_outside(all, events.emplace_back())).detach();
            }
            wait_until([&] { return all.use_count() == 1 + 2 * each * 3; }, "first polls");
            for (auto& handle : aborted) handle.abort();
            unsigned said_aborted = 0;
            for (auto& handle : aborted) {
                try {
                    rouse::block_on(std::move(handle));
                } catch (boost::system::system_error const& e) {
                    if (says_aborted(e)) ++said_aborted;
                }
            }
            BOOST_TEST(said_aborted == each);
            BOOST_TEST(reported == 2 * each);
        }
        BOOST_TEST(reported == 4 * each);
        BOOST_TEST(all.use_count() == 1);
    });
}

BOOST_AUTO_TEST_CASE(b24_b57_functions_that_throw_when_they_are_destroyed_unrun) {
    counting_reports const counting;
    shared_count const all = std::make_shared<int>();
    in_both_modes({1, 2, 8}, [&](mode m, unsigned workers) {
        reported = 0;
        std::atomic<unsigned> told_pool{0};
        unsigned posted = 0;
        {
            pool_home pool(m, thread_pool::builder().workers(workers).on_unhandled_exception(
                                  [&](auto, auto) { ++told_pool; }));
            auto const post = [&] {
                asio::post(*pool, [b = bomb(), all] {});
                asio::defer(*pool, [b = bomb(), all] {});
                posted += 2;
            };
            // In the queue when it stops.
            door busy;
            std::atomic<unsigned> inside{0};
            for (unsigned n = 0; n < workers; ++n) {
                asio::post(*pool, [&] {
                    ++inside;
                    busy.wait();
                });
            }
            wait_until([&] { return inside == workers; }, "busy workers");
            for (int n = 0; n < 10; ++n) post();
            pool->stop();
            for (int n = 0; n < 10; ++n) post();
            busy.open();
            for (int n = 0; n < 10; ++n) post();  // while the workers end
            pool->join();
            for (int n = 0; n < 10; ++n) post();
        }
        BOOST_TEST(told_pool == posted);
        BOOST_TEST(reported == 0U);
        BOOST_TEST(all.use_count() == 1);
    });
}

BOOST_AUTO_TEST_SUITE_END()
