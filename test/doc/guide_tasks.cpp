// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>
#include <rouse.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_guide_tasks)

// The code of the guide's chapter on tasks.

namespace {

namespace asio = boost::asio;

// [task]
rouse::task<int> twice(int x) {
    int const result = 2 * x;
    co_return result;
}

rouse::task<std::string> text_of(int x) {
    int const doubled = co_await twice(x);   // a task
    co_await rouse::this_task::yield_now();  // a future written by hand
    auto ending = rouse::ready_future(std::string(" times"));
    std::string const word = co_await ending;  // a named future, by reference
    co_return std::to_string(doubled) + word;
}
// [/task]

BOOST_AUTO_TEST_CASE(tasks_await_tasks) { BOOST_TEST(rouse::block_on(text_of(21)) == "42 times"); }

rouse::task<> fails() {
    std::string const why = "no";
    throw std::runtime_error(why);
    co_return;
}

// [exceptions]
rouse::task<std::string> careful() {
    std::string said;
    try {
        co_await fails();
    } catch (std::runtime_error const& e) {
        said = e.what();
    }
    co_return said;
}
// [/exceptions]

BOOST_AUTO_TEST_CASE(exceptions_arrive_where_the_task_is_awaited) {
    BOOST_TEST(rouse::block_on(careful()) == "no");
    BOOST_CHECK_THROW(rouse::block_on(fails()), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(a_lambda_as_a_task) {
    asio::io_context io;
    // [lambda]
    std::string greeting = "hello";
    auto handle = rouse::spawn(io, [greeting]() -> rouse::task<std::size_t> {
        co_await rouse::this_task::yield_now();
        co_return greeting.size();  // the capture is still there: the task owns the lambda
    });
    // [/lambda]
    io.run();
    BOOST_TEST(rouse::block_on(std::move(handle)) == 5U);
}

// [children]
rouse::task<int> sum_of_children(int n) {
    std::vector<rouse::join_handle<int>> children;
    for (int i = 0; i != n; ++i) children.push_back(rouse::this_task::spawn(twice(i)));
    int sum = 0;
    for (auto& child : children) {
        int const one = co_await child;
        sum += one;
    }
    co_return sum;
}
// [/children]

BOOST_AUTO_TEST_CASE(children_run_on_the_executor_of_their_parent) {
    asio::io_context io;
    auto handle = rouse::spawn(io, sum_of_children(10));
    io.run();
    BOOST_TEST(rouse::block_on(std::move(handle)) == 90);
}

// [recursion]
rouse::task<int> depth(int n) {
    int below = 0;
    if (n != 0) below = co_await depth(n - 1);
    co_return below + 1;
}
// [/recursion]

BOOST_AUTO_TEST_CASE(depth_uses_no_stack) {
    BOOST_TEST(rouse::block_on(depth(100'000)) == 100'001);
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
