// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_DETAIL_DELIVERING_FUTURE_HPP
#define ROUSE_DETAIL_DELIVERING_FUTURE_HPP

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution/allocator.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/require.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <optional>
#include <rouse/error.hpp>
#include <rouse/future.hpp>
#include <rouse/scheduler.hpp>
#include <type_traits>
#include <utility>

namespace rouse::detail {

namespace asio = boost::asio;

// A completion on its way over the task's executor to the handler's. Should the first end and
// destroy it unrun, the second may still be there, and gets it directly.
template <class Call, class Executor, class Allocator>
class completion_hop {
public:
    completion_hop(Call call, asio::executor_work_guard<Executor> work, Allocator const& allocator)
        : call_(std::move(call)), work_(std::move(work)), allocator_(allocator) {}
    completion_hop(completion_hop&& other)
        : call_(std::move(other.call_)),
          work_(std::move(other.work_)),
          allocator_(other.allocator_) {
        other.call_.reset();
    }
    completion_hop& operator=(completion_hop&&) = delete;
    ~completion_hop() {
        if (!call_) return;
        try {
            asio::prefer(asio::require(work_.get_executor(), asio::execution::blocking.never),
                         asio::execution::allocator(allocator_))
                .execute(take());
        } catch (...) {
            report_unhandled(std::current_exception(), {});
        }
    }

    void operator()() {
        asio::dispatch(
            asio::bind_executor(work_.get_executor(), asio::bind_allocator(allocator_, take())));
    }

private:
    Call take() {
        Call call = std::move(*call_);
        call_.reset();
        return call;
    }

    std::optional<Call> call_;
    asio::executor_work_guard<Executor> work_;
    Allocator allocator_;
};

// A future that passes its result to a completion handler, by way of the handler's associated
// executor (or `Executor`, if it has none). The future is destroyed before the handler is called.
// If it is destroyed before it has ended, the handler gets errc::aborted.
template <future F, class Handler, class Executor>
class delivering_future {
    using value_type = output_t<F>;
    using handler_executor = asio::associated_executor_t<Handler, Executor>;

    static_assert(std::is_void_v<value_type> || std::is_default_constructible_v<value_type>,
                  "rouse: spawn with a completion token passes T{} to the handler when the task "
                  "throws, so T must be default-constructible; a join_handle asks nothing of T");

public:
    template <class X>
    delivering_future(X&& x, Handler handler, Executor const& ex)
        : future_(std::in_place, std::forward<X>(x)),
          executor_(ex),
          work_(asio::get_associated_executor(handler, ex)),
          handler_(std::move(handler)) {}

    delivering_future(delivering_future&& other)
        : future_(std::move(other.future_)),
          executor_(other.executor_),
          work_(std::move(other.work_)),
          handler_(std::move(other.handler_)) {
        other.handler_.reset();
    }
    delivering_future& operator=(delivering_future&&) = delete;

    ~delivering_future() {
        if (!handler_) return;
        try {
            // `executor_` may be about to end, but not the handler's own.
            fail(false, aborted());
        } catch (...) {
            report_unhandled(std::current_exception(), {});
        }
    }

    void forget_handler() noexcept { handler_.reset(); }

    poll_result<void> poll(context& cx) {
        return ended([&] { return future_->poll(cx); }) ? poll_result<void>(ready()) : pending;
    }

    cancel_result<void> poll_cancel(context& cx) {
        bool stopped = false;
        bool const over = ended([&]() -> poll_result<value_type> {
            auto released = detail::cancel(*future_, cx);
            if (released.is_pending()) return pending;
            if (!released.value()) {
                stopped = true;
                return pending;
            }
            if constexpr (std::is_void_v<value_type>) {
                return ready();
            } else {
                return *std::move(released).value();
            }
        });
        if (stopped) {
            fail(true, aborted());
            return false;
        }
        if (!over) return pending;
        return true;
    }

private:
    static std::exception_ptr aborted() {
        return std::make_exception_ptr(
            boost::system::system_error(make_error_code(errc::aborted), "a spawned task"));
    }

    // Polls; true: the result is on its way to the handler.
    template <class Poll>
    bool ended(Poll poll_once) {
        std::exception_ptr error;
        try {
            auto polled = poll_once();
            if (polled.is_pending()) return false;
            if constexpr (std::is_void_v<value_type>) {
                deliver(true, std::exception_ptr());
            } else {
                deliver(true, std::exception_ptr(), std::move(polled).value());
            }
            return true;
        } catch (...) {
            if (!handler_) throw;  // not the future's, but of the delivery
            error = std::current_exception();
        }
        fail(true, std::move(error));
        return true;
    }

    void fail(bool by_poll, std::exception_ptr error) {
        if constexpr (std::is_void_v<value_type>) {
            deliver(by_poll, std::move(error));
        } else {
            deliver(by_poll, std::move(error), value_type{});
        }
    }

    template <class... Value>
    void deliver(bool by_poll, std::exception_ptr error, Value... value) {
        future_.reset();
        Handler handler = std::move(*handler_);
        handler_.reset();
        auto const allocator = asio::get_associated_allocator(handler);
        auto call = [handler = std::move(handler), error = std::move(error),
                     ... value = std::move(value)]() mutable {
            std::move(handler)(std::move(error), std::move(value)...);
        };
        handler_executor const ex = work_.get_executor();
        if (by_poll && !std::is_same_v<handler_executor, Executor>) {
            // From the task's executor to the handler's by a dispatch, as Asio does it: a post to
            // that of use_future would start the threads of the system context.
            using allocator_type = std::remove_const_t<decltype(allocator)>;
            asio::post(executor_,
                       asio::bind_allocator(
                           allocator, completion_hop<decltype(call), handler_executor, allocator_type>(
                                          std::move(call), std::move(work_), allocator)));
        } else {
            asio::prefer(asio::require(ex, asio::execution::blocking.never),
                         asio::execution::allocator(allocator))
                .execute(std::move(call));
            work_.reset();
        }
    }

    std::optional<F> future_;
    Executor executor_;
    asio::executor_work_guard<handler_executor> work_;
    std::optional<Handler> handler_;
};

}  // namespace rouse::detail

#endif
