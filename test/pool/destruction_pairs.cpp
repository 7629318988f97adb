// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Two of a pool, the application's io_context, an I/O object, a join handle, a waker and an op are
// destroyed in each order that is allowed, with operations in flight. What is named first goes
// first; if a third one must go before (the pool before the io_context that it was given, an object
// before its io_context), it does. Here the pool, the io_context or the I/O object goes first; the
// others do in destruction_pairs_of_handles.cpp. The same without a pool is in
// asio/destruction.cpp.
//
// The I/O object comes first only where its operation has ended, or where it is idle: under a
// pending operation it must not be destroyed.

#include <support/pool_pairs.hpp>

BOOST_AUTO_TEST_SUITE(test_destruction_pairs)

using namespace rouse_test;

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

BOOST_AUTO_TEST_SUITE_END()
