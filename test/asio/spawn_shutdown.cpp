// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Tasks on an Asio execution context that goes: parked, queued, woken meanwhile, spawned by
// destructors; and wakers and join handles that are used afterwards.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>
#include <support/scale.hpp>
#include <support/stress_threads.hpp>

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <rouse/use_poll.hpp>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_spawn_shutdown)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::use_poll;

auto const is_aborted = with_code(rouse::errc::aborted);

// The wakers of tasks that wait for them, for any thread.
class waker_list {
public:
    rouse::poll_fn<std::function<rouse::poll_result<void>(rouse::context&)>> wait() {
        return rouse::poll_fn(std::function([this](rouse::context& cx) -> rouse::poll_result<void> {
            std::lock_guard guard(mutex_);
            wakers_.push_back(cx.waker());
            return rouse::pending;
        }));
    }
    std::vector<rouse::waker> take() {
        std::lock_guard guard(mutex_);
        return std::move(wakers_);
    }

private:
    std::mutex mutex_{};
    std::vector<rouse::waker> wakers_{};
};

template <class T>
void check_aborted(rouse::join_handle<T>& handle) {
    BOOST_TEST_REQUIRE(handle.is_finished());
    BOOST_CHECK_EXCEPTION(static_cast<void>(poll_once(handle)), boost::system::system_error,
                          is_aborted);
}

}  // namespace

BOOST_AUTO_TEST_CASE(parked_tasks_end_as_aborted) {
    auto io = std::make_unique<asio::io_context>();
    waker_list wakers;
    ledger book;
    std::vector<rouse::join_handle<void>> handles;
    for (int i = 0; i < 5; ++i) {
        handles.push_back(rouse::spawn(*io, [&, t = token(book)]() -> rouse::task<> {
            token const mine(book);
            co_await wakers.wait();
        }));
    }
    io->poll();
    auto const kept = wakers.take();
    BOOST_TEST(kept.size() == 5U);
    BOOST_TEST(book.live() == 10);
    io.reset();
    BOOST_TEST(book.live() == 0);
    for (auto& handle : handles) check_aborted(handle);
    for (auto const& waker : kept) waker.wake_by_ref();  // nothing happens
}

BOOST_AUTO_TEST_CASE(queued_tasks_end_as_aborted) {
    auto io = std::make_unique<asio::io_context>();
    waker_list wakers;
    ledger book;
    bool polled = false;
    auto never_polled = rouse::spawn(*io, [&, t = token(book)]() -> rouse::task<> {
        polled = true;
        co_return;
    });
    io.reset();
    BOOST_TEST(!polled);
    BOOST_TEST(book.live() == 0);
    check_aborted(never_polled);

    io = std::make_unique<asio::io_context>();
    auto woken = rouse::spawn(*io, [&]() -> rouse::task<> {
        token const mine(book);
        co_await wakers.wait();
    });
    io->poll();
    auto kept = wakers.take();
    kept[0].wake_by_ref();
    io.reset();
    BOOST_TEST(book.live() == 0);
    check_aborted(woken);
}

// Reading and waiting: what is in flight is dropped, the I/O objects die in time.
BOOST_AUTO_TEST_CASE(b68_tasks_with_operations_in_flight_end_as_aborted) {
    for (bool objects_first : {true, false}) {
        auto io = std::make_unique<asio::io_context>();
        ledger book;
        std::vector<rouse::join_handle<void>> handles;
        auto const spawn_all = [&] {
            handles.push_back(rouse::spawn(
                *io, [&, sockets = tcp_pair(io->get_executor())]() mutable -> rouse::task<> {
                    token const mine(book);
                    std::array<char, 8> data{};
                    co_await sockets.here.async_read_some(asio::buffer(data), use_poll);
                }));
            handles.push_back(rouse::spawn(*io, [&]() -> rouse::task<> {
                token const mine(book);
                asio::steady_timer timer(*io, 24h);
                co_await timer.async_wait(use_poll);
            }));
        };
        if (objects_first) {
            // The reactor's services exist before ours, and so are shut down after it.
            tcp_pair const first(io->get_executor());
            asio::steady_timer const timer(*io);
            spawn_all();
        } else {
            handles.push_back(rouse::spawn(*io, rouse::ready_future()));
            io->poll();
            io->restart();
            spawn_all();
        }
        io->poll();
        BOOST_TEST(book.live() == 2);
        io.reset();
        BOOST_TEST(book.live() == 0);
        for (std::size_t i = objects_first ? 0 : 1; i < handles.size(); ++i) {
            check_aborted(handles[i]);
        }
    }
}

BOOST_AUTO_TEST_CASE(tasks_spawned_by_destructors_end_as_aborted) {
    auto io = std::make_unique<asio::io_context>();
    auto const ex = io->get_executor();
    waker_list wakers;
    ledger book;
    std::vector<rouse::join_handle<void>> late;
    auto handle = rouse::spawn(*io, [&]() -> rouse::task<> {
        at_exit const spawn_more([&] {
            for (int i = 0; i < 3; ++i) {
                late.push_back(rouse::spawn(ex, [&, t = token(book)]() -> rouse::task<> {
                    co_return;
                }));
            }
            late.push_back(rouse::this_task::spawn([&, t = token(book)]() -> rouse::task<> {
                co_return;
            }));
        });
        co_await wakers.wait();
    });
    io->poll();
    io.reset();
    check_aborted(handle);
    BOOST_TEST(late.size() == 4U);
    for (auto& h : late) check_aborted(h);
    BOOST_TEST(book.live() == 0);
    static_cast<void>(wakers.take());
}

// A destructor of one task wakes, aborts and drops another.
BOOST_AUTO_TEST_CASE(destructors_wake_abort_and_drop_each_other) {
    for (int order = 0; order < 2; ++order) {
        auto io = std::make_unique<asio::io_context>();
        waker_list of_b;
        waker_list of_c;
        ledger book;
        std::optional<rouse::join_handle<void>> b;
        std::optional<rouse::join_handle<void>> c;
        std::vector<rouse::waker> wakers;
        auto const spawn_a = [&] {
            return rouse::spawn(*io, [&]() -> rouse::task<> {
                at_exit const at_end([&] {
                    for (auto const& waker : wakers) waker.wake_by_ref();
                    b->abort();
                    c.reset();
                });
                co_await rouse::pending_future();
            });
        };
        auto const spawn_others = [&] {
            b.emplace(rouse::spawn(*io, [&]() -> rouse::task<> {
                token const mine(book);
                co_await of_b.wait();
            }));
            c.emplace(rouse::spawn(*io, [&]() -> rouse::task<> {
                token const mine(book);
                co_await of_c.wait();
            }));
        };
        std::optional<rouse::join_handle<void>> a;
        rouse::waker keeps_a;
        if (order == 0) a.emplace(spawn_a());
        spawn_others();
        if (order == 1) a.emplace(spawn_a());
        io->run_one();
        io->poll();
        for (auto& waker : of_b.take()) wakers.push_back(std::move(waker));
        for (auto& waker : of_c.take()) wakers.push_back(std::move(waker));
        io.reset();
        BOOST_TEST(book.live() == 0);
        check_aborted(*b);
        a.reset();
    }
}

// A long chain: each task owns the handle of the next. No recursion, however long it is.
BOOST_AUTO_TEST_CASE(a_chain_of_tasks_dies_without_recursion) {
    int const length = scaled(sanitized ? 100'000 : 1'000'000);
    auto io = std::make_unique<asio::io_context>();
    waker_list wakers;
    ledger book;
    std::optional<rouse::join_handle<void>> next(rouse::spawn(*io, [&]() -> rouse::task<> {
        token const mine(book);
        co_await wakers.wait();
    }));
    for (int i = 0; i < length; ++i) {
        next.emplace(rouse::spawn(
            *io, [&book, awaited = std::move(*next)]() mutable -> rouse::task<> {
                token const mine(book);
                co_await std::move(awaited);
            }));
    }
    io->poll();
    BOOST_TEST(book.live() == length + 1);
    io.reset();
    BOOST_TEST(book.live() == 0);
    check_aborted(*next);
    static_cast<void>(wakers.take());
}

BOOST_AUTO_TEST_CASE(wakers_and_handles_are_used_after_the_end) {
    auto io = std::make_unique<asio::io_context>();
    waker_list wakers;
    auto kept = rouse::spawn(*io, [&]() -> rouse::task<int> {
        co_await wakers.wait();
        co_return 1;
    });
    auto aborted = rouse::spawn(*io, [&]() -> rouse::task<int> {
        co_await wakers.wait();
        co_return 2;
    });
    auto complete = rouse::spawn(*io, rouse::ready_future(3));
    auto detached = rouse::spawn(*io, rouse::ready_future(4));
    io->poll();
    auto list = wakers.take();
    io.reset();

    BOOST_TEST(kept.is_finished());
    kept.abort();
    check_aborted(kept);
    aborted.abort();
    check_aborted(aborted);
    BOOST_TEST(poll_once(complete).value() == 3);
    detached.detach();

    rouse::waker const copy = list[0];
    copy.wake_by_ref();
    std::move(list[1]).wake();
    std::thread([&list] { list.clear(); }).join();
    copy.wake_by_ref();
}

BOOST_AUTO_TEST_CASE(waiting_handles_are_told) {
    auto io = std::make_unique<asio::io_context>();
    waker_list wakers;
    auto handle = rouse::spawn(*io, [&]() -> rouse::task<> { co_await wakers.wait(); });
    io->poll();
    wake_counter joiner;
    rouse::waker const waker = joiner.make();
    BOOST_TEST(poll_once(handle, waker).is_pending());
    io.reset();
    BOOST_TEST(joiner.wakes == 1);
    check_aborted(handle);
    static_cast<void>(wakers.take());
}

// The queue of a strand dies with its context, too.
BOOST_AUTO_TEST_CASE(tasks_on_a_strand_end_as_aborted) {
    auto io = std::make_unique<asio::io_context>();
    waker_list wakers;
    ledger book;
    std::vector<rouse::join_handle<void>> handles;
    {
        auto const strand = asio::make_strand(*io);
        for (int i = 0; i < 3; ++i) {
            handles.push_back(rouse::spawn(strand, [&]() -> rouse::task<> {
                token const mine(book);
                co_await wakers.wait();
            }));
        }
        io->poll();
        io->restart();
        for (int i = 0; i < 3; ++i) {
            handles.push_back(rouse::spawn(strand, [t = token(book)]() -> rouse::task<> {
                co_return;
            }));
        }
    }
    BOOST_TEST(book.live() == 6);
    auto const kept = wakers.take();
    kept[0].wake_by_ref();
    io.reset();
    BOOST_TEST(book.live() == 0);
    for (auto& handle : handles) check_aborted(handle);
}

BOOST_AUTO_TEST_CASE(tasks_on_an_asio_thread_pool_end_as_aborted) {
    waker_list wakers;
    ledger book;
    std::vector<rouse::join_handle<void>> handles;
    std::atomic<int> parked{0};
    {
        asio::thread_pool pool(2);
        for (int i = 0; i < 20; ++i) {
            handles.push_back(rouse::spawn(pool, [&]() -> rouse::task<> {
                token const mine(book);
                ++parked;
                co_await wakers.wait();
            }));
        }
        while (parked != 20) std::this_thread::yield();
    }
    BOOST_TEST(book.live() == 0);
    for (auto& handle : handles) check_aborted(handle);
    for (auto const& waker : wakers.take()) waker.wake_by_ref();
}

// A thread T wakes a task and has not yet handed it over when the io_context is destroyed. The task
// must die before the io_context does, since it owns a timer, and in the destroying thread, which
// may hold locks that T would wait for.
BOOST_AUTO_TEST_CASE(threads_wake_abort_and_drop_while_the_io_context_is_destroyed) {
    unsigned const rounds = scaled(sanitized ? 2000U : 10000U);
    constexpr std::size_t tasks = 32;
    std::atomic<long> destroyed_elsewhere{0};
    std::atomic<long> live{0};
    long aborted = 0;
    for (unsigned round = 0; round < rounds; ++round) {
        auto io = std::make_unique<asio::io_context>();
        // Whether the timers die before our own service is told, or after it.
        if (round % 2 == 0) static_cast<void>(asio::steady_timer(*io));
        waker_list wakers;
        auto const destroyer = std::this_thread::get_id();
        std::vector<rouse::join_handle<void>> handles;
        for (std::size_t i = 0; i < tasks; ++i) {
            handles.push_back(rouse::spawn(*io, [&]() -> rouse::task<> {
                counted const mine(live);
                at_exit const where([&] {
                    if (std::this_thread::get_id() != destroyer) ++destroyed_elsewhere;
                    std::this_thread::yield();  // the others have their chance
                });
                asio::steady_timer timer(*io, 24h);
                auto op = timer.async_wait(use_poll);
                co_await rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                    static_cast<void>(op.poll(cx));
                    return rouse::ready();
                });
                co_await wakers.wait();
            }));
        }
        io->poll();
        auto mine = wakers.take();
        std::atomic<int> started{0};
        std::thread waking([&] {
            stress_random random(3 * round);
            ++started;
            for (auto const& waker : mine) {
                random.delay();
                waker.wake_by_ref();
            }
        });
        std::thread aborting([&] {
            stress_random random(3 * round + 1);
            ++started;
            for (std::size_t i = tasks; i-- > 0;) {
                random.delay();
                handles[i].abort();
            }
        });
        while (started != 2) std::this_thread::yield();
        stress_random random(3 * round + 2);
        for (unsigned i = random.below(tasks); i-- > 0;) random.delay();
        io.reset();
        waking.join();
        aborting.join();
        for (auto& handle : handles) {
            if (!handle.is_finished()) continue;
            try {
                static_cast<void>(poll_once(handle));
            } catch (boost::system::system_error const& e) {
                aborted += e.code() == rouse::errc::aborted;
            }
        }
    }
    BOOST_TEST(live == 0);
    BOOST_TEST(destroyed_elsewhere == 0);
    BOOST_TEST(aborted == static_cast<long>(rounds * tasks));
}

BOOST_AUTO_TEST_SUITE_END()
