// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_BLOCK_ON_HPP
#define ROUSE_BLOCK_ON_HPP

#include <exception>
#include <rouse/detail/blocking_waker.hpp>
#include <rouse/detail/deep_destroy.hpp>
#include <rouse/make_task.hpp>
#include <rouse/unhandled.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

namespace detail {

template <future F>
output_t<F> drive(F& f, paused_clock* clock, cancellation_state& cancellation) {
    blocking_waker waker;
    inbox_owner late_functions;
    blocking_time time(clock);
    for (;;) {
        poll_root root;
        root.waker = &waker.get();
        root.cancellation = &cancellation;
        root.inbox = &late_functions;
        root.offered = &time;
        root.budget = poll_root::budget_of_a_poll;
        context cx(root);
        {
            current_root_mark const mark(root);
            try {
                late_functions.run();
            } catch (...) {
                report_unhandled(std::current_exception(), {});
                root.requeue = true;  // for the functions behind it
            }
            auto polled = f.poll(cx);
            if (polled.is_ready()) return std::move(polled).value();
        }
        if (cancellation.take_unmasked() || root.requeue) {
            time.advance();
        } else {
            time.wait(waker);
        }
    }
}

template <spawnable X>
spawned_output_t<X> block_on(X&& x, paused_clock* clock) {
    refuse_to_block("rouse::block_on");
    using future_type = typename spawned_future<X>::type;
    fresh_destruction const counted_anew;  // a destructor may call this
    cancellation_state cancellation;  // masks in the future refer to it
    if constexpr (std::is_lvalue_reference_v<X> && future<std::remove_reference_t<X>>) {
        return drive(x, clock, cancellation);
    } else if constexpr (awaitable_value<X>) {
        future_type f = rouse::into_future(std::forward<X>(x));
        return drive(f, clock, cancellation);
    } else {
        future_type f(std::forward<X>(x));
        return drive(f, clock, cancellation);
    }
}

}  // namespace detail

// Polls a future on the calling thread, sleeping in between, and returns its value.
//
// Takes what can be spawned; a named future is polled in place. Throws what the future throws.
// Inside a task it throws boost::system::system_error with errc::blocking_in_worker: there, await
// instead. Inside of what block_on itself polls it is allowed, and holds up everything beside it. If the
// future throws or the call does, what it had in flight is dropped.
// One allocation, recycled: wakers may outlive the call.
template <spawnable X>
spawned_output_t<X> block_on(X&& x) {
    return detail::block_on(std::forward<X>(x), nullptr);
}

// The same with a clock that stands still until there is nothing else to do, for tests: the timers of the
// future wait for it.
template <spawnable X>
spawned_output_t<X> block_on(X&& x, paused_clock& clock) {
    return detail::block_on(std::forward<X>(x), &clock);
}

}  // namespace rouse

#endif
