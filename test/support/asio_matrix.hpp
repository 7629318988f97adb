// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_ASIO_MATRIX_HPP
#define ROUSE_TEST_SUPPORT_ASIO_MATRIX_HPP

#include <support/asio_worlds.hpp>

#include <atomic>
#include <boost/asio/append.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/consign.hpp>
#include <boost/asio/prepend.hpp>
#include <boost/asio/redirect_error.hpp>
#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <rouse/as_result.hpp>
#include <rouse/deferred.hpp>
#include <rouse/use_poll.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

// Every token adaptor on one operation, in one world.
//
// The operation is described by a class
//     struct some_op {
//         using values = std::tuple<what follows the error code...>;
//         static constexpr bool has_error = ...;   // the signature begins with an error_code
//         static constexpr bool declares_its_type = true;   // only if its return type is not deduced
//         explicit some_op(world&);                // makes what it needs; it will succeed
//         template <class Token> auto start(Token&& token);
//         void check(values const&);               // asserts what it gave
//     };
// For each cell of the matrix one object of it is made.

namespace rouse_test {

using boost::system::error_code;

template <class T>
class counting_allocator {
public:
    using value_type = T;

    explicit counting_allocator(std::atomic<int>& count) noexcept : count_(&count) {}
    template <class U>
    counting_allocator(counting_allocator<U> const& other) noexcept : count_(other.count()) {}

    T* allocate(std::size_t n) {
        ++*count_;
        return static_cast<T*>(::operator new(n * sizeof(T)));
    }
    void deallocate(T* p, std::size_t) noexcept { ::operator delete(p); }

    std::atomic<int>* count() const noexcept { return count_; }
    template <class U>
    bool operator==(counting_allocator<U> const& other) const noexcept {
        return count_ == other.count();
    }

private:
    std::atomic<int>* count_;
};

// An executor that counts the functions that pass through it.
class counting_executor {
public:
    counting_executor(asio::any_io_executor inner, std::atomic<int>& count)
        : inner_(std::move(inner)), count_(&count) {}

    template <class F>
    void execute(F&& f) const {
        ++*count_;
        inner_.execute(std::forward<F>(f));
    }
    asio::execution_context& query(asio::execution::context_t) const noexcept {
        return asio::query(inner_, asio::execution::context);
    }
    static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
        return asio::execution::blocking.never;
    }
    friend bool operator==(counting_executor const& a, counting_executor const& b) noexcept {
        return a.count_ == b.count_;
    }

private:
    decltype(asio::require(std::declval<asio::any_io_executor>(),
                           asio::execution::blocking.never)) inner_;
    std::atomic<int>* count_;
};

// What a future gives for these values: nothing, the only one, or all of them.
template <class Tuple>
struct future_value {
    using type = Tuple;
    static Tuple tuple(Tuple&& t) { return std::move(t); }
};
template <class T>
struct future_value<std::tuple<T>> {
    using type = T;
    static std::tuple<T> tuple(T&& t) { return std::tuple<T>(std::move(t)); }
};
template <>
struct future_value<std::tuple<>> {
    using type = void;
};
template <class... T>
using future_value_t = typename future_value<std::tuple<T...>>::type;

template <class Op, class Values = typename Op::values>
class matrix;

template <class Op, class... V>
class matrix<Op, std::tuple<V...>> {
    using values = std::tuple<V...>;
    using plain = future_value_t<V...>;
    using plain_result = boost::system::result<plain, error_code>;

public:
    static void run(world& w) { matrix(w).all(); }

private:
    explicit matrix(world& w) : w_(w) {}

    // Runs one cell: the future must give exactly Value; `unpack` finds the values in it.
    template <class Value, class Token, class Unpack>
    void cell(char const* name, Token token, Unpack unpack) {
        BOOST_TEST_CONTEXT(name) {
            try {
                Op op(w_);
                auto future = op.start(std::move(token));
                static_assert(rouse::awaitable_value<decltype(future)>);
                static_assert(
                    std::same_as<rouse::spawned_output_t<decltype(future)>, Value>);
                if constexpr (std::is_void_v<Value>) {
                    result_in(w_, std::move(future));
                    op.check(unpack());
                } else {
                    auto value = result_in(w_, std::move(future));
                    op.check(unpack(std::move(value)));
                }
            } catch (std::exception const& e) {
                BOOST_ERROR(e.what());
            }
        }
    }

    // A cell whose future gives the plain values.
    template <class Token>
    void plain_cell(char const* name, Token token) {
        if constexpr (std::is_void_v<plain>) {
            cell<void>(name, std::move(token), [] { return values(); });
        } else {
            cell<plain>(name, std::move(token), [](plain v) {
                return future_value<values>::tuple(std::move(v));
            });
        }
    }

    static values from_result(plain_result r) {
        BOOST_TEST(r.has_value());
        if constexpr (std::is_void_v<plain>) {
            return values();
        } else {
            return future_value<values>::tuple(std::move(*r));
        }
    }

    void all() {
        using asio::bind_executor;
        using rouse::use_poll;
        std::atomic<int> executed{0};
        std::atomic<int> allocated{0};
        counting_executor const ex(w_.executor(), executed);
        counting_allocator<void*> const allocator(allocated);

        plain_cell("use_poll", use_poll);
        // Asio's own token knows no type that could be declared.
        if constexpr (!requires { Op::declares_its_type; })
            plain_cell("deferred", asio::deferred);

        executed = 0;
        plain_cell("bind_executor", bind_executor(ex, use_poll));
        BOOST_TEST(executed > 0);

        plain_cell("bind_allocator", asio::bind_allocator(allocator, use_poll));
        {
            asio::cancellation_signal signal;
            plain_cell("bind_cancellation_slot",
                       asio::bind_cancellation_slot(signal.slot(), use_poll));
        }

        auto const kept = std::make_shared<int>(1);
        plain_cell("consign", asio::consign(use_poll, kept));
        BOOST_TEST(kept.use_count() == 1);

        if constexpr (Op::has_error) {
            with_error(ex, executed, allocator);
        } else {
            cell<values>("as_tuple", asio::as_tuple(use_poll), [](values v) { return v; });
            if constexpr (sizeof...(V) == 0) {
                cell<int>("append", asio::append(use_poll, 7), [](int seven) {
                    BOOST_TEST(seven == 7);
                    return values();
                });
                cell<int>("prepend", asio::prepend(use_poll, 7), [](int seven) {
                    BOOST_TEST(seven == 7);
                    return values();
                });
            }
        }
    }

    void with_error(counting_executor const& ex, std::atomic<int>& executed,
                    counting_allocator<void*> const& allocator) {
        using asio::append;
        using asio::as_tuple;
        using asio::bind_executor;
        using asio::prepend;
        using asio::redirect_error;
        using rouse::as_result;
        using rouse::use_poll;

        auto const tail = [](std::tuple<error_code, V...> t) {
            BOOST_TEST(!std::get<0>(t));
            return std::apply([](error_code, auto... v) { return values(std::move(v)...); },
                              std::move(t));
        };
        auto const before_seven = [](auto t) {
            return std::apply(
                [](auto... v) {
                    std::tuple<decltype(v)...> all(std::move(v)...);
                    BOOST_TEST(std::get<sizeof...(V)>(all) == 7);
                    return [&]<std::size_t... I>(std::index_sequence<I...>) {
                        return values(std::get<I>(std::move(all))...);
                    }(std::index_sequence_for<V...>());
                },
                std::move(t));
        };
        error_code const before = asio::error::would_block;

        cell<std::tuple<error_code, V...>>("as_tuple", as_tuple(use_poll), tail);

        error_code error = before;
        plain_cell("redirect_error", redirect_error(use_poll, error));
        BOOST_TEST(!error);

        cell<future_value_t<V..., int>>("append", append(use_poll, 7), [&](auto v) {
            return before_seven(
                future_value<std::tuple<V..., int>>::tuple(std::move(v)));
        });

        // The error code does not lead here, so it is a value like others.
        cell<std::tuple<int, error_code, V...>>(
            "prepend", prepend(use_poll, 7), [&](std::tuple<int, error_code, V...> t) {
                BOOST_TEST(std::get<0>(t) == 7);
                return std::apply(
                    [&](int, auto... rest) {
                        return tail(std::tuple<error_code, V...>(std::move(rest)...));
                    },
                    std::move(t));
            });

        cell<plain_result>("as_result", as_result(use_poll), from_result);

        // Nested ones.
        executed = 0;
        cell<std::tuple<error_code, V...>>("as_tuple of bind_executor",
                                           as_tuple(bind_executor(ex, use_poll)), tail);
        BOOST_TEST(executed > 0);
        executed = 0;
        cell<std::tuple<error_code, V...>>("bind_executor of as_tuple",
                                           bind_executor(ex, as_tuple(use_poll)), tail);
        BOOST_TEST(executed > 0);

        error = before;
        plain_cell("redirect_error of bind_executor",
                   redirect_error(bind_executor(ex, use_poll), error));
        BOOST_TEST(!error);

        error = before;
        cell<future_value_t<V..., int>>(
            "redirect_error of append", redirect_error(append(use_poll, 7), error), [&](auto v) {
                return before_seven(
                    future_value<std::tuple<V..., int>>::tuple(std::move(v)));
            });
        BOOST_TEST(!error);

        executed = 0;
        cell<plain_result>("as_result of bind_executor", as_result(bind_executor(ex, use_poll)),
                           from_result);
        BOOST_TEST(executed > 0);

        cell<std::tuple<plain_result, int>>("as_result of append", as_result(append(use_poll, 7)),
                                            [](std::tuple<plain_result, int> t) {
                                                BOOST_TEST(std::get<1>(t) == 7);
                                                return from_result(std::get<0>(std::move(t)));
                                            });
        using appended = boost::system::result<future_value_t<V..., int>, error_code>;
        cell<appended>("append of as_result", append(as_result(use_poll), 7), [&](appended r) {
            BOOST_TEST(r.has_value());
            return before_seven(future_value<std::tuple<V..., int>>::tuple(*std::move(r)));
        });

        cell<plain_result>("bind_allocator of as_result",
                           asio::bind_allocator(allocator, as_result(use_poll)), from_result);
        {
            asio::cancellation_signal signal;
            error = before;
            plain_cell("bind_cancellation_slot of redirect_error",
                       asio::bind_cancellation_slot(signal.slot(),
                                                    redirect_error(use_poll, error)));
            BOOST_TEST(!error);
            cell<plain_result>("bind_cancellation_slot of as_result",
                               asio::bind_cancellation_slot(signal.slot(), as_result(use_poll)),
                               from_result);
        }
        cell<std::tuple<error_code, V...>>(
            "consign of as_tuple", asio::consign(as_tuple(use_poll), std::make_shared<int>(1)),
            tail);
    }

    world& w_;
};

// The whole matrix of one operation, everywhere.
template <class Op>
void matrix_everywhere() {
    on_each_world([](world& w) { matrix<Op>::run(w); });
}

}  // namespace rouse_test

#endif
