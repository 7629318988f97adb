// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#ifndef ROUSE_STD_FUTURE_HPP
#define ROUSE_STD_FUTURE_HPP

#include <chrono>
#include <future>
#include <new>
#include <optional>
#include <rouse/detail/fatal.hpp>
#include <rouse/detail/future_watch.hpp>
#include <rouse/detail/slab.hpp>
#include <rouse/error.hpp>
#include <rouse/into_future.hpp>
#include <type_traits>
#include <utility>

namespace rouse::detail {

template <class Future>
inline constexpr bool is_shared_future = false;
template <class T>
inline constexpr bool is_shared_future<std::shared_future<T>> = true;

template <class Future>
std::future_status status_of(Future const& f) {
    return f.wait_for(std::chrono::seconds::zero());
}

template <class Future>
class watched_future final : public future_watch {
public:
    static watched_future& make(Future&& f) {
        return *::new (slab_allocate(sizeof(watched_future))) watched_future(std::move(f));
    }

    Future future;

private:
    explicit watched_future(Future&& f) noexcept : future(std::move(f)) {}

    bool is_ready() const override { return detail::status_of(future) == std::future_status::ready; }
    void destroy() noexcept override {
        this->~watched_future();
        slab_deallocate(this, sizeof(watched_future));
    }
};

// What a std::future or std::shared_future becomes.
template <class Future, class T>
class [[nodiscard]] std_future {
public:
    explicit std_future(Future&& f) noexcept : future_(std::move(f)) {}
    std_future(std_future&& other) noexcept : future_(std::move(other.future_)) {
        if (other.watch_)
            fatal("a std::future was moved after its first poll: a future stays where it is");
    }
    std_future& operator=(std_future&&) = delete;
    ~std_future() { let_go(); }

    poll_result<T> poll(context& cx) {
        if (!watch_) {
            if (over_) throw_misuse("a std::future was polled after it was ready");
            if (begin()) {
                // A loop of futures that are ready lets others have their turn.
                if (!std::exchange(begun_, true) && !cx.spend()) return pending;
                over_ = true;
                return value_of(future_);
            }
        }
        begun_ = true;
        if (watch_->take(cx)) return taken();
        if (cx.cancellation().requested() == cancellation_type::none) return pending;
        if (!cx.spend()) return pending;
        let_go();
        throw_cancelled();
    }

    cancel_result<T> poll_cancel(context& cx) {
        using nothing = typename cancel_value<T>::type;
        bool const waited = watch_ && watch_->take(cx);
        // Or its first poll found it ready, but had no budget.
        bool const found = !watch_ && begun_ && !over_;
        if (!waited && !found) {
            let_go();
            return nothing{};
        }
        auto const value = [&] {
            if (waited) return taken();
            over_ = true;
            return value_of(future_);
        };
        if constexpr (std::is_void_v<T>) {
            static_cast<void>(value());
            return true;
        } else {
            return std::optional<T>(value().value());
        }
    }

private:
    // True: it is ready. Otherwise it is watched from now on.
    bool begin() {
        if (!future_.valid()) throw std::future_error(std::future_errc::no_state);
        switch (detail::status_of(future_)) {
        case std::future_status::ready: return true;
        case std::future_status::deferred:
            throw_misuse("co_await of a std::future whose function is deferred: nobody would run it; "
                         "use std::launch::async, or spawn the function");
        case std::future_status::timeout: break;
        }
        watch_ = &watched_future<Future>::make(std::move(future_));
        return false;
    }

    // The watched future has ended and is ours.
    poll_result<T> taken() {
        struct ended {
            std_future& self;
            ~ended() {
                self.over_ = true;
                std::exchange(self.watch_, nullptr)->release();
            }
        } const end{*this};
        Future last = std::move(watch_->future);
        return value_of(last);
    }

    static poll_result<T> value_of(Future& f) {
        if constexpr (std::is_void_v<T>) {
            f.get();
            return ready();
        } else {
            return f.get();
        }
    }

    void let_go() noexcept {
        over_ = true;
        if constexpr (is_shared_future<Future>) {
            if (watch_) {
                watch_->leave();
                // Here and now, whoever still has the watch.
                static_cast<void>(Future(std::move(watch_->future)));
            }
        } else {
            leave_behind();
        }
        if (auto* watch = std::exchange(watch_, nullptr)) watch->release();
    }

    // So that the destructor of what std::async gave makes nobody wait. Where there is no memory, or
    // no thread, it does.
    void leave_behind() noexcept {
        try {
            if (!watch_) {
                if (!future_.valid() || detail::status_of(future_) != std::future_status::timeout) return;
                watch_ = &watched_future<Future>::make(std::move(future_));
            }
            watch_->leave_behind();
        } catch (...) {
        }
    }

    Future future_;
    watched_future<Future>* watch_ = nullptr;
    bool begun_ = false;
    bool over_ = false;
};

}  // namespace rouse::detail

// std::future and std::shared_future are accepted wherever a future is:
//
//     std::future<int> answer = legacy_call();
//     int n = co_await std::move(answer);                        // in a rouse::task
//
// The standard has no way to be told when one is ready, so somebody has to look. One that is ready at
// the first poll costs nothing. Any other is looked at by one thread of the process, which the first of
// them starts and which also wakes timers outside of a runtime: after a tick of 65.536 microseconds, and
// then after each eighth of the time that it has waited so far, at the latest after ten milliseconds.
// So the task learns of it late by an eighth of the wait, or by ten milliseconds, whichever is less.
// One that waits for long costs a hundred looks a second, half a percent of a processor; ten thousand
// cost a quarter of one.
//
// The value is what get() returns, or the exception that it throws; of a shared_future it is a copy.
// A future without a state throws std::future_error. One of std::launch::deferred throws
// std::logic_error: its function would run on a worker, in the middle of a poll.
//
// It cannot be cancelled. If the task is cancelled, the await throws operation_aborted. Then, and if it
// is aborted or dropped, nothing waits: a std::future that is not ready yet is left to the thread that
// looks, once a second, and destroys it when it is. So the destructor of what std::async returned,
// which waits, makes no worker wait; what it runs may outlive the await, and what that refers to must
// live as long. A shared_future is only let go: the last one of a std::async's waits in its destructor.
// One that is awaited in a child of fork, and was before, is not looked at any more.
// Any thread may poll. One allocation, recycled, if it has to be waited for.
template <class T>
struct rouse::into_future_traits<std::future<T>> {
    static auto convert(std::future<T>&& f) {
        static_assert(!std::is_reference_v<T>,
                      "rouse: a std::future<T&>: a future's value is an object type or void, never a "
                      "reference (use a pointer or std::reference_wrapper)");
        using value_type = std::remove_reference_t<T>;
        return detail::std_future<std::future<T>, value_type>(std::move(f));
    }

    template <class Named>
    static detail::std_future<std::future<T>, T> convert(Named&) {
        static_assert(std::is_void_v<Named>,
                      "rouse: a named std::future is moved into the await: std::move(f)");
    }
};

template <class T>
struct rouse::into_future_traits<std::shared_future<T>> {
    static auto convert(std::shared_future<T> f) {
        static_assert(std::is_void_v<T> || std::is_copy_constructible_v<T>,
                      "rouse: a std::shared_future gives a copy of its value, which must be "
                      "copy-constructible and no reference");
        using value_type = std::remove_reference_t<T>;
        return detail::std_future<std::shared_future<T>, value_type>(std::move(f));
    }
};

#endif
