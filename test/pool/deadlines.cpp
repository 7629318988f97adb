// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// with_deadline: a part of a program is cancelled, with all that it has begun, when the time is up.

#include <support/pool_kit.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <rouse.hpp>
#include <stdexcept>

BOOST_AUTO_TEST_SUITE(test_deadlines)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::paused_clock;
using rouse::sleep_for;
using rouse::spawn;
using rouse::task;
using rouse::with_deadline;
using rouse::this_task::deadline;
using steady = std::chrono::steady_clock;

namespace {

bool timed_out(boost::system::system_error const& e) { return e.code() == rouse::errc::timed_out; }
bool cancelled(boost::system::system_error const& e) {
    return e.code() == boost::asio::error::operation_aborted;
}

template <class Function>
void everywhere(Function function) {
    {
        paused_clock clock;
        function(clock, [&](auto f) { return block_on(std::move(f), clock); });
    }
    in_both_modes({1}, [&](mode m, unsigned) {
        paused_clock clock;
        pool_home pool(m, rouse::thread_pool::builder().workers(1).clock(clock));
        function(clock, [&](auto f) { return block_on(spawn(*pool, std::move(f))); });
    });
}

task<int> sleeps(std::chrono::hours d) {
    co_await sleep_for(d);
    co_return 1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_there_in_time_is_the_result_and_no_timer_is_left) {
    everywhere([](paused_clock& clock, auto run) {
        BOOST_TEST(run(with_deadline(sleeps(1h), 2h)) == 1);
        BOOST_TEST(clock.timers() == 0U);
        BOOST_CHECK_THROW(run(with_deadline(
                              []() -> task<> {
                                  co_await rouse::this_task::yield_now();
                                  throw std::runtime_error("its own");
                              }(),
                              2h)),
                          std::runtime_error);
        BOOST_TEST(clock.timers() == 0U);
    });
}

BOOST_AUTO_TEST_CASE(what_is_late_is_cancelled_and_that_is_called_timed_out) {
    everywhere([](paused_clock& clock, auto run) {
        auto const begin = clock.now();
        BOOST_CHECK_EXCEPTION(run(with_deadline(sleeps(2h), 1h)), boost::system::system_error, timed_out);
        BOOST_TEST((clock.now() - begin == 1h));
        BOOST_CHECK_EXCEPTION(run(with_deadline(sleeps(2h), clock.now() + 1h)),
                              boost::system::system_error, timed_out);
        BOOST_TEST((clock.now() - begin == 2h));
        BOOST_TEST(clock.timers() == 0U);
    });
}

BOOST_AUTO_TEST_CASE(it_may_clean_up_and_have_a_result_of_its_own) {
    everywhere([](paused_clock& clock, auto run) {
        auto const begin = clock.now();
        BOOST_TEST(run(with_deadline(
                       []() -> task<int> {
                           bool late = false;
                           try {
                               co_await sleep_for(5h);
                           } catch (boost::system::system_error const& e) {
                               late = cancelled(e);
                           }
                           if (!late) co_return 0;
                           co_await rouse::shielded(sleep_for(1h));
                           co_return 2;
                       }(),
                       1h)) == 2);
        BOOST_TEST((clock.now() - begin == 2h));
    });
}

BOOST_AUTO_TEST_CASE(b80_no_time_at_all_is_a_request_before_the_start) {
    everywhere([](paused_clock&, auto run) {
        for (auto const none : {0h, -1h, std::chrono::hours::min()}) {
            BOOST_CHECK_EXCEPTION(run(with_deadline(sleeps(1h), none)), boost::system::system_error,
                                  timed_out);
            BOOST_TEST(run(with_deadline(rouse::ready_future<int>(3), none)) == 3);
        }
        BOOST_TEST(run(with_deadline(sleeps(1h), std::chrono::hours::max())) == 1);
    });
}

BOOST_AUTO_TEST_CASE(tasks_of_a_group_inherit_it) {
    everywhere([](paused_clock& clock, auto run) {
        auto const begin = clock.now();
        std::vector<steady::time_point> seen;
        int cleaned = 0;
        auto const child = [](std::vector<steady::time_point>& when, int& clean) -> task<> {
            when.push_back(deadline());
            try {
                co_await sleep_for(5h);
            } catch (boost::system::system_error const&) {
                ++clean;
                throw;
            }
        };
        BOOST_CHECK_EXCEPTION(
            run(with_deadline(rouse::with_group([&](rouse::task_group& g) -> task<> {
                                  g.spawn(child(seen, cleaned));
                                  // Theirs, too, and those of a group in a group.
                                  g.spawn(rouse::with_group([&](rouse::task_group& inner) -> task<> {
                                      inner.spawn(child(seen, cleaned));
                                      co_await child(seen, cleaned);
                                  }));
                                  co_await child(seen, cleaned);
                              }),
                              1h)),
            boost::system::system_error, timed_out);
        BOOST_TEST(seen.size() == 4U);
        for (auto const& when : seen) BOOST_TEST((when == begin + 1h));
        BOOST_TEST(cleaned == 4);
        BOOST_TEST((clock.now() - begin == 1h));
    });
}

BOOST_AUTO_TEST_CASE(of_several_deadlines_the_nearest_counts) {
    everywhere([](paused_clock& clock, auto run) {
        auto const begin = clock.now();
        auto const inside = [](steady::time_point& when) -> task<> {
            when = deadline();
            co_await sleep_for(9h);
        };
        steady::time_point when;
        BOOST_CHECK_EXCEPTION(run(with_deadline(with_deadline(inside(when), 3h), 1h)),
                              boost::system::system_error, timed_out);
        BOOST_TEST((when == begin + 1h));
        BOOST_CHECK_EXCEPTION(run(with_deadline(with_deadline(inside(when), 1h), 3h)),
                              boost::system::system_error, timed_out);
        BOOST_TEST((when == begin + 2h));
        BOOST_TEST((clock.now() - begin == 2h));
        run([](steady::time_point& w) -> task<> {
            w = deadline();
            co_return;
        }(when));
        BOOST_TEST((when == steady::time_point::max()));
    });
}

BOOST_AUTO_TEST_CASE(a_request_from_outside_is_not_called_timed_out) {
    everywhere([](paused_clock&, auto run) {
        rouse::cancellation_source source;
        source.cancel();
        BOOST_CHECK_EXCEPTION(run(rouse::with_cancellation(with_deadline(sleeps(2h), 1h), source.token())),
                              boost::system::system_error, cancelled);
    });
}

BOOST_AUTO_TEST_CASE(aborted_it_is_its_future) {
    paused_clock clock;
    pool_home pool(mode::own, rouse::thread_pool::builder().workers(2).clock(clock));
    auto handle = spawn(*pool, with_deadline(sleeps(2h), 1h));
    wait_until([&] { return clock.timers() == 2; }, "two timers");
    handle.abort();
    BOOST_CHECK_THROW(block_on(std::move(handle)), boost::system::system_error);
    BOOST_TEST(clock.timers() == 0U);
}

// A channel has a code of its own for an operation that was cancelled.
BOOST_AUTO_TEST_CASE(over_a_channel_it_says_that_the_time_is_up) {
    asio::io_context io;
    asio::experimental::channel<void(boost::system::error_code, int)> channel(io, 0);
    auto handle = spawn(io, rouse::with_deadline(channel.async_receive(rouse::use_poll), 1ms));
    io.run();
    BOOST_CHECK_EXCEPTION(block_on(std::move(handle)), boost::system::system_error,
                          [](auto const& e) { return e.code() == rouse::errc::timed_out; });
}

BOOST_AUTO_TEST_SUITE_END()
