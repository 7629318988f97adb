// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// As destruction_pairs.cpp, which says how; here what one holds on to goes first: the join handle
// or the waker of a task, or an op.

#include <support/pool_pairs.hpp>

BOOST_AUTO_TEST_SUITE(test_destruction_pairs_of_handles)

using namespace rouse_test;

namespace {

template <class Scene>
void wait_for_end(Scene& s) {
    wait_until([&] { return s.tasks.live() == 0; }, "the end of a task");
}

}  // namespace

// The join handle first.

BOOST_AUTO_TEST_CASE(b55_join_handle_then_pool) {
    ended_by_pool([](auto& s) {
        s.handle.reset();
        s.destroy_pool();
        s.check_ended();
    });
    // Detached.
    ended_by_pool([](auto& s) {
        s.handle->detach();
        s.destroy_pool();
        s.check_ended();
    });
}

BOOST_AUTO_TEST_CASE(join_handle_then_io_context) {
    with_io_context([](auto& s) {
        s.handle.reset();
        s.destroy_pool_and_io_context();
        s.check_ended();
    });
}

BOOST_AUTO_TEST_CASE(join_handle_then_object) {
    // The task's own.
    in_worlds({own_task, external_task}, [](auto& s) {
        s.handle.reset();
        wait_until([&] { return s.things.live() == 0; }, "the end of the objects");
        s.check_ended();
    });
    // Somebody else's: the task is aborted, and joined.
    with_object([](auto& s) {
        s.handle->abort();
        BOOST_TEST((wait_for(*s.handle) == ending::aborted));
        s.of_task.reset();
        s.check_ended();
    });
}

BOOST_AUTO_TEST_CASE(join_handle_then_join_handle) {
    for (bool const assigned : {false, true}) {
        everywhere([assigned](auto& s) {
            s.of_op = s.make_objects();
            auto second = s.spawn_task(s.of_op.get());
            if (assigned) {
                *s.handle = std::move(second);
            } else {
                s.handle.reset();
            }
            wait_until([&] { return s.tasks.died == 1; }, "the end of the first task");
            auto& left = assigned ? *s.handle : second;
            BOOST_TEST(!left.is_finished());
            s.finish(*s.of_op);
            BOOST_TEST((wait_for(left) == s.normal_end));
            BOOST_TEST(s.tasks.died == 2);
        });
    }
}

BOOST_AUTO_TEST_CASE(b06_join_handle_then_waker) {
    everywhere([](auto& s) {
        s.handle.reset();
        s.use_up_waker();  // while the task lets go
        wait_for_end(s);
        s.check_ended();
    });
    everywhere([](auto& s) {
        s.handle.reset();
        wait_for_end(s);
        s.use_up_waker();
        s.check_ended();
    });
}

BOOST_AUTO_TEST_CASE(join_handle_then_op) {
    everywhere([](auto& s) {
        s.hold_ops();
        s.handle.reset();
        wait_for_end(s);
        s.check_ended();
        BOOST_TEST(s.hand.poll(*s.op).is_pending());
        s.drop_ops();
    });
}

// The waker first.

BOOST_AUTO_TEST_CASE(b55_waker_then_pool) {
    ended_by_pool([](auto& s) {
        s.use_up_waker();
        s.destroy_pool();
        s.check_ended();
    });
}

BOOST_AUTO_TEST_CASE(waker_then_io_context) {
    with_io_context([](auto& s) {
        s.waker = {};
        s.destroy_pool_and_io_context();
        s.check_ended();
    });
}

BOOST_AUTO_TEST_CASE(waker_then_object) {
    with_object([](auto& s) {
        s.use_up_waker();
        s.handle->abort();
        BOOST_TEST((wait_for(*s.handle) == ending::aborted));
        s.of_task.reset();
        s.check_ended();
    });
}

BOOST_AUTO_TEST_CASE(waker_then_join_handle) {
    everywhere([](auto& s) {
        s.waker = {};
        s.check_runs_on();
        s.handle.reset();
        wait_for_end(s);
        s.check_ended();
    });
    // Neither holds the task, nor does it need them: it is in flight, and has its result.
    with_object([](auto& s) {
        s.waker = {};
        s.handle->detach();
        s.finish(*s.of_task);
        if (s.kind == operation::wait) {  // an exception that nobody joins
            s.expected_unhandled = 1;
            wait_until([&] { return s.unhandled == 1; }, "a report");
        }
        wait_for_end(s);
        s.check_ended(s.normal_end);
    });
}

BOOST_AUTO_TEST_CASE(waker_then_waker) {
    everywhere([](auto& s) {
        rouse::waker second = s.waker;
        s.waker = {};
        int const polls = s.polls;
        second.wake_by_ref();
        wait_until([&] { return s.polls > polls; }, "a poll");
        second = {};
        s.check_runs_on();
    });
}

BOOST_AUTO_TEST_CASE(waker_then_op) {
    everywhere([](auto& s) {
        s.hold_ops();
        s.waker = {};
        s.hand.waker = {};  // the op keeps a copy
        s.drop_ops();
        wait_until([&] { return s.hand.wakes.live == 0; }, "the end of the op's copy");
        s.check_runs_on();
    });
}

// The op first.

BOOST_AUTO_TEST_CASE(b55_op_then_pool) {
    ended_by_pool([](auto& s) {
        s.hold_ops();
        s.drop_ops();
        s.of_op.reset();
        s.destroy_pool();
        s.check_ended();
    });
    // It owns what it uses: that dies with the event loop, if not before.
    ended_by_pool([](auto& s) {
        s.begin_owning().reset();
        s.destroy_pool();
        s.check_ended();
    });
}

BOOST_AUTO_TEST_CASE(op_then_io_context) {
    with_io_context([](auto& s) {
        s.hold_ops();
        s.drop_ops();
        s.of_op.reset();
        s.destroy_pool_and_io_context();
        s.check_ended();
    });
}

BOOST_AUTO_TEST_CASE(op_then_object) {
    everywhere([](auto& s) {
        s.hold_ops();
        s.drop_ops();
        s.of_op.reset();  // at once, with the buffer, while the event loop runs
        s.check_runs_on();
    });
}

BOOST_AUTO_TEST_CASE(op_then_join_handle) {
    everywhere([](auto& s) {
        s.hold_ops();
        s.drop_ops();
        s.check_runs_on();
        s.handle.reset();
        wait_for_end(s);
        s.check_ended();
    });
}

BOOST_AUTO_TEST_CASE(op_then_waker) {
    everywhere([](auto& s) {
        s.hold_ops();
        s.drop_ops();
        wait_until([&] { return s.hand.wakes.live == 1; }, "the end of the op's copy");
        int const polls = s.polls;
        s.use_up_waker();
        wait_until([&] { return s.polls > polls; }, "a poll");
        s.check_runs_on();
    });
}

BOOST_AUTO_TEST_CASE(op_then_op) {
    everywhere([]<operation Kind>(pair_scene<Kind>& s) {
        // On one object, but for composed reads: a stream has one at a time.
        constexpr auto other = Kind == operation::composed_read ? operation::wait : Kind;
        s.hold_ops();
        auto second = start<other>(*s.of_op, use_poll);
        BOOST_TEST(s.hand.poll(second).is_pending());
        s.drop_ops();
        BOOST_TEST(s.hand.poll(second).is_pending());
        finish<other>(*s.of_op);
        BOOST_TEST((wait_for(second) == normal_end_of<other>));
    });
}

BOOST_AUTO_TEST_SUITE_END()
