// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Groups that are polled by hand, without an executor: who is woken, and what those may do who are.

#include <support/unit_kit.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <optional>
#include <rouse/select.hpp>
#include <rouse/task.hpp>
#include <rouse/task_group.hpp>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_group_wakes)

namespace {

using namespace rouse_test;
using rouse::task_group;

// The group, whose future's body waits for a gate.
auto group_around(task_group*& group, gate& end) {
    return rouse::with_group([&](task_group& g) -> rouse::task<> {
        group = &g;
        co_await gate_future(end);
    });
}

}  // namespace

BOOST_AUTO_TEST_CASE(b96_who_waits_for_room_is_woken_by_a_higher_limit) {
    task_group* group = nullptr;
    gate end;
    gate inside;
    auto owner = group_around(group, end);
    BOOST_TEST(poll_once(owner).is_pending());
    group->limit(1);
    group->spawn(gate_future(inside));
    BOOST_TEST(poll_once(owner).is_pending());

    wake_counter counter;
    rouse::waker const w = counter.make();
    auto room = group->has_room();
    BOOST_TEST(poll_once(room, w).is_pending());
    group->limit(2);
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(poll_once(room, w).is_ready());
}

// One that waits for room need not wait for those that take their time to let go.
BOOST_AUTO_TEST_CASE(b96_who_waits_for_room_is_woken_by_the_abort) {
    task_group* group = nullptr;
    gate end;
    loan slow;
    slow.cancels_needed = 1000;
    auto owner = group_around(group, end);
    BOOST_TEST(poll_once(owner).is_pending());
    group->limit(1);
    group->spawn(lending(slow));
    BOOST_TEST(poll_once(owner).is_pending());

    wake_counter counter;
    rouse::waker const w = counter.make();
    auto room = group->has_room();
    BOOST_TEST(poll_once(room, w).is_pending());
    group->abort();
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(poll_once(room, w).is_ready());
    BOOST_TEST(group->size() == 1U);
    slow.finish();
}

// Between a look that finds no room and the entry among those that wait, which copies the waker.
BOOST_AUTO_TEST_CASE(b95_room_that_comes_during_the_poll_is_seen) {
    task_group* group = nullptr;
    gate end;
    gate first;
    auto owner = group_around(group, end);
    BOOST_TEST(poll_once(owner).is_pending());
    group->limit(1);
    group->spawn(gate_future(first));
    BOOST_TEST(poll_once(owner).is_pending());

    auto room = group->has_room();
    acting_waker leaves;
    leaves.when_copied = [&] {
        first.set();
        BOOST_TEST(poll_once(owner).is_pending());
        BOOST_TEST(group->size() == 0U);
    };
    rouse::waker const w = leaves.make();
    BOOST_TEST(poll_once(room, w).is_ready());
}

// Who was woken for the room and goes does not take it along.
BOOST_AUTO_TEST_CASE(b94_room_that_one_was_woken_for_is_there_for_the_others) {
    task_group* group = nullptr;
    gate end;
    gate inside;
    auto owner = group_around(group, end);
    BOOST_TEST(poll_once(owner).is_pending());
    group->limit(1);
    group->spawn(gate_future(inside));
    BOOST_TEST(poll_once(owner).is_pending());

    wake_counter one;
    wake_counter other;
    std::optional goes(group->has_room());
    auto stays = group->has_room();
    BOOST_TEST(poll_once(*goes, one.make()).is_pending());
    BOOST_TEST(poll_once(stays, other.make()).is_pending());
    inside.set();
    BOOST_TEST(poll_once(owner).is_pending());
    BOOST_TEST(one.wakes == 1);
    goes.reset();
    BOOST_TEST(other.wakes == 1);
    BOOST_TEST(poll_once(stays).is_ready());
    BOOST_TEST(one.live == 0);
    BOOST_TEST(other.live == 0);
}

// Whoever is woken by an abort may destroy what owns the group.
BOOST_AUTO_TEST_CASE(the_owner_may_go_as_it_is_woken_by_the_abort) {
    task_group* group = nullptr;
    gate end;
    std::optional owner(group_around(group, end));
    acting_waker destroys;
    destroys.when_woken = [&] { owner.reset(); };
    rouse::waker const w = destroys.make();
    BOOST_TEST(poll_once(*owner, w).is_pending());
    group->abort();
    BOOST_TEST(!owner.has_value());
}

BOOST_AUTO_TEST_CASE(the_owner_may_go_as_another_is_woken_by_the_abort) {
    task_group* group = nullptr;
    gate end;
    gate inside;
    std::optional owner(group_around(group, end));
    acting_waker destroys;
    rouse::waker const w = destroys.make();
    BOOST_TEST(poll_once(*owner).is_pending());
    group->limit(1);
    group->spawn(gate_future(inside));
    BOOST_TEST(poll_once(*owner).is_pending());
    std::optional room(group->has_room());
    BOOST_TEST(poll_once(*room, w).is_pending());
    destroys.when_woken = [&] {
        owner.reset();
        room.reset();
    };
    group->abort();
    BOOST_TEST(!owner.has_value());
}

// What loses a select and is only referred to is left alive. But the tasks of a group that loses end with it.
BOOST_AUTO_TEST_CASE(tasks_of_a_group_that_loses_are_asked_for_good) {
    struct asked {
        explicit asked(std::optional<bool>& l) noexcept : losing(&l) {}
        rouse::poll_result<void> poll(rouse::context&) { return rouse::pending; }
        rouse::cancel_result<void> poll_cancel(rouse::context& cx) {
            *losing = cx.root().losing;
            return false;
        }
        std::optional<bool>* losing;
    };
    std::optional<bool> of_task;
    std::optional<bool> of_loser;
    gate end;
    gate ends;
    auto all = rouse::select(gate_future(end), asked(of_loser),
                             rouse::with_group([&](task_group& g) -> rouse::task<> {
                                 g.spawn(asked(of_task));
                                 co_await gate_future(ends);
                             }));
    BOOST_TEST(poll_once(all).is_pending());
    end.set();
    BOOST_TEST(poll_once(all).is_ready());
    BOOST_TEST(of_loser.value());
    BOOST_TEST(!of_task.value());
}

BOOST_AUTO_TEST_SUITE_END()
