// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A program that uses Rouse from outside: what crosses the boundary of the library is a pool, an
// operation of Asio on it, and exceptions in both directions.

#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <iostream>
#include <rouse.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace asio = boost::asio;

namespace {

rouse::task<int> after_a_timer(rouse::thread_pool& pool) {
    asio::steady_timer timer(pool, std::chrono::milliseconds(1));
    co_await timer.async_wait(rouse::use_poll);
    co_return 42;
}

rouse::task<> for_ever(rouse::thread_pool& pool) {
    asio::steady_timer timer(pool, asio::steady_timer::time_point::max());
    co_await timer.async_wait(rouse::use_poll);
}

rouse::task<> throws() {
    throw std::out_of_range("thrown by the program");
    co_return;
}

int failures = 0;

void check(bool good, char const* what) {
    if (good) return;
    std::cout << "FAILED: " << what << '\n';
    ++failures;
}

}  // namespace

int main() {
    std::cout << "rouse " << ROUSE_VERSION_STRING << '\n';
    check(rouse::block_on(rouse::ready_future(42)) == 42, "block_on");

    rouse::thread_pool pool(2);
    check(rouse::block_on(rouse::spawn(pool, after_a_timer(pool))) == 42, "a timer on the pool");

    // The library's own exception, thrown inside of it.
    rouse::join_handle<> waits = rouse::spawn(pool, for_ever(pool));
    waits.abort();
    try {
        rouse::block_on(std::move(waits));
        check(false, "an aborted task gives a value");
    } catch (boost::system::system_error const& e) {
        check(e.code() == rouse::errc::aborted, "errc::aborted");
        check(e.code() == boost::system::errc::operation_canceled, "operation_canceled");
        check(std::string(e.code().category().name()) == "rouse", "the category's name");
    }

    // The program's own, on its way through the library.
    try {
        rouse::block_on(rouse::spawn(pool, throws()));
        check(false, "a task that throws gives a value");
    } catch (std::out_of_range const& e) {
        check(std::string(e.what()) == "thrown by the program", "what was thrown");
    }

    pool.stop();
    pool.join();
    return failures == 0 ? 0 : 1;
}
