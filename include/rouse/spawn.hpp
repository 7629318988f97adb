// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_SPAWN_HPP
#define ROUSE_SPAWN_HPP

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/require.hpp>
#include <concepts>
#include <rouse/detail/asio_scheduler.hpp>
#include <rouse/detail/delivering_future.hpp>
#include <rouse/detail/pool_executor.hpp>
#include <rouse/make_task.hpp>
#include <source_location>
#include <type_traits>
#include <utility>

namespace rouse {

// What tasks can be spawned on: an Asio executor, or an execution context that has one. It can be
// required never to run a function inside of the call that submits it, since no poll may happen inside
// of a wake; any_completion_executor cannot.
template <class E>
concept asio_executor =
    boost::asio::execution::is_executor<E>::value &&
    boost::asio::can_require<E const&, boost::asio::execution::blocking_t::never_t>::value;

template <class C>
concept asio_context = std::convertible_to<C&, boost::asio::execution_context&> &&
                       requires(C& c) {
                           { c.get_executor() } -> asio_executor;
                       };

namespace detail {

// The scheduler of an executor, for the duration of a spawn; its tasks keep it.
class scheduler_lease {
public:
    explicit scheduler_lease(scheduler& s) noexcept : scheduler_(&s) {}
    explicit scheduler_lease(asio_scheduler_base& s) noexcept : scheduler_(&s), counted_(&s) {}
    scheduler_lease(scheduler_lease const&) = delete;
    scheduler_lease& operator=(scheduler_lease const&) = delete;
    ~scheduler_lease() {
        if (counted_) counted_->drop_reference();
    }

    scheduler& operator*() const noexcept { return *scheduler_; }
    scheduler* operator->() const noexcept { return scheduler_; }

private:
    scheduler* scheduler_;
    asio_scheduler_base* counted_ = nullptr;  // null: the scheduler outlives its tasks anyway
};

// A pool's executor, also inside an any_io_executor, leads to the pool's own scheduler; on any other
// executor tasks are functions submitted to it.
template <asio_executor Executor>
scheduler_lease lease_scheduler(Executor const& ex) {
    using pool_type = pool_executor<slab_allocator<void>>;
    if constexpr (requires { ex.parts(); }) {
        return scheduler_lease(*ex.parts().core);
    } else {
        if constexpr (requires { ex.template target<pool_type>(); }) {
            if (auto const* pool = ex.template target<pool_type>())
                return scheduler_lease(*pool->parts().core);
        }
        return scheduler_lease(asio_scheduler<Executor>::make(ex));
    }
}

template <class T>
struct completion_of {
    using signature = void(std::exception_ptr, T);
};
template <>
struct completion_of<void> {
    using signature = void(std::exception_ptr);
};

// What the cancellation slot of a completion handler gets: it passes a request on to the task. The task
// may have ended meanwhile, or may be polled by another thread.
class slot_to_task {
public:
    slot_to_task() noexcept = default;

    void bind(task_header& task) noexcept {
        task_ = &task;
        waker_ = waker_of(task);
    }
    void operator()(boost::asio::cancellation_type type) const noexcept {
        if (!task_) return;
        task_->cancellation.request(static_cast<cancellation_type>(type));
        waker_.wake_by_ref();
    }

private:
    task_header* task_ = nullptr;  // the waker keeps it
    waker waker_;
};

template <class Executor>
struct spawn_initiation {
    using executor_type = Executor;

    explicit spawn_initiation(Executor const& ex) : executor(ex) {}
    executor_type get_executor() const noexcept { return executor; }

    template <class Handler, class X>
    void operator()(Handler&& handler, X&& x, std::source_location where) const {
        using future_type = typename spawned_future<X>::type;
        using delivering = delivering_future<future_type, std::decay_t<Handler>, Executor>;
        auto owner = lease_scheduler(executor);
        slot_to_task* cancels = nullptr;
        if (auto slot = boost::asio::get_associated_cancellation_slot(handler); slot.is_connected())
            cancels = &slot.template emplace<slot_to_task>();
        auto const start = [&](auto&& future) {
            delivering whole(std::forward<decltype(future)>(future), std::forward<Handler>(handler),
                             executor);
            try {
                auto task = make_detached_task(*owner, std::move(whole), where);
                if (cancels) cancels->bind(*task.get());
                owner->schedule(std::move(task), schedule_reason::spawned);
            } catch (...) {
                whole.forget_handler();  // the caller hears of it by the exception
                throw;
            }
        };
        if constexpr (awaitable_value<X> && !future<std::remove_cvref_t<X>>) {
            start(rouse::into_future(std::forward<X>(x)));
        } else {
            start(std::forward<X>(x));
        }
    }

    Executor executor;
};

}  // namespace detail

// Starts a task on an executor and returns its join handle.
//
// `x` is a future, something that becomes one, or a callable without arguments that returns one;
// the callable lives as long as its future, so a lambda that is a coroutine may use its captures.
// It is moved into the task; its first poll happens on the executor, never inside this call.
// Any thread. Throws std::bad_alloc, with `x` unspawned. If the executor's context shuts down, the
// task ends as aborted. One allocation for the task and one for its place on the executor, recycled.
template <asio_executor Executor, class X>
[[nodiscard]] join_handle<spawned_output_t<X>> spawn(
    Executor const& ex, X&& x, std::source_location where = std::source_location::current()) {
    auto owner = detail::lease_scheduler(ex);
    auto halves = make_task(*owner, std::forward<X>(x), where);
    owner->schedule(std::move(halves.runnable), schedule_reason::spawned);
    return std::move(halves.handle);
}

// The same, detached: an exception that leaves the task goes to the unhandled handler.
template <asio_executor Executor, class X>
void spawn_ok(Executor const& ex, X&& x,
              std::source_location where = std::source_location::current()) {
    auto owner = detail::lease_scheduler(ex);
    owner->schedule(make_detached_task(*owner, std::forward<X>(x), where),
                    schedule_reason::spawned);
}

// The same, with any completion token: the signature is void(std::exception_ptr) for a task without
// value, void(std::exception_ptr, T) otherwise. The handler is called on its associated executor
// (by default `ex`), never inside a poll. A task that is aborted gives system_error with
// errc::aborted. A cancellation slot that is associated with the handler cancels the task, cooperatively
// and as the type of the request says; the signal may be emitted by any thread, but, as always with
// signals, by one at a time, and not while the slot is given to another operation. With asio::detached
// this is spawn_ok.
template <asio_executor Executor, class X, class Token>
    requires(!std::same_as<std::remove_cvref_t<Token>, std::source_location>)
auto spawn(Executor const& ex, X&& x, Token&& token,
           std::source_location where = std::source_location::current()) {
    if constexpr (std::same_as<std::remove_cvref_t<Token>, boost::asio::detached_t>) {
        spawn_ok(ex, std::forward<X>(x), where);
    } else {
        using signature = typename detail::completion_of<spawned_output_t<X>>::signature;
        return boost::asio::async_initiate<Token, signature>(
            detail::spawn_initiation<Executor>(ex), token, std::forward<X>(x), where);
    }
}

// All of these on the executor of a context.
template <asio_context Context, class X>
[[nodiscard]] join_handle<spawned_output_t<X>> spawn(
    Context& context, X&& x, std::source_location where = std::source_location::current()) {
    return spawn(context.get_executor(), std::forward<X>(x), where);
}

template <asio_context Context, class X>
void spawn_ok(Context& context, X&& x,
              std::source_location where = std::source_location::current()) {
    spawn_ok(context.get_executor(), std::forward<X>(x), where);
}

template <asio_context Context, class X, class Token>
    requires(!std::same_as<std::remove_cvref_t<Token>, std::source_location>)
auto spawn(Context& context, X&& x, Token&& token,
           std::source_location where = std::source_location::current()) {
    return spawn(context.get_executor(), std::forward<X>(x), std::forward<Token>(token), where);
}

// What is no executor is refused by a sentence, as is what cannot be spawned (see `spawnable`).
template <class E, class... Rest>
    requires(!asio_executor<std::remove_cvref_t<E>> && !asio_context<std::remove_reference_t<E>>)
void spawn(E&&, Rest&&...) {
    static_assert(asio_executor<E>, "rouse: spawn: the first argument is an Asio executor that can be "
                                    "required never to block, or an execution context that has one");
}

template <class E, class... Rest>
    requires(!asio_executor<std::remove_cvref_t<E>> && !asio_context<std::remove_reference_t<E>>)
void spawn_ok(E&&, Rest&&...) {
    static_assert(asio_executor<E>,
                  "rouse: spawn_ok: the first argument is an Asio executor that can be required "
                  "never to block, or an execution context that has one");
}

}  // namespace rouse

#endif
