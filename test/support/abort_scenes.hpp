// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_ABORT_SCENES_HPP
#define ROUSE_TEST_SUPPORT_ABORT_SCENES_HPP

#include <support/asio_tls.hpp>
#include <support/asio_worlds.hpp>
#include <support/scale.hpp>
#include <support/stress_threads.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/completion_condition.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <rouse/block_on.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <rouse/use_poll.hpp>
#include <thread>
#include <utility>
#include <vector>

// Operations of Asio that are aborted, cancelled and dropped at random moments, by threads that do
// not run the tasks. Each scene takes the worlds it is played in, and shares its number out among
// them.

namespace rouse_test {

using rouse::use_poll;

// ---- the scenes' tasks, and what they tell ------------------------------------------------------

// How far a task has got with what it is about to be aborted in.
enum class phase : unsigned { begun, middle, after };
inline constexpr unsigned phases = 3;

// What one task and the thread that aborts it know of each other.
class attempt {
public:
    // By polls of the task.
    void step(phase p) {
        now = p;
        {
            std::lock_guard guard(mutex_);
            ++progress_;
        }
        changed_.notify_one();
    }
    // The same, but what was at the time of the abort stays.
    void step_until_asked(phase p) { step(asked ? now : p); }

    void wait_for(unsigned steps) {
        std::unique_lock lock(mutex_);
        wait_or_die(
            changed_, lock, [&] { return progress_ >= steps; }, "a step of a task");
    }

    // Not 0: the task does not get beyond the middle by itself, and the number says where it stays.
    unsigned held = 0;
    std::atomic<bool> asked{false};
    // Not atomic, like all that belongs to the task: its polls and its end must not overlap.
    phase now = phase::begun;

private:
    std::mutex mutex_{};
    std::condition_variable changed_{};
    unsigned progress_ = 0;
};
using attempt_ptr = std::shared_ptr<attempt>;

struct totals {
    std::atomic<long> live{0};   // frames, those of companions too
    std::atomic<long> begun{0};  // tasks that were polled
    std::atomic<long> ended{0};  // tasks whose frame was destroyed after that
    std::array<std::atomic<long>, phases> ended_in{};

    long in(phase p) const { return ended_in[static_cast<unsigned>(p)]; }
};

// One in the frame of each task. None of the scenes' tasks ends by itself, so that each that has
// begun is an abort of a task that had begun.
class life {
public:
    life(totals& t, attempt_ptr a) : totals_(t), attempt_(std::move(a)), alive_(t.live) {
        ++totals_.begun;
        attempt_->step(phase::begun);
    }
    life(life const&) = delete;
    life& operator=(life const&) = delete;
    ~life() {
        ++totals_.ended_in[static_cast<unsigned>(attempt_->now)];
        ++totals_.ended;
    }

    attempt& operator*() const { return *attempt_; }
    attempt* operator->() const { return attempt_.get(); }

private:
    totals& totals_;
    attempt_ptr attempt_;
    counted alive_;
};

// A completion condition: all of the buffer, and each step of the operation is told.
inline auto tell_steps(life const& mine) {
    return [&mine](boost::system::error_code const& error, std::size_t n) {
        mine->step(n == 0 ? phase::begun : phase::middle);
        return asio::transfer_all()(error, n);
    };
}

// Composed by an author who never asks whether it was cancelled.
template <class Token>
auto async_deaf(asio::steady_timer& timer, attempt& told, int steps, Token&& token) {
    return asio::async_compose<Token, void(boost::system::error_code)>(
        [&timer, &told, steps](auto& self, boost::system::error_code error = {}) mutable {
            if (error) {
                self.complete(error);
            } else if (steps > 0) {
                if (told.held == 0 || told.asked) --steps;
                told.step_until_asked(phase::middle);
                auto const ex = timer.get_executor();
                asio::post(ex, std::move(self));
            } else {
                told.step_until_asked(phase::after);
                timer.async_wait(std::move(self));
            }
        },
        token, timer);
}

// Writes single bytes at moments that nobody knows. The task that reads does not wait for it when
// it ends, so it is an owner of the sockets.
inline rouse::task<> feed(totals& t, std::shared_ptr<tcp_pair> sockets) {
    counted const alive(t.live);
    asio::steady_timer pause(sockets->there.get_executor());
    for (unsigned i = 0;; ++i) {
        co_await asio::async_write(sockets->there, asio::buffer("x", 1), use_poll);
        if (i % 2) {
            co_await asio::post(sockets->there.get_executor(), use_poll);
        } else {
            pause.expires_after(std::chrono::microseconds(i % 50));
            co_await pause.async_wait(use_poll);
        }
    }
}

// In the middle: it has read something before.
inline rouse::task<> plain_reads(totals& t, attempt_ptr a, asio::any_io_executor ex) {
    life const mine(t, std::move(a));
    auto const sockets = std::make_shared<tcp_pair>(ex);
    auto feeder = rouse::this_task::spawn(feed(t, sockets));
    std::array<char, 4> data{};
    for (;;) {
        co_await sockets->here.async_read_some(asio::buffer(data), use_poll);
        mine->step(phase::middle);
    }
}

// In the middle: some of the operation's bytes have come, and not all.
inline rouse::task<> composed_reads(totals& t, attempt_ptr a, asio::any_io_executor ex) {
    life const mine(t, std::move(a));
    auto const sockets = std::make_shared<tcp_pair>(ex);
    auto feeder = rouse::this_task::spawn(feed(t, sockets));
    std::array<char, 4> data{};
    for (;;) {
        co_await asio::async_read(sockets->here, asio::buffer(data), tell_steps(mine), use_poll);
    }
}

inline rouse::task<> idle_read(totals& t, attempt_ptr a, asio::any_io_executor ex) {
    life const mine(t, std::move(a));
    tcp_pair sockets(ex);
    std::array<char, 4> data{};
    co_await asio::async_read(sockets.here, asio::buffer(data), use_poll);
}

// In the middle: some of the operation's bytes are gone, and not all. Nobody reads them.
inline rouse::task<> large_write(totals& t, attempt_ptr a, asio::any_io_executor ex) {
    life const mine(t, std::move(a));
    tcp_pair sockets(ex);
    sockets.here.set_option(tcp::socket::send_buffer_size(1 << 16));
    sockets.there.set_option(tcp::socket::receive_buffer_size(1 << 16));
    std::vector<char> const data(std::size_t{1} << 20);
    for (;;) {
        co_await asio::async_write(sockets.here, asio::buffer(data), tell_steps(mine), use_poll);
    }
}

// In the middle: it has fired before.
inline rouse::task<> timers(totals& t, attempt_ptr a, asio::any_io_executor ex) {
    life const mine(t, std::move(a));
    asio::steady_timer timer(ex);
    for (unsigned i = 0;; ++i) {
        timer.expires_after(std::chrono::microseconds(i % 50));
        co_await timer.async_wait(use_poll);
        mine->step(phase::middle);
    }
}

// In the middle: a step can be queued, and no step can be cancelled. After: it waits.
inline constexpr int deaf_steps = 20;
inline rouse::task<> deaf(totals& t, attempt_ptr a, asio::any_io_executor ex) {
    life const mine(t, std::move(a));
    asio::steady_timer timer(ex, std::chrono::hours(24));
    co_await async_deaf(timer, *mine, deaf_steps, use_poll);
}

// Two streams with a link between them that somebody has to serve.
struct tls_link {
    explicit tls_link(asio::any_io_executor const& ex) : tls_link(tcp_pair(ex), tcp_pair(ex)) {}
    tls_link(tcp_pair a, tcp_pair b) : link(std::move(b)), streams(cross(a, link)) {
        link.here.non_blocking(true);
        link.there.non_blocking(true);
    }

    static tcp_pair cross(tcp_pair& a, tcp_pair& b) {
        std::swap(a.there, b.there);
        return std::move(a);
    }

    tcp_pair link;  // here: to the server, there: to the client
    tls_pair streams;
};

inline rouse::task<> tls_echo(totals& t, std::shared_ptr<tls_link> all) {
    counted const alive(t.live);
    auto& stream = all->streams.there;
    co_await stream.async_handshake(ssl::stream_base::server, use_poll);
    std::array<char, 64> data{};
    for (;;) {
        auto const n = co_await stream.async_read_some(asio::buffer(data), use_poll);
        co_await asio::async_write(stream, asio::buffer(data, n), use_poll);
    }
}

// Passes bytes on, and after `limit` of them no more.
inline rouse::task<> pass_on(totals& t, [[maybe_unused]] std::shared_ptr<tls_link> owned,
                             tcp::socket& from, tcp::socket& to, std::size_t limit) {
    counted const alive(t.live);
    std::array<char, 256> data{};
    while (limit > 0) {
        auto const part = asio::buffer(data, limit);
        std::size_t const n = co_await from.async_read_some(part, use_poll);
        co_await asio::async_write(to, asio::buffer(data, n), use_poll);
        limit -= n;
    }
}

// In the middle: of the handshake, which stops at some byte of the server's if the task is held.
inline constexpr unsigned tls_held = 300;  // fewer bytes than a server sends in a handshake
inline rouse::task<> tls(totals& t, attempt_ptr a, asio::any_io_executor ex) {
    life const mine(t, std::move(a));
    auto const all = std::make_shared<tls_link>(ex);
    constexpr auto no_limit = ~std::size_t{0};
    std::size_t const limit = mine->held == 0 ? no_limit : mine->held;
    auto server = rouse::this_task::spawn(tls_echo(t, all));
    auto there =
        rouse::this_task::spawn(pass_on(t, all, all->link.there, all->link.here, no_limit));
    auto back = rouse::this_task::spawn(pass_on(t, all, all->link.here, all->link.there, limit));
    auto& stream = all->streams.here;
    mine->step(phase::middle);
    co_await stream.async_handshake(ssl::stream_base::client, use_poll);
    std::array<char, 64> data{};
    for (;;) {
        mine->step(phase::after);
        co_await asio::async_write(stream, asio::buffer(data), use_poll);
        co_await asio::async_read(stream, asio::buffer(data), use_poll);
    }
}

// ---- aborts -------------------------------------------------------------------------------------

// One kind of task.
struct scene {
    rouse::task<> (*make)(totals&, attempt_ptr, asio::any_io_executor);
    unsigned aborts;  // of tasks that have begun, in the long form
    unsigned steps;   // that each task makes if it is left alone
    bool middle;      // a tenth of them at least in that phase
    bool after;       // the same
    // If not 0: half of the tasks are held at a random one of so many places, and make these steps.
    unsigned places = 0;
    unsigned held_steps = 0;
};

// A hundred thousand together.
inline constexpr scene plain_reads_scene{&plain_reads, 15'000, 4, true, false};
inline constexpr scene composed_reads_scene{&composed_reads, 15'000, 6, true, false};
inline constexpr scene idle_reads_scene{&idle_read, 15'000, 1, false, false};
inline constexpr scene large_writes_scene{&large_write, 5'000, 3, true, false};
inline constexpr scene timers_scene{&timers, 30'000, 4, true, false};
inline constexpr scene deaf_scene{&deaf, 15'000, 1 + deaf_steps, true, true, 1, 1 + deaf_steps};
inline constexpr scene tls_scene{&tls, 5'000, 4, true, true, tls_held, 2};

// Of n, what each of several worlds has to do.
inline unsigned share_of(unsigned n, std::size_t worlds) {
    auto const count = static_cast<unsigned>(worlds);
    return (scaled(n) + count - 1) / count;
}

// Random numbers that no other world and thread has.
inline std::uint64_t new_stream() {
    static std::uint64_t streams = 0;
    return streams += 16;
}

// Spawns tasks in the world, which use objects of an executor, and aborts each at a random moment,
// half of them by dropping the handle; until so many that had begun have been aborted, and enough
// of them in each phase.
inline void abort_many(world& w, asio::any_io_executor const& objects, scene const& s,
                       unsigned aborts, totals& t) {
    std::atomic<long> values{0};
    std::atomic<long> awaited{0};
    std::atomic<long> ended_as_aborted{0};
    long const tenth = std::max(1L, static_cast<long>(aborts / 10));
    auto const enough = [&] {
        return t.begun >= static_cast<long>(aborts) &&
               (!s.middle || t.in(phase::middle) >= tenth) &&
               (!s.after || t.in(phase::after) >= tenth);
    };
    std::atomic<unsigned> attempts{0};
    auto const stream = new_stream();
    run_threads(2, [&](unsigned index) {
        stress_random random(stream + index);
        while (!enough() && attempts++ < 100 + 20 * aborts) {
            auto const told = std::make_shared<attempt>();
            bool const held = s.places != 0 && random.below(2) == 0;
            if (held) told->held = 1 + random.below(s.places);
            auto handle = rouse::spawn(w.executor(), s.make(t, told, objects));
            // For 0 steps: perhaps it never begins.
            told->wait_for(random.below((held ? s.held_steps : s.steps) + 1));
            unsigned const patience = random.below(4);
            for (unsigned d = 0; d < (1U << (2 * patience)); ++d) random.delay();
            told->asked = true;
            if (random.below(2) == 0) continue;  // dropped
            ++awaited;
            handle.abort();
            try {
                rouse::block_on(std::move(handle));
                ++values;
            } catch (boost::system::system_error const& e) {
                if (e.code() == rouse::errc::aborted) ++ended_as_aborted;
            }
        }
    });
    BOOST_TEST(values == 0);
    BOOST_TEST(awaited > 0);
    BOOST_TEST(ended_as_aborted == awaited);
    BOOST_TEST(enough());
    BOOST_TEST_MESSAGE(attempts << " tasks, " << t.begun << " had begun");
}

// When the worlds are gone.
inline void check_ended(totals const& t) {
    BOOST_TEST(t.live == 0);
    BOOST_TEST(t.begun == t.ended);
    BOOST_TEST_MESSAGE("ended at the beginning " << t.in(phase::begun) << ", in the middle "
                                                 << t.in(phase::middle) << ", after it "
                                                 << t.in(phase::after));
}

template <class Function>
void on_each_of(std::vector<world_kind> const& kinds, Function function) {
    for (auto const& kind : kinds) {
        BOOST_TEST_CONTEXT(kind.name) { function(kind); }
    }
}

inline void aborts_of(scene const& s, std::vector<world_kind> const& kinds) {
    on_each_of(kinds, [&](world_kind const& kind) {
        totals t;
        {
            auto const w = kind.make();
            abort_many(*w, w->executor(), s, share_of(s.aborts, kinds.size()), t);
        }
        check_ended(t);
    });
}

// Tasks of one place and objects of another: initiations, completions and emissions on threads of
// their own.
inline void aborts_across(world_kind const& tasks, world_kind const& objects, unsigned aborts) {
    for (scene const& s : {composed_reads_scene, timers_scene}) {
        totals t;
        {
            auto const reactor = objects.make();
            auto const w = tasks.make();
            abort_many(*w, reactor->executor(), s, aborts, t);
        }
        check_ended(t);
    }
}

// ---- cancellations ------------------------------------------------------------------------------

// Cooperatively instead: the operation ends with operation_aborted and the task goes on. Half of
// the requests come when the operation has begun for certain.
inline void cancellations(std::vector<world_kind> const& kinds, unsigned total) {
    struct shared {
        std::atomic<rouse::cancellation_state*> state{nullptr};
        rouse::waker waker{};
        std::atomic<bool> reading{false};
    };
    unsigned const count = share_of(total, kinds.size());
    on_each_of(kinds, [&](world_kind const& kind) {
        std::atomic<unsigned> cancelled{0};
        {
            auto const w = kind.make();
            auto const ex = w->executor();
            stress_random random(new_stream());
            for (unsigned i = 0; i < count; ++i) {
                auto const told = std::make_shared<shared>();
                auto handle = rouse::spawn(ex, [told, &cancelled, ex]() -> rouse::task<> {
                    co_await rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                        told->waker = cx.waker();
                        told->state = &cx.cancellation();
                        return rouse::ready();
                    });
                    tcp_pair sockets(ex);
                    std::array<char, 4> data{};
                    auto const all = [&](boost::system::error_code const& error, std::size_t n) {
                        told->reading = true;
                        return asio::transfer_all()(error, n);
                    };
                    auto const [error, n] = co_await asio::async_read(
                        sockets.here, asio::buffer(data), all, asio::as_tuple(use_poll));
                    if (error == asio::error::operation_aborted && n == 0) ++cancelled;
                });
                while (!told->state) std::this_thread::yield();
                if (random.below(2) == 0) {
                    while (!told->reading) std::this_thread::yield();
                }
                random.delay();
                told->state.load()->request(rouse::cancellation_type::terminal);
                std::move(told->waker).wake();
                rouse::block_on(std::move(handle));
            }
        }
        BOOST_TEST(cancelled == count);
    });
}

// ---- drops --------------------------------------------------------------------------------------

// Ops that are dropped in flight, with a buffer that is freed at once.
inline void drops_of_reads(std::vector<world_kind> const& kinds, unsigned total) {
    constexpr unsigned tasks = 4;
    unsigned const drops = share_of(total, kinds.size()) / tasks + 1;
    on_each_of(kinds, [&](world_kind const& kind) {
        std::atomic<long> in_flight{0};
        std::atomic<long> completed{0};
        auto const stream = new_stream();
        {
            auto const w = kind.make();
            auto const ex = w->executor();
            std::vector<rouse::join_handle<void>> handles;
            for (unsigned k = 0; k < tasks; ++k) {
                handles.push_back(rouse::spawn(ex, [&, k]() -> rouse::task<> {
                    stress_random random(stream + k);
                    tcp_pair sockets(ex);
                    for (unsigned dropped = 0; dropped < drops;) {
                        unsigned const bytes = random.below(4);
                        bool const composed = random.below(2) == 0;
                        unsigned const polls = 1 + random.below(3);
                        bool pending = false;
                        {
                            auto data = std::make_unique<std::array<char, 4>>();
                            auto const poll_some = [&](auto op) {
                                return [&pending, op = std::move(op), left = polls](
                                           rouse::context& cx) mutable -> rouse::poll_result<void> {
                                    if (left-- == 0) return rouse::ready();
                                    pending = op.poll(cx).is_pending();
                                    if (!pending) return rouse::ready();
                                    cx.yield();
                                    return rouse::pending;
                                };
                            };
                            if (composed) {
                                rouse::poll_fn f(poll_some(
                                    asio::async_read(sockets.here, asio::buffer(*data), use_poll)));
                                co_await f;
                            } else {
                                rouse::poll_fn f(poll_some(
                                    sockets.here.async_read_some(asio::buffer(*data), use_poll)));
                                co_await f;
                            }
                        }
                        ++(pending ? in_flight : completed);
                        if (pending) ++dropped;
                        if (bytes) {
                            co_await asio::async_write(sockets.there, asio::buffer("abcd", bytes),
                                                       use_poll);
                        }
                    }
                }));
            }
            for (auto& handle : handles) rouse::block_on(std::move(handle));
        }
        BOOST_TEST(in_flight == static_cast<long>(drops * tasks));
        BOOST_TEST_MESSAGE(completed << " reads had completed before");
    });
}

// ---- two tasks, one socket ----------------------------------------------------------------------

// A reader and a writer in two tasks, which is promised for a plain socket in non-blocking mode
// that neither of them closes or moves.
inline void reader_and_writer(std::vector<world_kind> const& kinds, unsigned total) {
    unsigned const rounds = share_of(total, kinds.size());
    on_each_of(kinds, [&](world_kind const& kind) {
        for (unsigned round = 0; round < rounds; ++round) {
            auto const w = kind.make();
            tcp_pair sockets(w->executor());
            sockets.here.non_blocking(true);
            sockets.there.non_blocking(true);
            constexpr std::size_t size = 100'000;
            auto const read_all = [&](tcp::socket& socket) {
                return rouse::spawn(w->executor(), [&socket]() -> rouse::task<std::size_t> {
                    std::vector<char> data(size);
                    co_return co_await asio::async_read(socket, asio::buffer(data), use_poll);
                });
            };
            auto const write_all = [&](tcp::socket& socket) {
                return rouse::spawn(w->executor(), [&socket]() -> rouse::task<std::size_t> {
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
    });
}

}  // namespace rouse_test

#endif
