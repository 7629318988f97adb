// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Two things that belong together are destroyed in each order that is allowed, with an operation
// pending. AddressSanitizer watches.
//
// Left out, because it is forbidden:
//   - an I/O object (socket, timer) that is destroyed after its io_context: Asio's rule;
//   - an op or its task dropped or aborted after its I/O object was destroyed and before the
//     operation has completed: Asio's cancellation handler points into the object. Whoever destroys
//     the object lets the operation complete first (operation_aborted), as these tests do.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <rouse/any_future.hpp>
#include <rouse/join_handle.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/use_poll.hpp>

BOOST_AUTO_TEST_SUITE(test_destruction)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::use_poll;

enum class operation { plain_read, composed_read, wait };

// Everything that there is; each part can be destroyed on its own.
struct scene {
    explicit scene(operation which) : kind(which) {
        task.emplace(rouse::spawn(*io, [this]() -> rouse::task<std::size_t> {
            token const mine(book);
            co_await rouse::poll_fn([this](rouse::context& cx) -> rouse::poll_result<void> {
                waker = cx.waker();
                return rouse::ready();
            });
            switch (kind) {
                case operation::plain_read:
                    co_return co_await sockets->here.async_read_some(asio::buffer(data), use_poll);
                case operation::composed_read:
                    co_return co_await asio::async_read(sockets->here, asio::buffer(data),
                                                        use_poll);
                case operation::wait: co_await timer->async_wait(use_poll);
            }
            co_return 0;
        }));
        io->poll();
        BOOST_TEST(book.live() == 1);
        BOOST_TEST(!task->is_finished());
    }
    ~scene() {
        // The rest, in an order that is allowed.
        task.reset();
        if (io) run_ready(*io);
        sockets.reset();
        timer.reset();
        if (io) run_ready(*io);
        io.reset();
        waker = {};
        BOOST_TEST(book.live() == 0);
    }

    // Destroys what the operation uses, and lets it complete.
    void destroy_object() {
        if (kind == operation::wait) {
            timer.reset();
        } else {
            sockets.reset();
        }
    }
    void let_complete() { run_ready(*io); }

    template <class Code>
    void check_ended_with(Code code) {
        BOOST_TEST_REQUIRE(task->is_finished());
        BOOST_CHECK_EXCEPTION(static_cast<void>(poll_once(*task)), boost::system::system_error,
                              with_code(code));
    }

    operation kind;
    std::array<char, 8> data{};
    ledger book{};
    std::unique_ptr<asio::io_context> io = std::make_unique<asio::io_context>();
    std::unique_ptr<tcp_pair> sockets = std::make_unique<tcp_pair>(io->get_executor());
    std::unique_ptr<asio::steady_timer> timer = std::make_unique<asio::steady_timer>(*io, 24h);
    rouse::waker waker{};
    std::optional<rouse::join_handle<std::size_t>> task{};
};

template <class Function>
void each_operation(Function function) {
    for (auto kind : {operation::plain_read, operation::composed_read, operation::wait}) {
        BOOST_TEST_CONTEXT("operation " << static_cast<int>(kind)) {
            scene s(kind);
            function(s);
        }
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(object_then_io_context) {
    // The object's operation is aborted and delivered; then the context goes.
    each_operation([](scene& s) {
        s.sockets.reset();
        s.timer.reset();
        s.let_complete();
        s.io.reset();
        s.check_ended_with(asio::error::operation_aborted);
    });
}

BOOST_AUTO_TEST_CASE(object_then_join_handle) {
    each_operation([](scene& s) {
        s.destroy_object();
        s.let_complete();
        s.task.reset();
        BOOST_TEST(s.book.live() == 0);
    });
}

BOOST_AUTO_TEST_CASE(object_then_waker) {
    each_operation([](scene& s) {
        s.destroy_object();
        s.waker.wake_by_ref();
        s.waker = {};
        s.let_complete();
        s.check_ended_with(asio::error::operation_aborted);
    });
}

BOOST_AUTO_TEST_CASE(join_handle_then_object) {
    each_operation([](scene& s) {
        s.task.reset();
        s.let_complete();  // drained: the object is nobody's any more
        BOOST_TEST(s.book.live() == 0);
        s.destroy_object();
    });
}

BOOST_AUTO_TEST_CASE(join_handle_then_waker) {
    each_operation([](scene& s) {
        s.task.reset();
        s.waker.wake_by_ref();
        s.waker = {};
        s.let_complete();
        BOOST_TEST(s.book.live() == 0);
    });
}

BOOST_AUTO_TEST_CASE(waker_then_join_handle) {
    each_operation([](scene& s) {
        s.waker = {};
        s.task.reset();
        s.let_complete();
        BOOST_TEST(s.book.live() == 0);
    });
}

BOOST_AUTO_TEST_CASE(waker_then_object) {
    each_operation([](scene& s) {
        s.waker = {};
        s.destroy_object();
        s.let_complete();
        s.check_ended_with(asio::error::operation_aborted);
    });
}

BOOST_AUTO_TEST_CASE(detached_then_object) {
    each_operation([](scene& s) {
        auto const before = rouse::set_unhandled_handler([](std::exception_ptr e, auto) {
            BOOST_TEST(what_of(e) != "");
        });
        s.task->detach();
        s.destroy_object();
        s.let_complete();
        BOOST_TEST(s.book.live() == 0);
        rouse::set_unhandled_handler(before);
    });
}

namespace {

// A task that owns all that it uses, so that its end is the end of the I/O objects.
struct owning_scene {
    explicit owning_scene(bool object_first) {
        // Whether the reactor is shut down before the tasks are told, or after.
        if (object_first) static_cast<void>(tcp_pair(io->get_executor()));
        task.emplace(rouse::spawn(*io, [this]() -> rouse::task<> {
            token const mine(book);
            tcp_pair sockets(io->get_executor());
            asio::steady_timer timer(*io, 24h);
            std::array<char, 8> data{};
            auto other = timer.async_wait(use_poll);
            co_await rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                waker = cx.waker();
                static_cast<void>(other.poll(cx));  // in flight, and awaited by nobody
                return rouse::ready();
            });
            co_await asio::async_read(sockets.here, asio::buffer(data), use_poll);
        }));
        io->poll();
        BOOST_TEST(book.live() == 1);
    }
    ~owning_scene() {
        task.reset();
        io.reset();
        waker = {};
        BOOST_TEST(book.live() == 0);
    }

    ledger book{};
    std::unique_ptr<asio::io_context> io = std::make_unique<asio::io_context>();
    rouse::waker waker{};
    std::optional<rouse::join_handle<void>> task{};
};

template <class Function>
void each_owning(Function function) {
    for (bool object_first : {false, true}) {
        owning_scene s(object_first);
        function(s);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(b68_io_context_then_join_handle) {
    each_owning([](owning_scene& s) {
        s.io.reset();
        BOOST_TEST(s.book.live() == 0);
        BOOST_TEST(s.task->is_finished());
        s.task.reset();
    });
}

BOOST_AUTO_TEST_CASE(b68_io_context_then_waker) {
    each_owning([](owning_scene& s) {
        s.io.reset();
        s.waker.wake_by_ref();
        s.waker = {};
        BOOST_CHECK_EXCEPTION(static_cast<void>(poll_once(*s.task)), boost::system::system_error,
                              with_code(rouse::errc::aborted));
    });
}

BOOST_AUTO_TEST_CASE(join_handle_then_io_context) {
    each_owning([](owning_scene& s) {
        s.task.reset();  // aborted; its runnable is queued and never run
        s.io.reset();
        BOOST_TEST(s.book.live() == 0);
    });
}

BOOST_AUTO_TEST_CASE(waker_then_io_context) {
    each_owning([](owning_scene& s) {
        s.waker.wake_by_ref();
        s.waker = {};
        s.io.reset();
        BOOST_TEST(s.book.live() == 0);
    });
}

BOOST_AUTO_TEST_CASE(b68_drain_begun_then_io_context) {
    each_owning([](owning_scene& s) {
        s.task->abort();
        run_ready(*s.io);  // the drain has begun, and may have ended
        s.io.reset();
        BOOST_TEST(s.book.live() == 0);
    });
}

// Ops that nobody has polled hold nothing, and may go before or after what they name.
BOOST_AUTO_TEST_CASE(unawaited_op_then_everything) {
    auto io = std::make_unique<asio::io_context>();
    auto timer = std::make_unique<asio::steady_timer>(*io, 24h);
    {
        auto op = timer->async_wait(use_poll);
        static_cast<void>(op);
    }
    timer.reset();
    io.reset();
}

BOOST_AUTO_TEST_CASE(everything_then_unawaited_op) {
    auto io = std::make_unique<asio::io_context>();
    auto timer = std::make_unique<asio::steady_timer>(*io, 24h);
    auto sockets = std::make_unique<tcp_pair>(io->get_executor());
    std::array<char, 4> data{};
    auto wait = timer->async_wait(use_poll);
    auto read = asio::async_read(sockets->here, asio::buffer(data), use_poll);
    timer.reset();
    sockets.reset();
    io.reset();
    hand h;
    BOOST_TEST(h.poll_cancel(wait).is_ready());
    static_cast<void>(read);
}

// In flight, polled by hand, and owned by nobody else.
BOOST_AUTO_TEST_CASE(op_then_object_then_io_context) {
    auto io = std::make_unique<asio::io_context>();
    auto timer = std::make_unique<asio::steady_timer>(*io, 24h);
    {
        auto op = timer->async_wait(use_poll);
        BOOST_TEST(poll_once(op).is_pending());
    }
    timer.reset();
    io.reset();
}

BOOST_AUTO_TEST_CASE(b68_object_then_io_context_then_op) {
    auto io = std::make_unique<asio::io_context>();
    auto timer = std::make_unique<asio::steady_timer>(*io, 24h);
    hand h;
    auto op = timer->async_wait(use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    timer.reset();
    io.reset();  // the completion is destroyed undelivered; the op is told before it is dropped
    BOOST_CHECK_EXCEPTION(static_cast<void>(h.poll(op)), boost::system::system_error,
                          is_operation_aborted);
}

BOOST_AUTO_TEST_SUITE_END()
