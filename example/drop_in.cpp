// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// One program for Asio, drop_in_program.hpp, on three pools. What differs stands between the marks.

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <iostream>
#include <rouse.hpp>
#include <string>
#include <thread>

#include "command_line.hpp"
#include "drop_in_program.hpp"

namespace asio = boost::asio;

void on_asio(unsigned workers) {
    // [asio]
    asio::thread_pool pool(workers);
    // [/asio]
    drop_in::program(pool, std::cout);
}

void on_rouse(unsigned workers) {
    // [rouse]
    rouse::thread_pool pool(workers);
    // [/rouse]
    drop_in::program(pool, std::cout);
}

// An application that has an event loop already, which it goes on running itself.
void on_io(unsigned workers) {
    asio::io_context io;
    auto work = asio::make_work_guard(io);
    std::jthread loop([&io] { io.run(); });
    {
        // [io]
        rouse::thread_pool pool(io, workers);
        // [/io]
        drop_in::program(pool, std::cout);
    }
    work.reset();
}

int main(int argc, char** argv) {
    namespace options = command_line::options;
    std::string where;
    int workers = 0;
    options::options_description all("Options");
    all.add_options()  //
        ("on", options::value(&where)->value_name("POOL")->default_value("rouse"),
         "asio: on asio::thread_pool; rouse: on rouse::thread_pool; io: on a rouse::thread_pool "
         "that uses the io_context of the program")  //
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
            } else if (where == "io") {
                on_io(count);
            } else {
                throw command_line::usage_error("--on must be asio, rouse or io");
            }
        });
}
