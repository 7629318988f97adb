// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The functions that an operation gives to its handler's executor: what they spend of the task's
// budget, and what becomes of those that come after the operation has ended.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>
#include <support/asio_op.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <rouse/join.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/task_group.hpp>
#include <rouse/use_poll.hpp>
#include <stdexcept>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_op_functions)

namespace {

using namespace rouse_test;
using rouse::use_poll;

}  // namespace

BOOST_AUTO_TEST_SUITE(budget)

BOOST_AUTO_TEST_CASE(every_function_spends_one_unit) {
    hand h;
    manual_operation<void(int)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(1);
    BOOST_TEST(h.woken());
    h.budget = 0;
    BOOST_TEST(h.poll(op).is_pending());
    BOOST_TEST(h.requeued);
    BOOST_TEST(h.poll(op).is_pending());  // the function is not lost
    h.budget = 1;
    BOOST_TEST(h.poll(op).value() == 1);
}

BOOST_AUTO_TEST_CASE(a_drain_spends_too_and_loses_nothing) {
    hand h;
    manual_operation<void(int)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(1);
    h.budget = 0;
    BOOST_TEST(h.poll_cancel(op).is_pending());
    BOOST_TEST(h.requeued);
    h.budget = 1;
    BOOST_TEST(h.poll_cancel(op).value().value() == 1);
}

BOOST_AUTO_TEST_CASE(what_was_not_run_is_destroyed_with_the_op) {
    hand h;
    manual_operation<void(std::shared_ptr<int>)> operation;
    auto const witness = std::make_shared<int>(0);
    {
        auto op = operation.async(use_poll);
        BOOST_TEST(h.poll(op).is_pending());
        operation.complete(witness);
        h.budget = 0;
        BOOST_TEST(h.poll(op).is_pending());
    }
    BOOST_TEST(witness.use_count() == 1);
}

// A socket that always has data does not starve the others on its executor.
BOOST_AUTO_TEST_CASE(a_ready_socket_lets_others_run) {
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::string const much(5000, 'x');
    asio::write(sockets.there, asio::buffer(much));
    int turns = 0;
    bool done = false;
    auto reader = rouse::spawn(io, [&]() -> rouse::task<> {
        for (std::size_t i = 0; i < much.size(); ++i) {
            char c = 0;
            co_await sockets.here.async_read_some(asio::buffer(&c, 1), use_poll);
        }
        done = true;
    });
    auto other = rouse::spawn(io, [&]() -> rouse::task<> {
        while (!done) {
            ++turns;
            co_await asio::post(io, use_poll);
        }
    });
    io.run();
    BOOST_TEST(poll_once(reader).is_ready());
    BOOST_TEST(poll_once(other).is_ready());
    BOOST_TEST(turns >= 5000 / 128);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(late_functions)

namespace {

// Ends at once, and leaves a copy of its handler's executor behind.
template <class Executor, class Token>
auto async_leave_executor(std::optional<Executor>& kept, Token&& token) {
    return asio::async_initiate<Token, void()>(
        [&kept](auto handler) {
            kept.emplace(asio::get_associated_executor(handler));
            auto const ex = asio::get_associated_executor(handler);
            ex.execute(std::move(handler));
        },
        token);
}

}  // namespace

BOOST_AUTO_TEST_CASE(run_in_the_polls_of_the_task) {
    hand_executor executor;
    std::optional<asio::any_io_executor> kept;
    gate g;
    std::vector<std::uint64_t> ran_in;
    auto handle = executor.spawn([&]() -> rouse::task<> {
        co_await async_leave_executor(kept, use_poll);
        co_await gate_future(g);
    });
    executor.run_all();
    BOOST_TEST_REQUIRE(kept.has_value());
    BOOST_TEST(!handle.is_finished());

    for (unsigned i = 1; i <= 3; ++i) {
        kept->execute([&] {
            auto const* task = rouse::detail::current_task();
            ran_in.push_back(task ? task->id : 0);
        });
        BOOST_TEST(ran_in.size() == i - 1);  // never inside execute
        BOOST_TEST(executor.run_all() == 1);
        BOOST_TEST_REQUIRE(ran_in.size() == i);
        BOOST_TEST(ran_in.back() == handle.id());
    }
    // Many at a time: in order.
    std::vector<int> order;
    for (int i = 0; i < 10; ++i) kept->execute([&order, i] { order.push_back(i); });
    executor.run_all();
    BOOST_TEST(order == (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));

    g.set();
    executor.run_all();
    BOOST_TEST(handle.is_finished());

    // The task has completed: what comes now is destroyed unrun.
    auto const witness = std::make_shared<int>(0);
    bool ran = false;
    kept->execute([&ran, witness] { ran = true; });
    executor.run_all();
    BOOST_TEST(!ran);
    BOOST_TEST(witness.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(run_while_the_task_drains) {
    hand_executor executor;
    std::optional<asio::any_io_executor> kept;
    loan l;
    l.cancels_needed = 3;
    int ran = 0;
    auto handle = executor.spawn([&]() -> rouse::task<> {
        co_await async_leave_executor(kept, use_poll);
        co_await lending(l);
    });
    executor.run_all();
    handle.abort();
    executor.run_all();
    BOOST_TEST(!handle.is_finished());
    kept->execute([&] { ++ran; });
    executor.run_all();
    BOOST_TEST(ran == 1);
    BOOST_TEST(!handle.is_finished());
    kept->execute([&] { ++ran; });  // whose poll is the one that ends the drain
    executor.run_all();
    BOOST_TEST(ran == 2);
    BOOST_TEST(handle.is_finished());
}

// A function that was pushed before the op ended, behind the handler, is not lost.
BOOST_AUTO_TEST_CASE(that_were_queued_behind_the_handler_move_on) {
    hand_executor executor;
    gate g;
    int ran = 0;
    auto handle = executor.spawn([&]() -> rouse::task<> {
        co_await asio::async_initiate<rouse::use_poll_t const, void()>(
            [&ran](auto completion) {
                auto const ex = asio::get_associated_executor(completion);
                ex.execute(std::move(completion));
                ex.execute([&ran] { ++ran; });
                ex.execute([&ran] { ++ran; });
            },
            use_poll);
        BOOST_TEST(ran == 0);
        co_await gate_future(g);
    });
    executor.run_all();
    BOOST_TEST(ran == 2);
    g.set();
    executor.run_all();
}

BOOST_AUTO_TEST_CASE(that_throw_go_to_the_unhandled_hook) {
    hand_executor executor;
    std::optional<asio::any_io_executor> kept;
    gate g;
    int ran = 0;
    auto handle = executor.spawn([&]() -> rouse::task<> {
        co_await async_leave_executor(kept, use_poll);
        co_await gate_future(g);
    });
    executor.run_all();
    kept->execute([] { throw std::runtime_error("late"); });
    kept->execute([&] { ++ran; });
    executor.run_all();
    BOOST_TEST_REQUIRE(executor.unhandled.size() == 1U);
    BOOST_TEST(what_of(executor.unhandled[0]) == "late");
    g.set();
    executor.run_all();
    BOOST_TEST(ran == 1);  // the one behind it is not lost
    BOOST_TEST(handle.is_finished());
}

BOOST_AUTO_TEST_CASE(of_a_poll_without_a_task_are_destroyed) {
    std::optional<asio::any_io_executor> kept;
    auto const witness = std::make_shared<int>(0);
    auto op = async_leave_executor(kept, use_poll);
    BOOST_TEST(poll_once(op).is_ready());
    kept->execute([witness] { BOOST_ERROR("ran"); });
    BOOST_TEST(witness.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(of_a_dropped_op_are_destroyed) {
    std::optional<asio::any_io_executor> kept;
    auto const witness = std::make_shared<int>(0);
    {
        auto op = asio::async_initiate<rouse::use_poll_t const, void()>(
            [&](auto handler) { kept.emplace(asio::get_associated_executor(handler)); }, use_poll);
        // The handler is destroyed at once; the op has not been told yet.
        BOOST_CHECK_THROW(static_cast<void>(poll_once(op)), boost::system::system_error);
    }
    kept->execute([witness] { BOOST_ERROR("ran"); });
    BOOST_TEST(witness.use_count() == 1);
}

// The executor may be the last owner of what its function destroys.
BOOST_AUTO_TEST_CASE(an_executor_outlives_everything) {
    std::optional<rouse::detail::op_executor> kept;
    {
        hand_executor executor;
        auto handle = executor.spawn(
            [&]() -> rouse::task<> { co_await async_leave_executor(kept, use_poll); });
        executor.run_all();
        BOOST_TEST(handle.is_finished());
    }
    kept->execute([] { BOOST_ERROR("ran"); });
    kept.reset();
}

// A work guard does not destroy the executor that it has moved from: nothing may be left in that.
BOOST_AUTO_TEST_CASE(an_executor_that_is_moved_leaves_nothing_behind) {
    auto op = asio::async_initiate<rouse::use_poll_t const, void()>(
        [](auto handler) {
            auto const ex = asio::get_associated_executor(handler);
            asio::executor_work_guard<rouse::detail::op_executor> guard(ex);
            auto moved = std::move(guard);
            auto const again = std::move(moved);
            again.get_executor().execute(std::move(handler));
        },
        use_poll);
    BOOST_TEST(poll_once(op).is_ready());  // and no leak
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

// An operation that keeps its handler's executor for a function that comes after its end.
class talks_late {
public:
    template <class Token>
    auto async(Token&& token) {
        return asio::async_initiate<Token, void()>(
            [this](auto handler) {
                auto const ex = asio::get_associated_executor(handler);
                later_ = [ex](std::function<void()> f) { asio::post(ex, std::move(f)); };
                asio::post(ex, std::move(handler));
            },
            token);
    }
    void say(std::function<void()> f) { later_(std::move(f)); }

private:
    std::function<void(std::function<void()>)> later_;
};

}  // namespace

// Its task is one of a group's, and the group is one of several: whoever brings a function wakes all that lead to it.
BOOST_AUTO_TEST_CASE(late_ones_wake_the_group_that_has_to_run_them) {
    talks_late operation;
    bool over = false;
    bool said = false;
    wake_counter counter;
    rouse::waker const w = counter.make();
    rouse::waker waits;
    auto group = rouse::with_group([&](rouse::task_group& g) -> rouse::task<> {
        g.spawn([](talks_late& o, bool& done, bool const& end, rouse::waker& me) -> rouse::task<> {
            co_await o.async(use_poll);
            done = true;
            co_await rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                if (end) return rouse::ready();
                me = cx.waker();
                return rouse::pending;
            });
        }(operation, over, said, waits));
        co_return;
    });
    auto both = rouse::join(std::move(group), rouse::pending_future<>());
    for (int n = 0; n < 5; ++n) BOOST_TEST(poll_once(both, w).is_pending());
    BOOST_TEST_REQUIRE(over);
    int const before = counter.wakes;
    operation.say([&] { said = true; });
    BOOST_TEST(counter.wakes > before);
    BOOST_TEST(poll_once(both, w).is_pending());
    BOOST_TEST(said);
}

BOOST_AUTO_TEST_SUITE_END()
