// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_ASIO_AWAITABLE_HPP
#define ROUSE_ASIO_AWAITABLE_HPP

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <optional>
#include <rouse/detail/op.hpp>
#include <rouse/into_future.hpp>
#include <type_traits>
#include <utility>

namespace rouse::detail {

// What an awaitable has returned; empty if it has thrown. It also keeps an awaitable of resolver
// results from being taken for a resolver's operation, which nobody waits for.
template <class T>
struct awaited {
    awaited() noexcept {}
    awaited(std::in_place_t, T&& v) : value(std::move(v)) {}

    std::optional<T> value{};
};

template <class T>
class op_values<awaited<T>> {
public:
    using type = T;

    static T take(std::tuple<awaited<T>>& stored) { return *std::move(std::get<0>(stored).value); }
};

template <class T>
struct awaited_signature {
    using type = void(std::exception_ptr, awaited<T>);
};
template <>
struct awaited_signature<void> {
    using type = void(std::exception_ptr);
};

// What co_spawn gets as completion handler. It has no executor of its own: co_spawn would emit a
// cancellation by way of that executor, where it may arrive when the slot is gone (Asio 1.26); so it is
// emitted on the spot, which is in a poll. The awaitable's executor is that of the operation anyway.
template <class T, class Handler>
class awaited_handler {
public:
    explicit awaited_handler(Handler&& handler) : handler_(std::move(handler)) {}

    void operator()(std::exception_ptr error, std::optional<T> value) {
        if (error) {
            std::move(handler_)(std::move(error), awaited<T>());
        } else {
            std::move(handler_)(std::move(error), awaited<T>(std::in_place, *std::move(value)));
        }
    }

    using allocator_type = typename Handler::allocator_type;
    allocator_type get_allocator() const noexcept { return handler_.get_allocator(); }

    using cancellation_slot_type = typename Handler::cancellation_slot_type;
    cancellation_slot_type get_cancellation_slot() const noexcept {
        return handler_.get_cancellation_slot();
    }

private:
    Handler handler_;
};

template <class Handler>
class awaited_handler<void, Handler> {
public:
    explicit awaited_handler(Handler&& handler) : handler_(std::move(handler)) {}

    void operator()(std::exception_ptr error) { std::move(handler_)(std::move(error)); }

    using allocator_type = typename Handler::allocator_type;
    allocator_type get_allocator() const noexcept { return handler_.get_allocator(); }

    using cancellation_slot_type = typename Handler::cancellation_slot_type;
    cancellation_slot_type get_cancellation_slot() const noexcept {
        return handler_.get_cancellation_slot();
    }

private:
    Handler handler_;
};

// co_spawn passes T() along with an exception: not every T can be made so.
template <class T, class Executor>
asio::awaitable<std::optional<T>, Executor> in_optional(asio::awaitable<T, Executor> a) {
    std::optional<T> value(co_await std::move(a));
    co_return value;
}

// The initiation: the awaitable runs on the executor of the operation, in the polls of the task.
template <class T, class Executor>
class start_awaitable {
public:
    explicit start_awaitable(asio::awaitable<T, Executor>&& a) noexcept : awaitable_(std::move(a)) {}

    template <class Handler>
    void operator()(Handler&& handler) && {
        if (!awaitable_.valid()) throw_misuse("co_await of an asio::awaitable that was moved from");
        Executor const ex(asio::get_associated_executor(handler));
        awaited_handler<T, std::decay_t<Handler>> then(std::move(handler));
        if constexpr (std::is_void_v<T>) {
            asio::co_spawn(ex, std::move(awaitable_), std::move(then));
        } else {
            asio::co_spawn(ex, in_optional(std::move(awaitable_)), std::move(then));
        }
    }

private:
    asio::awaitable<T, Executor> awaitable_;
};

template <class T, class Executor>
using awaitable_op = op<typename awaited_signature<T>::type, start_awaitable<T, Executor>>;

}  // namespace rouse::detail

// An asio::awaitable is accepted wherever a future is:
//
//     asio::awaitable<std::string> fetch(std::string url);
//     std::string page = co_await fetch("example.org");        // in a rouse::task
//
// It runs in the polls of the future that is made of it: this_coro::executor is an executor that
// queues what it is given for the next poll. So the awaitable, what it awaits with use_awaitable, and
// cancellations never overlap, on any number of threads and without a strand, awaitable operators
// included. Its query(execution::context) is the context of the task's executor, so I/O objects can be
// made of it; where no executor polls (block_on, a poll by hand), it is Asio's system context. What the
// awaitable spawns on this executor and leaves behind goes on in the polls of the task, and ends with
// it: what shall live on or run in parallel is spawned on another executor.
//
// It is an operation, as of use_poll: nothing runs before the first poll; its result is what the
// awaitable returns or throws. Cancelled or aborted: Asio's cancellation is emitted, and the awaitable
// waited for, which completes in its own way (only types that its cancellation state lets through
// reach it: at first those that are terminal). Dropped while pending: told to stop, not waited for; no
// line of it is run any more, and its frames are destroyed, by the thread that drops it or the one
// that would have resumed it. I/O objects in the frames die before their io_context, as those of a task.
//
// The executor of `awaitable<T, Executor>` must be any_io_executor, the default, or another that can
// hold any executor. Elsewhere than in the task:
//     co_await asio::co_spawn(ex, fetch("example.org"), rouse::use_poll);
template <class T, class Executor>
struct rouse::into_future_traits<boost::asio::awaitable<T, Executor>> {
    static detail::awaitable_op<T, Executor> convert(boost::asio::awaitable<T, Executor>&& a) {
        static_assert(std::is_constructible_v<Executor, detail::op_executor>,
                      "rouse: an asio::awaitable<T, Executor> runs in the polls of the task that awaits "
                      "it, so Executor must be any_io_executor; for another one say which: "
                      "asio::co_spawn(ex, std::move(a), rouse::use_poll)");
        return detail::awaitable_op<T, Executor>(std::in_place,
                                                 detail::start_awaitable<T, Executor>(std::move(a)));
    }

    template <class Named>
    static detail::awaitable_op<T, Executor> convert(Named&) {
        static_assert(std::is_void_v<Named>,
                      "rouse: a named asio::awaitable is moved into the await: std::move(a)");
    }
};

#endif
