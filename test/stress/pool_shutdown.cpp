// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Every order in which a pool and what belongs to it may be destroyed; many more workers than
// processors; storms of aborts.

#include <support/asio_loopback.hpp>
#include <support/pool_kit.hpp>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <rouse.hpp>
#include <string>

BOOST_AUTO_TEST_SUITE(test_pool_shutdown)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::join_handle;
using rouse::spawn;
using rouse::spawn_ok;
using rouse::task;
using rouse::thread_pool;

namespace {

enum class thing { pool, io_context, socket, timer, handle, waker, op };
using order = std::array<thing, 7>;

char const* name_of(thing t) {
    switch (t) {
        case thing::pool: return "pool";
        case thing::io_context: return "io_context";
        case thing::socket: return "socket";
        case thing::timer: return "timer";
        case thing::handle: return "handle";
        case thing::waker: return "waker";
        default: return "op";
    }
}
std::string name_of(order const& o) {
    std::string name;
    for (thing const t : o) name += std::string(" ") + name_of(t);
    return name;
}

// What is not allowed, and by which rule.
bool is_allowed(order const& o, mode m) {
    auto const before = [&](thing a, thing b) {
        return std::find(o.begin(), o.end(), a) < std::find(o.begin(), o.end(), b);
    };
    // An I/O object dies before its io_context (Asio's rule), which is the pool's own in one mode.
    thing const context = m == mode::own ? thing::pool : thing::io_context;
    if (!before(thing::socket, context) || !before(thing::timer, context)) return false;
    // An io_context dies after the pools that use it (a sentence tells).
    if (m == mode::applications && !before(thing::pool, thing::io_context)) return false;
    return true;
}

// A future that says when it is in flight.
template <rouse::future F>
class announced {
public:
    announced(F future, countdown& begun) : future_(std::move(future)), begun_(&begun) {}
    announced(announced&&) = default;

    auto poll(rouse::context& cx) {
        auto result = future_.poll(cx);
        if (auto* begun = std::exchange(begun_, nullptr)) begun->down();
        return result;
    }
    auto poll_cancel(rouse::context& cx) { return future_.poll_cancel(cx); }

private:
    F future_;
    countdown* begun_;
};

// A pool in the middle of everything: a read, a wait and a plain operation are pending, a task is
// parked, and an operation was never begun.
class scene {
public:
    explicit scene(mode m) {
        if (m == mode::own) {
            pool_.emplace(2);
        } else {
            io_.emplace();
            pool_.emplace(*io_, 2);
            io_thread_ = std::thread([this] {
                auto const work = asio::make_work_guard(*io_);
                io_runs_.open();
                io_->run();
            });
            io_runs_.wait();
        }
        sockets_.emplace(pool_->get_executor());
        timer_.emplace(*pool_, 1h);
        op_.emplace(sockets_->there.async_read_some(asio::buffer(other_), rouse::use_poll));
        timer_->async_wait([kept = kept_](auto) {});
        spawn_ok(*pool_, [this, kept = kept_]() -> task<> {
            auto const n = co_await announced(
                sockets_->here.async_read_some(asio::buffer(buffer_),
                                               rouse::as_result(rouse::use_poll)),
                begun_);
            if (n) std::abort();
            reading_.open();
        });
        spawn_ok(*pool_, [this, kept = kept_]() -> task<> {
            boost::system::error_code ignored;
            co_await announced(
                timer_->async_wait(asio::redirect_error(rouse::use_poll, ignored)), begun_);
            waiting_.open();
        });
        handle_.emplace(spawn(*pool_, [this, kept = kept_]() -> task<> {
            begun_.down();
            co_await event_.happened();
        }));
        wait_until([&] { return event_.polls() != 0; }, "a first poll");
        begun_.wait();
        waker_ = event_.waker();
    }
    ~scene() {
        if (io_thread_.joinable()) end_io();
    }

    void destroy(thing t) {
        switch (t) {
            case thing::pool: pool_.reset(); break;
            case thing::io_context:
                if (io_) end_io();
                io_.reset();
                break;
            case thing::socket:
                sockets_.reset();
                // Asio's operation points into the socket: it has to complete before its task is
                // aborted.
                if (pool_) reading_.wait();
                break;
            case thing::timer:
                timer_.reset();
                if (pool_) waiting_.wait();  // the same
                break;
            case thing::handle: handle_.reset(); break;
            case thing::waker:
                waker_.wake_by_ref();
                std::move(waker_).wake();
                break;
            case thing::op: op_.reset(); break;
        }
    }

    // Of the five that keep it, how many have not died.
    long alive() const { return kept_.use_count() - 1; }

private:
    void end_io() {
        io_->stop();
        if (io_thread_.joinable()) io_thread_.join();
    }

    std::shared_ptr<int> kept_ = std::make_shared<int>(0);
    std::array<char, 16> buffer_{};
    std::array<char, 16> other_{};
    event event_{};
    door reading_{};
    door waiting_{};
    door io_runs_{};
    countdown begun_{3};
    std::optional<asio::io_context> io_{};
    std::thread io_thread_{};
    std::optional<thread_pool> pool_{};
    std::optional<tcp_pair> sockets_{};
    std::optional<asio::steady_timer> timer_{};
    std::optional<join_handle<void>> handle_{};
    rouse::waker waker_{};
    std::optional<decltype(std::declval<tcp::socket&>().async_read_some(
        std::declval<asio::mutable_buffers_1>(), rouse::use_poll))>
        op_{};
};

}  // namespace

BOOST_AUTO_TEST_CASE(b55_b59_every_order_of_destruction_that_is_allowed) {
    stress_random random(1);
    for (mode const m : {mode::own, mode::applications}) {
        order o{thing::pool,   thing::io_context, thing::socket, thing::timer,
                thing::handle, thing::waker,      thing::op};
        std::sort(o.begin(), o.end());
        unsigned allowed = 0;
        unsigned tried = 0;
        do {
            if (!is_allowed(o, m)) continue;
            ++allowed;
            if (!long_tests() && random.below(5) != 0) continue;
            ++tried;
            scene s(m);
            for (thing const t : o) s.destroy(t);
            BOOST_TEST(s.alive() == 0, name_of(m) << ":" << name_of(o));
        } while (std::next_permutation(o.begin(), o.end()));
        BOOST_TEST_MESSAGE(tried << " orders of " << allowed);
        BOOST_TEST(tried > 100U);
    }
}

BOOST_AUTO_TEST_CASE(b52_many_more_workers_than_processors) {
    for (mode const m : {mode::own, mode::applications}) {
        pool_home pool(m, 64);
        std::atomic<unsigned> done{0};
        unsigned const tasks = scaled(20'000U);
        for (unsigned n = 0; n < tasks; ++n) {
            spawn_ok(*pool, [&]() -> task<> {
                for (int i = 0; i < 5; ++i) {
                    rouse::this_task::spawn_ok([&]() -> task<> {
                        co_await rouse::this_task::yield_now();
                        ++done;
                    });
                    co_await rouse::this_task::yield_now();
                }
                ++done;
            });
        }
        // And pairs that wake each other across workers.
        std::vector<join_handle<void>> pairs;
        for (int p = 0; p < 50; ++p) {
            auto const ping = std::make_shared<std::array<event, 20>>();
            auto const pong = std::make_shared<std::array<event, 20>>();
            pairs.push_back(spawn(*pool, [ping, pong]() -> task<> {
                for (std::size_t n = 0; n < 20; ++n) {
                    (*ping)[n].set();
                    co_await (*pong)[n].happened();
                }
            }));
            pairs.push_back(spawn(*pool, [ping, pong]() -> task<> {
                for (std::size_t n = 0; n < 20; ++n) {
                    co_await (*ping)[n].happened();
                    (*pong)[n].set();
                }
            }));
        }
        for (auto& handle : pairs) block_on(std::move(handle));
        pool->join();
        BOOST_TEST(done == 6 * tasks);
    }
    // Stopped in the middle.
    for (mode const m : {mode::own, mode::applications}) {
        for (int round = 0; round < scaled(50); ++round) {
            auto const kept = std::make_shared<int>(0);
            {
                pool_home pool(m, 64);
                for (unsigned n = 0; n < 2000; ++n) {
                    spawn_ok(*pool, [kept]() -> task<> {
                        for (;;) co_await rouse::this_task::yield_now();
                    });
                }
            }
            BOOST_TEST(kept.use_count() == 1);
        }
    }
}

// Each task completes or is aborted, once, and its handle tells the truth.
BOOST_AUTO_TEST_CASE(b32_a_storm_of_aborts) {
    in_both_modes({2, 8}, [](mode m, unsigned workers) {
        unsigned const count = scaled(tsan ? 20'000U : 100'000U);
        pool_home pool(m, workers);
        struct one {
            event begin{};
            std::atomic<bool> completed{false};
            std::atomic<bool> destroyed{false};
            std::optional<join_handle<int>> handle{};
        };
        std::deque<one> all(count);
        for (auto& o : all) {
            o.handle.emplace(spawn(*pool, [&o]() -> task<int> {
                struct guard {
                    explicit guard(one& w) : which(&w) {}
                    ~guard() { which->destroyed = true; }
                    one* which;
                } const last(o);
                co_await o.begin.happened();
                co_await rouse::this_task::yield_now();
                o.completed = true;
                co_return 7;
            }));
        }
        run_threads(4, [&](unsigned who) {
            stress_random random(who);
            for (auto& o : all) {
                if (who % 2) {
                    if (random.below(3) != 0) o.begin.set();
                } else {
                    if (random.below(3) != 0) o.handle->abort();
                }
            }
        });
        for (auto& o : all) {
            if (!o.handle->is_finished()) o.begin.set();
        }
        unsigned values = 0;
        unsigned aborted = 0;
        unsigned wrong = 0;
        for (auto& o : all) {
            bool value = false;
            try {
                value = block_on(std::move(*o.handle)) == 7;
            } catch (boost::system::system_error const& e) {
                if (e.code() != rouse::errc::aborted) ++wrong;
            }
            ++(value ? values : aborted);
            if (value && !o.completed) ++wrong;
            if (!value && o.completed) ++wrong;
        }
        BOOST_TEST(wrong == 0U);
        BOOST_TEST(values + aborted == count);
        BOOST_TEST(aborted > 0U);
        BOOST_TEST(values > 0U);
        pool->join();
        BOOST_TEST(pool->metrics().tasks_done == count);
    });
}

BOOST_AUTO_TEST_CASE(b32_b69_a_storm_of_aborts_of_operations) {
    in_both_modes({2, 8}, [](mode m, unsigned workers) {
        unsigned const count = scaled(tsan ? 5'000U : 20'000U);
        pool_home pool(m, workers);
        std::vector<std::unique_ptr<asio::steady_timer>> timers;
        std::vector<join_handle<void>> handles;
        for (unsigned n = 0; n < count; ++n) {
            timers.push_back(std::make_unique<asio::steady_timer>(
                *pool, n % 3 == 0 ? std::chrono::steady_clock::duration(1h)
                                  : std::chrono::microseconds(n % 1000)));
        }
        for (auto& timer : timers) {
            handles.push_back(spawn(*pool, [&timer]() -> task<> {
                co_await timer->async_wait(rouse::use_poll);
            }));
        }
        run_threads(3, [&](unsigned who) {
            stress_random random(who);
            for (std::size_t n = 0; n < handles.size(); ++n) {
                if (n % 3 == 0 || random.below(2)) handles[n].abort();
            }
        });
        unsigned wrong = 0;
        for (auto& handle : handles) {
            try {
                block_on(std::move(handle));
            } catch (boost::system::system_error const& e) {
                if (e.code() != rouse::errc::aborted) ++wrong;
            }
        }
        BOOST_TEST(wrong == 0U);
        pool->join();
        BOOST_TEST(pool->metrics().tasks_done == count);
    });
}

// Tasks that have stop() among them, from all sides.
BOOST_AUTO_TEST_CASE(b57_b60_stop_from_everywhere_at_once) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        for (unsigned round = 0; round < scaled(500U); ++round) {
            auto const kept = std::make_shared<int>(0);
            {
                pool_home home(m, workers);
                thread_pool& pool = *home;
                for (int n = 0; n < 20; ++n) {
                    spawn_ok(pool, [&pool, kept, n]() -> task<> {
                        rouse::this_task::spawn_ok([kept]() -> task<> {
                            for (;;) co_await rouse::this_task::yield_now();
                        });
                        if (n > 10) pool.stop();
                        co_await rouse::this_task::yield_now();
                    });
                    asio::post(pool, [&pool, kept, n] {
                        if (n == 15) pool.stop();
                    });
                }
                std::thread other([&] { pool.stop(); });
                if (round % 2) pool.join();
                other.join();
            }
            BOOST_REQUIRE(kept.use_count() == 1);
        }
    });
}

BOOST_AUTO_TEST_SUITE_END()
