// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Rules whose breach cannot be told by an exception end the program, with a sentence that names
// the rule. Each is broken here in a child process.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <rouse/atomic_waker.hpp>
#include <rouse/make_task.hpp>
#include <rouse/task.hpp>
#include <stdexcept>
#include <string>
#include <support/unit_kit.hpp>

using rouse::context;
using rouse::pending;
using rouse::poll_result;
using rouse::task;
using namespace rouse_test;

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

task<> waits() { co_await rouse::pending_future<>(); }

}  // namespace

BOOST_AUTO_TEST_CASE(a_child_that_does_nothing_wrong_ends_well) {
    auto const d = death_of([] {});
    BOOST_TEST(!d.aborted);
    BOOST_TEST(d.said.empty());
}

BOOST_AUTO_TEST_CASE(b22_a_task_that_moves_after_its_first_poll_terminates) {
    check(death_of([] {
              task<> t = waits();
              (void)poll_once(t);
              task<> moved = std::move(t);
          }),
          "rouse: a task was moved after its first poll");
    check(death_of([] {
              task<> t = waits();
              (void)poll_once(t);
              task<> other = waits();
              other = std::move(t);
          }),
          "rouse: a task was moved after its first poll");
}

BOOST_AUTO_TEST_CASE(b22_a_task_that_moves_while_another_awaits_it_terminates) {
    check(death_of([] {
              task<> child = waits();
              auto body = [](task<>& named) -> task<> { co_await named; };
              task<> parent = body(child);
              (void)poll_once(parent);
              task<> moved = std::move(child);
          }),
          "rouse: a task was moved after its first poll");
}

BOOST_AUTO_TEST_CASE(b14_a_wake_function_that_throws_terminates) {
    static constexpr rouse::waker_vtable throwing{
        [](void* d) { return d; }, [](void*) { throw std::runtime_error("no"); },
        [](void*) { throw std::runtime_error("no"); }, [](void*) {}, "throwing"};
    char const* const sentence = "rouse: a waker's wake function threw an exception";
    check(death_of([] {
              int data = 0;
              rouse::waker w(&data, throwing);
              w.wake_by_ref();
          }),
          sentence);
    check(death_of([] {
              int data = 0;
              rouse::waker w(&data, throwing);
              std::move(w).wake();
          }),
          sentence);
    check(death_of([] {
              int data = 0;
              rouse::waker w(&data, throwing);
              rouse::atomic_waker slot;
              slot.register_waker(w);
              slot.wake();
          }),
          sentence);
}

BOOST_AUTO_TEST_CASE(b15_the_count_of_references_near_its_end_terminates_before_it_wraps) {
    check(death_of([] {
              rouse::detail::task_state s(true);
              s.set_references((std::uint64_t{1} << 63) / 256);
              s.retain();
          }),
          "rouse: a task has more wakers than can be counted");
    auto const d = death_of([] {
        rouse::detail::task_state s(true);
        s.set_references((std::uint64_t{1} << 63) / 256 - 1);
        s.retain();  // the last that is good
    });
    BOOST_TEST(!d.aborted);
}

BOOST_AUTO_TEST_CASE(b15_a_clone_of_a_tasks_waker_goes_through_that_check) {
    check(death_of([] {
              hand_executor ex;
              gate g;
              auto handle = ex.spawn(gate_future(g));
              ex.run_all();
              static_cast<rouse::detail::task_header*>(g.waiting.data())
                  ->state.set_references((std::uint64_t{1} << 63) / 256);
              rouse::waker copy = g.waiting;
          }),
          "rouse: a task has more wakers than can be counted");
}

BOOST_AUTO_TEST_CASE(b25_a_handler_of_unhandled_exceptions_that_throws_terminates) {
    check(death_of([] {
              rouse::set_unhandled_handler(
                  [](std::exception_ptr e, std::source_location) { std::rethrow_exception(e); });
              rouse::report_unhandled(std::make_exception_ptr(1), std::source_location::current());
          }),
          "rouse: the handler of unhandled exceptions threw one");
}

BOOST_AUTO_TEST_CASE(b25_the_first_handler_prints_one_line_with_the_place) {
    auto const line = std::source_location::current().line() + 2;
    auto const d = death_of([] {
        auto const here = std::source_location::current();
        rouse::report_unhandled(std::make_exception_ptr(std::runtime_error("the reason")), here);
    });
    BOOST_TEST(!d.aborted);
    BOOST_TEST(d.said.find("rouse: unhandled exception in a task spawned at ") == 0U);
    BOOST_TEST(d.said.find("deaths.cpp:" + std::to_string(line) + ": the reason\n") !=
               std::string::npos);
    auto const other = death_of([] {
        rouse::set_unhandled_handler([](std::exception_ptr, std::source_location) {});
        rouse::set_unhandled_handler(nullptr);  // the first one again
        rouse::report_unhandled(std::make_exception_ptr(1), std::source_location::current());
    });
    BOOST_TEST(other.said.find("an exception that is not a std::exception\n") != std::string::npos);
}
