// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_FINALLY_HPP
#define ROUSE_FINALLY_HPP

#include <exception>
#include <optional>
#include <rouse/detail/child.hpp>
#include <rouse/detail/own_cancellation.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

namespace detail {

// It goes through two stages, the future and then the clean-up, and an abort in either of them only
// has the future let go: the clean-up is run to its end.
template <class Held, class Function>
class [[nodiscard]] finally_future {
    static_assert(!std::is_reference_v<Held>,
                  "rouse: finally: a named future may live on, and nobody would know when it has ended; give it by "
                  "std::move");
    static_assert(std::is_invocable_v<Function&>,
                  "rouse: finally: the function takes no arguments");
    using output = typename child<Held>::output;
    using returned = std::invoke_result_t<Function&>;
    static_assert(std::is_void_v<returned> || awaitable_value<returned>,
                  "rouse: finally: the function returns void, or a future without value");

    template <class R>
    struct clean_up {
        using type = ready_future<>;
    };
    template <awaitable_value R>
    struct clean_up<R> {
        using type = into_future_t<R>;
        static_assert(std::is_void_v<output_t<type>>,
                      "rouse: finally: the function returns void, or a future without value");
    };

public:
    template <class X, class Fn>
    finally_future(std::in_place_t, X&& x, Fn&& function)
        : first_(std::in_place, std::forward<X>(x)), function_(std::forward<Fn>(function)) {}
    finally_future(finally_future&& other)  // not polled yet
        : first_(std::move(other.first_)), function_(std::move(other.function_)) {}
    finally_future& operator=(finally_future&&) = delete;

    poll_result<output> poll(context& cx) {
        if (over_) throw_misuse("a finally was polled after it was ready");
        begun_ = true;
        if (first_.is_running() && !first_.poll(cx)) return pending;
        if (!cleaned_up(cx)) return pending;
        auto& end = first_.end();
        if constexpr (std::is_void_v<output>) {
            static_cast<void>(end.value());
            return ready();
        } else {
            return std::move(end).value();
        }
    }

    cancel_result<output> poll_cancel(context& cx) {
        // Also before its first poll: the task of a join handle runs already.
        if (over_) return nothing();
        if (first_.is_running() && !first_.cancel(cx)) return pending;
        if (begun_ && !cleaned_up(cx)) return pending;
        auto& end = first_.end();
        if (end.is_stopped()) return nothing();
        if constexpr (std::is_void_v<output>) {
            static_cast<void>(end.value());
            return true;
        } else {
            return std::optional<output>(std::move(end).value());
        }
    }

private:
    static auto nothing() noexcept { return typename cancel_value<output>::type{}; }

    // What the clean-up throws takes the place of the future's result.
    bool cleaned_up(context& cx) {
        own_cancellation const mine(cx, never_requested_);
        losing_mark const for_good(cx, false);  // whatever the future has lost
        over_ = true;                           // if it throws
        if (!second_) {
            if constexpr (std::is_void_v<returned>) {
                second_.emplace();
                function_();
            } else {
                second_.emplace(rouse::into_future(function_()));
            }
        }
        over_ = second_->poll(cx).is_ready();
        return over_;
    }

    child<Held> first_;
    Function function_;  // lives as long as the future that it has returned
    cancellation_state never_requested_{};  // what the clean-up sees
    std::optional<typename clean_up<returned>::type> second_;  // after it: its masks refer to it
    bool begun_ = false;
    bool over_ = false;
};

}  // namespace detail

// Cleans up when the future has ended, whatever its end: a value, an exception or an abort.
//
//     co_await rouse::finally(work(connection), [&] { return connection.async_shutdown(use_poll); });
//
// `function` takes nothing and returns nothing, or a future without value, which is then run to its
// end, also in an abort (after the future has let go), and is not reached by a cancellation. The
// result is that of the future; what the clean-up throws takes its place. Nothing is cleaned up if it
// is dropped while pending, or was never polled; aborted before its first poll, it still waits until
// the future has let go, which may be a join handle. The function lives until the end: a lambda that
// is a coroutine may use its captures.
// A named future is refused: it could live on, as a loser, and this would not see its end. Threads: as the future.
// Allocates nothing.
template <class X, class Function>
auto finally(X&& x, Function&& function) {
    return detail::finally_future<detail::held_t<X>, std::decay_t<Function>>(
        std::in_place, std::forward<X>(x), std::forward<Function>(function));
}

}  // namespace rouse

#endif
