// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Rules of the pool whose breach ends the program, with a sentence that names the rule. Each is
// broken here in a child process.

#include <support/pool_kit.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <rouse.hpp>
#include <stdexcept>
#include <string>

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::task;
using rouse::thread_pool;

namespace {

struct death {
    bool aborted = false;
    std::string said{};
};

// What a program that does this says on stderr, and whether it was aborted.
template <class F>
death death_of(F f) {
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::pipe(ends.data()) == 0);
    pid_t const child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);  // the test framework catches it
        rlimit const no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::alarm(60);
        ::dup2(ends[1], STDERR_FILENO);
        f();
        ::_exit(0);
    }
    ::close(ends[1]);
    death d;
    std::array<char, 512> buffer{};
    for (ssize_t n; (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
        d.said.append(buffer.data(), static_cast<std::size_t>(n));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    d.aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    return d;
}

void check(death const& d, char const* sentence) {
    BOOST_TEST(d.aborted);
    BOOST_TEST(d.said.find(sentence) != std::string::npos, "it said: " << d.said);
}

// Runs on a worker, in a task, a function, or a handler; the rest of the program waits.
template <class F>
void on_a_worker(int how, F f) {
    static thread_pool* pool = new thread_pool(2);
    static asio::steady_timer* timer = new asio::steady_timer(*pool, 1ms);
    auto const run = [f] { f(pool); };
    switch (how) {
        case 0: asio::post(*pool, run); break;
        case 1:
            rouse::spawn_ok(*pool, [run]() -> task<> {
                run();
                co_return;
            });
            break;
        case 2: timer->async_wait([run](auto) { run(); }); break;
        default:
            timer = new asio::steady_timer(pool->context(), 1ms);
            timer->async_wait([run](auto) { run(); });
            break;
    }
    for (;;) ::pause();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_pool_that_is_used_well_ends_well) {
    auto const d = death_of([] {
        thread_pool pool(2);
        asio::post(pool, [] {});
        pool.join();
    });
    BOOST_TEST(!d.aborted);
    BOOST_TEST(d.said.empty());
}

BOOST_AUTO_TEST_CASE(b56_join_on_an_own_worker_terminates) {
    for (int how = 0; how < 4; ++how) {
        check(death_of([how] { on_a_worker(how, [](thread_pool* pool) { pool->join(); }); }),
              "rouse: thread_pool::join was called by one of the pool's own workers");
        check(death_of([how] { on_a_worker(how, [](thread_pool* pool) { pool->wait(); }); }),
              "rouse: thread_pool::join was called by one of the pool's own workers");
    }
}

BOOST_AUTO_TEST_CASE(b56_shutdown_on_an_own_worker_terminates) {
    for (int how = 0; how < 4; ++how) {
        check(death_of([how] {
                  on_a_worker(how, [](thread_pool* pool) { (void)pool->shutdown(1s); });
              }),
              "rouse: thread_pool::shutdown was called by one of the pool's own workers");
    }
}

BOOST_AUTO_TEST_CASE(b56_the_destructor_on_an_own_worker_terminates) {
    for (int how = 0; how < 4; ++how) {
        check(death_of([how] { on_a_worker(how, [](thread_pool* pool) { delete pool; }); }),
              "rouse: a thread_pool was destroyed by one of its own workers");
    }
}

BOOST_AUTO_TEST_CASE(b56_the_destructor_on_a_worker_of_a_pool_on_the_applications_event_loop) {
    check(death_of([] {
              auto* io = new asio::io_context;
              auto* pool = new thread_pool(*io, 1);
              rouse::spawn_ok(*pool, [pool]() -> task<> {
                  delete pool;
                  co_return;
              });
              for (;;) ::pause();
          }),
          "rouse: a thread_pool was destroyed by one of its own workers");
}

BOOST_AUTO_TEST_CASE(an_io_context_that_dies_before_its_pool_terminates) {
    check(death_of([] {
              auto io = std::make_unique<asio::io_context>();
              thread_pool pool(*io, 2);
              io.reset();
          }),
          "rouse: an io_context was destroyed before the thread_pool that uses it");
    check(death_of([] {
              auto io = std::make_unique<asio::io_context>();
              thread_pool first(*io, 1);
              thread_pool second(*io, 1);
              first.join();
              io.reset();
          }),
          "rouse: an io_context was destroyed before the thread_pool that uses it");
}

BOOST_AUTO_TEST_CASE(an_io_context_that_dies_after_its_pools_is_fine) {
    auto const d = death_of([] {
        asio::io_context io;
        thread_pool(io, 1).join();
        thread_pool again(io, 2);
    });
    BOOST_TEST(!d.aborted);
    BOOST_TEST(d.said.empty());
}

BOOST_AUTO_TEST_CASE(b25_on_unhandled_exception_that_throws_terminates) {
    for (bool const in_task : {false, true}) {
        check(death_of([in_task] {
                  auto const pool = thread_pool::builder()
                                        .workers(1)
                                        .on_unhandled_exception([](auto, auto) { throw 1; })
                                        .build();
                  if (in_task) {
                      rouse::spawn_ok(*pool, []() -> task<> {
                          throw std::runtime_error("no");
                          co_return;
                      });
                  } else {
                      asio::post(*pool, [] { throw std::runtime_error("no"); });
                  }
                  pool->join();
              }),
              "rouse: on_unhandled_exception threw an exception");
    }
}

BOOST_AUTO_TEST_CASE(b25_by_default_an_unhandled_exception_is_one_line_on_stderr) {
    auto const d = death_of([] {
        thread_pool pool(1);
        rouse::spawn_ok(pool, []() -> task<> {
            throw std::runtime_error("lost");
            co_return;
        });
        pool.join();
    });
    BOOST_TEST(!d.aborted);
    BOOST_TEST(d.said.find("rouse: unhandled exception in a task spawned at ") == 0U, d.said);
    BOOST_TEST(d.said.find("pool_deaths.cpp:") != std::string::npos, d.said);
    BOOST_TEST(d.said.find(": lost\n") == d.said.size() - 7, d.said);
}

BOOST_AUTO_TEST_CASE(b25_the_line_about_a_function_names_no_place) {
    auto const d = death_of([] {
        thread_pool pool(1);
        asio::post(pool, [] { throw std::runtime_error("lost"); });
        pool.join();
    });
    BOOST_TEST(!d.aborted);
    BOOST_TEST(d.said == "rouse: unhandled exception in a function or a destructor: lost\n");
}
