// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <boost/test/unit_test.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <set>
#include <stdexcept>
#include <support/unit_kit.hpp>

using rouse::context;
using rouse::join_handle;
using rouse::poll_result;
using rouse::task;
namespace this_task = rouse::this_task;
using namespace rouse_test;

BOOST_AUTO_TEST_CASE(outside_of_a_task_there_is_none) {
    BOOST_TEST(this_task::id() == 0U);
    BOOST_CHECK_THROW((void)this_task::spawn(rouse::ready_future(1)), std::logic_error);
    BOOST_CHECK_THROW(this_task::spawn_ok(rouse::ready_future(1)), std::logic_error);
    BOOST_CHECK_THROW((void)this_task::cancellation(), std::logic_error);
}

BOOST_AUTO_TEST_CASE(its_cancellation_is_the_one_that_its_futures_see) {
    hand_executor ex;
    bool same = false;
    auto body = [](bool& result) -> task<> {
        rouse::cancellation_state& mine = this_task::cancellation();
        co_await rouse::poll_fn([&](context& cx) -> poll_result<void> {
            result = &cx.cancellation() == &mine;
            return rouse::ready();
        });
    };
    auto handle = ex.spawn(body(same));
    ex.run_all();
    BOOST_TEST(same);
    BOOST_TEST(handle.is_finished());
}

BOOST_AUTO_TEST_CASE(each_task_has_a_number_of_its_own) {
    hand_executor ex;
    std::set<std::uint64_t> seen;
    std::vector<join_handle<std::uint64_t>> handles;
    auto body = []() -> task<std::uint64_t> { co_return this_task::id(); };
    for (int i = 0; i < 3000; ++i) handles.push_back(ex.spawn(body()));
    ex.run_all(10'000);
    bool same = true;
    for (auto& h : handles) {
        auto const id = h.id();
        same = same && poll_once(h).value() == id;
        seen.insert(id);
    }
    BOOST_TEST(same);
    BOOST_TEST(seen.size() == 3000U);
    BOOST_TEST(!seen.contains(0));
    BOOST_TEST(this_task::id() == 0U);
}

BOOST_AUTO_TEST_CASE(a_task_spawns_on_its_own_executor) {
    hand_executor ex;
    int detached = 0;
    auto body = [](int& n) -> task<int> {
        this_task::spawn_ok(rouse::poll_fn([&n](context&) -> poll_result<void> {
            ++n;
            return rouse::ready();
        }));
        auto handle = this_task::spawn(rouse::ready_future(4));
        co_return co_await std::move(handle);
    };
    auto handle = ex.spawn(body(detached));
    ex.run_one();
    BOOST_TEST(ex.queued() == 2U);
    ex.run_all();
    BOOST_TEST(detached == 1);
    BOOST_TEST(poll_once(handle).value() == 4);
    BOOST_TEST(ex.done == 3);
}

BOOST_AUTO_TEST_CASE(the_place_of_a_spawn_is_the_callers) {
    hand_executor ex;
    unsigned line = 0;
    auto body = [](unsigned& l) -> task<> {
        l = __LINE__ + 1;
        this_task::spawn_ok(rouse::poll_fn([](context&) -> poll_result<void> { throw 1; }));
        co_return;
    };
    ex.spawn_detached(body(line));
    ex.run_all();
    BOOST_TEST(ex.unhandled_from.at(0).line() == line);
}

BOOST_AUTO_TEST_CASE(a_task_polled_inside_another_is_the_current_one_meanwhile) {
    hand_executor outer_ex;
    hand_executor inner_ex;
    std::vector<std::uint64_t> ids;
    auto inner = inner_ex.spawn(rouse::poll_fn([&](context&) -> poll_result<void> {
        ids.push_back(this_task::id());
        return rouse::ready();
    }));
    auto outer = outer_ex.spawn(rouse::poll_fn([&](context&) -> poll_result<void> {
        ids.push_back(this_task::id());
        inner_ex.run_all();
        ids.push_back(this_task::id());
        return rouse::ready();
    }));
    auto const inner_id = inner.id();
    auto const outer_id = outer.id();
    outer_ex.run_all();
    BOOST_REQUIRE(ids.size() == 3U);
    BOOST_TEST(ids[0] == outer_id);
    BOOST_TEST(ids[1] == inner_id);
    BOOST_TEST(ids[2] == outer_id);
    BOOST_TEST(poll_once(inner).is_ready());
    BOOST_TEST(poll_once(outer).is_ready());
}

BOOST_AUTO_TEST_CASE(a_futures_destructor_runs_as_its_task_whoever_ends_it) {
    hand_executor ex;
    std::vector<std::uint64_t> ids;
    auto note = [&ids] { ids.push_back(this_task::id()); };
    using guard = at_exit<decltype(note)>;
    auto make = [&] {
        return rouse::poll_fn([g = std::make_unique<guard>(note)](context&) -> poll_result<void> {
            return rouse::ready();
        });
    };
    auto completed = ex.spawn(make());
    auto const first = completed.id();
    ex.run_all();
    auto dropped = ex.spawn(make());
    auto const second = dropped.id();
    ex.drop_all();
    BOOST_REQUIRE(ids.size() == 2U);
    BOOST_TEST(ids[0] == first);
    BOOST_TEST(ids[1] == second);
}

BOOST_AUTO_TEST_CASE(yield_now_completes_at_its_second_poll_and_wakes_a_poll_by_hand) {
    wake_counter counter;
    rouse::waker w = counter.make();
    this_task::yield_now y;
    BOOST_TEST(poll_once(y, w).is_pending());
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(counter.live == 1);
    BOOST_TEST(poll_once(y, w).is_ready());
}

BOOST_AUTO_TEST_CASE(yield_now_by_name_and_aborted_in_the_middle) {
    hand_executor ex;
    ledger book;
    auto body = [](token) -> task<> {
        this_task::yield_now turn;
        for (;;) {
            co_await turn;
            turn = this_task::yield_now();
        }
    };
    auto handle = ex.spawn(body(token(book)));
    for (int i = 0; i < 5; ++i) {
        ex.run_one();
        BOOST_TEST(ex.queued() == 1U);
    }
    handle.abort();
    BOOST_TEST(ex.queued() == 1U);
    ex.run_all();
    BOOST_TEST(book.exactly_one_died());
}
