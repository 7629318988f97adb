// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Each row of the table in detail/task_state.hpp. The overflow of the count is in plain/deaths.cpp.

#include <boost/test/unit_test.hpp>
#include <rouse/detail/task_state.hpp>

BOOST_AUTO_TEST_SUITE(test_task_state)

using rouse::detail::task_state;
using start = task_state::start;
using idle = task_state::idle;
using completion = task_state::completion;
using duty = task_state::duty;
using join_step = task_state::join_step;

namespace {

// A state in each of the places of the table, with a join handle and one waker, so that nothing is
// ever the last reference.
struct placed : task_state {
    placed() : task_state(true) { retain(); }
};
struct queued : placed {};
struct polling : placed {
    polling() { BOOST_TEST((to_running() == start::poll)); }
};
struct waiting : polling {
    waiting() { BOOST_TEST((to_idle() == idle::parked)); }
};
struct repoll : polling {
    repoll() { BOOST_TEST((wake_by_ref() == duty::nothing)); }
};
struct completed : polling {
    completed() { BOOST_TEST((to_complete() == completion::handle)); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_new_task_has_a_runnable_and_perhaps_a_handle) {
    task_state joined(true);
    task_state detached(false);
    BOOST_TEST(joined.references() == 2U);
    BOOST_TEST(detached.references() == 1U);
    BOOST_TEST(!joined.is_complete());
    BOOST_TEST(!joined.is_aborting());
    BOOST_TEST(!joined.is_draining());
    BOOST_TEST((joined.to_running() == start::poll));
}

// WAITING   wake -> POLLING   a reference becomes the runnable: schedule it
BOOST_AUTO_TEST_CASE(waiting_and_woken_it_is_scheduled) {
    {
        waiting s;
        BOOST_TEST(s.references() == 2U);  // the handle's, a waker's
        BOOST_TEST((s.wake() == duty::schedule));
        BOOST_TEST(s.references() == 2U);  // the handle's, the runnable's
        BOOST_TEST((s.to_running() == start::poll));
    }
    {
        waiting s;
        BOOST_TEST((s.wake_by_ref() == duty::schedule));
        BOOST_TEST(s.references() == 3U);
        BOOST_TEST((s.to_running() == start::poll));
    }
}

// POLLING*  wake -> POLLING   nothing
BOOST_AUTO_TEST_CASE(b03_queued_and_woken_nothing_more_is_scheduled) {
    queued s;
    BOOST_TEST(s.references() == 3U);
    BOOST_TEST((s.wake_by_ref() == duty::nothing));
    BOOST_TEST(s.references() == 3U);
    BOOST_TEST((s.wake() == duty::nothing));
    BOOST_TEST(s.references() == 2U);
    BOOST_TEST((s.to_running() == start::poll));
    BOOST_TEST((s.to_idle() == idle::parked));  // these wakes are spent by that poll
}

// POLLING** wake -> REPOLL    nothing: the poller sees it
BOOST_AUTO_TEST_CASE(b01_woken_during_its_poll_it_is_polled_again_and_not_scheduled) {
    for (bool by_value : {false, true}) {
        polling s;
        BOOST_TEST(((by_value ? s.wake() : s.wake_by_ref()) == duty::nothing));
        BOOST_TEST(s.references() == (by_value ? 2U : 3U));
        BOOST_TEST((s.to_idle() == idle::again));
        BOOST_TEST((s.to_idle() == idle::parked));
    }
}

// REPOLL    wake -> REPOLL    nothing
BOOST_AUTO_TEST_CASE(b03_many_wakes_during_a_poll_are_one) {
    repoll s;
    BOOST_TEST((s.wake_by_ref() == duty::nothing));
    BOOST_TEST((s.wake() == duty::nothing));
    BOOST_TEST((s.to_idle() == idle::again));
    BOOST_TEST((s.to_idle() == idle::parked));
}

// COMPLETE  wake -> COMPLETE  nothing
BOOST_AUTO_TEST_CASE(b06_complete_and_woken_nothing_happens) {
    completed s;
    BOOST_TEST((s.wake_by_ref() == duty::nothing));
    BOOST_TEST(s.references() == 3U);
    BOOST_TEST((s.wake() == duty::nothing));
    BOOST_TEST(s.references() == 2U);
}

// POLLING*  run -> POLLING**  poll, or drain if abort is set
BOOST_AUTO_TEST_CASE(run_says_whether_to_poll_or_to_drain) {
    queued s;
    BOOST_TEST((s.to_aborting() == duty::nothing));
    BOOST_TEST((s.to_running() == start::drain));
    BOOST_TEST(s.is_aborting());
    BOOST_TEST(!s.is_draining());
    s.to_draining();
    BOOST_TEST(s.is_draining());
}

// POLLING** pending -> WAITING   the runnable's reference is given up
BOOST_AUTO_TEST_CASE(a_pending_poll_gives_the_runnables_reference_up) {
    polling s;
    BOOST_TEST(s.references() == 3U);
    BOOST_TEST((s.to_idle() == idle::parked));
    BOOST_TEST(s.references() == 2U);
}

//           ... the last  -> POLLING** with abort: `orphaned`
BOOST_AUTO_TEST_CASE(b08_a_pending_poll_that_has_the_last_reference_makes_an_orphan) {
    task_state s(false);
    BOOST_TEST((s.to_running() == start::poll));
    BOOST_TEST((s.to_idle() == idle::orphaned));
    BOOST_TEST(s.references() == 1U);  // still the poller's
    BOOST_TEST(s.is_aborting());
    s.to_draining();
    BOOST_TEST((s.to_idle() == idle::orphaned));
    BOOST_TEST((s.to_complete() == completion::nobody));
    BOOST_TEST((s.drop() == duty::deallocate));
}

BOOST_AUTO_TEST_CASE(b04_an_orphan_that_was_woken_meanwhile_is_polled_first) {
    task_state s(false);
    BOOST_TEST((s.to_running() == start::poll));
    s.retain();
    BOOST_TEST((s.wake() == duty::nothing));
    BOOST_TEST((s.to_idle() == idle::again));
    BOOST_TEST(!s.is_aborting());
    BOOST_TEST((s.to_idle() == idle::orphaned));
}

// REPOLL    pending -> POLLING** again; then POLLING*: reschedule at the back
BOOST_AUTO_TEST_CASE(b01_rescheduled_it_is_queued_again_with_the_same_reference) {
    repoll s;
    BOOST_TEST((s.to_idle() == idle::again));
    s.to_rescheduled();
    BOOST_TEST(s.references() == 3U);
    BOOST_TEST((s.wake_by_ref() == duty::nothing));  // it is queued
    BOOST_TEST((s.to_running() == start::poll));
    BOOST_TEST((s.to_idle() == idle::parked));
}

// POLLING** yield -> POLLING*
BOOST_AUTO_TEST_CASE(a_yield_reschedules_and_keeps_a_wake_or_an_abort_that_came_meanwhile) {
    {
        polling s;
        s.to_rescheduled();
        BOOST_TEST((s.to_running() == start::poll));
        BOOST_TEST((s.to_idle() == idle::parked));
    }
    {
        polling s;
        BOOST_TEST((s.to_aborting() == duty::nothing));
        s.to_rescheduled();
        BOOST_TEST((s.to_aborting() == duty::nothing));
        BOOST_TEST((s.to_running() == start::drain));
    }
}

// POLLING** ready -> COMPLETE    output: to the handle, or destroy it; wake the joiner
BOOST_AUTO_TEST_CASE(completion_says_whose_the_output_is) {
    {
        polling s;
        BOOST_TEST((s.to_complete() == completion::handle));
        BOOST_TEST(s.is_complete());
    }
    {
        polling s;
        BOOST_TEST((s.publish_join_waker() == join_step::done));
        BOOST_TEST((s.to_complete() == completion::waker));
    }
    {
        polling s;
        BOOST_TEST((s.publish_join_waker() == join_step::done));
        BOOST_TEST((s.withdraw_join_waker() == join_step::done));
        BOOST_TEST((s.to_complete() == completion::handle));
    }
    {
        polling s;
        BOOST_TEST((s.publish_join_waker() == join_step::done));
        BOOST_TEST((s.disown() == join_step::done));
        BOOST_TEST((s.to_complete() == completion::nobody));
    }
    {
        repoll s;  // woken during the poll that completes
        BOOST_TEST((s.to_complete() == completion::handle));
        BOOST_TEST((s.wake_by_ref() == duty::nothing));
    }
}

// WAITING   abort -> POLLING*    schedule it (one more reference)
BOOST_AUTO_TEST_CASE(b31_waiting_and_aborted_it_is_scheduled_once) {
    waiting s;
    BOOST_TEST((s.to_aborting() == duty::schedule));
    BOOST_TEST(s.references() == 3U);
    BOOST_TEST((s.to_aborting() == duty::nothing));
    BOOST_TEST((s.wake_by_ref() == duty::nothing));
    BOOST_TEST(s.references() == 3U);
    BOOST_TEST((s.to_running() == start::drain));
}

// POLLING, REPOLL abort -> the same with notified and abort
BOOST_AUTO_TEST_CASE(b31_queued_or_being_polled_and_aborted_nothing_is_scheduled) {
    {
        queued s;
        BOOST_TEST((s.to_aborting() == duty::nothing));
        BOOST_TEST(s.references() == 3U);
        BOOST_TEST((s.to_running() == start::drain));
    }
    {
        polling s;
        BOOST_TEST((s.to_aborting() == duty::nothing));
        BOOST_TEST((s.to_idle() == idle::again));  // so that the poller sees it
        BOOST_TEST(s.is_aborting());
    }
    {
        repoll s;
        BOOST_TEST((s.to_aborting() == duty::nothing));
        BOOST_TEST((s.to_idle() == idle::again));
        BOOST_TEST((s.to_idle() == idle::parked));
    }
}

// After the first abort, a wake of a task that drains schedules it again.
BOOST_AUTO_TEST_CASE(an_aborted_task_that_waits_is_woken_to_go_on_draining) {
    waiting s;
    BOOST_TEST((s.to_aborting() == duty::schedule));
    BOOST_TEST((s.to_running() == start::drain));
    s.to_draining();
    BOOST_TEST((s.to_idle() == idle::parked));
    BOOST_TEST((s.to_aborting() == duty::nothing));
    BOOST_TEST((s.wake_by_ref() == duty::schedule));
    BOOST_TEST((s.to_running() == start::drain));
}

BOOST_AUTO_TEST_CASE(b31_complete_and_aborted_nothing_happens) {
    completed s;
    BOOST_TEST((s.to_aborting() == duty::nothing));
    BOOST_TEST(!s.is_aborting());
}

// WAITING   last reference dropped -> POLLING* with abort: schedule it
BOOST_AUTO_TEST_CASE(b08_the_last_reference_of_a_waiting_task_becomes_its_runnable) {
    task_state s(false);
    s.retain();
    BOOST_TEST((s.to_running() == start::poll));
    BOOST_TEST((s.to_idle() == idle::parked));
    BOOST_TEST((s.drop() == duty::schedule));
    BOOST_TEST(s.references() == 1U);
    BOOST_TEST((s.to_running() == start::drain));
}

BOOST_AUTO_TEST_CASE(b08_a_reference_that_is_not_the_last_is_just_dropped) {
    waiting s;
    BOOST_TEST((s.drop() == duty::nothing));
    BOOST_TEST(s.references() == 1U);
    BOOST_TEST(!s.is_aborting());
    BOOST_TEST((s.wake() == duty::schedule));  // by the last waker of all
    BOOST_TEST(s.references() == 1U);
    BOOST_TEST((s.to_running() == start::poll));
}

// COMPLETE  last reference dropped -> free the memory
BOOST_AUTO_TEST_CASE(the_last_reference_of_a_complete_task_frees_it) {
    {
        completed s;
        BOOST_TEST((s.drop() == duty::nothing));
        BOOST_TEST((s.drop() == duty::nothing));
        BOOST_TEST((s.drop() == duty::deallocate));
    }
    {
        completed s;
        BOOST_TEST((s.drop() == duty::nothing));
        BOOST_TEST((s.drop() == duty::nothing));
        BOOST_TEST((s.wake() == duty::deallocate));  // a waker that is consumed by its wake
    }
}

BOOST_AUTO_TEST_CASE(b29_the_handle_and_the_completion_agree_who_has_the_output) {
    {
        polling s;
        BOOST_TEST((s.disown() == join_step::done));
        BOOST_TEST((s.to_complete() == completion::nobody));
    }
    {
        polling s;
        BOOST_TEST((s.to_complete() == completion::handle));
        BOOST_TEST((s.disown() == join_step::complete));
        BOOST_TEST(s.references() == 3U);  // its reference stays
    }
}

BOOST_AUTO_TEST_CASE(b30_too_late_for_a_waker_the_handle_hears_that_the_task_is_complete) {
    completed s;
    BOOST_TEST((s.publish_join_waker() == join_step::complete));
    BOOST_TEST((s.withdraw_join_waker() == join_step::complete));
}

BOOST_AUTO_TEST_CASE(withdrawing_a_waker_that_was_never_published_does_nothing) {
    waiting s;
    BOOST_TEST((s.withdraw_join_waker() == join_step::done));
    BOOST_TEST((s.wake_by_ref() == duty::schedule));
}

BOOST_AUTO_TEST_SUITE_END()
