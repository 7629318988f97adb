// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_UNIT_TASK_HPP
#define ROUSE_TEST_SUPPORT_UNIT_TASK_HPP

#include <support/unit_kit.hpp>

#include <boost/system/system_error.hpp>
#include <rouse/error.hpp>
#include <rouse/future.hpp>
#include <rouse/join_handle.hpp>
#include <rouse/task.hpp>

// What the tests of tasks (test/unit/task*.cpp) share: what tasks wait for or throw, and what the
// tests ask of a task.

namespace rouse_test {

// Pending for ever; each poll does what the test says.
template <class F>
auto never(F each_poll) {
    return rouse::poll_fn([each_poll](rouse::context& cx) mutable -> rouse::poll_result<void> {
        each_poll(cx);
        return rouse::pending;
    });
}

template <class T>
bool is_aborted(rouse::join_handle<T>& handle) {
    try {
        (void)poll_once(handle);
    } catch (boost::system::system_error const& e) {
        return e.code() == rouse::errc::aborted;
    }
    return false;
}

// Pending `n` times, waking itself, then ready with how often it was polled.
class pending_times {
public:
    explicit pending_times(int n) : left_(n) {}
    rouse::poll_result<int> poll(rouse::context& cx) {
        ++polls_;
        if (left_-- == 0) return polls_;
        cx.waker().wake_by_ref();
        return rouse::pending;
    }

private:
    int left_;
    int polls_ = 0;
};

template <class F>
auto poll_to_the_end(F& f, int limit = 1000) {
    for (;;) {
        auto r = poll_once(f);
        if (r.is_ready() || limit-- == 0) return r;
    }
}

inline rouse::task<int> seven(int& starts) {
    ++starts;
    co_return 7;
}

// Not derived from std::exception.
struct not_an_exception {
    int value;
};

}  // namespace rouse_test

#endif
