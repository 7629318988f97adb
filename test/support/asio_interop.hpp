// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_ASIO_INTEROP_HPP
#define ROUSE_TEST_SUPPORT_ASIO_INTEROP_HPP

#include <support/asio_worlds.hpp>
#include <support/scale.hpp>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <concepts>
#include <coroutine>
#include <exception>
#include <future>
#include <memory>
#include <rouse/any_future.hpp>
#include <rouse/asio_awaitable.hpp>
#include <rouse/deferred.hpp>
#include <rouse/from_awaitable.hpp>
#include <rouse/join.hpp>
#include <rouse/select.hpp>
#include <rouse/spawn.hpp>
#include <rouse/std_future.hpp>
#include <rouse/task.hpp>
#include <rouse/then.hpp>
#include <rouse/this_task.hpp>
#include <rouse/timeout.hpp>
#include <rouse/use_poll.hpp>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

// Everything that can be awaited, under every completion token that says how its result is wanted. A
// program of the matrix takes one type of value.

namespace rouse_test {

// ---- the values ---------------------------------------------------------------------------------

template <class V>
V sample() {
    if constexpr (std::same_as<V, int>) {
        return 42;
    } else if constexpr (std::same_as<V, std::string>) {
        return "forty-two, in more letters than a small string has";
    } else if constexpr (std::same_as<V, std::unique_ptr<int>>) {
        return std::make_unique<int>(42);
    }
}
inline bool is_sample(int n) { return n == sample<int>(); }
inline bool is_sample(std::string const& s) { return s == sample<std::string>(); }
inline bool is_sample(std::unique_ptr<int> const& p) { return p && *p == 42; }
inline bool is_sample() { return true; }

template <class V>
using monostate_if_void = std::conditional_t<std::is_void_v<V>, std::monostate, V>;
template <class V>
V unwrapped(monostate_if_void<V>&& v) {
    if constexpr (!std::is_void_v<V>) return std::move(v);
}

// ---- the sources --------------------------------------------------------------------------------
// Each has a `name` and makes, in a world, one thing that gives a sample when it is awaited.

template <class V>
struct from_struct {
    static constexpr char const* name = "a struct with poll";
    class waits_once {
    public:
        waits_once() noexcept {}
        rouse::poll_result<V> poll(rouse::context& cx) {
            if (!std::exchange(waited_, true)) {
                cx.waker().wake_by_ref();
                return rouse::pending;
            }
            if constexpr (std::is_void_v<V>) {
                return rouse::ready();
            } else {
                return sample<V>();
            }
        }

    private:
        bool waited_ = false;
    };
    static auto make(world&) { return waits_once(); }
};

template <class V>
rouse::task<V> sample_task() {
    co_await rouse::this_task::yield_now();
    co_return sample<V>();
}
template <>
inline rouse::task<void> sample_task<void>() {
    co_await rouse::this_task::yield_now();
}

template <class V>
struct from_task {
    static constexpr char const* name = "rouse::task";
    static auto make(world&) { return sample_task<V>(); }
};

template <class V>
struct from_any_future {
    static constexpr char const* name = "any_future";
    static auto make(world&) { return rouse::any_future<V>(sample_task<V>()); }
};

template <class V>
struct from_handle {
    static constexpr char const* name = "a join handle";
    static auto make(world& w) { return rouse::spawn(w.executor(), sample_task<V>()); }
};

// An operation of Asio that gives any value.
template <class V, class Token>
auto async_sample(asio::any_io_executor ex, Token&& token) {
    using signature = typename rouse::detail::completion_of<V>::signature;
    return asio::async_initiate<Token, signature>(
        [](auto handler, asio::any_io_executor executor) {
            auto const own = asio::get_associated_executor(handler, executor);
            asio::post(executor, asio::bind_executor(own, [h = std::move(handler)]() mutable {
                           if constexpr (std::is_void_v<V>) {
                               std::move(h)(std::exception_ptr());
                           } else {
                               std::move(h)(std::exception_ptr(), sample<V>());
                           }
                       }));
        },
        token, std::move(ex));
}

template <class V>
struct from_operation {
    static constexpr char const* name = "an operation with use_poll";
    static auto make(world& w) { return async_sample<V>(w.executor(), rouse::use_poll); }
};

template <class V>
struct from_deferred {
    static constexpr char const* name = "a deferred operation";
    static auto make(world& w) { return async_sample<V>(w.executor(), asio::deferred); }
};

template <class V>
asio::awaitable<V> sample_awaitable(asio::any_io_executor ex) {
    co_await asio::post(ex, asio::use_awaitable);
    if constexpr (!std::is_void_v<V>) co_return sample<V>();
}
template <>
inline asio::awaitable<void> sample_awaitable<void>(asio::any_io_executor ex) {
    co_await asio::post(ex, asio::use_awaitable);
}

template <class V>
struct from_asio_awaitable {
    static constexpr char const* name = "asio::awaitable";
    static auto make(world& w) { return sample_awaitable<V>(w.executor()); }
};

template <class V>
struct from_std_future {
    static constexpr char const* name = "std::future";
    static auto make(world& w) {
        std::promise<V> promise;
        auto future = promise.get_future();
        asio::post(w.executor(), [p = std::move(promise)]() mutable {
            if constexpr (std::is_void_v<V>) {
                p.set_value();
            } else {
                p.set_value(sample<V>());
            }
        });
        return future;
    }
};

template <class V>
struct from_foreign {
    static constexpr char const* name = "a C++20 awaitable";
    class resumes_elsewhere {
    public:
        explicit resumes_elsewhere(asio::any_io_executor ex) : executor_(std::move(ex)) {}
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> h) const { asio::post(executor_, h); }
        V await_resume() const { return sample<V>(); }

    private:
        asio::any_io_executor executor_;
    };
    static auto make(world& w) { return rouse::from_awaitable(resumes_elsewhere(w.executor())); }
};

template <class V>
struct from_join {
    static constexpr char const* name = "join";
    static auto make(world&) {
        return rouse::map(rouse::join(sample_task<V>(), sample_task<void>()), [](auto&& both) {
            return unwrapped<V>(std::get<0>(std::move(both)));
        });
    }
};

template <class V>
struct from_select {
    static constexpr char const* name = "select";
    static auto make(world&) {
        return rouse::map(rouse::select(sample_task<V>(), rouse::pending_future<>()),
                          [](auto&& first) { return unwrapped<V>(std::get<0>(std::move(first))); });
    }
};

template <class V>
struct from_timeout {
    static constexpr char const* name = "timeout";
    static auto make(world&) { return rouse::timeout(sample_task<V>(), std::chrono::hours(1)); }
};

// ---- the tokens ---------------------------------------------------------------------------------

template <class Future>
auto result_of(world& w, Future future) {
    if (w.is_driven_by_caller()) {
        w.run_until([&] {
            return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
        });
    }
    return future.get();
}

// A completion handler that puts down whether it got the sample.
struct notes {
    std::atomic<bool> called{false};
    std::atomic<bool> good{false};

    auto handler() {
        return [this](std::exception_ptr e, auto... value) {
            good = !e && is_sample(value...);
            called = true;
        };
    }
    void check(world& w) {
        w.run_until([this] { return called.load(); });
        BOOST_TEST(good);
    }
};

// Calls a function with the value of what is awaited, or without one.
template <class V, class Get>
bool gives_sample(Get get) {
    if constexpr (std::is_void_v<V>) {
        get();
        return true;
    } else {
        return is_sample(get());
    }
}

template <class V, class Source>
asio::awaitable<bool> in_awaitable(world& w) {
    auto const ex = w.executor();
    bool good = true;
    if constexpr (std::is_void_v<V>) {
        co_await rouse::spawn(ex, Source::make(w), asio::use_awaitable);
        auto const [e] =
            co_await rouse::spawn(ex, Source::make(w), asio::as_tuple(asio::use_awaitable));
        good = !e;
    } else {
        auto const value = co_await rouse::spawn(ex, Source::make(w), asio::use_awaitable);
        auto const [e, again] =
            co_await rouse::spawn(ex, Source::make(w), asio::as_tuple(asio::use_awaitable));
        good = is_sample(value) && !e && is_sample(again);
    }
    co_return good;
}

// A task that awaits it, and one that awaits its spawn.
template <class V, class Source>
rouse::task<bool> in_task(world& w) {
    auto const ex = w.executor();
    bool good = true;
    if constexpr (std::is_void_v<V>) {
        co_await Source::make(w);
        co_await rouse::spawn(ex, Source::make(w), rouse::use_poll);
    } else {
        auto const value = co_await Source::make(w);
        auto const again = co_await rouse::spawn(ex, Source::make(w), rouse::use_poll);
        good = is_sample(value) && is_sample(again);
    }
    co_return good;
}

template <class V, class Source>
void under_every_token(world& w) {
    auto const ex = w.executor();
    BOOST_TEST_CONTEXT("co_await, use_poll") { BOOST_TEST(result_in(w, in_task<V, Source>(w))); }
    BOOST_TEST_CONTEXT("no token") {
        BOOST_TEST(gives_sample<V>([&] { return wait(w, rouse::spawn(ex, Source::make(w))); }));
    }
    BOOST_TEST_CONTEXT("use_future") {
        BOOST_TEST(gives_sample<V>(
            [&] { return result_of(w, rouse::spawn(ex, Source::make(w), asio::use_future)); }));
    }
    BOOST_TEST_CONTEXT("use_awaitable, as_tuple") {
        BOOST_TEST(result_of(w, asio::co_spawn(ex, in_awaitable<V, Source>(w), asio::use_future)));
    }
    BOOST_TEST_CONTEXT("detached") {
        notes n;
        rouse::spawn(ex, rouse::map(Source::make(w), [&n](auto const&... value) {
                         n.handler()(std::exception_ptr(), is_sample(value...) ? 42 : 0);
                     }),
                     asio::detached);
        n.check(w);
    }
    BOOST_TEST_CONTEXT("a callback") {
        notes n;
        rouse::spawn(ex, Source::make(w), n.handler());
        n.check(w);
    }
    BOOST_TEST_CONTEXT("deferred") {
        notes n;
        rouse::spawn(ex, Source::make(w), asio::deferred)(n.handler());
        n.check(w);
    }
    BOOST_TEST_CONTEXT("bind_executor") {
        notes n;
        asio::thread_pool other(1);
        auto const work = asio::make_work_guard(ex);
        bool there = false;
        rouse::spawn(ex, Source::make(w),
                     asio::bind_executor(other, [&](std::exception_ptr e, auto... value) {
                         there = other.get_executor().running_in_this_thread();
                         n.handler()(e, std::move(value)...);
                         asio::post(ex, [] {});  // whoever runs the loop looks again
                     }));
        n.check(w);
        other.join();
        BOOST_TEST(there);
    }
    if (tsan) return;  // it does not know the stacks of Boost.Context 1.81
    BOOST_TEST_CONTEXT("as_tuple(yield_context)") {
        notes n;
        asio::spawn(
            ex,
            [&](asio::yield_context yield) {
                std::apply(n.handler(),
                           rouse::spawn(ex, Source::make(w), asio::as_tuple(yield)));
            },
            asio::detached);
        n.check(w);
    }
}

template <class V, template <class> class... Sources>
void every_source_under_every_token() {
    on_each_world([](world& w) {
        auto const one = [&w]<class Source>(std::type_identity<Source>) {
            BOOST_TEST_CONTEXT(Source::name) { under_every_token<V, Source>(w); }
        };
        (one(std::type_identity<Sources<V>>()), ...);
    });
}

// The same with one type for all sources, which compiles once.
template <class V>
struct erased {
    static auto make(world& w) { return making(w); }

    static inline rouse::any_future<V> (*making)(world&) = nullptr;
};

template <class V, template <class> class... Sources>
void every_source_erased_under_every_token() {
    on_each_world([](world& w) {
        auto const one = [&w]<class Source>(std::type_identity<Source>) {
            erased<V>::making = [](world& where) {
                return rouse::any_future<V>(rouse::into_future(Source::make(where)));
            };
            BOOST_TEST_CONTEXT(Source::name) { under_every_token<V, erased<V>>(w); }
        };
        (one(std::type_identity<Sources<V>>()), ...);
    });
}

}  // namespace rouse_test

#endif
