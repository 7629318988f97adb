// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <exception>
#include <iostream>
#include <optional>
#include <rouse.hpp>
#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_guide_endings)

// The code of the guide's chapters on errors, and on aborting and cancelling.

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

rouse::task<> forgotten() {
    std::string const why = "nobody waits for this";
    throw std::runtime_error(why);
    co_return;
}

int seen = 0;

BOOST_AUTO_TEST_CASE(an_exception_that_nobody_waits_for) {
    asio::io_context io;
    // [unhandled]
    auto const before =
        rouse::set_unhandled_handler([](std::exception_ptr, std::source_location spawned) {
            std::cerr << "a task spawned in line " << spawned.line() << " has failed\n";
            ++seen;
        });
    rouse::spawn_ok(io, forgotten());
    io.run();
    // [/unhandled]
    rouse::set_unhandled_handler(before);
    BOOST_TEST(seen == 1);
}

struct at_end {
    explicit at_end(bool& f) : flag(f) {}
    at_end(at_end const&) = delete;
    at_end& operator=(at_end const&) = delete;
    ~at_end() { flag = true; }
    bool& flag;
};

// [sleeper]
rouse::task<> sleeper(asio::io_context& io, bool& ended) {
    at_end const mark(ended);
    asio::steady_timer timer(io, 24h);
    co_await timer.async_wait(rouse::use_poll);
}
// [/sleeper]

BOOST_AUTO_TEST_CASE(an_aborted_task) {
    bool ended = false, asked = false;
    asio::io_context io;
    // [abort]
    auto handle = rouse::spawn(io, sleeper(io, ended));
    io.poll();       // the task runs, and waits for its timer
    handle.abort();  // from any thread; returns at once
    io.run();        // the timer is told to stop, and then the coroutine is destroyed
    BOOST_TEST(ended);
    try {
        rouse::block_on(std::move(handle));
    } catch (boost::system::system_error const& e) {
        asked = e.code() == rouse::errc::aborted;
    }
    // [/abort]
    BOOST_TEST(asked);
}

BOOST_AUTO_TEST_CASE(a_dropped_handle_aborts_and_a_detached_one_does_not) {
    bool dropped = false, detached = false;  // outlive the context, and so its tasks
    asio::io_context io;
    // [drop]
    std::optional kept(rouse::spawn(io, sleeper(io, dropped)));
    rouse::spawn(io, sleeper(io, detached)).detach();  // runs on by itself
    io.poll();
    kept.reset();  // the task is aborted
    io.poll();
    // [/drop]
    BOOST_TEST(dropped);
    BOOST_TEST(!detached);
}

// A future that asks its own task to stop, and a loop that notices.
auto cancel_this_task() {
    return rouse::poll_fn([](rouse::context& cx) -> rouse::poll_result<void> {
        cx.cancellation().request(rouse::cancellation_type::terminal);
        return rouse::ready();
    });
}

rouse::task<std::string> cancelled(asio::io_context& io) {
    std::string said = "not cancelled";
    asio::steady_timer timer(io, 24h);
    co_await cancel_this_task();
    auto const waited = co_await timer.async_wait(rouse::as_result(rouse::use_poll));
    if (waited.has_error() && waited.error() == asio::error::operation_aborted)
        said = "cancelled, and still running";
    co_return said;
}

BOOST_AUTO_TEST_CASE(a_cancelled_task_decides_itself) {
    asio::io_context io;
    auto handle = rouse::spawn(io, cancelled(io));
    io.run();
    BOOST_TEST(rouse::block_on(std::move(handle)) == "cancelled, and still running");
}

BOOST_AUTO_TEST_CASE(a_context_that_is_destroyed_aborts_its_tasks) {
    // [shutdown]
    bool ended = false;
    std::optional<rouse::join_handle<void>> handle;
    {
        asio::io_context io;
        handle = rouse::spawn(io, sleeper(io, ended));
        io.poll();
    }  // the timer and the task die here
    BOOST_TEST(ended);
    BOOST_CHECK_THROW(rouse::block_on(*std::move(handle)), boost::system::system_error);
    // [/shutdown]
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
