// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_CANCEL_TRIAL_HPP
#define ROUSE_TEST_SUPPORT_CANCEL_TRIAL_HPP

#include <support/cancel_bench.hpp>

#include <functional>
#include <optional>
#include <rouse/any_future.hpp>
#include <rouse/join_handle.hpp>
#include <rouse/make_task.hpp>
#include <rouse/task.hpp>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// One future of the table of futures (cancel_table.hpp), ended in one way.

namespace rouse_test {

// What a row's future does when its task is cancelled.
enum class reaction {
    ends,     // it completes soon, without anybody's help
    waits,    // it hears of it, and waits for others that do not
    ignores,  // it goes on as if nothing was said
};

// When something that was produced, a value or an exception, may be gone afterwards: what the
// documentation says is lost.
enum loses : unsigned {
    nothing = 0,
    when_aborted = 1,
    when_failing = 2,  // if the result is an exception
    always = 4,
};

struct expectation {
    int polls;  // that it takes, if nobody ends it
    reaction cancelled = reaction::ends;
    unsigned lost = loses::nothing;
    bool leaves = false;      // what it refers to lives on, and is dropped in flight by the test
    bool needs_task = false;  // it cannot be polled by hand
    std::function<std::string(bench&)> afterwards = {};  // what else is wrong, if anything
};

// Nothing makes it complete.
inline constexpr int for_ever = 8;

// The result of any future, kept alive.
using kept = std::shared_ptr<void>;

template <rouse::future F>
class keeping {
    using output = rouse::output_t<F>;

public:
    explicit keeping(F f) : future_(std::move(f)) {}

    rouse::poll_result<kept> poll(rouse::context& cx) {
        auto polled = future_.poll(cx);
        if (polled.is_pending()) return rouse::pending;
        if constexpr (std::is_void_v<output>) {
            return kept();
        } else {
            return kept(std::make_shared<output>(std::move(polled).value()));
        }
    }
    rouse::cancel_result<kept> poll_cancel(rouse::context& cx) {
        auto released = rouse::detail::cancel(future_, cx);
        if (released.is_pending()) return rouse::pending;
        if (!released.value()) return std::optional<kept>();
        if constexpr (std::is_void_v<output>) {
            return std::optional<kept>(kept());
        } else {
            return std::optional<kept>(std::make_shared<output>(*std::move(released).value()));
        }
    }

private:
    F future_;
};

enum class host { by_hand, with_budget_of_one, awaited, spawned };
enum class way { drop, abort, cancel, drop_in_abort, abort_in_cancel, executor_ends };

inline constexpr char const* names_of_hosts[] = {"by hand", "with a budget of one", "awaited",
                                                 "spawned"};
inline constexpr char const* names_of_ways[] = {"dropped",
                                                "aborted",
                                                "cancelled",
                                                "dropped while it is aborted",
                                                "cancelled and aborted",
                                                "executor destroyed"};
inline constexpr char const* names_of_releases[] = {"at once", "slowly", "completed", "failed"};

using maker = std::function<rouse::any_future<kept>(bench&)>;

// One future, ended in one way after so many polls.
class trial {
public:
    trial(expectation const& what, host where, way how, release r, int polls)
        : what_(what), where_(where), how_(how), polls_(polls), b_(r) {}

    // True if it completed before.
    bool run(maker const& make);

    std::vector<std::string> complaints{};

private:
    void complain(std::string const& text) {
        std::ostringstream all;
        all << names_of_hosts[static_cast<int>(where_)] << ", "
            << names_of_ways[static_cast<int>(how_)] << " after " << polls_ << " polls, lets go "
            << names_of_releases[static_cast<int>(b_.how)] << ": " << text;
        complaints.push_back(all.str());
    }

    void place(maker const& make);
    bool poll() {
        return attempt([&] {
            auto polled = b_.with_context([&](rouse::context& cx) { return future_->poll(cx); });
            if (polled.is_pending()) return false;
            value_ = std::move(polled).value();
            return true;
        });
    }
    bool poll_cancel() {
        return attempt([&] {
            auto polled =
                b_.with_context([&](rouse::context& cx) { return future_->poll_cancel(cx); });
            if (polled.is_pending()) return false;
            if (polled.value()) value_ = *std::move(polled).value();
            return true;
        });
    }
    template <class Attempt>
    bool attempt(Attempt a) {
        try {
            return a();
        } catch (...) {
            error_ = std::current_exception();
        }
        return true;
    }

    bool is_dropped() const {
        return how_ == way::drop || how_ == way::drop_in_abort || how_ == way::executor_ends;
    }
    bool is_aborted() const { return how_ == way::abort || how_ == way::abort_in_cancel; }
    bool is_cancelled() const { return how_ == way::cancel || how_ == way::abort_in_cancel; }

    void request() {
        cancellation_->request(rouse::cancellation_type::terminal);
        task_.wake_by_ref();
        b_.settle();
    }
    void end_it();
    template <class Poll>
    bool drive(Poll poll_it, bool feed);
    void check_result(bool told);
    void check_left(bool dropped);

    expectation const& what_;
    host where_;
    way how_;
    int polls_;
    bench b_;
    rouse::cancellation_state* cancellation_ = nullptr;
    rouse::waker task_{};
    std::optional<rouse::any_future<kept>> future_{};
    kept value_{};
    std::exception_ptr error_{};
};

inline rouse::task<kept> awaiting(rouse::any_future<kept> f) { co_return co_await std::move(f); }

inline void trial::place(maker const& make) {
    cancellation_ = &b_.cancellation;
    auto f = make(b_);
    if (where_ == host::with_budget_of_one) b_.budget = 1;
    if (where_ == host::by_hand || where_ == host::with_budget_of_one) {
        future_.emplace(std::move(f));
    } else if (where_ == host::awaited) {
        future_.emplace(awaiting(std::move(f)));
    } else {
        auto halves = rouse::make_task(b_.executor, std::move(f));
        auto& task = *halves.runnable.get();
        cancellation_ = &task.cancellation;
        task_ = rouse::detail::waker_of(task);
        b_.executor.schedule(std::move(halves.runnable), rouse::schedule_reason::spawned);
        future_.emplace(std::move(halves.handle));
    }
}

inline bool trial::run(maker const& make) {
    place(make);
    bool ready = false;
    for (int n = 0; n < polls_ && !ready; ++n) {
        ready = poll();
        if (!ready) b_.step();
    }
    if (!ready) end_it();
    bool const told = !ready;
    bool const dropped = told && is_dropped();
    if (!dropped) check_result(told);
    task_ = {};
    future_.reset();
    b_.settle();
    if (b_.timers() != 0) complain("timers are left");
    unsigned const lost = b_.lost();
    bool const may_lose =
        dropped || (what_.lost & loses::always) ||
        (told && is_aborted() && (what_.lost & loses::when_aborted)) ||
        (told && is_aborted() && where_ == host::awaited) ||  // as documented of a task
        (error_ && (what_.lost & loses::when_failing));
    if (lost && !may_lose) complain(std::to_string(lost) + " results were lost");
    check_left(dropped);
    return ready;
}

// Polls until it is ready, as often as somebody wakes it.
template <class Poll>
bool trial::drive(Poll poll_it, bool feed) {
    for (int n = 0; n < 50; ++n) {
        b_.woken();
        if (poll_it()) return true;
        if (feed) b_.step();
        b_.settle();
        if (!b_.woken() && !feed) {
            complain("nobody wakes it");
            return false;
        }
    }
    return false;
}

inline void trial::end_it() {
    switch (how_) {
        case way::drop: future_.reset(); return;
        case way::drop_in_abort:
            poll_cancel();
            future_.reset();
            return;
        case way::executor_ends:
            b_.executor.drops = true;
            future_.reset();
            b_.executor.drop_all();
            return;
        case way::abort:
            if (!drive([&] { return poll_cancel(); }, false)) complain("the abort does not end");
            return;
        case way::abort_in_cancel:
            request();
            if (!poll() && !drive([&] { return poll_cancel(); }, false))
                complain("the abort does not end");
            return;
        case way::cancel:
            request();
            bool const ended = drive([&] { return poll(); }, what_.cancelled != reaction::ends);
            bool const should = what_.cancelled == reaction::ends || what_.polls != for_ever;
            if (ended != should) complain(ended ? "it ends" : "it does not end");
            return;
    }
}

inline void trial::check_result(bool told) {
    if (!error_) return;
    auto const is = [&](auto code) {
        try {
            std::rethrow_exception(error_);
        } catch (boost::system::system_error const& e) {
            return e.code() == code;
        } catch (...) {
            return false;
        }
    };
    bool const expected = is_failure(error_) || is(rouse::errc::timed_out) ||
                          (told && is_cancelled() &&
                           (is(boost::asio::error::operation_aborted) || is(rouse::errc::aborted)));
    if (!expected) complain("it throws " + std::string(what_of(error_)));
    if (told && is_cancelled() && what_.cancelled == reaction::ignores &&
        is(boost::asio::error::operation_aborted))
        complain("the cancellation has reached it");
}

inline void trial::check_left(bool dropped) {
    if (b_.dropped_in_flight() && !dropped && !what_.leaves)
        complain("something was dropped in flight");
    if (what_.afterwards) {
        if (auto text = what_.afterwards(b_); !text.empty()) complain(text);
    }
    value_.reset();
    error_ = nullptr;
    b_.outside = nullptr;
    b_.let_die();
    if (b_.dropped_in_flight() && !dropped && !what_.leaves)
        complain("something is in flight in the end");
    b_.forget_wakers();
    if (b_.timers() != 0) complain("timers are left");
    if (b_.wakes.live != 1) complain("wakers are left");
    if (b_.executor.queued() != 0) complain("tasks are left");
    // What nobody waits for any more is reported, and so not lost.
    if (b_.reported() && !dropped) complain("an exception was reported");
    b_.forget_reports();
    if (b_.book.made != b_.book.died) complain("objects are left, or have died twice");
}

}  // namespace rouse_test

#endif
