// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_TASK_HPP
#define ROUSE_TASK_HPP

#include <coroutine>
#include <optional>
#include <rouse/detail/coroutine.hpp>
#include <rouse/detail/fatal.hpp>
#include <rouse/into_future.hpp>
#include <source_location>
#include <type_traits>
#include <utility>

namespace rouse {

template <class T = void>
class task;

namespace detail {

template <class X>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;

template <class T>
class task_awaiter;

// What all coroutine promises of the library do: turn the operand of `co_await` into an awaiter.
struct awaiting_promise : promise_base {
    using promise_base::promise_base;

    template <class X>
    auto await_transform(X&& x,
                         std::source_location where = std::source_location::current()) {
        using operand = std::remove_cvref_t<X>;
        constexpr bool named = std::is_lvalue_reference_v<X>;
        if constexpr (is_task<operand>) {
            return task_awaiter<output_t<operand>>(*this, x, where);
        } else if constexpr (future<operand>) {
            static_assert(!std::is_const_v<std::remove_reference_t<X>>,
                          "rouse: co_await of a const future: a poll changes it");
            return future_awaiter<operand&>(*root, x, named, where);
        } else {
            static_assert(convertible_into_future<X>,
                          "rouse: co_await in a rouse::task takes a future (poll(context&) -> "
                          "poll_result<T>), or what into_future_traits converts; what other "
                          "coroutines await: rouse::from_awaitable(x)");
            return future_awaiter<into_future_t<X>>(*root, rouse::into_future(std::forward<X>(x)), named,
                                                    where);
        }
    }
};

template <class T>
struct task_promise final : awaiting_promise {
    static_assert(fits_a_frame<T>,
                  "rouse: task<T>: the frame of a coroutine is aligned to 16 bytes; return an "
                  "over-aligned value by std::unique_ptr");

    task_promise() noexcept
        : awaiting_promise(std::coroutine_handle<task_promise>::from_promise(*this)) {}

    task<T> get_return_object() noexcept { return task<T>(*this); }

    template <class U = T>
    void return_value(U&& value) {
        static_assert(std::is_convertible_v<U, T>,
                      "rouse: co_return: the value must convert to the T of task<T>");
        result.emplace(std::forward<U>(value));
    }

    T take() {
        if (error) std::rethrow_exception(std::move(error));
        return *std::move(result);
    }

    std::optional<T> result;
};

template <>
struct task_promise<void> final : awaiting_promise {
    task_promise() noexcept
        : awaiting_promise(std::coroutine_handle<task_promise>::from_promise(*this)) {}

    inline task<void> get_return_object() noexcept;
    void return_void() const noexcept {}
    void take() {
        if (error) std::rethrow_exception(std::move(error));
    }
};

}  // namespace detail

// A coroutine as a future: lazy, polled by whoever owns it.
//
// Inside, `co_await` takes any future by value (a temporary, or std::move of one), a named future
// by reference, and what into_future_traits converts. Awaiting a task from a task costs the same at
// any depth. An exception that leaves the body is the task's result, thrown where it is awaited.
//
// It completes when the body has returned or thrown. Aborted (poll_cancel): the innermost await
// lets go first, then the frames are destroyed from the innermost outwards, so that destructors
// run in order; what the innermost future had completed with is lost. Destroyed while pending: the
// same without the wait.
// Arguments of the coroutine live in its frame: take them by value. One frame, allocated when the
// coroutine is called, from recycled memory; awaiting allocates nothing.
template <class T>
class [[nodiscard]] task {
    static_assert(!std::is_reference_v<T>,
                  "rouse: task<T&>: a future's value is an object type or void, never a reference "
                  "(return a pointer or std::reference_wrapper)");

public:
    using promise_type = detail::task_promise<T>;

    task(task&& other) noexcept : promise_(other.promise_) {
        other.refuse_move();
        other.promise_ = nullptr;
    }
    task& operator=(task&& other) noexcept {
        if (this != &other) {
            other.refuse_move();
            destroy();
            promise_ = std::exchange(other.promise_, nullptr);
        }
        return *this;
    }
    ~task() { destroy(); }

    poll_result<T> poll(context& cx) {
        if (!promise_) detail::throw_misuse("a task was polled after it was ready or moved from");
        if (!root_.innermost) start(root_, nullptr);
        if (!root_.run(cx)) return pending;
        return take();
    }

    cancel_result<T> poll_cancel(context& cx) {
        if (root_.innermost) {
            if (!root_.cancel(cx)) return pending;
            root_.unwind();
        } else {
            destroy();
        }
        return typename cancel_value<T>::type{};
    }

private:
    friend promise_type;
    template <class U>
    friend class detail::task_awaiter;

    explicit task(promise_type& promise) noexcept : promise_(&promise) {}

    promise_type& promise() const noexcept { return static_cast<promise_type&>(*promise_); }

    // Puts the frame at the inner end of a chain.
    void start(detail::coroutine_root& root, detail::promise_base* parent) noexcept {
        promise_->root = &root;
        promise_->parent = parent;
        promise_->owner = &promise_;
        root.innermost = promise_;
    }

    // The result of a frame that has returned; the frame is destroyed.
    auto take() {
        struct guard {
            task& self;
            ~guard() { self.destroy(); }
        } destroy_afterwards{*this};
        if constexpr (std::is_void_v<T>) {
            promise().take();
            return ready();
        } else {
            return promise().take();
        }
    }

    void refuse_move() const noexcept {
        if (promise_ && promise_->root)
            detail::fatal("a task was moved after its first poll: a future stays where it is");
    }

    void destroy() noexcept {
        root_.unwind();  // if it was polled and has not returned
        if (auto* mine = std::exchange(promise_, nullptr)) detail::deep_destroy(*mine);
    }

    detail::promise_base* promise_;
    detail::coroutine_root root_;  // used if this task is polled, not awaited
};

inline task<void> detail::task_promise<void>::get_return_object() noexcept {
    return task<void>(*this);
}

namespace detail {

// Awaits a task from a task: its frame joins the chain of the awaiting one. A named task that was
// polled before has a chain of its own, and is awaited like any other future.
template <class T>
class task_awaiter : private await_node {
public:
    task_awaiter(promise_base& parent, task<T>& child, std::source_location place)
        : await_node(&poll_leaf, &cancel_leaf, place), parent_(parent), child_(child) {}

    bool await_ready() {
        if (!child_.promise_)
            throw_misuse("co_await of a task that has returned or was moved from");
        polled_ = child_.root_.innermost != nullptr;
        if (!polled_) return false;
        coroutine_root::before_leaf(*parent_.root->cx);
        return poll_leaf(*this, *parent_.root->cx);
    }
    void await_suspend(std::coroutine_handle<>) noexcept {
        if (polled_) {
            parent_.root->leaf = this;
        } else {
            child_.start(*parent_.root, &parent_);
        }
    }
    T await_resume() {
        if constexpr (std::is_void_v<T>) {
            child_.take();
        } else {
            return child_.take();
        }
    }

private:
    static bool poll_leaf(await_node& node, context& cx) noexcept {
        return static_cast<task_awaiter&>(node).child_.root_.run(cx);
    }
    static bool cancel_leaf(await_node& node, context& cx) noexcept {
        auto& child = static_cast<task_awaiter&>(node).child_;
        if (!child.root_.cancel(cx)) return false;
        child.root_.unwind();
        return true;
    }

    promise_base& parent_;
    task<T>& child_;
    bool polled_ = false;
};

}  // namespace detail

}  // namespace rouse

// `Arguments` are the types of the parameters as they are declared.
template <class T, class... Arguments>
struct std::coroutine_traits<rouse::task<T>, Arguments...> {
    static_assert((std::is_nothrow_destructible_v<Arguments> && ...),
                  "rouse: a coroutine takes no argument by value whose destructor may throw: "
                  "compilers lose or misuse its frame then; pass it by std::unique_ptr");
    using promise_type = typename rouse::task<T>::promise_type;
};

#endif
