// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <array>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <future>
#include <optional>
#include <rouse/block_on.hpp>
#include <rouse/cancellation_source.hpp>
#include <rouse/futures_unordered.hpp>
#include <rouse/join.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <rouse/with_cancellation.hpp>
#include <set>
#include <stdexcept>
#include <support/unit_kit.hpp>
#include <thread>

BOOST_AUTO_TEST_SUITE(test_this_task)

using rouse::cancellation_type;
using rouse::context;
using rouse::join_handle;
using rouse::poll_result;
using rouse::task;
namespace this_task = rouse::this_task;
using namespace rouse_test;

namespace {

bool is_cancelled(boost::system::system_error const& e) {
    return e.code() == boost::asio::error::operation_aborted;
}

// Ends when its context is cancelled, and has nobody wake it for that.
class until_cancelled {
public:
    explicit until_cancelled() {}
    poll_result<unsigned> poll(context& cx) {
        auto const requested = cx.cancellation().requested();
        if (requested == cancellation_type::none) return rouse::pending;
        return static_cast<unsigned>(requested);
    }
};

// Masks, and is asked to be cancelled meanwhile; with what it saw before it unmasks.
task<unsigned> masks_a_request() {
    this_task::cancellation_mask const shield;
    this_task::cancellation().request(cancellation_type::total);
    co_return static_cast<unsigned>(this_task::cancellation().requested());
}

}  // namespace

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

// ---- masks --------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(masks_of_siblings_end_in_any_order) {
    for (bool const first_ends_first : {true, false}) {
        hand_executor ex;
        std::array<gate, 3> gates;
        rouse::cancellation_state* mine = nullptr;
        auto const masked = [](gate& g) -> task<> {
            this_task::cancellation_mask const shield;
            co_await gate_future(g);
        };
        auto handle = ex.spawn([&]() -> task<> {
            mine = &this_task::cancellation();
            co_await rouse::join(masked(gates[0]), masked(gates[1]), gate_future(gates[2]));
        });
        ex.run_all();
        mine->request(cancellation_type::terminal);
        BOOST_TEST((mine->masked() == cancellation_type::all));
        gates[first_ends_first ? 0 : 1].set();
        ex.run_all();
        BOOST_TEST((mine->masked() == cancellation_type::all));
        BOOST_TEST((mine->requested() == cancellation_type::none));
        gates[first_ends_first ? 1 : 0].set();
        ex.run_all();
        BOOST_TEST((mine->masked() == cancellation_type::none));
        BOOST_TEST((mine->requested() == cancellation_type::terminal));
        gates[2].set();
        ex.run_all();
        BOOST_TEST(handle.is_finished());
    }
}

namespace {

task<int> careful(int n) {
    this_task::cancellation_mask const mask;
    this_task::cancellation_mask const another(cancellation_type::total);
    for (int i = 0; i <= n; ++i) co_await this_task::yield_now();
    co_return n;
}

// What it is polled by ends with each value.
task<std::optional<int>> next_of(rouse::futures_unordered<task<int>>& set, rouse::cancellation_token token) {
    co_return co_await rouse::with_cancellation(set.next(), token);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_mask_may_outlive_what_it_masks_in) {
    rouse::cancellation_source stop;
    int sum = 0;
    int unseen = 0;
    auto const all = [&]() -> task<> {
        rouse::futures_unordered<task<int>> set;
        for (int n = 1; n < 5; ++n) set.push(careful(n));
        while (auto const n = co_await next_of(set, stop.token())) sum += *n;
        // Whoever is dropped later does not unmask what others mask.
        std::optional<rouse::futures_unordered<task<int>>> dropped(std::in_place);
        for (int n = 1; n < 3; ++n) dropped->push(careful(n));
        co_await next_of(*dropped, stop.token());
        auto const masks = [&]() -> task<> {
            this_task::cancellation_mask const mine;
            stop.cancel();
            co_await this_task::yield_now();
            unseen += this_task::cancellation().requested() == cancellation_type::none;
            dropped.reset();
            unseen += this_task::cancellation().requested() == cancellation_type::none;
        };
        co_await rouse::with_cancellation(masks(), stop.token());
    };
    rouse::block_on(all());
    BOOST_TEST(sum == 10);
    BOOST_TEST(unseen == 2);
}

BOOST_AUTO_TEST_CASE(masks_of_different_types_end_in_any_order) {
    hand_executor ex;
    auto handle = ex.spawn([]() -> task<> {
        std::optional<this_task::cancellation_mask> one(std::in_place, cancellation_type::total);
        std::optional<this_task::cancellation_mask> two(
            std::in_place, cancellation_type::total | cancellation_type::partial);
        auto& mine = this_task::cancellation();
        one.reset();
        BOOST_TEST((mine.masked() == (cancellation_type::total | cancellation_type::partial)));
        one.emplace(cancellation_type::all);
        two.reset();
        BOOST_TEST((mine.masked() == cancellation_type::all));
        one.reset();
        BOOST_TEST((mine.masked() == cancellation_type::none));
        co_return;
    });
    ex.run_all();
    BOOST_TEST(handle.is_finished());
}

// The sibling was polled before in the same poll, and nothing else wakes it.
BOOST_AUTO_TEST_CASE(what_a_child_unmasks_reaches_a_sibling_that_was_polled_before_it) {
    auto const pair = []() -> task<unsigned> {
        auto [seen, masked] = co_await rouse::join(until_cancelled(), masks_a_request());
        co_return seen + 100 * masked;
    };
    auto const total = static_cast<unsigned>(cancellation_type::total);

    hand_executor ex;
    auto handle = ex.spawn(pair());
    ex.run_all();
    BOOST_REQUIRE(handle.is_finished());
    BOOST_TEST(poll_once(handle).value() == total);

    // The request is that of the part then, and so is the poll that is due.
    rouse::cancellation_source source;
    auto part = ex.spawn([&]() -> task<unsigned> {
        unsigned const seen = co_await rouse::with_cancellation(pair(), source.token());
        this_task::throw_if_cancelled();
        co_return seen;
    });
    ex.run_all();
    BOOST_REQUIRE(part.is_finished());
    BOOST_TEST(poll_once(part).value() == total);

    // Beside others in a join, where a poll that is due has to be asked for by the child's own waker.
    gate never;
    auto beside = ex.spawn([&]() -> task<unsigned> {
        auto [none, seen] = co_await rouse::join(
            gate_future(never),
            rouse::with_cancellation(rouse::join(until_cancelled(), masks_a_request()), source.token()));
        static_cast<void>(none);
        co_return std::get<0>(seen);
    });
    ex.run_all();
    never.set();
    ex.run_all();
    BOOST_REQUIRE(beside.is_finished());
    BOOST_TEST(poll_once(beside).value() == total);

    // By hand.
    wake_counter counter;
    auto by_hand = rouse::with_cancellation(
        rouse::poll_fn([](context& cx) -> poll_result<void> {
            cx.cancellation().mask(cancellation_type::all);
            cx.cancellation().request(cancellation_type::total);
            cx.cancellation().unmask(cancellation_type::all);
            return rouse::pending;
        }),
        source.token());
    BOOST_TEST(poll_once(by_hand, counter.make()).is_pending());
    BOOST_TEST(counter.wakes == 1);
}

// ---- in block_on --------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(block_on_has_a_cancellation) {
    auto const body = []() -> task<unsigned> {
        this_task::throw_if_cancelled();
        auto& mine = this_task::cancellation();
        bool const same = co_await rouse::poll_fn([&](context& cx) -> poll_result<bool> {
            return &cx.cancellation() == &mine;
        });
        {
            this_task::cancellation_mask const shield;
            mine.request(cancellation_type::terminal);
            this_task::throw_if_cancelled();
        }
        unsigned caught = 0;
        try {
            this_task::throw_if_cancelled();
        } catch (boost::system::system_error const& e) {
            caught += is_cancelled(e);
        }
        co_return same + 10 * caught;
    };
    BOOST_TEST(rouse::block_on(body()) == 11U);
    BOOST_TEST(rouse::block_on(body()) == 11U);  // that request was for the first call
    BOOST_CHECK_THROW((void)this_task::cancellation(), std::logic_error);

    // Also if it throws, and if it is in the middle of a task's poll.
    BOOST_CHECK_THROW(rouse::block_on([]() -> task<> {
                          throw std::runtime_error("at once");
                          co_return;
                      }()),
                      std::runtime_error);
    BOOST_CHECK_THROW((void)this_task::cancellation(), std::logic_error);
}

// One child masks, the next begins under that mask, a third unmasks: all in one poll.
BOOST_AUTO_TEST_CASE(what_began_under_a_mask_of_the_same_poll_sees_the_request_afterwards) {
    hand_executor ex;
    auto handle = ex.spawn([]() -> task<unsigned> {
        this_task::cancellation().request(cancellation_type::total);
        std::optional<this_task::cancellation_mask> mask;
        auto const masks = [&]() -> task<> {
            mask.emplace();
            co_return;
        };
        auto const unmasks = [&]() -> task<> {
            mask.reset();
            co_return;
        };
        auto [first, seen, third] = co_await rouse::join(masks(), until_cancelled(), unmasks());
        static_cast<void>(first);
        static_cast<void>(third);
        co_return seen;
    });
    ex.run_all();
    BOOST_REQUIRE(handle.is_finished());
    BOOST_TEST(poll_once(handle).value() == static_cast<unsigned>(cancellation_type::total));
}

// A mask around each poll of something asks for one more poll, for others that were polled meanwhile, and not for one
// after the other.
BOOST_AUTO_TEST_CASE(a_mask_for_one_poll_asks_for_one_other) {
    hand_executor ex;
    gate end;
    int polls = 0;
    auto inner = gate_future(end);
    auto handle = ex.spawn(rouse::poll_fn([&](context& cx) -> poll_result<void> {
        if (++polls == 1) cx.cancellation().request(cancellation_type::terminal);
        this_task::cancellation_mask const shield;
        return inner.poll(cx);
    }));
    ex.run_all();
    BOOST_TEST(polls == 2);
    end.set();
    ex.run_all();
    BOOST_TEST(polls == 3);
    BOOST_TEST(handle.is_finished());
}

BOOST_AUTO_TEST_CASE(what_a_child_unmasks_reaches_a_sibling_in_block_on) {
    std::jthread rescuer;
    std::promise<void> over;
    bool rescued = false;
    auto const seen = rouse::block_on([&]() -> task<unsigned> {
        // If nobody polls again, this does, and tells.
        auto watched = rouse::poll_fn([&](context& cx) -> poll_result<unsigned> {
            if (!rescuer.joinable()) {
                rescuer = std::jthread([&rescued, waker = cx.waker(), done = over.get_future()] {
                    if (done.wait_for(std::chrono::seconds(20)) == std::future_status::ready) return;
                    rescued = true;
                    waker.wake_by_ref();
                });
            }
            return until_cancelled().poll(cx);
        });
        auto [first, masked] = co_await rouse::join(watched, masks_a_request());
        co_return first + 100 * masked;
    });
    over.set_value();
    rescuer.join();
    BOOST_TEST(!rescued);
    BOOST_TEST(seen == static_cast<unsigned>(cancellation_type::total));
}

BOOST_AUTO_TEST_SUITE_END()
