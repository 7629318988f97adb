// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_DETAIL_FOREIGN_HPP
#define ROUSE_DETAIL_FOREIGN_HPP

#include <concepts>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <rouse/atomic_waker.hpp>
#include <rouse/context.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/coroutine.hpp>
#include <rouse/detail/slab.hpp>
#include <rouse/error.hpp>
#include <type_traits>
#include <utility>

// How the awaitable of another library is awaited: by a coroutine whose frame belongs to nobody. It
// destroys itself when it has run to its end, on the thread that resumes it; the future and the frame
// share a state, and the last thing that dies with the frame tells the state that it is over. So
//
//   the frame resumed, and the future polled later     the value is in the state
//   the future dropped, and the frame resumed later    the value dies with the state
//   the frame destroyed by the other library           over, with neither value nor exception
//   the frame never resumed                            never over

namespace rouse::detail {

struct foreign_frame {
    struct promise_type {
        static void* operator new(std::size_t bytes) { return slab_allocate(bytes); }
        static void operator delete(void* memory, std::size_t bytes) noexcept {
            slab_deallocate(memory, bytes);
        }

        foreign_frame get_return_object() noexcept {
            return foreign_frame{std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() const noexcept { return {}; }
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() const noexcept { std::terminate(); }  // the body catches all
    };

    std::coroutine_handle<promise_type> handle;
};

template <class W>
concept foreign_awaiter =
    requires(W& w, std::coroutine_handle<foreign_frame::promise_type> self) {
        { w.await_ready() } -> std::convertible_to<bool>;
        w.await_suspend(self);
        w.await_resume();
    };

// The awaiter of an awaitable, as the language finds it.
template <class A>
struct foreign_awaiter_of {
    using type = A&&;
};
template <class A>
    requires requires(A&& a) { std::forward<A>(a).operator co_await(); }
struct foreign_awaiter_of<A> {
    using type = decltype(std::declval<A>().operator co_await());
};
template <class A>
    requires(!requires(A&& a) { std::forward<A>(a).operator co_await(); } &&
             requires(A&& a) { operator co_await(std::forward<A>(a)); })
struct foreign_awaiter_of<A> {
    using type = decltype(operator co_await(std::declval<A>()));
};

template <class A>
concept foreign_awaitable =
    foreign_awaiter<std::remove_reference_t<typename foreign_awaiter_of<A>::type>>;

// What a future gives for what await_resume returns.
template <class R>
struct foreign_value {
    using type = R;
};
template <class R>
struct foreign_value<R&> {
    using type = std::reference_wrapper<R>;
};
template <class R>
struct foreign_value<R&&> {
    using type = std::remove_cv_t<R>;
};
template <foreign_awaitable A>
using foreign_result_t =
    decltype(std::declval<std::remove_reference_t<typename foreign_awaiter_of<A>::type>&>()
                 .await_resume());
template <foreign_awaitable A>
using foreign_value_t =
    typename foreign_value<std::remove_const_t<foreign_result_t<A>>>::type;

// What the future keeps until the first poll.
template <class A>
using foreign_held = std::conditional_t<std::is_lvalue_reference_v<A>,
                                        std::reference_wrapper<std::remove_reference_t<A>>, A>;

struct foreign_nothing {};

template <class T>
class foreign_state {
    using stored_type = std::conditional_t<std::is_void_v<T>, foreign_nothing, T>;

public:
    static foreign_state& make() {
        static_assert(fits_a_frame<foreign_state>,
                      "rouse: from_awaitable: the result cannot be over-aligned");
        return *::new (slab_allocate(sizeof(foreign_state))) foreign_state;
    }

    void retain() noexcept { references_.fetch_add(1, relaxed); }  // the caller has a reference
    void release() noexcept {
        // release: what this owner did; acquire: what the other did, before the state goes
        if (references_.fetch_sub(1, acq_rel) != 1) return;
        this->~foreign_state();
        slab_deallocate(this, sizeof(foreign_state));
    }

    // By the frame.
    template <class... V>
    void set(V&&... value) {
        value_.emplace(std::forward<V>(value)...);
    }
    void fail(std::exception_ptr error) noexcept { error_ = std::move(error); }
    void end() noexcept {
        over_.store(true, detail::release);  // release: the value; pairs with over()
        waker_.wake();
    }

    // By the future. False: the context's waker will be woken.
    bool over(context& cx) {
        if (over_.load(acquire)) return true;
        waker_.register_waker(cx.waker());
        return over_.load(acquire);
    }
    bool abandoned() const noexcept { return !value_ && !error_; }
    T take() {
        if (error_) std::rethrow_exception(std::move(error_));
        if (!value_) throw_cancelled();
        if constexpr (!std::is_void_v<T>) return *std::move(value_);
    }
    void forget() noexcept { static_cast<void>(waker_.take()); }

private:
    foreign_state() noexcept = default;

    atomic<std::uint32_t> references_{1};
    atomic<bool> over_{false};
    atomic_waker waker_;
    std::exception_ptr error_;
    std::optional<stored_type> value_;
};

// Dies with the frame, and says so.
template <class T>
class foreign_end {
public:
    explicit foreign_end(foreign_state<T>& state) noexcept : state_(&state) { state.retain(); }
    foreign_end(foreign_end&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    foreign_end& operator=(foreign_end&&) = delete;
    ~foreign_end() {
        if (!state_) return;
        state_->end();
        state_->release();
    }

    foreign_state<T>& state() const noexcept { return *state_; }

private:
    foreign_state<T>* state_;
};

// The parameters die in the reverse order, so the awaitable is gone when it is over.
template <class T, class A>
foreign_frame run_foreign(foreign_end<T> end, A awaitable) {
    static_assert(std::is_nothrow_destructible_v<A> && fits_a_frame<std::remove_reference_t<A>>,
                  "rouse: from_awaitable: the awaitable's destructor must not throw, and its alignment "
                  "be 16 bytes at most");
    try {
        if constexpr (std::is_void_v<T>) {
            co_await static_cast<A&&>(awaitable);
            end.state().set();
        } else {
            // In one expression: what a reference leads to may die with the awaiter.
            end.state().set(co_await static_cast<A&&>(awaitable));
        }
    } catch (...) {
        end.state().fail(std::current_exception());
    }
}

}  // namespace rouse::detail

#endif
