// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Two of a pool, the application's io_context, an I/O object, a join handle, a waker and an op are
// destroyed in each order that is allowed, with operations in flight. What is named first goes first;
// if a third one must go before (the pool before the io_context that it was given, an object before
// its io_context), it does. The same without a pool is in asio/destruction.cpp.
//
// The I/O object comes first only where its operation has ended, or where it is idle: under a pending
// operation it must not be destroyed.

#include <support/pool_pairs.hpp>

using namespace rouse_test;

namespace {

constexpr world_of_pairs own_task{mode::own, owner::task};
constexpr world_of_pairs own_test{mode::own, owner::test};
constexpr world_of_pairs external_task{mode::applications, owner::task};
constexpr world_of_pairs external_test{mode::applications, owner::test};

// Where the task may be pending when its pool is destroyed.
template <class Function>
void ended_by_pool(Function function) {
    in_worlds({own_task, external_task, external_test}, function);
}
// With an io_context that the pool is destroyed before.
template <class Function>
void with_io_context(Function function) {
    in_worlds({external_task, external_test}, function);
}
// Where the objects are to be destroyed by hand, and so after the task has ended.
template <class Function>
void with_object(Function function) {
    in_worlds({own_test, external_test}, function);
}
template <class Function>
void everywhere(Function function) {
    in_worlds({own_task, own_test, external_task, external_test}, function);
}

template <class Scene>
void wait_for_end(Scene& s) {
    wait_until([&] { return s.tasks.live() == 0; }, "the end of a task");
}

}  // namespace

// The pool first.

BOOST_AUTO_TEST_CASE(b55_pool_then_io_context) {
    ended_by_pool([](auto& s) {
        s.destroy_pool();
        s.check_ended();
        s.destroy_io_context();
    });
}

BOOST_AUTO_TEST_CASE(b55_pool_then_object) {
    ended_by_pool([](auto& s) {
        bool const left = s.of_task != nullptr;
        s.destroy_pool();
        s.check_ended();
        BOOST_TEST(s.things.live() == (left ? 1 : 0));  // those of the task have died in time
        s.of_task.reset();
        BOOST_TEST(s.things.live() == 0);
    });
}

BOOST_AUTO_TEST_CASE(b55_pool_then_join_handle) {
    ended_by_pool([](auto& s) {
        s.destroy_pool();
        s.check_ended();  // the handle says so
        s.handle.reset();
    });
    // Dropped, without having been asked.
    ended_by_pool([](auto& s) {
        s.destroy_pool();
        s.handle.reset();
        s.check_ended();
    });
}

BOOST_AUTO_TEST_CASE(b55_pool_then_join_handle_of_a_result) {
    with_object([](auto& s) {
        s.finish(*s.of_task);
        wait_until([&] { return s.handle->is_finished(); }, "a result");
        s.of_task.reset();
        s.destroy_pool();
        s.check_ended(s.normal_end);
    });
    // The result is on its way when the pool is destroyed: it arrives, or the abort does.
    in_worlds({external_test}, [](auto& s) {
        s.finish(*s.of_task);
        s.destroy_pool();
        BOOST_TEST(s.tasks.exactly_one_died());
        BOOST_TEST_REQUIRE(s.handle->is_finished());
        ending const how = wait_for(*s.handle);
        BOOST_TEST((how == s.normal_end || how == ending::aborted));
        BOOST_TEST((s.completed == 1) == (how == ending::value));
    });
}

BOOST_AUTO_TEST_CASE(b06_pool_then_waker) {
    ended_by_pool([](auto& s) {
        s.destroy_pool();
        int const polls = s.polls;
        s.use_up_waker();
        s.check_ended();
        BOOST_TEST(s.polls == polls);
    });
    // The waker is all that is left of the task.
    ended_by_pool([](auto& s) {
        s.destroy_pool();
        s.handle.reset();
        s.use_up_waker();
        s.check_ended();
    });
}

BOOST_AUTO_TEST_CASE(b68_pool_then_op) {
    // Operations that own their objects die with a pool's own io_context.
    for (bool const polled : {false, true}) {
        in_worlds({own_task}, [polled](auto& s) {
            auto const op = s.begin_owning();
            s.destroy_pool();
            s.check_ended();
            BOOST_TEST(s.things.live() == 0);
            BOOST_TEST(s.hand.woken());
            if (polled) {
                BOOST_CHECK_EXCEPTION(static_cast<void>(s.hand.poll(*op)),
                                      boost::system::system_error, is_operation_aborted);
            }
        });
    }
    // On the application's they stay pending, until they are dropped.
    with_io_context([](auto& s) {
        s.hold_ops();
        auto const owning = s.begin_owning();
        s.destroy_pool();
        s.check_ended();
        BOOST_TEST(s.hand.poll(*s.op).is_pending());
        BOOST_TEST(s.hand.poll(*owning).is_pending());
        s.drop_ops();
    });
    // Never polled.
    ended_by_pool([](auto& s) {
        s.hold_ops();
        s.op.reset();
        s.of_op.reset();
        s.destroy_pool();
        s.unbegun.reset();
    });
}

// The io_context first: behind its pool, that is.

BOOST_AUTO_TEST_CASE(b68_io_context_then_join_handle) {
    with_io_context([](auto& s) {
        s.destroy_pool_and_io_context();
        s.check_ended();
        s.handle.reset();
    });
}

BOOST_AUTO_TEST_CASE(b68_io_context_then_waker) {
    with_io_context([](auto& s) {
        s.destroy_pool_and_io_context();
        s.use_up_waker();
        s.check_ended();
    });
}

BOOST_AUTO_TEST_CASE(b68_io_context_then_op) {
    with_io_context([](auto& s) {
        s.hold_ops();
        auto const owning = s.begin_owning();
        s.op.reset();  // it refers to what must be destroyed now
        s.destroy_pool_and_io_context();
        BOOST_TEST(s.things.live() == 0);
        BOOST_CHECK_EXCEPTION(static_cast<void>(s.hand.poll(*owning)), boost::system::system_error,
                              is_operation_aborted);
        s.unbegun.reset();
    });
}

// The I/O object first.

BOOST_AUTO_TEST_CASE(closed_object_then_pool) {
    with_object([](auto& s) {
        if (s.kind == operation::wait) {
            s.of_task->timer->cancel();
        } else {
            s.of_task->sockets->here.close();
        }
        wait_until([&] { return s.handle->is_finished(); }, "operation_aborted");
        s.of_task.reset();
        s.destroy_pool();
        s.check_ended(ending::error);
    });
}

BOOST_AUTO_TEST_CASE(idle_object_then_object) {
    with_object([](auto& s) {
        if (s.kind == operation::wait) {
            s.of_task->sockets.reset();
        } else {
            s.of_task->timer.reset();
        }
        s.check_runs_on();
        s.handle->abort();
        BOOST_TEST((wait_for(*s.handle) == ending::aborted));
        s.of_task.reset();
    });
}

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
