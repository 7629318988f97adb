// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Every token adaptor of Asio's, and as_result, over use_poll: operations that are not a socket's,
// and what an operation finds associated with the handler that it is given.

#include <support/asio_matrix.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <rouse/task.hpp>
#include <string>

BOOST_AUTO_TEST_SUITE(test_adaptors_other)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using asio::ip::tcp;
using rouse::use_poll;
using rouse::use_poll_t;

struct post_op {
    using values = std::tuple<>;
    static constexpr bool has_error = false;

    explicit post_op(world& w) : executor(w.executor()) {}
    template <class Token>
    auto start(Token&& token) {
        return asio::post(executor, std::forward<Token>(token));
    }
    void check(values const&) {}

    asio::any_io_executor executor;
};

struct dispatch_op : post_op {
    using post_op::post_op;
    template <class Token>
    auto start(Token&& token) {
        return asio::dispatch(executor, std::forward<Token>(token));
    }
};

struct defer_op : post_op {
    using post_op::post_op;
    template <class Token>
    auto start(Token&& token) {
        return asio::defer(executor, std::forward<Token>(token));
    }
};

struct resolve_op {
    using values = std::tuple<tcp::resolver::results_type>;
    static constexpr bool has_error = true;

    explicit resolve_op(world& w) : resolver(w.executor()) {}
    template <class Token>
    auto start(Token&& token) {
        return resolver.async_resolve("127.0.0.1", "80",
                                      tcp::resolver::numeric_host | tcp::resolver::numeric_service,
                                      std::forward<Token>(token));
    }
    void check(values const& v) {
        tcp::endpoint const expected(asio::ip::address_v4::loopback(), 80);
        BOOST_TEST_REQUIRE(std::get<0>(v).size() == 1U);
        BOOST_TEST((std::get<0>(v).begin()->endpoint() == expected));
    }

    tcp::resolver resolver;
};

struct signal_op {
    using values = std::tuple<int>;
    static constexpr bool has_error = true;

    explicit signal_op(world& w) : signals(w.executor(), SIGUSR1) { std::raise(SIGUSR1); }
    template <class Token>
    auto start(Token&& token) {
        return signals.async_wait(std::forward<Token>(token));
    }
    void check(values const& v) { BOOST_TEST(std::get<0>(v) == SIGUSR1); }

    asio::signal_set signals;
};

template <class Channel>
struct receive_op {
    using values = std::tuple<std::string>;
    static constexpr bool has_error = true;

    explicit receive_op(world& w) : channel(w.executor(), 1) {
        channel.try_send(error_code(), "sent");
    }
    template <class Token>
    auto start(Token&& token) {
        return channel.async_receive(std::forward<Token>(token));
    }
    void check(values const& v) { BOOST_TEST(std::get<0>(v) == "sent"); }

    Channel channel;
};

template <class Channel>
struct send_op {
    using values = std::tuple<>;
    static constexpr bool has_error = true;

    explicit send_op(world& w) : channel(w.executor(), 1) {}
    template <class Token>
    auto start(Token&& token) {
        return channel.async_send(error_code(), std::string("sent"), std::forward<Token>(token));
    }
    void check(values const&) {
        std::string received;
        channel.try_receive([&](error_code, std::string s) { received = std::move(s); });
        BOOST_TEST(received == "sent");
    }

    Channel channel;
};

using channel = asio::experimental::channel<void(error_code, std::string)>;
using concurrent_channel = asio::experimental::concurrent_channel<void(error_code, std::string)>;

// An operation that looks at its handler, completes it through the associated executor, and can be
// cancelled by the associated slot.
struct findings {
    asio::execution_context* context = nullptr;
    bool has_slot = false;
    bool never_blocks = false;
};

struct inspecting {
    findings* found;

    template <class Handler>
    void operator()(Handler&& handler) const {
        auto const ex = asio::get_associated_executor(handler);
        found->context = &asio::query(ex, asio::execution::context);
        found->never_blocks = asio::query(ex, asio::execution::blocking) ==
                              asio::execution::blocking.never;
        found->has_slot = asio::get_associated_cancellation_slot(handler).is_connected();

        // Memory of the associated allocator, given back before the handler is invoked.
        auto const allocator = asio::get_associated_allocator(handler);
        using bytes = typename std::allocator_traits<
            std::decay_t<decltype(allocator)>>::template rebind_alloc<char>;
        bytes b(allocator);
        b.deallocate(b.allocate(100), 100);

        asio::post(ex, std::forward<Handler>(handler));
    }
};

template <class Token>
auto async_inspect(findings& found, Token&& token) {
    return asio::async_initiate<Token, void()>(inspecting{&found}, token);
}

}  // namespace

BOOST_AUTO_TEST_CASE(matrix_of_post) { matrix_everywhere<post_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_dispatch) { matrix_everywhere<dispatch_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_defer) { matrix_everywhere<defer_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_resolve) { matrix_everywhere<resolve_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_signal_wait) { matrix_everywhere<signal_op>(); }
BOOST_AUTO_TEST_CASE(matrix_of_channel_receive) { matrix_everywhere<receive_op<channel>>(); }
BOOST_AUTO_TEST_CASE(matrix_of_channel_send) { matrix_everywhere<send_op<channel>>(); }
BOOST_AUTO_TEST_CASE(matrix_of_concurrent_channel_receive) {
    matrix_everywhere<receive_op<concurrent_channel>>();
}

BOOST_AUTO_TEST_CASE(as_default_on_a_resolver_and_a_signal_set) {
    on_each_world([](world& w) {
        use_poll_t::as_default_on_t<tcp::resolver> resolver(w.executor());
        auto const results = result_in(
            w, resolver.async_resolve("127.0.0.1", "80", tcp::resolver::numeric_host));
        BOOST_TEST(results.size() == 1U);

        use_poll_t::as_default_on_t<asio::signal_set> signals(w.executor(), SIGUSR1);
        std::raise(SIGUSR1);
        BOOST_TEST(result_in(w, signals.async_wait()) == SIGUSR1);
    });
}

BOOST_AUTO_TEST_CASE(b79_handler_has_executor_allocator_and_slot) {
    on_each_world([](world& w) {
        findings found;
        result_in(w, async_inspect(found, use_poll));
        BOOST_TEST(found.context == &asio::query(w.executor(), asio::execution::context));
        BOOST_TEST(found.has_slot);
        BOOST_TEST(found.never_blocks);
    });
}

BOOST_AUTO_TEST_CASE(b79_adaptors_keep_executor_allocator_and_slot) {
    on_each_world([](world& w) {
        auto const check = [&](auto token) {
            findings found;
            static_cast<void>(result_in(w, async_inspect(found, std::move(token))));
            BOOST_TEST(found.context == &asio::query(w.executor(), asio::execution::context));
            BOOST_TEST(found.has_slot);
            BOOST_TEST(found.never_blocks);
        };
        check(asio::as_tuple(use_poll));
        check(asio::append(use_poll, 1));
        check(asio::prepend(use_poll, 1));
        check(asio::consign(use_poll, 1));
    });
}

BOOST_AUTO_TEST_CASE(b79_as_result_keeps_executor_allocator_and_slot) {
    // as_result wants an error code: one is put in front.
    on_each_world([](world& w) {
        findings found;
        auto const with_code = [&found]<class Token>(Token&& token) {
            return asio::async_initiate<Token, void(error_code)>(
                [&found](auto handler) {
                    found.has_slot =
                        asio::get_associated_cancellation_slot(handler).is_connected();
                    auto const ex = asio::get_associated_executor(handler);
                    found.context = &asio::query(ex, asio::execution::context);
                    asio::post(ex, asio::append(std::move(handler), error_code()));
                },
                token);
        };
        BOOST_TEST(result_in(w, with_code(rouse::as_result(use_poll))).has_value());
        BOOST_TEST(found.context == &asio::query(w.executor(), asio::execution::context));
        BOOST_TEST(found.has_slot);
    });
}

BOOST_AUTO_TEST_CASE(b79_bound_executor_allocator_and_slot_win) {
    on_each_world([](world& w) {
        std::atomic<int> executed{0};
        std::atomic<int> allocated{0};
        asio::cancellation_signal signal;
        findings found;
        result_in(w, async_inspect(
                         found, asio::bind_executor(
                                    counting_executor(w.executor(), executed),
                                    asio::bind_allocator(
                                        counting_allocator<void>(allocated),
                                        asio::bind_cancellation_slot(signal.slot(), use_poll)))));
        BOOST_TEST(executed > 0);
        BOOST_TEST(allocated >= 1);
        BOOST_TEST(found.has_slot);
    });
}

// Asio itself uses the bound allocator for its operations.
BOOST_AUTO_TEST_CASE(b79_bound_allocator_serves_the_operation) {
    on_each_world([](world& w) {
        std::atomic<int> allocated{0};
        asio::steady_timer timer(w.executor(), 1ms);
        result_in(w, timer.async_wait(
                         asio::bind_allocator(counting_allocator<void>(allocated), use_poll)));
        BOOST_TEST(allocated >= 1);
    });
}

// The slot that was bound ends the operation; it does so with the operation's own result.
BOOST_AUTO_TEST_CASE(b79_bound_slot_cancels_the_operation) {
    io_context_world w;
    asio::cancellation_signal signal;
    asio::steady_timer timer(w.io, 24h);
    auto handle = rouse::spawn(
        w.executor(),
        timer.async_wait(asio::bind_cancellation_slot(signal.slot(), asio::as_tuple(use_poll))));
    while (w.io.poll() != 0) {
    }
    BOOST_TEST(!handle.is_finished());
    signal.emit(asio::cancellation_type::all);
    auto const [error] = wait(w, std::move(handle));
    BOOST_TEST((error == asio::error::operation_aborted));
}

// An abort cannot reach an operation whose slot is somewhere else: it waits.
BOOST_AUTO_TEST_CASE(b79_operation_with_a_bound_slot_is_waited_for) {
    io_context_world w;
    asio::cancellation_signal signal;
    asio::steady_timer timer(w.io, 24h);
    auto handle = rouse::spawn(
        w.executor(), timer.async_wait(asio::bind_cancellation_slot(signal.slot(), use_poll)));
    while (w.io.poll() != 0) {
    }
    handle.abort();
    while (w.io.poll() != 0) {
    }
    BOOST_TEST(!handle.is_finished());
    timer.cancel();
    BOOST_CHECK_EXCEPTION(wait(w, std::move(handle)), boost::system::system_error,
                          [](auto const& e) { return e.code() == rouse::errc::aborted; });
}

BOOST_AUTO_TEST_SUITE_END()
