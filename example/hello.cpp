// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The shortest program that shows something: two tasks on a thread pool, and a timer each.

// [hello]
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <iostream>
#include <rouse.hpp>

namespace asio = boost::asio;
using namespace std::chrono_literals;

rouse::task<int> half_of_answer(rouse::thread_pool& pool) {
    asio::steady_timer timer(pool, 100ms);
    co_await timer.async_wait(rouse::use_poll);  // any Asio operation is a future
    co_return 21;
}

rouse::task<> hello(rouse::thread_pool& pool) {
    rouse::join_handle<int> other = rouse::spawn(pool, half_of_answer(pool));  // starts by itself
    int const one = co_await half_of_answer(pool);                             // runs in this task
    int const two = co_await other;
    std::cout << "Hello: " << one + two << '\n';
}

int main() {
    rouse::thread_pool pool;  // workers; an idle one runs the event loop
    rouse::spawn(pool, hello(pool), asio::detached);
    pool.join();  // until nothing is left to do
}
// [/hello]
