// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#ifndef ROUSE_RETRY_HPP
#define ROUSE_RETRY_HPP

#include <chrono>
#include <exception>
#include <limits>
#include <optional>
#include <rouse/config.hpp>
#include <rouse/detail/timer.hpp>
#include <rouse/future.hpp>
#include <rouse/into_future.hpp>
#include <rouse/unhandled.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

// How often something is tried, and how long the pauses are.
//
//     rouse::backoff(100ms).times(2).at_most(10s).attempts(6).jitter(0.5)
//
// The first pause is as long as the constructor says, each later one so many times as long as the one
// before (`times`, default 2, at least 1), but none longer than `at_most` (default: one minute). Each
// is shortened by a random part of it, up to the fraction that `jitter` says (0 to 1, default 0.5), so
// that those who failed together do not come back together. `attempts` counts the first one too
// (at least 1, default 5). A value out of its range throws std::logic_error.
class ROUSE_DECL backoff {
public:
    using duration = std::chrono::steady_clock::duration;

    template <class Rep, class Period>
    explicit backoff(std::chrono::duration<Rep, Period> first) : next_(checked(detail::saturated(first))) {}

    backoff& times(double factor);
    template <class Rep, class Period>
    backoff& at_most(std::chrono::duration<Rep, Period> longest) {
        longest_ = checked(detail::saturated(longest));
        return *this;
    }
    backoff& attempts(unsigned most);
    backoff& jitter(double fraction);

    // One attempt has failed: how long to wait for the next; none: that was the last.
    std::optional<duration> next() noexcept;

private:
    static duration checked(duration d);

    duration next_;
    duration longest_ = std::chrono::minutes(1);
    double factor_ = 2;
    double jitter_ = 0.5;
    unsigned left_ = 5;
};

namespace detail {

struct retry_always {
    bool operator()(std::exception_ptr const& error) const noexcept { return !is_cancellation(error); }
};

// It alternates between two states: an attempt, and the pause after one that has failed.
template <class Factory, class Predicate>
class [[nodiscard]] retry_future {
    using attempt = into_future_t<std::invoke_result_t<Factory&>>;
    using output = output_t<attempt>;

public:
    retry_future(std::in_place_t, backoff pauses, Factory factory, Predicate again)
        : pauses_(std::move(pauses)), factory_(std::move(factory)), again_(std::move(again)) {}

    poll_result<output> poll(context& cx) {
        if (std::exchange(over_, true)) throw_misuse("a retry was polled after it was ready");
        auto polled = go_on(cx);
        over_ = polled.is_ready();
        return polled;
    }

    // In a pause nothing is in flight; the failure before it is lost.
    cancel_result<output> poll_cancel(context& cx) {
        if (over_ || !attempt_) return typename cancel_value<output>::type{};
        return detail::cancel(*attempt_, cx);
    }

private:
    poll_result<output> go_on(context& cx) {
        for (;;) {
            if (pausing_ && !pause_.poll(cx)) {
                // A task that is cancelled does not wait for another attempt.
                if (cx.cancellation().requested() == cancellation_type::none) return pending;
                pause_.stop();
                std::rethrow_exception(std::exchange(error_, nullptr));
            }
            if (pausing_ && cx.cancellation().requested() != cancellation_type::none)
                std::rethrow_exception(std::exchange(error_, nullptr));
            if (pausing_ && !cx.spend()) return pending;  // pauses may be nothing
            pausing_ = false;
            try {
                if (!attempt_) attempt_.emplace(rouse::into_future(factory_()));
                return attempt_->poll(cx);
            } catch (...) {
                error_ = std::current_exception();
            }
            attempt_.reset();
            auto const pause = again_(std::as_const(error_)) ? pauses_.next() : std::nullopt;
            if (!pause) std::rethrow_exception(std::exchange(error_, nullptr));
            pause_.reset(*pause);
            pausing_ = true;
        }
    }

    backoff pauses_;
    Factory factory_;  // lives as long as the futures that it has returned
    Predicate again_;
    std::optional<attempt> attempt_;
    timer pause_ = timer::at({});
    bool pausing_ = false;
    bool over_ = false;
    std::exception_ptr error_;
};

}  // namespace detail

// Tries again what has failed.
//
//     auto page = co_await rouse::retry(rouse::backoff(100ms).attempts(4), [&] { return fetch(url); });
//
// `factory` takes nothing and returns a future; it is called for each attempt, inside of a poll, and
// lives until the end. `again` is asked after each failure, with the exception (that of `factory`, too), whether it is
// worth another attempt; by default everything is but a cancellation. Completes with the value of the first
// attempt that has one, or throws what the last one threw; the failures before it are lost.
// Aborted: the attempt lets go; between two of them nothing is in flight. Cancelled: the attempt is,
// and a pause ends at once with the failure before it. The clock is that of the runtime that polls, as
// with sleep_for. One thread at a time. Allocates nothing itself.
template <class Factory, class Predicate>
auto retry(backoff pauses, Factory&& factory, Predicate&& again) {
    static_assert(std::is_invocable_v<std::decay_t<Factory>&>,
                  "rouse: retry: the function takes nothing and returns a future");
    static_assert(awaitable_value<std::invoke_result_t<std::decay_t<Factory>&>>,
                  "rouse: retry: the function takes nothing and returns a future");
    static_assert(std::is_invocable_r_v<bool, std::decay_t<Predicate>&, std::exception_ptr const&>,
                  "rouse: retry: the predicate takes a std::exception_ptr and returns a bool");
    return detail::retry_future<std::decay_t<Factory>, std::decay_t<Predicate>>(
        std::in_place, std::move(pauses), std::forward<Factory>(factory),
        std::forward<Predicate>(again));
}
template <class Factory>
auto retry(backoff pauses, Factory&& factory) {
    return retry(std::move(pauses), std::forward<Factory>(factory), detail::retry_always());
}

}  // namespace rouse

#endif
