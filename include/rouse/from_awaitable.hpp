// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_FROM_AWAITABLE_HPP
#define ROUSE_FROM_AWAITABLE_HPP

#include <optional>
#include <rouse/detail/fatal.hpp>
#include <rouse/detail/foreign.hpp>
#include <rouse/future.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

namespace detail {

// `A` is what the frame will hold: an object, or a reference to one that was named.
template <class A>
class [[nodiscard]] foreign_future {
    using state_type = foreign_state<foreign_value_t<A>>;
    using value_type = foreign_value_t<A>;

public:
    explicit foreign_future(A&& awaitable) : awaitable_(std::in_place, std::forward<A>(awaitable)) {}

    foreign_future(foreign_future&& other) : awaitable_(std::move(other.awaitable_)) {
        if (other.state_)
            fatal("a from_awaitable was moved after its first poll: a future stays where it is");
        other.awaitable_.reset();
    }
    foreign_future& operator=(foreign_future&&) = delete;

    ~foreign_future() { let_go(); }

    poll_result<value_type> poll(context& cx) {
        bool const begins = !state_;
        if (begins) start();
        if (!state_->over(cx)) return pending;
        // A loop of awaits that are over at once lets others have their turn.
        if (begins && !cx.spend()) return pending;
        struct ended {
            foreign_future& self;
            ~ended() { self.let_go(); }
        } const end{*this};
        if constexpr (std::is_void_v<value_type>) {
            state_->take();
            return ready();
        } else {
            return state_->take();
        }
    }

    cancel_result<value_type> poll_cancel(context& cx) {
        awaitable_.reset();
        if (!state_) return stopped();
        if (!state_->over(cx)) return pending;
        struct ended {
            foreign_future& self;
            ~ended() { self.let_go(); }
        } const end{*this};
        if (state_->abandoned()) return stopped();
        if constexpr (std::is_void_v<value_type>) {
            state_->take();
            return true;
        } else {
            return std::optional<value_type>(state_->take());
        }
    }

private:
    static typename cancel_value<value_type>::type stopped() noexcept { return {}; }

    void start() {
        if (!awaitable_) throw_misuse("a from_awaitable was polled after it was ready or moved from");
        foreign_held<A> held = std::move(*awaitable_);
        awaitable_.reset();
        state_ = &state_type::make();
        try {
            auto const frame = run_foreign<foreign_value_t<A>, A>(foreign_end<value_type>(*state_),
                                                                  std::move(held));
            frame.handle.resume();
        } catch (...) {
            let_go();
            throw;
        }
    }

    void let_go() noexcept {
        if (auto* state = std::exchange(state_, nullptr)) {
            state->forget();
            state->release();
        }
    }

    std::optional<foreign_held<A>> awaitable_;
    state_type* state_ = nullptr;
};

}  // namespace detail

// A future out of any C++20 awaitable that resumes whoever awaits it: an object with await_ready,
// await_suspend and await_resume, or with an `operator co_await`, as other coroutine libraries have.
//
//     co_await rouse::from_awaitable(other::delay(5ms));
//
// At the first poll a coroutine frame of the library's own awaits it, on the polling thread; the
// awaitable may resume that frame at once, later, on any thread, and it may hand back another
// coroutine, which then runs inside this poll. await_resume is called where the awaitable resumes, and
// the task is woken. The value is what it returns, or the exception that it or the others throw; of a
// T& it is a std::reference_wrapper<T>, of a T&& a T. A frame that the other library destroys instead
// gives system_error with operation_aborted.
//
// Nothing can ask a foreign awaitable to let go. Cancelled: it does not hear of it. Aborted: it is
// waited for; rouse::abandonable(rouse::from_awaitable(x)) is not. Dropped while pending: the frame,
// with the awaitable in it, lives on until it is resumed, and destroys itself then; if that never
// happens, it is never freed. A named awaitable is taken by reference, and must live as long as that.
// What asks for a kind of promise, such as asio::awaitable, is refused.
// Any thread may poll. Two allocations, recycled.
template <class X>
auto from_awaitable(X&& x) {
    if constexpr (future<std::remove_cvref_t<X>>) {
        static_assert(!future<std::remove_cvref_t<X>>,
                      "rouse: from_awaitable of a future: it can be awaited as it is");
    } else {
        static_assert(
            detail::foreign_awaitable<X>,
            "rouse: from_awaitable takes what any coroutine can await: await_ready, await_suspend and "
            "await_resume, or an operator co_await; not what asks for a promise of its own");
        return detail::foreign_future<X>(std::forward<X>(x));
    }
}

}  // namespace rouse

#endif
