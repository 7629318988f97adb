// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Two traces of one thread that runs an io_context.
//
// The first follows a task that reads from a socket through the four steps of any I/O-bound
// process: running, waiting, ready, running; another task has the thread while it waits. The second
// shows in which order the event loop runs what it is given: what has begun runs to its next await,
// the rest queues. With --times each line says when.

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iomanip>
#include <iostream>
#include <map>
#include <optional>
#include <rouse.hpp>
#include <string>
#include <utility>

#include "command_line.hpp"

namespace asio = boost::asio;
using asio::ip::tcp;

std::optional<std::chrono::steady_clock::time_point> start;  // if times are wanted

// Begins a line of a trace.
std::ostream& say() {
    if (start) {
        std::chrono::duration<double, std::milli> const passed =
            std::chrono::steady_clock::now() - *start;
        std::cout << std::fixed << std::setprecision(3) << std::setw(9) << passed.count()
                  << " ms  ";
    }
    return std::cout;
}

// An executor that says what becomes of its tasks. Its ready queue is that of an io_context; its
// waiting tasks are in no queue: their wakers know them.
class traced_executor final : public rouse::scheduler {
public:
    explicit traced_executor(asio::io_context& context) : context_(context) {}

    template <rouse::spawnable X>
    void spawn(std::string name, X&& x) {
        auto task = rouse::make_detached_task(*this, std::forward<X>(x));
        names_[task.id()] = std::move(name);
        schedule(std::move(task), rouse::schedule_reason::spawned);
    }

    void schedule(rouse::runnable task, rouse::schedule_reason) noexcept override {
        auto const id = task.id();
        trace(id, "is ready");
        asio::post(context_, [this, id, task = std::move(task)]() mutable {
            trace(id, "is running");
            ended_ = false;
            std::move(task).run();
            trace(id, ended_ ? "has ended" : "is waiting");
        });
    }
    void task_done(rouse::task_header&) noexcept override { ended_ = true; }

private:
    void trace(std::uint64_t id, char const* what) {
        say() << "  " << names_[id] << ' ' << what << '\n';
    }

    asio::io_context& context_;
    std::map<std::uint64_t, std::string> names_;
    bool ended_ = false;
};

rouse::task<> read_greeting(tcp::socket socket) {
    std::string text(16, '\0');
    say() << "    (it reads, and nothing is there)\n";
    auto const n = co_await socket.async_read_some(asio::buffer(text), rouse::use_poll);
    say() << "    (it has got \"" << text.substr(0, n) << "\")\n";
}

rouse::task<> send_greeting(tcp::socket socket) {
    std::string const text = "hello";
    say() << "    (the thread is free for it: it sends \"" << text << "\")\n";
    asio::write(socket, asio::buffer(text));
    co_return;
}

void trace_an_io_bound_task() {
    asio::io_context context;
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
    tcp::socket near(context), far(context);
    near.connect(acceptor.local_endpoint());
    acceptor.accept(far);

    traced_executor executor(context);
    executor.spawn("reader", read_greeting(std::move(near)));
    executor.spawn("sender", send_greeting(std::move(far)));
    context.run();
}

rouse::task<std::string> in_two_parts() {
    std::string const value = "its value";
    say() << "  3 the task: its part before the await\n";
    co_await rouse::this_task::yield_now();
    say() << "  5 the task: its part after the await\n";
    co_return value;
}

void trace_the_event_loop() {
    asio::io_context context;
    asio::post(context, [&] {
        say() << "  1 a function begins, and spawns a task\n";
        rouse::spawn(context, in_two_parts(), [](std::exception_ptr, std::string value) {
            say() << "  6 the completion handler is called with " << value << '\n';
        });
        asio::post(context, [] { say() << "  4 a function that was queued meanwhile\n"; });
        say() << "  2 the function ends: what runs is never interrupted\n";
    });
    context.run();
}

int main(int argc, char** argv) {
    namespace options = command_line::options;
    options::options_description all("Options");
    all.add_options()("times", "begin each line with the milliseconds since the start");
    return command_line::run(argc, argv, "Shows how tasks and an event loop share one thread.", all,
                             [](auto const& given) {
                                 if (given.count("times")) start = std::chrono::steady_clock::now();
                                 say() << "The life of a task that reads from a socket:\n";
                                 trace_an_io_bound_task();
                                 say() << "The order of the event loop:\n";
                                 trace_the_event_loop();
                             });
}
