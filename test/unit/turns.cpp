// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What is over at once, whatever its result, lets others have their turn after a while: each spends a budget, and
// asks for another poll when it is spent.

#include <support/unit_kit.hpp>
#include <support/unit_time.hpp>

#include <rouse/block_on.hpp>
#include <rouse/cancellation_source.hpp>
#include <rouse/delay_queue.hpp>
#include <rouse/finally.hpp>
#include <rouse/futures_unordered.hpp>
#include <rouse/interval.hpp>
#include <rouse/join.hpp>
#include <rouse/join_all.hpp>
#include <rouse/select.hpp>
#include <rouse/select_all.hpp>
#include <rouse/shared.hpp>
#include <rouse/sleep.hpp>
#include <rouse/std_future.hpp>
#include <rouse/task.hpp>
#include <rouse/task_group.hpp>
#include <rouse/timeout.hpp>
#include <rouse/with_deadline.hpp>

#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <future>
#include <tuple>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_turns)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::task;

namespace {

constexpr unsigned budget = 5;
constexpr int enough = 1000;

// How often what `make` makes is over in one poll of a task that awaits one after the other and takes no notice of
// errors.
template <class Make>
int times_in_one_poll(hand_time& time, Make make) {
    int times = 0;
    auto loops = [](Make& m, int& n) -> task<> {
        while (n < enough) {
            try {
                co_await m();
            } catch (boost::system::system_error const&) {
            }
            ++n;
        }
    }(make, times);
    time.budget = budget;
    BOOST_TEST(time.poll(loops).is_pending());
    return times;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_has_a_result_at_once) {
    hand_time time;
    rouse::interval every(hand_time::begin(), 1ns);
    rouse::delay_queue<int> empty;
    rouse::delay_queue<int> full;
    for (int n = 0; n < enough; ++n) full.insert_at(n, hand_time::begin());
    rouse::futures_unordered<rouse::ready_future<int>> set;
    for (int n = 0; n < enough; ++n) set.push(rouse::ready_future<int>(n));
    auto const many = rouse::shared(rouse::ready_future<int>(1));
    time.advance(1s);
    BOOST_TEST(times_in_one_poll(time, [] { return rouse::sleep_for(0s); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return every.tick(); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return empty.next(); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return full.next(); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return set.next(); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::shared_future(many); }) <= 6);
    BOOST_TEST(times_in_one_poll(time, [] {
                   std::promise<void> p;
                   p.set_value();
                   return rouse::into_future(p.get_future());
               }) == 5);
}

BOOST_AUTO_TEST_CASE(what_refuses_to_begin_in_a_task_that_is_cancelled) {
    hand_time time;
    time.cancellation.request(rouse::cancellation_type::terminal);
    rouse::interval every(1h);
    rouse::delay_queue<int> queue;
    auto const many = rouse::shared(rouse::pending_future<int>());
    BOOST_TEST(times_in_one_poll(time, [] { return rouse::sleep_for(1h); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return every.tick(); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return queue.next(); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::shared_future(many); }) == 5);
    rouse::cancellation_source const others;
    BOOST_TEST(times_in_one_poll(time, [&] { return others.token().cancelled(); }) == 5);
    std::promise<int> promise;
    auto const standard = promise.get_future().share();
    BOOST_TEST(times_in_one_poll(time, [&] { return std::shared_future(standard); }) == 5);
}

BOOST_AUTO_TEST_CASE(what_runs_out_of_time_at_once) {
    hand_time time;
    BOOST_TEST(times_in_one_poll(time, [] { return rouse::timeout(rouse::pending_future<>(), 0s); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [] {
                   return rouse::timeout_at(rouse::sleep_for(1h), hand_time::begin());
               }) == 5);
}

// Each of several has something to spend. That does not come anew with each combinator that begins, which spends one,
// too: a loop of them ends its poll as well.
BOOST_AUTO_TEST_CASE(several_that_have_results_at_once) {
    hand_time time;
    auto const at_once = [] { return rouse::sleep_for(0s); };
    auto const two = [&] {
        std::vector<rouse::sleep_future> both;
        both.push_back(at_once());
        both.push_back(at_once());
        return both;
    };
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::join(at_once(), at_once()); }) == 2);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::try_join(at_once(), at_once()); }) == 2);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::join(at_once(), rouse::ready_future<>()); }) == 3);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::join(rouse::ready_future<>(), at_once()); }) == 3);
    BOOST_TEST(times_in_one_poll(time, [&] {
                   return rouse::join(at_once(), rouse::join(at_once(), rouse::ready_future<>()));
               }) == 2);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::select(at_once(), rouse::pending_future<>()); }) == 3);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::race(rouse::pending_future<>(), at_once()); }) == 3);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::join_all(two()); }) == 2);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::select_all(two()); }) == 3);
    BOOST_TEST(times_in_one_poll(time, [&] {
                   return rouse::with_group([&](rouse::task_group&) { return at_once(); });
               }) == 3);
    BOOST_TEST(times_in_one_poll(time, [&] {
                   return rouse::with_deadline(rouse::select(at_once(), rouse::pending_future<>()), 1h);
               }) == 3);
    time.cancellation.request(rouse::cancellation_type::terminal);
    rouse::cancellation_source const stop;
    BOOST_TEST(times_in_one_poll(time, [&] {
                   return rouse::select(rouse::sleep_for(1h), stop.token().cancelled());
               }) == 2);
}

// Also where what they combine spends nothing.
BOOST_AUTO_TEST_CASE(several_that_are_ready) {
    hand_time time;
    auto const one = [] { return rouse::ready_future<>(); };
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::join(); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::join(one(), one()); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::try_join(one(), one()); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::select(one(), one()); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::race(one(), one()); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::join_all(std::vector<rouse::ready_future<>>()); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::select_all(std::vector{one(), one()}); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] { return rouse::timeout(one(), 1h); }) == 5);
    BOOST_TEST(times_in_one_poll(time, [&] {
                   return rouse::with_group([&](rouse::task_group&) { return one(); });
               }) == 5);
    BOOST_CHECK_THROW(rouse::block_on(rouse::timeout(
                          [](auto make) -> task<> {
                              for (;;) co_await rouse::join(make(), make());
                          }(one),
                          1ms)),
                      boost::system::system_error);
}

// And what is beside that loop goes on.
BOOST_AUTO_TEST_CASE(beside_a_loop_of_several) {
    long rounds = 0;
    auto const loops = [](long& n) -> task<> {
        for (;; ++n) co_await rouse::join(rouse::sleep_for(0s), rouse::sleep_for(0s));
    };
    auto const first = rouse::block_on(rouse::select(loops(rounds), rouse::sleep_for(2ms)));
    BOOST_TEST(first.index() == 1U);
}

// What losers do before they let go is a matter of all of them, too: the second clean-up is what the first waits for.
BOOST_AUTO_TEST_CASE(clean_ups_beside_one_another) {
    bool over = false;
    auto const waits = [&]() -> task<> {
        while (!over) co_await rouse::sleep_for(0s);
    };
    auto const ends_it = [&]() -> task<> {
        for (int n = 0; n < 3; ++n) co_await rouse::sleep_for(0s);
        over = true;
    };
    rouse::block_on(rouse::select(rouse::sleep_for(1ms), rouse::finally(rouse::pending_future<>(), waits),
                                  rouse::finally(rouse::pending_future<>(), ends_it)));
    BOOST_TEST(over);
}

// A future of one's own that polls others, one of which takes all that there is to spend, each time.
BOOST_AUTO_TEST_CASE(beside_one_that_leaves_nothing) {
    auto const goes_on = [](auto make) {
        bool over = false;
        auto const prog = [&]() -> task<> {
            auto busy = []() -> task<> {
                for (;;) co_await rouse::sleep_for(0s);
            }();
            auto limited = make();
            try {
                co_await rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                    static_cast<void>(busy.poll(cx));
                    return limited.poll(cx).is_ready() ? rouse::poll_result<void>(rouse::ready()) : rouse::pending;
                });
            } catch (boost::system::system_error const&) {
            }
            over = true;
        };
        rouse::block_on(prog());
        BOOST_TEST(over);
    };
    auto const at_once = [] { return rouse::ready_future<>(); };
    goes_on([] { return rouse::timeout(rouse::pending_future<>(), 2ms); });
    goes_on([] { return rouse::timeout(rouse::sleep_for(2ms), 1h); });
    goes_on([&] { return rouse::join(at_once(), rouse::sleep_for(2ms)); });
    goes_on([] { return rouse::select(rouse::sleep_for(2ms), rouse::pending_future<>()); });
    goes_on([&] { return rouse::join_all(std::vector{at_once(), at_once()}); });
    goes_on([] { return rouse::with_group([](rouse::task_group&) { return rouse::sleep_for(2ms); }); });
}

// One that is always ready, and is polled first, leaves something for those beside it: with a budget of its own for
// none of them they would not go on, and this would not end.
BOOST_AUTO_TEST_CASE(beside_one_that_is_always_ready) {
    auto const goes_on_beside = [](auto make) {
        bool over = false;
        auto const loops = [](bool const& until) -> task<> {
            while (!until) co_await rouse::sleep_for(0s);
        };
        auto const beside = [](auto& m, bool& done) -> task<> {
            for (int n = 0; n < 3; ++n) {
                auto one = m();
                co_await one;
            }
            done = true;
        };
        rouse::block_on(rouse::join(loops(over), beside(make, over)));
        over = false;
        std::vector<task<>> both;
        both.push_back(loops(over));
        both.push_back(beside(make, over));
        rouse::block_on(rouse::join_all(std::move(both)));
        over = false;
        rouse::block_on(rouse::with_group([&](rouse::task_group& g) -> task<> {
            g.spawn(loops(over));
            co_await beside(make, over);
        }));
        BOOST_TEST(over);
    };
    rouse::delay_queue<int> empty;
    rouse::futures_unordered<rouse::ready_future<int>> set;
    for (int n = 0; n < 10; ++n) set.push(rouse::ready_future<int>(n));
    auto const many = rouse::shared(rouse::ready_future<int>(1));
    goes_on_beside([] { return rouse::sleep_for(0s); });
    goes_on_beside([&] { return empty.next(); });
    goes_on_beside([&] { return set.next(); });
    goes_on_beside([&] { return rouse::shared_future(many); });
}

// There is a budget in block_on as well: what is beside the loop has its turn, and time goes on.
BOOST_AUTO_TEST_CASE(in_block_on) {
    int rounds = 0;
    bool over = false;
    auto const loops = [&]() -> task<> {
        while (!over) {
            ++rounds;
            co_await rouse::sleep_for(0s);
        }
    };
    auto const beside = [&]() -> task<int> {
        co_await rouse::sleep_for(1ms);
        co_await rouse::sleep_for(0s);
        over = true;
        co_return rounds;
    };
    auto const both = rouse::block_on(rouse::join(loops(), beside()));
    BOOST_TEST(std::get<1>(both) > 0);
    BOOST_CHECK_THROW(rouse::block_on(rouse::timeout(
                          [](int& n) -> task<> {
                              for (;;) {
                                  ++n;
                                  co_await rouse::sleep_for(0s);
                              }
                          }(rounds),
                          1ms)),
                      boost::system::system_error);
}

BOOST_AUTO_TEST_SUITE_END()
