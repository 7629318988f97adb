// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// One I/O operation, three times: a future that waits until an I/O event loop has something for it,
// and the task that prints what it gives. The first two wait for a thread that sleeps; they stand
// in io_operation.hpp.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <rouse.hpp>
#include <string>
#include <utility>

#include "command_line.hpp"
#include "io_operation.hpp"

namespace asio = boost::asio;

// Where the tasks run: everything else here is the same on any executor of Asio's.
using runtime = rouse::thread_pool;

// The same with an event loop that is real: Asio's.
namespace with_asio {

// [asio]
rouse::task<std::string> io_operation(asio::any_io_executor ex, seconds delay) {
    asio::steady_timer timer(ex, std::chrono::duration_cast<std::chrono::nanoseconds>(delay));
    co_await timer.async_wait(rouse::use_poll);
    co_return "I/O Operation completed!";
}
// [/asio]

}  // namespace with_asio

// [print_result]
template <rouse::future Operation>
rouse::task<> print_result(Operation operation) {
    std::string const result = co_await operation;
    std::cout << "Result: " << result << std::endl;
}
// [/print_result]

void run(std::string const& variant, seconds delay) {
    runtime rt;
    if (variant == "literal") {
        auto state = std::make_shared<literal::shared_state>();
        auto task = rouse::spawn(rt.get_executor(), print_result(literal::io_operation(state)));
        literal::simulate_io_event_loop(state, delay);
        rouse::block_on(std::move(task));
    } else if (variant == "correct") {
        // [main]
        auto state = std::make_shared<correct::shared_state>();
        auto task = rouse::spawn(rt.get_executor(), print_result(correct::io_operation(state)));
        correct::simulate_io_event_loop(state, delay);
        rouse::block_on(std::move(task));
        // [/main]
    } else {
        auto operation = with_asio::io_operation(rt.get_executor(), delay);
        rouse::block_on(rouse::spawn(rt.get_executor(), print_result(std::move(operation))));
    }
}

int main(int argc, char** argv) {
    namespace options = command_line::options;
    std::string variant;
    double delay = 0;
    options::options_description all("Options");
    all.add_options()  //
        ("delay", options::value(&delay)->value_name("SECONDS")->default_value(5),
         "how long the I/O takes, from 0 to 86400; fractions are allowed")  //
        ("variant", options::value(&variant)->value_name("NAME")->default_value("correct"),
         "literal: the port with its faults; correct: without them; asio: with a timer of Asio's");
    return command_line::run(
        argc, argv, "Waits for one simulated I/O operation, and prints its result.", all,
        [&](auto const&) {
            if (!(delay >= 0 && delay <= 86400))
                throw command_line::usage_error("--delay must be from 0 to 86400 seconds");
            if (variant != "literal" && variant != "correct" && variant != "asio")
                throw command_line::usage_error("--variant must be literal, correct or asio");
            run(variant, seconds(delay));
        });
}
