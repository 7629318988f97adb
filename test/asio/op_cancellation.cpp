// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The future that use_poll returns, cancelled: drained by poll_cancel, as an abort does it, or
// asked to stop by the task's cooperative cancellation.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>
#include <support/asio_op.hpp>

#include <array>
#include <boost/asio/append.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prepend.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <rouse/as_result.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/use_poll.hpp>
#include <tuple>

BOOST_AUTO_TEST_SUITE(test_op_cancellation)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using boost::system::error_code;
using rouse::cancellation_type;
using rouse::use_poll;

}  // namespace

BOOST_AUTO_TEST_SUITE(drain)

BOOST_AUTO_TEST_CASE(of_a_plain_read) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::array<char, 8> data{};
    auto op = sockets.here.async_read_some(asio::buffer(data), use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    BOOST_TEST(h.poll_cancel(op).is_pending());
    BOOST_TEST(h.poll_cancel(op).is_pending());
    run_ready(io);
    BOOST_TEST(h.woken());
    auto released = h.poll_cancel(op);
    BOOST_TEST_REQUIRE(released.is_ready());
    BOOST_TEST(!released.value());
}

BOOST_AUTO_TEST_CASE(of_a_composed_read) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::array<char, 8> data{};
    auto op = asio::async_read(sockets.here, asio::buffer(data), use_poll);
    asio::write(sockets.there, asio::buffer("abc", 3));
    BOOST_TEST(h.poll(op).is_pending());
    run_ready(io);
    BOOST_TEST(!finish_cancel(h, io, op));
}

BOOST_AUTO_TEST_CASE(b70_keeps_a_result_that_is_in_the_inbox) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::array<char, 8> data{};
    auto op = sockets.here.async_read_some(asio::buffer(data), use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    asio::write(sockets.there, asio::buffer("abc", 3));
    while (!h.woken()) io.run_one();
    auto released = h.poll_cancel(op);
    BOOST_TEST_REQUIRE(released.is_ready());
    BOOST_TEST_REQUIRE(released.value().has_value());
    BOOST_TEST(*released.value() == 3U);
}

// The bytes were read inside the initiation; their completion is still in the io_context's queue,
// and the emission finds nothing.
BOOST_AUTO_TEST_CASE(b70_keeps_a_result_that_is_on_its_way) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::array<char, 8> data{};
    asio::write(sockets.there, asio::buffer("abc", 3));
    auto op = sockets.here.async_read_some(asio::buffer(data), use_poll);
    if (h.poll(op).is_pending()) {  // newer Asio has it ready at once
        BOOST_TEST(finish_cancel(h, io, op).value() == 3U);
    }
}

BOOST_AUTO_TEST_CASE(b70_keeps_an_error_that_had_happened) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(asio::error::eof, 0);
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll_cancel(op)), boost::system::system_error,
                          with_code(asio::error::eof));
}

BOOST_AUTO_TEST_CASE(tells_a_result_from_an_abort_in_values) {
    hand h;
    asio::io_context io;
    manual_operation<void(error_code, int)> operation;

    auto const drained = [&](auto op, error_code error) {
        BOOST_TEST(h.poll(op).is_pending());
        operation.complete(error, 1);
        auto released = h.poll_cancel(op);
        BOOST_TEST_REQUIRE(released.is_ready());
        return released.value().has_value();
    };
    error_code const aborted = asio::error::operation_aborted;
    BOOST_TEST(!drained(operation.async(asio::as_tuple(use_poll)), aborted));
    BOOST_TEST(drained(operation.async(asio::as_tuple(use_poll)), asio::error::eof));
    BOOST_TEST(drained(operation.async(asio::as_tuple(use_poll)), {}));
    BOOST_TEST(!drained(operation.async(rouse::as_result(use_poll)), aborted));
    BOOST_TEST(drained(operation.async(rouse::as_result(use_poll)), asio::error::eof));
    BOOST_TEST(drained(operation.async(rouse::as_result(use_poll)), {}));
    BOOST_TEST(!drained(operation.async(asio::as_tuple(asio::append(use_poll, 5))), aborted));
    BOOST_TEST(!drained(operation.async(rouse::as_result(asio::append(use_poll, 5))), aborted));
    BOOST_TEST(!drained(operation.async(asio::prepend(use_poll, 5)), aborted));
    BOOST_TEST(drained(operation.async(asio::prepend(use_poll, 5)), {}));
    // A code that went elsewhere says nothing: the value is kept.
    error_code elsewhere;
    BOOST_TEST(drained(operation.async(asio::redirect_error(use_poll, elsewhere)), {}));
}

// Several operations in one, of which not all were aborted: what the others have done is a result.
BOOST_AUTO_TEST_CASE(b70_keeps_what_one_of_several_has_done) {
    hand h;
    asio::io_context io;
    manual_operation<void(error_code, int, error_code)> two;
    manual_operation<void(int, error_code, int, error_code)> group;
    error_code const aborted = asio::error::operation_aborted;
    auto const drained = [&](auto op, auto complete) {
        BOOST_TEST(h.poll(op).is_pending());
        complete();
        auto released = h.poll_cancel(op);
        BOOST_TEST_REQUIRE(released.is_ready());
        return released.value().has_value();
    };
    BOOST_TEST(drained(group.async(use_poll), [&] { group.complete(0, error_code(), 5, aborted); }));
    BOOST_TEST(drained(group.async(use_poll), [&] { group.complete(0, aborted, 5, error_code()); }));
    BOOST_TEST(!drained(group.async(use_poll), [&] { group.complete(0, aborted, 0, aborted); }));
    BOOST_TEST(drained(group.async(asio::as_tuple(use_poll)), [&] { group.complete(0, aborted, 5, error_code()); }));
    BOOST_TEST(!drained(group.async(asio::as_tuple(use_poll)), [&] { group.complete(0, aborted, 5, aborted); }));
    // What comes behind a failure is empty, and says nothing.
    BOOST_TEST(!drained(two.async(asio::as_tuple(use_poll)), [&] { two.complete(aborted, 5, error_code()); }));
    BOOST_TEST(!drained(two.async(use_poll), [&] { two.complete(aborted, 5, error_code()); }));
}

// A channel has an error of its own for an operation that was cancelled.
BOOST_AUTO_TEST_CASE(of_a_channel_operation) {
    hand h;
    asio::io_context io;
    asio::experimental::channel<void(error_code, int)> channel(io, 0);
    auto receive = channel.async_receive(use_poll);
    BOOST_TEST(h.poll(receive).is_pending());
    BOOST_TEST(!finish_cancel(h, io, receive));

    auto send = channel.async_send(error_code(), 1, use_poll);
    BOOST_TEST(h.poll(send).is_pending());
    BOOST_TEST(!finish_cancel(h, io, send));

    auto tuple = channel.async_receive(asio::as_tuple(use_poll));
    BOOST_TEST(h.poll(tuple).is_pending());
    BOOST_TEST(!finish_cancel(h, io, tuple));
}

// One emission meets a step that is queued, finds nothing to cancel, and the operation, whose
// author never asks whether it was cancelled, goes on to wait for a day.
template <class Token>
auto async_deaf(asio::io_context& io, asio::steady_timer& timer, int steps, Token&& token) {
    return asio::async_compose<Token, void(error_code)>(
        [&io, &timer, steps](auto& self, error_code error = {}) mutable {
            if (error) {
                self.complete(error);
            } else if (steps-- > 0) {
                asio::post(io, std::move(self));
            } else {
                timer.async_wait(std::move(self));
            }
        },
        token, io);
}

BOOST_AUTO_TEST_CASE(of_an_operation_that_never_asks) {
    for (int steps = 0; steps < 4; ++steps) {
        for (int polls = 1; polls <= steps + 1; ++polls) {
            hand h;
            asio::io_context io;
            asio::steady_timer timer(io, 24h);
            auto op = async_deaf(io, timer, steps, use_poll);
            for (int i = 0; i < polls; ++i) {
                BOOST_TEST(h.poll(op).is_pending());
                run_ready(io);
            }
            BOOST_TEST(!finish_cancel(h, io, op));

            // The same where the step is queued in the io_context, not in the inbox.
            auto other = async_deaf(io, timer, steps, use_poll);
            for (int i = 0; i < polls; ++i) {
                if (i != 0) run_ready(io);
                BOOST_TEST(h.poll(other).is_pending());
            }
            BOOST_TEST(!finish_cancel(h, io, other));
        }
    }
}

BOOST_AUTO_TEST_CASE(cooperative_of_an_operation_that_never_asks) {
    for (int steps = 0; steps < 4; ++steps) {
        for (int polls = 1; polls <= steps + 1; ++polls) {
            hand h;
            asio::io_context io;
            asio::steady_timer timer(io, 24h);
            auto op = async_deaf(io, timer, steps, asio::as_tuple(use_poll));
            for (int i = 0; i < polls; ++i) {
                BOOST_TEST(h.poll(op).is_pending());
                run_ready(io);
            }
            h.cancel();
            BOOST_TEST((std::get<0>(finish(h, io, op)) == asio::error::operation_aborted));
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(cancellation)

BOOST_AUTO_TEST_CASE(requested_while_pending) {
    hand h;
    asio::io_context io;
    asio::steady_timer timer(io, 24h);
    auto op = timer.async_wait(asio::as_tuple(use_poll));
    BOOST_TEST(h.poll(op).is_pending());
    h.cancel();
    BOOST_TEST((std::get<0>(finish(h, io, op)) == asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(requested_before_the_start_and_sticky) {
    hand h;
    asio::io_context io;
    asio::steady_timer timer(io, 24h);
    h.cancel();
    for (int i = 0; i < 3; ++i) {
        auto op = timer.async_wait(asio::as_tuple(use_poll));
        BOOST_TEST((std::get<0>(finish(h, io, op)) == asio::error::operation_aborted));
    }
    h.cancellation.clear();
    timer.expires_after(1ms);
    auto op = timer.async_wait(asio::as_tuple(use_poll));
    BOOST_TEST(!std::get<0>(finish(h, io, op)));
}

// Asio looks for data, for room and for a client before it looks at a cancellation: what is cancelled already is not
// begun, so that nothing is taken or sent.
BOOST_AUTO_TEST_CASE(b36_requested_before_the_start_nothing_is_begun_that_would_succeed) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::array<char, 8> data{};
    asio::write(sockets.there, asio::buffer("abc", 3));
    sockets.here.wait(asio::ip::tcp::socket::wait_read);
    h.cancel();
    {
        auto op = sockets.here.async_read_some(asio::buffer(data), asio::as_tuple(use_poll));
        auto const [error, n] = h.poll(op).value();
        BOOST_TEST(error == asio::error::operation_aborted);
        BOOST_TEST(n == 0U);
    }
    {
        auto op = sockets.here.async_write_some(asio::buffer("x", 1), use_poll);
        BOOST_CHECK_EXCEPTION((void)h.poll(op), boost::system::system_error,
                              [](auto const& e) { return e.code() == asio::error::operation_aborted; });
        BOOST_CHECK_THROW((void)h.poll(op), std::logic_error);
    }
    BOOST_TEST(sockets.there.available() == 0U);
    h.cancellation.clear();
    auto op = sockets.here.async_read_some(asio::buffer(data), use_poll);
    BOOST_TEST(finish(h, io, op) == 3U);
}

// What has no error_code to say so begins: a task that is cancelled may still go to a strand for its clean-up.
BOOST_AUTO_TEST_CASE(requested_before_the_start_what_cannot_say_so_begins) {
    hand h;
    asio::io_context io;
    h.cancel();
    {
        auto op = asio::post(io, use_poll);
        finish(h, io, op);
    }
    {
        auto op = asio::post(io, asio::as_tuple(use_poll));
        finish(h, io, op);
    }
    bool ran = false;
    {
        auto op = asio::co_spawn(
            io,
            [&]() -> asio::awaitable<void> {
                ran = true;
                co_return;
            },
            asio::as_tuple(use_poll));
        finish(h, io, op);
    }
    BOOST_TEST(ran);
}

BOOST_AUTO_TEST_CASE(b70_a_result_that_is_there_comes_first) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::array<char, 8> data{};
    auto op = sockets.here.async_read_some(asio::buffer(data), use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    asio::write(sockets.there, asio::buffer("abc", 3));
    while (!h.woken()) io.run_one();
    h.cancel();
    BOOST_TEST(h.poll(op).value() == 3U);
}

BOOST_AUTO_TEST_CASE(masked_and_unmasked) {
    hand h;
    asio::io_context io;
    asio::steady_timer timer(io, 24h);
    auto op = timer.async_wait(asio::as_tuple(use_poll));
    h.cancellation.mask(cancellation_type::all);
    h.cancel();
    BOOST_TEST(h.poll(op).is_pending());
    run_ready(io);
    BOOST_TEST(h.poll(op).is_pending());
    run_ready(io);
    BOOST_TEST(!h.woken());
    h.cancellation.unmask(cancellation_type::all);
    BOOST_TEST((std::get<0>(finish(h, io, op)) == asio::error::operation_aborted));
}

// async_read honours terminal and partial, and goes on when it is asked for total.
BOOST_AUTO_TEST_CASE(of_a_type_that_the_operation_does_not_honour) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::array<char, 8> data{};
    auto op = asio::async_read(sockets.here, asio::buffer(data), asio::as_tuple(use_poll));
    BOOST_TEST(h.poll(op).is_pending());
    h.cancel(cancellation_type::total);
    BOOST_TEST(h.poll(op).is_pending());
    run_ready(io);
    BOOST_TEST(h.poll(op).is_pending());
    asio::write(sockets.there, asio::buffer("abc", 3));
    run_ready(io);
    BOOST_TEST(h.poll(op).is_pending());
    h.cancel(cancellation_type::partial);
    auto const [error, n] = finish(h, io, op);
    BOOST_TEST((error == asio::error::operation_aborted));
    BOOST_TEST(n == 3U);
}

BOOST_AUTO_TEST_CASE(reaches_the_operation_of_a_spawned_task_once_it_is_woken) {
    asio::io_context io;
    rouse::cancellation_state* state = nullptr;
    rouse::waker waker;
    auto handle = rouse::spawn(io, [&]() -> rouse::task<int> {
        co_await rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
            state = &cx.cancellation();
            waker = cx.waker();
            return rouse::ready();
        });
        asio::steady_timer timer(io, 24h);
        int cancelled = 0;
        for (int i = 0; i < 2; ++i) {
            auto const [error] = co_await timer.async_wait(asio::as_tuple(use_poll));
            if (error == asio::error::operation_aborted) ++cancelled;
        }
        co_return cancelled;
    });
    io.poll();
    state->request(cancellation_type::all);
    waker.wake_by_ref();
    io.run();
    BOOST_TEST_REQUIRE(handle.is_finished());
    BOOST_TEST(poll_once(handle).value() == 2);
    waker = {};
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
