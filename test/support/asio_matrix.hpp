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
#include <boost/asio/error.hpp>
#include <boost/asio/prepend.hpp>
#include <boost/asio/redirect_error.hpp>
#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <rouse/any_future.hpp>
#include <rouse/as_result.hpp>
#include <rouse/deferred.hpp>
#include <rouse/join_handle.hpp>
#include <rouse/spawn.hpp>
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
//         static constexpr bool without_nesting = true;     // only if it takes too long to compile
//         asio::any_io_executor executor;          // only if all that it does is to post there
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

    explicit counting_allocator(std::atomic<int>& count,
                                std::atomic<std::size_t>* bytes_out = nullptr) noexcept
        : count_(&count), bytes_out_(bytes_out) {}
    template <class U>
    counting_allocator(counting_allocator<U> const& other) noexcept
        : count_(other.count()), bytes_out_(other.bytes_out()) {}

    T* allocate(std::size_t n) {
        void* const p = ::operator new(n * sizeof(T));
        ++*count_;
        if (bytes_out_) *bytes_out_ += n * sizeof(T);
        return static_cast<T*>(p);
    }
    void deallocate(T* p, std::size_t n) noexcept {
        ::operator delete(p);
        if (bytes_out_) *bytes_out_ -= n * sizeof(T);
    }

    // How often memory was allocated; how much has not been given back.
    std::atomic<int>* count() const noexcept { return count_; }
    std::atomic<std::size_t>* bytes_out() const noexcept { return bytes_out_; }
    template <class U>
    bool operator==(counting_allocator<U> const& other) const noexcept {
        return count_ == other.count();
    }

private:
    std::atomic<int>* count_;
    std::atomic<std::size_t>* bytes_out_;
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
    using with_code = std::tuple<error_code, V...>;

public:
    static void run(world& w) { matrix(w).all(); }

private:
    explicit matrix(world& w) : w_(w), ex_(w.executor(), executed_) {}

    // Runs one cell: the future must give exactly Value; `unpack` finds the values in it.
    template <class Value, class Token, class Unpack>
    void cell(char const* name, Token token, Unpack unpack) {
        BOOST_TEST_CONTEXT(name) {
            try {
                Op op(w_);
                auto future = op.start(std::move(token));
                static_assert(rouse::awaitable_value<decltype(future)>);
                static_assert(std::same_as<rouse::spawned_output_t<decltype(future)>, Value>);
                // Erased, since a task of its own type for each cell would take longer to compile.
                rouse::any_future<Value> erased(std::move(future));
                if constexpr (std::is_void_v<Value>) {
                    result_in(w_, std::move(erased));
                    op.check(unpack());
                } else {
                    auto value = result_in(w_, std::move(erased));
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
            cell<plain>(name, std::move(token),
                        [](plain v) { return future_value<values>::tuple(std::move(v)); });
        }
    }

    // Functions to unpack with.
    static values from_result(plain_result r) {
        BOOST_TEST(r.has_value());
        if constexpr (std::is_void_v<plain>) {
            return values();
        } else {
            return future_value<values>::tuple(std::move(*r));
        }
    }
    static values from_tuple(with_code t) {
        BOOST_TEST(!std::get<0>(t));
        return std::apply([](error_code, auto... v) { return values(std::move(v)...); },
                          std::move(t));
    }
    static values before_seven(future_value_t<V..., int> v) {
        auto all = future_value<std::tuple<V..., int>>::tuple(std::move(v));
        BOOST_TEST(std::get<sizeof...(V)>(all) == 7);
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return values(std::get<I>(std::move(all))...);
        }(std::index_sequence_for<V...>());
    }

    // The bound executor was used since the last check.
    void check_executor() { BOOST_TEST(executed_.exchange(0) > 0); }

    // The operation has taken memory from the bound allocator, and has given all of it back. What
    // is only posted lies in memory of the library.
    void check_allocator() {
        constexpr bool only_posts = requires(Op & op) { op.executor; };
        int const allocated = allocated_.exchange(0);
        if constexpr (!only_posts) BOOST_TEST(allocated > 0);
        BOOST_TEST(bytes_out_ == 0U);
    }

    void all() {
        using rouse::use_poll;

        plain_cell("use_poll", use_poll);
        // Asio's own token knows no type that could be declared.
        if constexpr (!requires { Op::declares_its_type; }) plain_cell("deferred", asio::deferred);

        plain_cell("bind_executor", asio::bind_executor(ex_, use_poll));
        check_executor();

        plain_cell("bind_allocator", asio::bind_allocator(allocator_, use_poll));
        check_allocator();

        plain_cell("bind_cancellation_slot",
                   asio::bind_cancellation_slot(signal_.slot(), use_poll));

        auto const kept = std::make_shared<int>(1);
        plain_cell("consign", asio::consign(use_poll, kept));
        BOOST_TEST(kept.use_count() == 1);

        if constexpr (Op::has_error) {
            with_error();
            if constexpr (!requires { Op::without_nesting; }) nested();
        } else {
            without_error();
        }
    }

    void without_error() {
        using rouse::use_poll;

        cell<values>("as_tuple", asio::as_tuple(use_poll), [](values v) { return v; });
        if constexpr (sizeof...(V) == 0) {
            cell<int>("append", asio::append(use_poll, 7), before_seven);
            cell<int>("prepend", asio::prepend(use_poll, 7), before_seven);
        }
    }

    void with_error() {
        using rouse::use_poll;

        cell<with_code>("as_tuple", asio::as_tuple(use_poll), from_tuple);

        error_code error = before_;
        plain_cell("redirect_error", asio::redirect_error(use_poll, error));
        BOOST_TEST(!error);

        cell<future_value_t<V..., int>>("append", asio::append(use_poll, 7), before_seven);

        // The error code does not lead here, so it is a value like others.
        cell<std::tuple<int, error_code, V...>>(
            "prepend", asio::prepend(use_poll, 7), [](std::tuple<int, error_code, V...> t) {
                BOOST_TEST(std::get<0>(t) == 7);
                return std::apply(
                    [](int, auto... rest) { return from_tuple(with_code(std::move(rest)...)); },
                    std::move(t));
            });

        cell<plain_result>("as_result", rouse::as_result(use_poll), from_result);
    }

    void nested() {
        using asio::append;
        using asio::as_tuple;
        using asio::bind_executor;
        using asio::redirect_error;
        using rouse::as_result;
        using rouse::use_poll;

        cell<with_code>("as_tuple of bind_executor", as_tuple(bind_executor(ex_, use_poll)),
                        from_tuple);
        check_executor();
        cell<with_code>("bind_executor of as_tuple", bind_executor(ex_, as_tuple(use_poll)),
                        from_tuple);
        check_executor();

        error_code error = before_;
        plain_cell("redirect_error of bind_executor",
                   redirect_error(bind_executor(ex_, use_poll), error));
        BOOST_TEST(!error);
        check_executor();

        error = before_;
        cell<future_value_t<V..., int>>("redirect_error of append",
                                        redirect_error(append(use_poll, 7), error), before_seven);
        BOOST_TEST(!error);

        cell<plain_result>("as_result of bind_executor", as_result(bind_executor(ex_, use_poll)),
                           from_result);
        check_executor();

        cell<std::tuple<plain_result, int>>("as_result of append", as_result(append(use_poll, 7)),
                                            [](std::tuple<plain_result, int> t) {
                                                BOOST_TEST(std::get<1>(t) == 7);
                                                return from_result(std::get<0>(std::move(t)));
                                            });
        using appended = boost::system::result<future_value_t<V..., int>, error_code>;
        cell<appended>("append of as_result", append(as_result(use_poll), 7), [](appended r) {
            BOOST_TEST(r.has_value());
            return before_seven(*std::move(r));
        });

        cell<plain_result>("bind_allocator of as_result",
                           asio::bind_allocator(allocator_, as_result(use_poll)), from_result);
        check_allocator();
        cell<plain_result>("as_result of bind_allocator",
                           as_result(asio::bind_allocator(allocator_, use_poll)), from_result);
        check_allocator();

        error = before_;
        plain_cell("bind_cancellation_slot of redirect_error",
                   asio::bind_cancellation_slot(signal_.slot(), redirect_error(use_poll, error)));
        BOOST_TEST(!error);
        cell<plain_result>("bind_cancellation_slot of as_result",
                           asio::bind_cancellation_slot(signal_.slot(), as_result(use_poll)),
                           from_result);

        cell<with_code>("consign of as_tuple",
                        asio::consign(as_tuple(use_poll), std::make_shared<int>(1)), from_tuple);
    }

    world& w_;
    std::atomic<int> executed_{0};
    std::atomic<int> allocated_{0};
    std::atomic<std::size_t> bytes_out_{0};
    counting_executor const ex_;
    counting_allocator<void*> const allocator_{allocated_, &bytes_out_};
    asio::cancellation_signal signal_{};
    error_code const before_ = asio::error::would_block;
};

// The whole matrix of one operation, everywhere.
template <class Op>
void matrix_everywhere() {
    on_each_world([](world& w) { matrix<Op>::run(w); });
}

// What the other end of a stream does meanwhile, as a task of its own. It has let go of the stream
// when this is destroyed.
class other_end {
public:
    template <class F>
    other_end(world& w, F&& future)
        : w_(w), handle_(rouse::spawn(w.executor(), std::forward<F>(future))) {}
    other_end(other_end const&) = delete;
    other_end& operator=(other_end const&) = delete;
    ~other_end() {
        if (!handle_) return;
        handle_->abort();
        try {
            wait();
        } catch (std::exception const&) {
        }
    }

    void wait() {
        auto handle = *std::move(handle_);
        handle_.reset();
        rouse_test::wait(w_, std::move(handle));
    }

private:
    world& w_;
    std::optional<rouse::join_handle<>> handle_;
};

}  // namespace rouse_test

#endif
