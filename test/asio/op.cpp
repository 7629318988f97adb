// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The future that use_poll returns: when it starts, what it gives, and how it ends when it is
// cancelled, dropped, or loses its io_context. Polled by hand, on an io_context that the test runs.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/consign.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prepend.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <rouse/as_result.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/use_poll.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using boost::system::error_code;
using rouse::cancellation_type;
using rouse::use_poll;

// An operation without any I/O: its handler is kept until the test completes it, through the
// handler's executor.
template <class Signature>
class manual_operation {
public:
    template <class Token>
    auto async(Token&& token) {
        return asio::async_initiate<Token, Signature>(
            [this](auto handler) {
                ++started;
                using type = stored<decltype(handler)>;
                handler_ = std::make_unique<type>(std::move(handler));
            },
            token);
    }

    template <class... Args>
    void complete(Args... args) {
        std::exchange(handler_, nullptr)->complete(std::move(args)...);
    }
    void destroy() { handler_.reset(); }

    int started = 0;

private:
    template <class S>
    struct base_of;
    template <class... Args>
    struct base_of<void(Args...)> {
        struct type {
            virtual ~type() = default;
            virtual void complete(Args... args) = 0;
        };
    };
    using base = typename base_of<Signature>::type;

    template <class Handler, class S = Signature>
    struct stored;
    template <class Handler, class... Args>
    struct stored<Handler, void(Args...)> final : base {
        explicit stored(Handler h) : handler(std::move(h)) {}
        void complete(Args... args) override {
            auto const ex = asio::get_associated_executor(handler);
            ex.execute([h = std::move(handler), ... a = std::move(args)]() mutable {
                std::move(h)(std::move(a)...);
            });
        }
        Handler handler;
    };

    std::unique_ptr<base> handler_{};
};

// Neither copyable nor default-constructible.
struct cargo {
    explicit cargo(int n) : value(std::make_unique<int>(n)) {}
    std::unique_ptr<int> value;
};

// A value whose next move throws, once told.
struct fragile {
    explicit fragile(bool& b) : broken(&b) {}
    fragile(fragile&& other) : broken(other.broken) {
        if (*broken) throw std::runtime_error("fragile");
    }
    fragile(fragile const& other) : broken(other.broken) {
        if (*broken) throw std::runtime_error("fragile");
    }
    bool* broken;
};

auto const says_polled_too_often =
    with_sentence("an operation was polled after it was ready or moved from");

}  // namespace

BOOST_AUTO_TEST_SUITE(start)

BOOST_AUTO_TEST_CASE(nothing_starts_before_the_first_poll) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(operation.started == 0);
    BOOST_TEST(h.poll(op).is_pending());
    BOOST_TEST(operation.started == 1);
    BOOST_TEST(h.poll(op).is_pending());  // a poll too many does no harm
    BOOST_TEST(operation.started == 1);
    operation.complete(error_code(), 5);
    BOOST_TEST(h.woken());
    BOOST_TEST(h.poll(op).value() == 5);
}

BOOST_AUTO_TEST_CASE(an_operation_of_asio_starts_with_the_first_poll) {
    hand h;
    asio::io_context io;
    asio::steady_timer timer(io, 24h);
    auto op = timer.async_wait(asio::as_tuple(use_poll));
    BOOST_TEST(io.poll() == 0U);
    BOOST_TEST(timer.cancel() == 0U);  // nobody waits
    BOOST_TEST(h.poll(op).is_pending());
    BOOST_TEST(timer.cancel() == 1U);
    finish(h, io, op);
}

BOOST_AUTO_TEST_CASE(an_op_dropped_before_its_first_poll_never_starts) {
    manual_operation<void()> operation;
    {
        auto op = operation.async(use_poll);
        static_cast<void>(op);
    }
    BOOST_TEST(operation.started == 0);
}

BOOST_AUTO_TEST_CASE(an_op_cancelled_before_its_first_poll_never_starts) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    auto op = operation.async(use_poll);
    auto released = h.poll_cancel(op);
    BOOST_TEST_REQUIRE(released.is_ready());
    BOOST_TEST(!released.value());
    BOOST_TEST(h.poll_cancel(op).is_ready());
    BOOST_TEST(operation.started == 0);
}

BOOST_AUTO_TEST_CASE(a_task_aborted_before_its_first_poll_starts_nothing) {
    hand_executor executor;
    manual_operation<void()> operation;
    auto handle = executor.spawn(operation.async(use_poll));
    handle.abort();
    executor.run_all();
    BOOST_TEST(handle.is_finished());
    BOOST_TEST(operation.started == 0);
}

BOOST_AUTO_TEST_CASE(an_op_may_move_before_its_first_poll) {
    hand h;
    asio::io_context io;
    asio::steady_timer timer(io, 1ms);
    auto op = timer.async_wait(use_poll);
    auto moved = std::move(op);
    auto again = std::make_unique<decltype(moved)>(std::move(moved));
    while (h.poll(*again).is_pending()) io.run_one();
}

BOOST_AUTO_TEST_CASE(arguments_are_kept_until_the_start) {
    // A buffer sequence and a completion condition that are temporaries where the op is made.
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::string first(3, ' ');
    std::string second(3, ' ');
    auto const make = [&] {
        std::vector<asio::mutable_buffer> const both{asio::buffer(first), asio::buffer(second)};
        return asio::async_read(sockets.here, both, asio::transfer_exactly(5), use_poll);
    };
    auto op = make();
    asio::write(sockets.there, asio::buffer("abcde", 5));
    BOOST_TEST(finish(h, io, op) == 5U);
    BOOST_TEST(first == "abc");
    BOOST_TEST(second == "de ");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(results)

BOOST_AUTO_TEST_CASE(an_error_code_is_thrown) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(asio::error::connection_reset, 0);
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), boost::system::system_error,
                          with_code(asio::error::connection_reset));
}

BOOST_AUTO_TEST_CASE(an_exception_ptr_is_thrown) {
    hand h;
    manual_operation<void(std::exception_ptr, int)> operation;
    {
        auto op = operation.async(use_poll);
        BOOST_TEST(h.poll(op).is_pending());
        operation.complete(std::make_exception_ptr(std::out_of_range("far")), 0);
        BOOST_CHECK_THROW(static_cast<void>(h.poll(op)), std::out_of_range);
    }
    {
        auto op = operation.async(use_poll);
        BOOST_TEST(h.poll(op).is_pending());
        operation.complete(std::exception_ptr(), 9);
        BOOST_TEST(h.poll(op).value() == 9);
    }
}

BOOST_AUTO_TEST_CASE(none_is_void_one_is_itself_more_are_a_tuple) {
    manual_operation<void()> none;
    manual_operation<void(int)> one;
    manual_operation<void(int, std::string)> two;
    manual_operation<void(error_code)> code;
    manual_operation<void(error_code, int, std::string)> code_and_two;
    manual_operation<void(int, error_code)> code_last;
    static_assert(std::is_void_v<rouse::output_t<decltype(none.async(use_poll))>>);
    static_assert(std::same_as<rouse::output_t<decltype(one.async(use_poll))>, int>);
    static_assert(std::same_as<rouse::output_t<decltype(two.async(use_poll))>,
                               std::tuple<int, std::string>>);
    static_assert(std::is_void_v<rouse::output_t<decltype(code.async(use_poll))>>);
    static_assert(std::same_as<rouse::output_t<decltype(code_and_two.async(use_poll))>,
                               std::tuple<int, std::string>>);
    static_assert(std::same_as<rouse::output_t<decltype(code_last.async(use_poll))>,
                               std::tuple<int, error_code>>);
    hand h;
    auto op = code_and_two.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    code_and_two.complete(error_code(), 4, std::string("four"));
    auto const [n, s] = h.poll(op).value();
    BOOST_TEST(n == 4);
    BOOST_TEST(s == "four");
}

BOOST_AUTO_TEST_CASE(a_value_may_be_move_only_and_without_a_default) {
    hand h;
    manual_operation<void(error_code, cargo)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(error_code(), cargo(3));
    BOOST_TEST(*h.poll(op).value().value == 3);

    auto with_result = operation.async(rouse::as_result(use_poll));
    BOOST_TEST(h.poll(with_result).is_pending());
    operation.complete(error_code(), cargo(4));
    auto result = h.poll(with_result).value();
    BOOST_TEST_REQUIRE(result.has_value());
    BOOST_TEST(*result->value == 4);
}

BOOST_AUTO_TEST_CASE(as_result_gives_the_error) {
    hand h;
    manual_operation<void(error_code, int, int)> operation;
    auto op = operation.async(rouse::as_result(use_poll));
    static_assert(std::same_as<rouse::output_t<decltype(op)>,
                               boost::system::result<std::tuple<int, int>, error_code>>);
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(asio::error::eof, 0, 0);
    auto const result = h.poll(op).value();
    BOOST_TEST_REQUIRE(result.has_error());
    BOOST_TEST((result.error() == asio::error::eof));
}

BOOST_AUTO_TEST_CASE(redirect_error_gives_error_and_value) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    error_code error;
    auto op = operation.async(asio::redirect_error(use_poll, error));
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(asio::error::eof, 8);
    BOOST_TEST(h.poll(op).value() == 8);
    BOOST_TEST((error == asio::error::eof));
}

BOOST_AUTO_TEST_CASE(b75_end_of_file) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::array<char, 4> data{};
    sockets.there.close();
    auto op = sockets.here.async_read_some(asio::buffer(data), use_poll);
    BOOST_CHECK_EXCEPTION(finish(h, io, op), boost::system::system_error,
                          with_code(asio::error::eof));
}

BOOST_AUTO_TEST_CASE(only_the_latest_waker_is_woken) {
    asio::io_context io;
    manual_operation<void()> operation;
    wake_counter first;
    wake_counter second;
    auto op = operation.async(use_poll);
    BOOST_TEST(poll_once(op, first.make()).is_pending());
    BOOST_TEST(poll_once(op, second.make()).is_pending());
    BOOST_TEST(first.live == 0);
    operation.complete();
    BOOST_TEST(first.wakes == 0);
    BOOST_TEST(second.wakes == 1);
    BOOST_TEST(poll_once(op).is_ready());
    BOOST_TEST(second.live == 0);
}

BOOST_AUTO_TEST_CASE(b21_poll_after_ready_says_so) {
    hand h;
    manual_operation<void()> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete();
    BOOST_TEST(h.poll(op).is_ready());
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), std::logic_error,
                          says_polled_too_often);
}

BOOST_AUTO_TEST_CASE(b21_poll_after_a_move_says_so) {
    hand h;
    manual_operation<void()> operation;
    auto op = operation.async(use_poll);
    auto const moved = std::move(op);
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), std::logic_error,
                          says_polled_too_often);
    BOOST_TEST(operation.started == 0);
}

// The io_context only stores the function; it is the poll that runs it.
BOOST_AUTO_TEST_CASE(handlers_run_in_polls_only) {
    hand h;
    asio::io_context io;
    std::vector<int> order;
    auto op = asio::async_compose<rouse::use_poll_t const, void()>(
        [&, step = 0](auto& self) mutable {
            order.push_back(step);
            if (step++ < 3) {
                asio::post(io, std::move(self));
            } else {
                self.complete();
            }
        },
        use_poll, io);
    BOOST_TEST(order.empty());
    for (std::size_t steps = 1; steps <= 3; ++steps) {
        BOOST_TEST(h.poll(op).is_pending());
        BOOST_TEST(order.size() == steps);
        run_ready(io);
        BOOST_TEST(order.size() == steps);
        BOOST_TEST(h.woken());
    }
    BOOST_TEST(h.poll(op).is_ready());
    BOOST_TEST(order.size() == 4U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(exceptions)

BOOST_AUTO_TEST_CASE(b72_of_the_initiation) {
    hand h;
    auto op = asio::async_initiate<rouse::use_poll_t const, void(error_code)>(
        [](auto) { throw std::runtime_error("no start"); }, use_poll);
    BOOST_CHECK_THROW(static_cast<void>(h.poll(op)), std::runtime_error);
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), std::logic_error,
                          says_polled_too_often);
    BOOST_TEST(h.poll_cancel(op).is_ready());
}

// The initiation kept the handler before it threw.
BOOST_AUTO_TEST_CASE(b72_of_an_initiation_that_has_begun) {
    hand h;
    manual_operation<void(int)> inner;
    auto op = asio::async_initiate<rouse::use_poll_t const, void(int)>(
        [&](auto handler) {
            inner.async(std::move(handler));
            throw std::runtime_error("half a start");
        },
        use_poll);
    BOOST_CHECK_THROW(static_cast<void>(h.poll(op)), std::runtime_error);
    inner.complete(3);  // comes too late, is dropped
}

BOOST_AUTO_TEST_CASE(b72_of_an_intermediate_handler) {
    hand h;
    asio::io_context io;
    auto op = asio::async_compose<rouse::use_poll_t const, void()>(
        [&, step = 0](auto& self) mutable {
            if (step++ != 0) throw std::runtime_error("half way");
            asio::post(io, std::move(self));
        },
        use_poll, io);
    BOOST_TEST(h.poll(op).is_pending());
    run_ready(io);
    BOOST_CHECK_THROW(static_cast<void>(h.poll(op)), std::runtime_error);
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), std::logic_error,
                          says_polled_too_often);
}

BOOST_AUTO_TEST_CASE(b72_of_an_intermediate_handler_while_draining) {
    hand h;
    asio::io_context io;
    auto op = asio::async_compose<rouse::use_poll_t const, void()>(
        [&, step = 0](auto& self) mutable {
            if (step++ != 0) throw std::runtime_error("half way");
            asio::post(io, std::move(self));
        },
        use_poll, io);
    BOOST_TEST(h.poll(op).is_pending());
    run_ready(io);
    BOOST_CHECK_THROW(static_cast<void>(h.poll_cancel(op)), std::runtime_error);
    BOOST_TEST(h.poll_cancel(op).is_ready());
}

BOOST_AUTO_TEST_CASE(b72_of_the_move_of_a_value) {
    hand h;
    bool broken = false;
    manual_operation<void(error_code, fragile)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(error_code(), fragile(broken));
    broken = true;
    BOOST_CHECK_THROW(static_cast<void>(h.poll(op)), std::runtime_error);
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), std::logic_error,
                          says_polled_too_often);
}

// Bound to another executor the handler's exception is that executor's, and the operation has ended
// without an answer.
BOOST_AUTO_TEST_CASE(b72_of_the_move_of_a_value_on_a_bound_executor) {
    hand h;
    asio::io_context io;
    bool broken = false;
    manual_operation<void(error_code, fragile)> operation;
    auto op = operation.async(asio::bind_executor(io.get_executor(), use_poll));
    BOOST_TEST(h.poll(op).is_pending());
    operation.complete(error_code(), fragile(broken));
    broken = true;
    BOOST_CHECK_THROW(io.run(), std::runtime_error);
    BOOST_TEST(h.woken());
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), boost::system::system_error,
                          is_operation_aborted);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(end_of_the_io_context)

BOOST_AUTO_TEST_CASE(b68_handler_destroyed_uncalled_is_operation_aborted) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    operation.destroy();
    BOOST_TEST(h.woken());
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), boost::system::system_error,
                          is_operation_aborted);
}

BOOST_AUTO_TEST_CASE(b68_handler_destroyed_uncalled_is_the_code_of_as_tuple_and_as_result) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    auto tuple = operation.async(asio::as_tuple(use_poll));
    BOOST_TEST(h.poll(tuple).is_pending());
    operation.destroy();
    BOOST_TEST((std::get<0>(h.poll(tuple).value()) == asio::error::operation_aborted));

    auto result = operation.async(rouse::as_result(use_poll));
    BOOST_TEST(h.poll(result).is_pending());
    operation.destroy();
    BOOST_TEST((h.poll(result).value().error() == asio::error::operation_aborted));

    // Where the code cannot be said in the value it is thrown.
    manual_operation<void(error_code, cargo)> no_default;
    auto cargo_tuple = no_default.async(asio::as_tuple(use_poll));
    BOOST_TEST(h.poll(cargo_tuple).is_pending());
    no_default.destroy();
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(cargo_tuple)), boost::system::system_error,
                          is_operation_aborted);
}

BOOST_AUTO_TEST_CASE(b68_handler_destroyed_uncalled_while_draining_is_stopped) {
    hand h;
    manual_operation<void(error_code, int)> operation;
    auto op = operation.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    BOOST_TEST(h.poll_cancel(op).is_pending());
    operation.destroy();
    BOOST_TEST(h.woken());
    auto released = h.poll_cancel(op);
    BOOST_TEST_REQUIRE(released.is_ready());
    BOOST_TEST(!released.value());
}

// The I/O objects die first, as Asio wants it; what they had in flight then waits in the
// io_context, which dies without delivering it.
template <class Start>
void io_context_dies(Start start) {
    hand h;
    auto io = std::make_unique<asio::io_context>();
    auto sockets = std::make_unique<tcp_pair>(io->get_executor());
    auto timer = std::make_unique<asio::steady_timer>(*io, 24h);
    auto op = start(*sockets, *timer);
    BOOST_TEST(h.poll(op).is_pending());
    sockets.reset();
    timer.reset();
    BOOST_TEST(!h.woken());
    io.reset();
    BOOST_TEST(h.woken());
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), boost::system::system_error,
                          is_operation_aborted);
}

BOOST_AUTO_TEST_CASE(b68_a_plain_read_is_aborted) {
    std::array<char, 4> data{};
    io_context_dies([&](tcp_pair& sockets, asio::steady_timer&) {
        return sockets.here.async_read_some(asio::buffer(data), use_poll);
    });
}

BOOST_AUTO_TEST_CASE(b68_a_composed_read_is_aborted) {
    std::array<char, 4> data{};
    io_context_dies([&](tcp_pair& sockets, asio::steady_timer&) {
        return asio::async_read(sockets.here, asio::buffer(data), use_poll);
    });
}

BOOST_AUTO_TEST_CASE(b68_a_timer_is_aborted) {
    io_context_dies(
        [&](tcp_pair&, asio::steady_timer& timer) { return timer.async_wait(use_poll); });
}

BOOST_AUTO_TEST_CASE(b68_a_posted_function_is_aborted) {
    hand h;
    auto io = std::make_unique<asio::io_context>();
    auto op = asio::post(io->get_executor(), use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    io.reset();
    BOOST_TEST(h.woken());
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), boost::system::system_error,
                          is_operation_aborted);
}

// A composed operation that was half way, with an intermediate handler in the inbox.
BOOST_AUTO_TEST_CASE(b68_a_composed_operation_with_a_queued_step_is_aborted) {
    hand h;
    auto io = std::make_unique<asio::io_context>();
    auto sockets = std::make_unique<tcp_pair>(io->get_executor());
    std::array<char, 4> data{};
    auto op = asio::async_read(sockets->here, asio::buffer(data), use_poll);
    asio::write(sockets->there, asio::buffer("ab", 2));
    BOOST_TEST(h.poll(op).is_pending());
    run_ready(*io);
    BOOST_TEST(h.woken());
    BOOST_TEST(h.poll(op).is_pending());  // two bytes are there; it reads on
    sockets.reset();
    io.reset();
    BOOST_TEST(h.woken());
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), boost::system::system_error,
                          is_operation_aborted);
}

BOOST_AUTO_TEST_CASE(b67_an_op_survives_stop_and_restart) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::array<char, 8> data{};
    auto op = asio::async_read(sockets.here, asio::buffer(data, 4), use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    io.stop();
    BOOST_TEST(io.run() == 0U);
    BOOST_TEST(h.poll(op).is_pending());
    asio::write(sockets.there, asio::buffer("abcd", 4));
    BOOST_TEST(h.poll(op).is_pending());
    io.restart();
    BOOST_TEST(finish(h, io, op) == 4U);
}

BOOST_AUTO_TEST_CASE(b67_an_op_in_flight_is_work) {
    hand h;
    asio::io_context io;
    asio::steady_timer timer(io, 1ms);
    auto op = timer.async_wait(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    io.run();  // returns when the wait is over, and not before
    BOOST_TEST((timer.expiry() <= std::chrono::steady_clock::now()));
    BOOST_TEST(h.poll(op).is_ready());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(drop_in_flight)

BOOST_AUTO_TEST_CASE(of_a_plain_read_whose_buffer_goes_at_once) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    {
        auto data = std::make_unique<std::array<char, 64>>();
        auto op = std::make_unique<decltype(sockets.here.async_read_some(asio::buffer(*data),
                                                                         use_poll))>(
            sockets.here.async_read_some(asio::buffer(*data), use_poll));
        BOOST_TEST(h.poll(*op).is_pending());
        op.reset();
    }
    asio::write(sockets.there, asio::buffer("lost?", 5));
    run_ready(io);
    BOOST_TEST(!h.woken());
    BOOST_TEST(h.wakes.live == 1);  // only our own
    // Nobody has read the bytes.
    std::array<char, 8> rest{};
    BOOST_TEST(sockets.here.read_some(asio::buffer(rest)) == 5U);
}

BOOST_AUTO_TEST_CASE(of_a_composed_read_whose_buffer_goes_at_once) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    for (int steps = 0; steps < 4; ++steps) {
        auto data = std::make_unique<std::array<char, 64>>();
        auto op = asio::async_read(sockets.here, asio::buffer(*data), use_poll);
        BOOST_TEST(h.poll(op).is_pending());
        for (int i = 0; i < steps; ++i) {
            asio::write(sockets.there, asio::buffer("x", 1));
            run_ready(io);
            if (i + 1 < steps) BOOST_TEST(h.poll(op).is_pending());
        }
        // With steps > 0 the last intermediate handler is in the inbox.
    }
    asio::write(sockets.there, asio::buffer("y", 1));
    run_ready(io);
}

BOOST_AUTO_TEST_CASE(of_a_large_write) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    {
        auto data = std::make_unique<std::vector<char>>(std::size_t{16} << 20);
        auto op = asio::async_write(sockets.here, asio::buffer(*data), use_poll);
        BOOST_TEST(h.poll(op).is_pending());
        run_ready(io);
        BOOST_TEST(h.poll(op).is_pending());
    }
    run_ready(io);
}

BOOST_AUTO_TEST_CASE(of_a_timer) {
    hand h;
    asio::io_context io;
    asio::steady_timer timer(io, 24h);
    {
        auto op = timer.async_wait(use_poll);
        BOOST_TEST(h.poll(op).is_pending());
    }
    io.run();  // would take a day if it still waited
    BOOST_TEST(!h.woken());
}

BOOST_AUTO_TEST_CASE(of_an_operation_that_completes_later) {
    hand h;
    manual_operation<void(error_code, std::unique_ptr<int>)> operation;
    {
        auto op = operation.async(use_poll);
        BOOST_TEST(h.poll(op).is_pending());
    }
    operation.complete(error_code(), std::make_unique<int>(1));  // destroyed, not run
    BOOST_TEST(!h.woken());
}

BOOST_AUTO_TEST_CASE(of_an_operation_that_has_completed) {
    hand h;
    manual_operation<void(error_code, std::unique_ptr<int>)> operation;
    {
        auto op = operation.async(use_poll);
        BOOST_TEST(h.poll(op).is_pending());
        operation.complete(error_code(), std::make_unique<int>(1));
    }
    BOOST_TEST(h.wakes.live == 1);
}

BOOST_AUTO_TEST_SUITE_END()

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
            BOOST_TEST(
                (std::get<0>(finish(h, io, op)) == asio::error::operation_aborted));
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
    h.cancellation.mask(cancellation_type::none);
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
        auto handle = executor.spawn([&]() -> rouse::task<> {
            co_await async_leave_executor(kept, use_poll);
        });
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

BOOST_AUTO_TEST_SUITE(abandonable)

namespace {

using resolved = tcp::resolver::results_type;

template <class Token>
void is_released_at_once(Token token) {
    hand h;
    manual_operation<void(error_code, resolved)> getaddrinfo;
    auto op = getaddrinfo.async(std::move(token));
    BOOST_TEST(h.poll(op).is_pending());
    BOOST_TEST(h.poll_cancel(op).is_ready());
    BOOST_TEST(h.poll_cancel(op).is_ready());
    getaddrinfo.complete(error_code(), resolved());  // nobody listens
    BOOST_TEST(!h.woken());
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_resolver_is_not_waited_for) {
    error_code error;
    is_released_at_once(use_poll);
    is_released_at_once(asio::as_tuple(use_poll));
    is_released_at_once(rouse::as_result(use_poll));
    is_released_at_once(asio::redirect_error(use_poll, error));
    is_released_at_once(asio::append(use_poll, 1));
    is_released_at_once(asio::prepend(use_poll, 1));
    is_released_at_once(asio::consign(use_poll, 1));
    is_released_at_once(asio::as_tuple(asio::append(use_poll, 1)));
}

BOOST_AUTO_TEST_CASE(b70_a_result_that_is_there_is_kept) {
    hand h;
    manual_operation<void(error_code, resolved)> getaddrinfo;
    auto op = getaddrinfo.async(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    getaddrinfo.complete(error_code(), resolved::create(tcp::endpoint(), "host", "service"));
    auto released = h.poll_cancel(op);
    BOOST_TEST_REQUIRE(released.is_ready());
    BOOST_TEST_REQUIRE(released.value().has_value());
    BOOST_TEST(released.value()->size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(other_threads)

// Bound to an executor with threads of its own, the handler is invoked there, while the future may
// be polled here.
BOOST_AUTO_TEST_CASE(completion_by_a_bound_executor) {
    asio::io_context io;
    auto work = asio::make_work_guard(io);
    std::thread other([&] { io.run(); });
    hand h;
    for (int i = 0; i < 200; ++i) {
        manual_operation<void(error_code, std::string)> operation;
        auto op = operation.async(asio::bind_executor(io.get_executor(), use_poll));
        BOOST_TEST(h.poll(op).is_pending());
        operation.complete(error_code(), std::string("from the other thread"));
        for (;;) {
            auto polled = h.poll(op);
            if (polled.is_pending()) continue;
            BOOST_TEST(polled.value() == "from the other thread");
            break;
        }
    }
    // And dropped while the handler may be running.
    for (int i = 0; i < 200; ++i) {
        manual_operation<void(error_code, std::string)> operation;
        auto op = operation.async(asio::bind_executor(io.get_executor(), use_poll));
        BOOST_TEST(h.poll(op).is_pending());
        operation.complete(error_code(), std::string("to nobody"));
    }
    work.reset();
    other.join();
}

BOOST_AUTO_TEST_SUITE_END()
