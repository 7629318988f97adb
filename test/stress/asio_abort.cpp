// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Aborts and drops of Asio operations at random moments, from threads that do not run the tasks.
// Each task ends exactly once, nothing leaks, and the sanitizers stay silent.

#include <support/asio_tls.hpp>
#include <support/scale.hpp>
#include <support/stress_threads.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <rouse/block_on.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <rouse/use_poll.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::use_poll;

// Where the tasks run: an io_context with some threads, or asio::thread_pool.
class io_threads {
public:
    explicit io_threads(unsigned count) {
        for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this] { io_.run(); });
    }
    ~io_threads() {
        work_.reset();
        for (auto& thread : threads_) thread.join();
    }
    asio::any_io_executor executor() { return io_.get_executor(); }

private:
    asio::io_context io_{};
    asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
    std::vector<std::thread> threads_{};
};

class pool_threads {
public:
    explicit pool_threads(unsigned count) : pool_(count) {}
    ~pool_threads() { pool_.join(); }
    asio::any_io_executor executor() { return pool_.get_executor(); }

private:
    asio::thread_pool pool_;
};

struct totals {
    std::atomic<long> live{0};   // frames
    std::atomic<long> begun{0};  // tasks that were polled
    std::atomic<long> ended{0};  // frames destroyed
};

// One of each task: it begins, and its frame dies once.
class life {
public:
    explicit life(totals& t) : totals_(t), alive_(t.live) { ++totals_.begun; }
    life(life const&) = delete;
    life& operator=(life const&) = delete;
    ~life() { ++totals_.ended; }

private:
    totals& totals_;
    counted alive_;
};

// Composed by an author who never asks whether it was cancelled.
template <class Token>
auto async_deaf(asio::steady_timer& timer, int steps, Token&& token) {
    return asio::async_compose<Token, void(boost::system::error_code)>(
        [&timer, steps](auto& self, boost::system::error_code error = {}) mutable {
            if (error) {
                self.complete(error);
            } else if (steps-- > 0) {
                auto const ex = timer.get_executor();
                asio::post(ex, std::move(self));
            } else {
                timer.async_wait(std::move(self));
            }
        },
        token, timer);
}

// Bytes come one at a time, at moments that nobody knows.
rouse::task<> dripping(totals& t, asio::any_io_executor ex, bool composed) {
    life const mine(t);
    // The feeder is not waited for when its handle is dropped, so it is an owner.
    auto const sockets = std::make_shared<tcp_pair>(ex);
    auto feeder = rouse::this_task::spawn([sockets]() -> rouse::task<> {
        for (;;) {
            co_await asio::async_write(sockets->there, asio::buffer("x", 1), use_poll);
            co_await asio::post(sockets->there.get_executor(), use_poll);
        }
    });
    std::array<char, 4> data{};
    for (;;) {
        if (composed) {
            co_await asio::async_read(sockets->here, asio::buffer(data), use_poll);
        } else {
            co_await sockets->here.async_read_some(asio::buffer(data), use_poll);
        }
    }
}

rouse::task<> idle_read(totals& t, asio::any_io_executor ex) {
    life const mine(t);
    tcp_pair sockets(ex);
    std::array<char, 4> data{};
    co_await asio::async_read(sockets.here, asio::buffer(data), use_poll);
}

rouse::task<> large_write(totals& t, asio::any_io_executor ex) {
    life const mine(t);
    tcp_pair sockets(ex);
    std::vector<char> const data(std::size_t{4} << 20);
    for (;;) co_await asio::async_write(sockets.here, asio::buffer(data), use_poll);
}

rouse::task<> timers(totals& t, asio::any_io_executor ex) {
    life const mine(t);
    asio::steady_timer timer(ex);
    for (unsigned i = 0;; ++i) {
        timer.expires_after(std::chrono::microseconds(i % 50));
        co_await timer.async_wait(use_poll);
    }
}

rouse::task<> deaf(totals& t, asio::any_io_executor ex) {
    life const mine(t);
    asio::steady_timer timer(ex, 24h);
    co_await async_deaf(timer, 20, use_poll);
}

rouse::task<> tls(totals& t, asio::any_io_executor ex) {
    life const mine(t);
    auto const streams = std::make_shared<tls_pair>(ex);
    auto server = rouse::this_task::spawn([streams]() -> rouse::task<> {
        co_await streams->there.async_handshake(ssl::stream_base::server, use_poll);
        std::array<char, 64> data{};
        for (;;) {
            auto const n = co_await streams->there.async_read_some(asio::buffer(data), use_poll);
            co_await asio::async_write(streams->there, asio::buffer(data, n), use_poll);
        }
    });
    co_await streams->here.async_handshake(ssl::stream_base::client, use_poll);
    std::array<char, 64> data{};
    for (;;) {
        co_await asio::async_write(streams->here, asio::buffer(data), use_poll);
        co_await asio::async_read(streams->here, asio::buffer(data), use_poll);
    }
}

// Spawns tasks and aborts each after a random while; half of them by dropping the handle.
template <class Threads, class Make>
void abort_many(unsigned threads, unsigned aborts, Make make) {
    totals t;
    std::atomic<long> values{0};
    std::atomic<long> ended_as_aborted{0};
    std::atomic<long> errors{0};
    {
        Threads place(threads);
        constexpr unsigned foreign = 2;
        run_threads(foreign, [&](unsigned index) {
            stress_random random(index + 1);
            for (unsigned i = 0; i < aborts / foreign; ++i) {
                auto handle = rouse::spawn(place.executor(), make(t, place.executor()));
                unsigned const patience = random.below(4);
                for (unsigned d = 0; d < (1U << (2 * patience)); ++d) random.delay();
                if (random.below(2) == 0) continue;  // dropped
                handle.abort();
                try {
                    rouse::block_on(std::move(handle));
                    ++values;
                } catch (boost::system::system_error const& e) {
                    ++(e.code() == rouse::errc::aborted ? ended_as_aborted : errors);
                }
            }
        });
    }
    BOOST_TEST(t.live == 0);
    BOOST_TEST(t.begun == t.ended);
    BOOST_TEST(t.begun > 0);
    BOOST_TEST(values == 0);
    BOOST_TEST(ended_as_aborted > 0);
    BOOST_TEST(errors == 0);
}

template <class Make>
void abort_everywhere(unsigned aborts, Make make) {
    for (unsigned threads : {2U, 4U}) {
        BOOST_TEST_CONTEXT("an io_context run by " << threads << " threads") {
            abort_many<io_threads>(threads, scaled(aborts) / 3, make);
        }
    }
    BOOST_TEST_CONTEXT("asio::thread_pool") {
        abort_many<pool_threads>(4, scaled(aborts) / 3, make);
    }
}

}  // namespace

// A hundred thousand together.
BOOST_AUTO_TEST_CASE(aborts_of_plain_reads) {
    abort_everywhere(15'000, [](totals& t, auto ex) { return dripping(t, ex, false); });
}
BOOST_AUTO_TEST_CASE(aborts_of_composed_reads) {
    abort_everywhere(15'000, [](totals& t, auto ex) { return dripping(t, ex, true); });
}
BOOST_AUTO_TEST_CASE(aborts_of_idle_reads) {
    abort_everywhere(15'000, [](totals& t, auto ex) { return idle_read(t, ex); });
}
BOOST_AUTO_TEST_CASE(aborts_of_large_writes) {
    abort_everywhere(5'000, [](totals& t, auto ex) { return large_write(t, ex); });
}
BOOST_AUTO_TEST_CASE(aborts_of_timers) {
    abort_everywhere(30'000, [](totals& t, auto ex) { return timers(t, ex); });
}
BOOST_AUTO_TEST_CASE(aborts_of_a_composed_operation_that_never_asks) {
    abort_everywhere(15'000, [](totals& t, auto ex) { return deaf(t, ex); });
}
BOOST_AUTO_TEST_CASE(aborts_of_tls) {
    abort_everywhere(5'000, [](totals& t, auto ex) { return tls(t, ex); });
}

// Cooperatively instead: the operation ends with operation_aborted and the task goes on.
BOOST_AUTO_TEST_CASE(b71_cancellations_from_foreign_threads) {
    unsigned const count = scaled(20'000U);
    std::atomic<long> cancelled{0};
    {
        io_threads place(3);
        stress_random random(77);
        for (unsigned i = 0; i < count; ++i) {
            struct shared {
                std::atomic<rouse::cancellation_state*> state{nullptr};
                rouse::waker waker{};
            };
            auto const told = std::make_shared<shared>();
            auto handle = rouse::spawn(
                place.executor(), [told, &cancelled, ex = place.executor()]() -> rouse::task<> {
                    co_await rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                        told->waker = cx.waker();
                        told->state = &cx.cancellation();
                        return rouse::ready();
                    });
                    tcp_pair sockets(ex);
                    std::array<char, 4> data{};
                    auto const [error, n] = co_await asio::async_read(
                        sockets.here, asio::buffer(data), asio::as_tuple(use_poll));
                    if (error == asio::error::operation_aborted && n == 0) ++cancelled;
                });
            while (!told->state) std::this_thread::yield();
            random.delay();
            told->state.load()->request(rouse::cancellation_type::terminal);
            std::move(told->waker).wake();
            rouse::block_on(std::move(handle));
        }
    }
    BOOST_TEST(cancelled == static_cast<long>(count));
}

// Ops that are dropped in flight, with a buffer that is freed at once.
BOOST_AUTO_TEST_CASE(drops_of_reads_with_buffers_freed_at_once) {
    unsigned const drops = scaled(40'000U);
    std::atomic<long> dropped{0};
    {
        io_threads place(3);
        std::vector<rouse::join_handle<void>> handles;
        constexpr unsigned tasks = 4;
        for (unsigned k = 0; k < tasks; ++k) {
            handles.push_back(rouse::spawn(
                place.executor(), [&, k, ex = place.executor()]() -> rouse::task<> {
                    stress_random random(100 + k);
                    tcp_pair sockets(ex);
                    for (unsigned i = 0; i < drops / tasks; ++i) {
                        unsigned const bytes = random.below(4);
                        bool const composed = random.below(2) == 0;
                        unsigned const polls = 1 + random.below(3);
                        {
                            auto data = std::make_unique<std::array<char, 4>>();
                            auto const poll_some = [&](auto op) {
                                return [op = std::move(op), left = polls](
                                           rouse::context& cx) mutable -> rouse::poll_result<void> {
                                    if (left-- == 0) return rouse::ready();
                                    try {
                                        if (op.poll(cx).is_ready()) return rouse::ready();
                                    } catch (boost::system::system_error const&) {
                                        return rouse::ready();
                                    }
                                    cx.yield();
                                    return rouse::pending;
                                };
                            };
                            if (composed) {
                                rouse::poll_fn f(poll_some(asio::async_read(
                                    sockets.here, asio::buffer(*data), use_poll)));
                                co_await f;
                            } else {
                                rouse::poll_fn f(poll_some(sockets.here.async_read_some(
                                    asio::buffer(*data), use_poll)));
                                co_await f;
                            }
                        }
                        ++dropped;
                        if (bytes) {
                            co_await asio::async_write(sockets.there, asio::buffer("abcd", bytes),
                                                       use_poll);
                        }
                    }
                }));
        }
        for (auto& handle : handles) rouse::block_on(std::move(handle));
    }
    BOOST_TEST(dropped == static_cast<long>(drops));
}

// One socket with a reader and a writer in two tasks, which is promised for a plain socket in
// non-blocking mode that neither of them closes or moves.
BOOST_AUTO_TEST_CASE(a_reader_and_a_writer_share_a_socket) {
    unsigned const rounds = scaled(200U);
    for (unsigned round = 0; round < rounds; ++round) {
        io_threads place(3);
        tcp_pair sockets(place.executor());
        sockets.here.non_blocking(true);
        sockets.there.non_blocking(true);
        constexpr std::size_t size = 100'000;
        auto const read_all = [&](tcp::socket& socket) {
            return rouse::spawn(place.executor(), [&socket]() -> rouse::task<std::size_t> {
                std::vector<char> data(size);
                co_return co_await asio::async_read(socket, asio::buffer(data), use_poll);
            });
        };
        auto const write_all = [&](tcp::socket& socket) {
            return rouse::spawn(place.executor(), [&socket]() -> rouse::task<std::size_t> {
                std::vector<char> const data(size, 'x');
                co_return co_await asio::async_write(socket, asio::buffer(data), use_poll);
            });
        };
        auto r1 = read_all(sockets.here);
        auto w1 = write_all(sockets.here);
        auto r2 = read_all(sockets.there);
        auto w2 = write_all(sockets.there);
        BOOST_TEST_REQUIRE(rouse::block_on(std::move(r1)) == size);
        BOOST_TEST_REQUIRE(rouse::block_on(std::move(w1)) == size);
        BOOST_TEST_REQUIRE(rouse::block_on(std::move(r2)) == size);
        BOOST_TEST_REQUIRE(rouse::block_on(std::move(w2)) == size);
    }
}

// An io_context of one thread and tasks of another place: initiations, completions and emissions on
// threads of their own.
BOOST_AUTO_TEST_CASE(tasks_of_one_place_use_objects_of_another) {
    unsigned const count = scaled(20'000U);
    totals t;
    {
        io_threads reactor(1);
        pool_threads place(4);
        run_threads(2, [&](unsigned index) {
            stress_random random(500 + index);
            for (unsigned i = 0; i < count / 2; ++i) {
                auto handle = rouse::spawn(place.executor(),
                                           random.below(2) == 0
                                               ? dripping(t, reactor.executor(), true)
                                               : timers(t, reactor.executor()));
                for (unsigned d = random.below(200); d-- > 0;) random.delay();
            }
        });
    }
    BOOST_TEST(t.live == 0);
    BOOST_TEST(t.begun == t.ended);
}
