// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_ASIO_HAND_HPP
#define ROUSE_TEST_SUPPORT_ASIO_HAND_HPP

#include <support/unit_kit.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <rouse/future.hpp>
#include <string>
#include <string_view>

// Operations polled by hand: every poll and every step of the event loop happens where the test
// says so.

namespace rouse_test {

namespace asio = boost::asio;

// Polls futures as a task would, with all that a task's context has but services.
class hand {
public:
    template <rouse::future F>
    auto poll(F& f) {
        return with_context([&](rouse::context& cx) { return f.poll(cx); });
    }
    template <rouse::future F>
    auto poll_cancel(F& f) {
        return with_context([&](rouse::context& cx) { return f.poll_cancel(cx); });
    }

    // Requests a cooperative cancellation.
    void cancel(rouse::cancellation_type type = rouse::cancellation_type::terminal) {
        cancellation.request(type);
    }

    // True if the future was woken since the last time.
    bool woken() { return wakes.wakes.exchange(0) != 0; }

    wake_counter wakes{};
    rouse::waker waker = wakes.make();
    rouse::cancellation_state cancellation{};
    rouse::detail::inbox_owner late_functions{};
    unsigned budget = rouse::poll_root::unlimited;
    bool requeued = false;  // by the last poll

private:
    template <class Function>
    auto with_context(Function function) {
        rouse::poll_root root;
        root.waker = &waker;
        root.cancellation = &cancellation;
        root.budget = budget;
        root.inbox = &late_functions;
        rouse::context cx(root);
        late_functions.run();
        auto result = function(cx);
        requeued = root.requeue;
        return result;
    }
};

// Runs everything that is ready.
inline void run_ready(asio::io_context& io) {
    if (io.stopped()) io.restart();
    io.poll();
}

// Polls until the future is ready, running the event loop in between.
template <rouse::future F>
auto finish(hand& h, asio::io_context& io, F& f) {
    for (;;) {
        auto polled = h.poll(f);
        if (polled.is_ready()) return std::move(polled).value();
        if (h.requeued) continue;
        if (io.stopped()) io.restart();
        io.run_one();
    }
}

// The same with poll_cancel.
template <rouse::future F>
auto finish_cancel(hand& h, asio::io_context& io, F& f) {
    for (;;) {
        auto polled = h.poll_cancel(f);
        if (polled.is_ready()) return std::move(polled).value();
        if (h.requeued) continue;
        if (io.stopped()) io.restart();
        io.run_one();
    }
}

// For BOOST_CHECK_EXCEPTION.
template <class Code>
auto with_code(Code code) {
    return [code](boost::system::system_error const& e) { return e.code() == code; };
}
// The whole text, behind the name of the library.
inline auto with_sentence(std::string_view sentence) {
    return [all = "rouse: " + std::string(sentence)](std::exception const& e) {
        return e.what() == all;
    };
}
inline auto const is_operation_aborted = with_code(asio::error::operation_aborted);

}  // namespace rouse_test

#endif
