// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Asio's own things on a pool: each is made from the pool and from its executor, in both modes, and
// every continuation runs on a worker. Streams and protocols are in executor_streams.cpp.

#include <support/pool_watch.hpp>

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/system_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <rouse.hpp>

BOOST_AUTO_TEST_SUITE(test_executor_asio)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::thread_pool;

namespace {

// For what has the executor in its type: of the pool's own type, and any_io_executor.
template <class Check>
void on_each_executor(Check check) {
    in_both_modes({1, 2}, [&](mode m, unsigned workers) {
        pool_watch watch(m, workers);
        check(watch, watch.pool().get_executor());
        check(watch, asio::any_io_executor(watch.pool().get_executor()));
    });
}

}  // namespace

BOOST_AUTO_TEST_CASE(post_dispatch_and_defer) {
    on_each([](pool_watch& watch, auto& where) {
        for (int n = 0; n < 10; ++n) {
            asio::post(where, watch.handler());
            asio::dispatch(where, watch.handler());
            asio::defer(where, watch.handler());
        }
        watch.expect(30);
        asio::post(where, [&] {
            watch.here();
            asio::dispatch(where, watch.handler());
            asio::defer(where, [&] {
                watch.here();
                asio::post(where, watch.handler());
            });
        });
        watch.expect(4);
        BOOST_TEST(asio::post(where, asio::use_future([] { return 5; })).get() == 5);
    });
}

BOOST_AUTO_TEST_CASE(timers) {
    on_each([](pool_watch& watch, auto& where) {
        asio::steady_timer steady(where, 1ms);
        asio::system_timer system(where, std::chrono::milliseconds(1));
        asio::steady_timer cancelled(where, 1h);
        steady.async_wait(watch.handler());
        system.async_wait(watch.handler());
        cancelled.async_wait(watch.handler());
        cancelled.cancel();
        watch.expect(3);
        BOOST_TEST(&asio::query(steady.get_executor(), asio::execution::context) ==
                   &watch.pool().context());
        steady.expires_after(1ms);
        steady.async_wait(asio::use_future).get();
        steady.async_wait(asio::bind_executor(watch.pool(), watch.handler()));
        watch.expect(1);
    });
}

// Two handlers of the event loop's are inside at the same time: each waits there for the other. The
// first to run has the event loop behind it, where the second one is still to come, or is already.
BOOST_AUTO_TEST_CASE(b73_handlers_of_two_operations_run_in_parallel_on_the_workers) {
    enum class second { same_timer, later_timer, read };
    for (second const other : {second::same_timer, second::later_timer, second::read}) {
        in_both_modes({2, 8}, [&](mode m, unsigned workers) {
            pool_watch watch(m, workers);
            tcp_pair sockets(watch.pool().get_executor());
            for (unsigned round = 0; round < scaled(100U); ++round) {
                countdown inside(2);
                auto const meets = [&](auto const&...) {
                    inside.down();
                    inside.wait("two handlers at once");
                    watch.here();
                };
                asio::steady_timer a(watch.pool(), 1ms);
                asio::steady_timer b(watch.pool(), other == second::later_timer ? 2ms : 1ms);
                char c = 0;
                a.async_wait(meets);
                if (other == second::read) {
                    sockets.here.async_read_some(asio::buffer(&c, 1), meets);
                    asio::write(sockets.there, asio::buffer("r", 1));
                } else {
                    b.async_wait(meets);
                }
                watch.expect(2);
            }
        });
    }
}

BOOST_AUTO_TEST_CASE(timers_of_the_pools_own_type) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_watch watch(m, workers);
        using timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                                 asio::wait_traits<std::chrono::steady_clock>,
                                                 thread_pool::executor_type>;
        timer by_executor(watch.pool().get_executor(), 1ms);
        by_executor.async_wait(watch.handler());
        tcp::acceptor::rebind_executor<thread_pool::executor_type>::other acceptor(
            watch.pool().get_executor(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        auto const accepted = [&](auto, auto) { watch.here(); };
        acceptor.async_accept(accepted);
        tcp::socket::rebind_executor<thread_pool::executor_type>::other socket(
            watch.pool().get_executor());
        socket.async_connect(acceptor.local_endpoint(), watch.handler());
        watch.expect(3);
    });
}

BOOST_AUTO_TEST_CASE(a_resolver_adds_asios_own_thread) {
    for (mode const m : {mode::own, mode::applications}) {
        pool_watch watch(m, 2);
        tcp::resolver by_pool(watch.pool());
        tcp::resolver by_executor(watch.pool().get_executor());
        auto const flags = tcp::resolver::numeric_host | tcp::resolver::numeric_service;
        std::atomic<unsigned> found{0};
        auto const handler = [&](boost::system::error_code e, tcp::resolver::results_type results) {
            if (!e && results.size() == 1) ++found;
            watch.here();
        };
        by_pool.async_resolve("127.0.0.1", "80", flags, handler);
        by_executor.async_resolve("127.0.0.1", "80", flags, handler);
        watch.expect(2, 1);
        BOOST_TEST(found == 2U);
    }
}

BOOST_AUTO_TEST_CASE(signal_sets) {
    on_each([](pool_watch& watch, auto& where) {
        asio::signal_set signals(where, SIGUSR1);
        std::atomic<int> number{0};
        signals.async_wait([&](boost::system::error_code, int n) {
            number = n;
            watch.here();
        });
        ::raise(SIGUSR1);
        watch.expect(1);
        BOOST_TEST(number == SIGUSR1);
    });
}

BOOST_AUTO_TEST_CASE(strands_are_serial_and_in_order) {
    on_each_executor([](pool_watch& watch, auto where) {
        auto const strand = asio::make_strand(where);
        std::vector<int> order;  // guarded by the strand alone
        for (int n = 0; n < 1000; ++n) {
            asio::post(strand, [&, n] {
                order.push_back(n);
                watch.here();
            });
        }
        watch.expect(1000);
        bool in_order = order.size() == 1000;
        for (int n = 0; in_order && n < 1000; ++n) in_order = order[static_cast<std::size_t>(n)] == n;
        BOOST_TEST(in_order);
        asio::dispatch(strand, [&, strand] {
            if (strand.running_in_this_thread()) watch.here();
        });
        watch.expect(1);

        // From many threads and from handlers of operations.
        unsigned inside = 0;
        asio::steady_timer timer(strand, 1ms);
        timer.async_wait([&](auto) {
            ++inside;
            watch.here();
        });
        run_threads(4, [&](unsigned) {
            for (int n = 0; n < 250; ++n) {
                asio::post(strand, [&] {
                    ++inside;
                    watch.here();
                });
            }
        });
        watch.expect(1001);
        BOOST_TEST(asio::post(strand, asio::use_future([&] { return inside; })).get() == 1001U);
    });
    in_both_modes({2}, [](mode m, unsigned workers) {
        pool_watch watch(m, workers);
        auto const strand = asio::make_strand(watch.pool());
        asio::post(strand, watch.handler());
        watch.expect(1);
    });
}

namespace {

template <class Channel>
void sends_and_receives(pool_watch& watch, Channel& channel) {
    std::atomic<int> sum{0};
    for (int n = 1; n <= 10; ++n) {
        channel.async_receive([&](boost::system::error_code e, int value) {
            if (!e) sum += value;
            watch.here();
        });
        channel.async_send(boost::system::error_code(), n, watch.handler());
    }
    watch.expect(20);
    BOOST_TEST(sum == 55);
}

}  // namespace

BOOST_AUTO_TEST_CASE(channels) {
    using signature = void(boost::system::error_code, int);
    on_each_executor([](pool_watch& watch, auto where) {
        using channel = asio::experimental::concurrent_channel<decltype(where), signature>;
        channel by_executor(where, 2);
        sends_and_receives(watch, by_executor);
        channel by_pool(watch.pool(), 2);
        sends_and_receives(watch, by_pool);
    });
}

// Without locks of their own: all that is done with them is done on one strand.
BOOST_AUTO_TEST_CASE(channels_on_a_strand) {
    using boost::system::error_code;
    on_each_executor([](pool_watch& watch, auto where) {
        auto const strand = asio::make_strand(where);
        asio::experimental::channel<std::decay_t<decltype(strand)>, void(error_code, int)> channel(
            strand, 2);
        int sum = 0;
        unsigned beside = 0;
        auto const counts = [&] {
            if (!strand.running_in_this_thread()) ++beside;
            watch.here();
        };
        for (int n = 1; n <= 10; ++n) {
            asio::post(strand, [&, n] {
                channel.async_receive([&](error_code e, int value) {
                    if (!e) sum += value;
                    counts();
                });
                channel.async_send(error_code(), n, [&](error_code) { counts(); });
            });
        }
        watch.expect(20);
        // By way of the strand, on which they are.
        BOOST_TEST(asio::post(strand, asio::use_future([&] { return sum; })).get() == 55);
        BOOST_TEST(asio::post(strand, asio::use_future([&] { return beside; })).get() == 0U);
    });
}

namespace {

asio::awaitable<int> coroutine(pool_watch& watch, int depth) {
    watch.here();
    asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    watch.here();
    if (depth == 0) co_return 1;
    co_return 1 + co_await coroutine(watch, depth - 1);
}

}  // namespace

BOOST_AUTO_TEST_CASE(co_spawn) {
    on_each([](pool_watch& watch, auto& where) {
        asio::co_spawn(where, coroutine(watch, 2), [&](std::exception_ptr e, int depth) {
            if (!e && depth == 3) watch.here();
        });
        watch.expect(7);
        BOOST_TEST(asio::co_spawn(where, coroutine(watch, 1), asio::use_future).get() == 2);
        watch.expect(4);
        asio::co_spawn(where, coroutine(watch, 0), asio::detached);
        watch.expect(2);
    });
}

// From Asio's coroutines to tasks and back.
BOOST_AUTO_TEST_CASE(co_spawned_coroutines_await_tasks) {
    on_each([](pool_watch& watch, auto& where) {
        int const value = asio::co_spawn(
                              where,
                              [&]() -> asio::awaitable<int> {
                                  int const n = co_await rouse::spawn(
                                      where,
                                      [&]() -> rouse::task<int> {
                                          watch.here();
                                          co_return 20;
                                      },
                                      asio::use_awaitable);
                                  watch.here();
                                  co_return n + 1;
                              },
                              asio::use_future)
                              .get();
        BOOST_TEST(value == 21);
        watch.expect(2);
    });
}

BOOST_AUTO_TEST_CASE(stackful_coroutines) {
    if (tsan) return;  // it does not know the stacks of Boost.Context 1.81
    on_each([](pool_watch& watch, auto& where) {
        asio::spawn(
            where,
            [&](asio::yield_context yield) {
                watch.here();
                asio::steady_timer timer(where, 1ms);
                for (int n = 0; n < 3; ++n) {
                    timer.expires_after(1ms);
                    timer.async_wait(yield);
                    watch.here();
                }
            },
            [&](std::exception_ptr e) {
                if (!e) watch.here();
            });
        watch.expect(5);
    });
}

BOOST_AUTO_TEST_CASE(work_guards) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_watch watch(m, workers);
        std::optional guard(asio::make_work_guard(watch.pool()));
        std::optional other(asio::make_work_guard(watch.pool().get_executor()));
        std::optional third(asio::make_work_guard(asio::any_io_executor(watch.pool().get_executor())));
        std::atomic<bool> joined{false};
        std::thread joining([&] {
            watch.pool().join();
            joined = true;
        });
        guard.reset();
        other.reset();
        asio::post(watch.pool(), watch.handler());
        wait_until([&] { return watch.pool().metrics().workers[0].parks > 0; }, "rest");
        BOOST_TEST(!joined);
        asio::post(watch.pool(), [&] {
            watch.here();
            third.reset();
        });
        joining.join();
    });
}

BOOST_AUTO_TEST_CASE(parallel_groups_of_plain_operations) {
    on_each([](pool_watch& watch, auto& where) {
        asio::steady_timer one(where, 1ms);
        asio::steady_timer two(where, 2ms);
        asio::steady_timer never(where, 1h);
        namespace experimental = asio::experimental;
        experimental::make_parallel_group(
            [&](auto token) { return one.async_wait(std::move(token)); },
            [&](auto token) { return two.async_wait(std::move(token)); })
            .async_wait(experimental::wait_for_all(),
                        asio::bind_executor(where, [&](auto const&...) { watch.here(); }));
        watch.expect(1);
        // The first wins, and cancels the other from whatever worker it is on.
        one.expires_after(1ms);
        std::atomic<bool> right{false};
        experimental::make_parallel_group(
            [&](auto token) { return one.async_wait(std::move(token)); },
            [&](auto token) { return never.async_wait(std::move(token)); })
            .async_wait(experimental::wait_for_one(),
                        asio::bind_executor(where, [&](std::array<std::size_t, 2> order,
                                                       boost::system::error_code first,
                                                       boost::system::error_code second) {
                            right = order[0] == 0 && !first &&
                                    second == asio::error::operation_aborted;
                            watch.here();
                        }));
        watch.expect(1);
        BOOST_TEST(right);
        one.expires_after(1ms);
        // The losers are cancelled by the winner's thread: on the same strand as they are.
        auto const strand = asio::make_strand(watch.pool().get_executor());
        asio::dispatch(strand, [&] {
            experimental::make_parallel_group(
                [&](auto token) { return one.async_wait(asio::bind_executor(strand, std::move(token))); },
                [&](auto token) { return never.async_wait(asio::bind_executor(strand, std::move(token))); })
                .async_wait(experimental::wait_for_one(),
                            asio::bind_executor(strand, [&](auto const&...) { watch.here(); }));
        });
        watch.expect(1);
    });
}

BOOST_AUTO_TEST_SUITE_END()
