// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <boost/test/unit_test.hpp>
#include <rouse/context.hpp>
#include <support/unit_kit.hpp>

BOOST_AUTO_TEST_SUITE(test_context)

using rouse::context;
using rouse::poll_root;
using rouse::waker;
using namespace rouse_test;

BOOST_AUTO_TEST_CASE(a_poll_by_hand_has_a_waker_and_a_budget_without_limit) {
    wake_counter counter;
    waker w = counter.make();
    context cx(w);
    BOOST_TEST(&cx.waker() == &w);
    BOOST_TEST((cx.cancellation().requested() == rouse::cancellation_type::none));
    for (int i = 0; i < 100'000; ++i) BOOST_REQUIRE(cx.spend());
    BOOST_TEST(cx.root().budget == poll_root::unlimited);
    BOOST_TEST(cx.root().inbox == nullptr);
    BOOST_TEST(cx.root().awaiting.line() == 0U);
    BOOST_TEST(counter.wakes == 0);
}

BOOST_AUTO_TEST_CASE(a_yield_by_hand_wakes) {
    wake_counter counter;
    waker w = counter.make();
    context cx(w);
    cx.yield();
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(cx.root().requeue);
}

namespace {

struct executor_poll {
    wake_counter counter{};
    waker w{counter.make()};
    rouse::cancellation_state cancellation{};
    poll_root root{};

    executor_poll() {
        root.waker = &w;
        root.cancellation = &cancellation;
        root.budget = 2;
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(an_executors_poll_counts_its_budget_and_a_spent_one_yields) {
    executor_poll p;
    context cx(p.root);
    BOOST_TEST(cx.spend());
    BOOST_TEST(cx.spend());
    BOOST_TEST(!p.root.requeue);
    BOOST_TEST(!cx.spend());
    BOOST_TEST(p.root.requeue);
    BOOST_TEST(!cx.spend());
    BOOST_TEST(p.counter.wakes == 0);  // the executor looks at the mark
    BOOST_TEST(p.root.budget == 0U);
}

BOOST_AUTO_TEST_CASE(a_childs_context_shares_all_but_the_waker) {
    executor_poll p;
    wake_counter child_counter;
    waker child_waker = child_counter.make();
    context cx(p.root);
    context child(cx, child_waker);
    context grandchild(child, child_waker);
    BOOST_TEST(&child.waker() == &child_waker);
    BOOST_TEST(&child.root() == &p.root);
    BOOST_TEST(&grandchild.root() == &p.root);
    p.cancellation.request(rouse::cancellation_type::total);
    BOOST_TEST((child.cancellation().requested() == rouse::cancellation_type::total));
    BOOST_TEST(child.spend());
    BOOST_TEST(cx.spend());
    BOOST_TEST(!child.spend());  // one budget for all
    // Only a child that is woken is polled again by its combinator.
    BOOST_TEST(child_counter.wakes == 1);
    BOOST_TEST(p.counter.wakes == 0);
    BOOST_TEST(p.root.requeue);
}

BOOST_AUTO_TEST_CASE(a_child_of_a_poll_by_hand_yields_by_its_own_waker) {
    wake_counter parent_counter;
    wake_counter child_counter;
    waker a = parent_counter.make();
    waker b = child_counter.make();
    context cx(a);
    context child(cx, b);
    child.yield();
    BOOST_TEST(child_counter.wakes == 1);
    BOOST_TEST(parent_counter.wakes == 0);
    context same(cx, a);
    same.yield();
    BOOST_TEST(parent_counter.wakes == 1);
}

namespace {

struct clock_service {
    int ticks = 5;
};
struct other_service {};

struct offers final : rouse::services {
    void* find(std::type_info const& type) noexcept override {
        return type == typeid(clock_service) ? &clock : nullptr;
    }
    clock_service clock{};
};

}  // namespace

BOOST_AUTO_TEST_CASE(services_are_found_by_their_type) {
    executor_poll p;
    context cx(p.root);
    BOOST_TEST(cx.service<clock_service>() == nullptr);
    offers all;
    p.root.offered = &all;
    BOOST_REQUIRE(cx.service<clock_service>() != nullptr);
    BOOST_TEST(cx.service<clock_service>()->ticks == 5);
    BOOST_TEST(cx.service<other_service>() == nullptr);
    wake_counter counter;
    waker w = counter.make();
    context child(cx, w);
    BOOST_TEST(child.service<clock_service>() == &all.clock);
}

BOOST_AUTO_TEST_CASE(a_tasks_polls_see_what_its_executor_offers) {
    hand_executor ex;
    offers all;
    ex.services = &all;
    int seen = 0;
    auto handle = ex.spawn(rouse::poll_fn([&](context& cx) -> rouse::poll_result<void> {
        seen = cx.service<clock_service>()->ticks;
        return rouse::ready();
    }));
    ex.run_all();
    BOOST_TEST(seen == 5);
    BOOST_TEST(poll_once(handle).is_ready());
}

BOOST_AUTO_TEST_SUITE_END()
