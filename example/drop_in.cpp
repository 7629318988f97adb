// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// One program for Asio, drop_in_program.hpp: on asio::thread_pool and on rouse::thread_pool, and on the
// threads of an io_context and on a pool that uses it. What differs stands between the marks.

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <iostream>
#include <rouse.hpp>
#include <string>
#include <thread>
#include <vector>

#include "command_line.hpp"
#include "drop_in_program.hpp"

namespace asio = boost::asio;

void on_asio(unsigned workers) {
    // [asio]
    asio::thread_pool pool(workers);
    // [/asio]
    drop_in::program(pool, pool.get_executor(), std::cout);
    pool.join();
}

void on_rouse(unsigned workers) {
    // [rouse]
    rouse::thread_pool pool(workers);
    // [/rouse]
    drop_in::program(pool, pool.get_executor(), std::cout);
    pool.join();
}

// An application that has an event loop, which it runs itself on threads of its own.
class application {
public:
    explicit application(unsigned threads) {
        for (unsigned n = 0; n != threads; ++n) threads_.emplace_back([this] { io_.run(); });
    }
    ~application() { work_.reset(); }

    asio::io_context& io() { return io_; }

private:
    asio::io_context io_;
    asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
    std::vector<std::jthread> threads_;
};

void on_io_context(unsigned workers) {
    application all(workers);
    // [io_context]
    auto const executor = all.io().get_executor();
    // [/io_context]
    drop_in::program(executor, executor, std::cout);
}

void on_pool_of_io_context(unsigned workers) {
    application all(workers);
    // [io]
    rouse::thread_pool pool(all.io(), workers);
    auto const executor = pool.get_executor();
    // [/io]
    drop_in::program(executor, executor, std::cout);
}

int main(int argc, char** argv) {
    namespace options = command_line::options;
    std::string where;
    int workers = 0;
    options::options_description all("Options");
    all.add_options()  //
        ("on", options::value(&where)->value_name("POOL")->default_value("rouse"),
         "asio: on asio::thread_pool; rouse: on rouse::thread_pool; io_context: on threads that run "
         "an io_context; io: on a rouse::thread_pool that uses such an io_context")  //
        ("workers", options::value(&workers)->value_name("N")->default_value(4),
         "how many threads, from 1 to 1000");
    return command_line::run(
        argc, argv, "Runs one program for Asio on a pool, and prints what it has counted.", all,
        [&](auto const&) {
            if (workers < 1 || workers > 1000)
                throw command_line::usage_error("--workers must be from 1 to 1000");
            auto const count = static_cast<unsigned>(workers);
            if (where == "asio") {
                on_asio(count);
            } else if (where == "rouse") {
                on_rouse(count);
            } else if (where == "io_context") {
                on_io_context(count);
            } else if (where == "io") {
                on_pool_of_io_context(count);
            } else {
                throw command_line::usage_error("--on must be asio, rouse, io_context or io");
            }
        });
}
