// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The cases of pool_queues.cpp and stress_core.cpp once more, and races of a whole pool, with
// random delays between the steps of the library's protocols (rouse/detail/hooks.hpp). The
// library's sources are part of this file, under another namespace: nothing here is mistaken for
// what the linked library defines.

#include <support/scale.hpp>

#define rouse rouse_with_delays
#define ROUSE_HOOK(place)

// Nobody looks by himself after ten seconds: a wake that is lost stays lost, and is seen.
#include <rouse/detail/parker.hpp>
namespace rouse::detail {
inline constexpr auto longer_sleep = std::chrono::hours(1);
}
#define longest_sleep longer_sleep

#include "../../src/abi.cpp"
#include "../../src/asio_scheduler.cpp"
#include "../../src/atomic_waker.cpp"
#include "../../src/blocking_waker.cpp"
#include "../../src/cancellation.cpp"
#include "../../src/coroutine.cpp"
#include "../../src/error.cpp"
#include "../../src/fatal.cpp"
#include "../../src/futex.cpp"
#include "../../src/futex_mutex.cpp"
#include "../../src/idle.cpp"
#include "../../src/inbox.cpp"
#include "../../src/inject_queue.cpp"
#include "../../src/io_driver.cpp"
#include "../../src/join_handle.cpp"
#include "../../src/local_queue.cpp"
#include "../../src/op_block.cpp"
#include "../../src/parker.cpp"
#include "../../src/paused_clock.cpp"
#include "../../src/pool_core.cpp"
#include "../../src/pool_end.cpp"
#include "../../src/pool_time.cpp"
#include "../../src/scheduler.cpp"
#include "../../src/slab.cpp"
#include "../../src/spawner.cpp"
#include "../../src/task_cell.cpp"
#include "../../src/task_registry.cpp"
#include "../../src/task_state.cpp"
#include "../../src/thread.cpp"
#include "../../src/time_driver.cpp"
// A class with members of the source file's own: GCC minds that in an included file.
#if !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#endif
#include "../../src/thread_pool.cpp"
#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#include "../../src/retired_wheels.cpp"
#include "../../src/timer_wheel.cpp"
#include "../../src/unhandled.cpp"
#include "../../src/use_clock.cpp"
#include "../../src/waiter_list.cpp"
#include "../../src/waker.cpp"
#include "../../src/worker.cpp"
// The last: a variable of its namespace has a name that is local elsewhere.
#include "../../src/deep_destroy.cpp"

#include <support/pool_items.hpp>
#include <support/pool_stuck.hpp>
#include <support/stress_threads.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <deque>
#include <functional>
#include <rouse/atomic_waker.hpp>
#include <rouse/block_on.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <rouse/thread_pool.hpp>
#include <rouse/use_poll.hpp>
#include <vector>

namespace {

// Delays take time: less of each.
template <class Number>
Number with_delays(Number n) {
    return std::max(Number(1), Number(rouse_test::scaled(n) / 8));
}

}  // namespace

#define scaled(n) with_delays(n)
#include "pool_queues.cpp"
#include "stress_core.cpp"
#undef scaled

using namespace test_pool_queues;
using namespace test_stress_core;
using rouse::block_on;
using rouse::join_handle;
using rouse::spawn;
using rouse::spawn_ok;
using rouse::task;
using rouse::thread_pool;
using rouse::detail::hook;

namespace {

constexpr std::size_t places = static_cast<std::size_t>(hook::count);
std::array<std::atomic<std::uint64_t>, places> reached{};

std::uint64_t times(hook place) {
    return reached[static_cast<std::size_t>(place)].load(std::memory_order_relaxed);
}

// What one case does at a place besides the delay.
class at {
public:
    at(hook place, std::function<void()> act) : place_(place), act_(std::move(act)) {
        present = this;
    }
    at(at const&) = delete;
    at& operator=(at const&) = delete;
    ~at() { present = nullptr; }

    static void reach(hook place) {
        at const* const here = present;
        if (here && here->place_ == place) here->act_();
    }

private:
    inline static std::atomic<at*> present{nullptr};

    hook place_;
    std::function<void()> act_;
};

}  // namespace

void rouse::detail::hook_reached(hook place) noexcept {
    reached[static_cast<std::size_t>(place)].fetch_add(1, std::memory_order_relaxed);
    rouse_test::random_delay();
    at::reach(place);
}

// ---- atomic_waker -------------------------------------------------------------------------------

namespace {

// Does something at a place, the first time only; it may come there itself.
class once_at {
public:
    once_at(hook place, std::function<void()> act)
        : at_(place, [act = std::move(act), done = false]() mutable {
              if (!std::exchange(done, true)) act();
          }) {}

private:
    at at_;
};

}  // namespace

// Each state in the middle of a registration or a wake, and who comes then.
BOOST_AUTO_TEST_CASE(b11_b12_somebody_comes_in_the_middle_of_a_registration_or_a_wake) {
    thread_waker const first;
    thread_waker const second;
    for (hook const place : {hook::registering, hook::registered}) {
        BOOST_TEST_CONTEXT(static_cast<int>(place)) {
            for (bool const replaces : {false, true}) {
                rouse::atomic_waker slot;
                if (replaces) slot.register_waker(second.make());
                once_at const comes(place, [&] { slot.wake(); });
                slot.register_waker(first.make());
                BOOST_TEST(first.woken());
                BOOST_TEST(!second.woken());
                slot.wake();
                BOOST_TEST(!first.woken());  // it was forgotten
            }
            rouse::atomic_waker slot;
            once_at const comes(place, [&] { slot.register_waker(second.make()); });
            slot.register_waker(first.make());
            BOOST_TEST(second.woken());
            BOOST_TEST(!first.woken());
            slot.wake();
            BOOST_TEST(first.woken());
        }
    }
    rouse::atomic_waker slot;
    slot.register_waker(first.make());
    {
        once_at const comes(hook::waking, [&] { slot.register_waker(second.make()); });
        slot.wake();
    }
    BOOST_TEST(first.woken());
    BOOST_TEST(second.woken());
    slot.register_waker(first.make());
    slot.wake();
    BOOST_TEST(first.woken());
}

// ---- queues -------------------------------------------------------------------------------------

// Between his look at the victim and his claim, a thief is late by a whole ring and more: the
// places that he has seen hold other items.
BOOST_AUTO_TEST_CASE(b39_b41_a_thief_is_late_by_a_whole_ring) {
    for (std::uint32_t const position : {0U, 0U - 3000U}) {
        item_set items(with_delays(400'000U));
        local_queue queue;
        set_positions(queue, position, position, position);
        std::atomic<unsigned> pushed{0};
        std::atomic<bool> done{false};
        std::atomic<bool> one_looks{false};
        std::atomic<unsigned> late{0};
        at const hold(hook::thief_has_seen, [&] {
            unsigned const seen = pushed;
            one_looks = true;
            while (!done && pushed - seen <= local_queue::capacity) std::this_thread::yield();
            if (!done) ++late;
        });
        std::deque<thief> robbers(2);
        run_threads(3, [&](unsigned who) {
            if (who != 0) {
                set_positions(robbers[who - 1].queue, position, position, position);
                while (!done) {
                    if (!robbers[who - 1].steal(queue)) std::this_thread::yield();
                }
                return;
            }
            for (unsigned n = 0; n < items.size(); ++n) {
                if (!queue.push(items[n], true)) test_pool_queues::run(items[n]);
                ++pushed;
                // The first goes to a thief, who is then held back while the ring is filled.
                if (n == 0) wait_until([&] { return one_looks.load(); }, "a thief's look");
                if (n == 2 * local_queue::capacity)
                    wait_until([&] { return late > 0U; }, "a thief who is late");
                if (n % 8 == 0) std::this_thread::yield();
                // The queue is long, short and empty by turns.
                while (queue.size() > n % 64) {
                    work_item* const item = queue.pop();
                    if (!item) break;
                    test_pool_queues::run(*item);
                }
            }
            done = true;
        });
        while (work_item* item = queue.pop()) test_pool_queues::run(*item);
        BOOST_TEST(items.each_ran_once());
        BOOST_TEST(late > 0U);
    }
}

// ---- a pool at work -----------------------------------------------------------------------------

namespace {

// A function that was posted, or a task that was spawned, one at a time.
void brings_one_at_a_time(thread_pool& pool, unsigned who, unsigned rounds) {
    stress_random random(who);
    for (unsigned r = 0; r < rounds; ++r) {
        auto const done = std::make_shared<std::atomic<bool>>(false);
        switch (random.below(3)) {
            case 0: asio::post(pool, [done] { *done = true; }); break;
            case 1:
                spawn_ok(pool, [done]() -> task<> {
                    *done = true;
                    co_return;
                });
                break;
            default:  // from a worker, into the LIFO slot and the queue
                asio::post(pool, [&pool, done] {
                    spawn_ok(pool, [&pool, done]() -> task<> {
                        asio::post(pool, [done] { *done = true; });
                        co_return;
                    });
                });
                break;
        }
        wait_until([&] { return done->load(); }, "what was brought to the pool");
        random.delay();
    }
}

}  // namespace

// One thing at a time, and nothing else that would wake anybody: each worker parks again between.
BOOST_AUTO_TEST_CASE(b43_b44_work_comes_as_a_worker_parks) {
    in_both_modes({1, 2, 4}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        brings_one_at_a_time(*pool, 200 + workers, with_delays(40'000U));
        BOOST_TEST(pool->metrics().inject_queue_empty);
    });
}

// One sits in the event loop and is called out of it, by what comes to the pool, while the loop has
// work of its own. With one worker there is no other that would notice a wake that is lost.
BOOST_AUTO_TEST_CASE(b43_b44_b73_work_comes_as_a_worker_enters_the_event_loop_and_leaves_it) {
    in_both_modes({1, 2, 4}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        unsigned const rounds = with_delays(16'000U);
        run_threads(3, [&](unsigned who) {
            if (who != 0) {
                brings_one_at_a_time(*pool, 10 * workers + who, rounds);
                return;
            }
            stress_random random(10 * workers);
            for (unsigned r = 0; r < rounds; ++r) {
                auto const done = std::make_shared<std::atomic<bool>>(false);
                if (r % 2) {
                    asio::post(pool->context(), [done] { *done = true; });
                } else {
                    spawn_ok(*pool, [&pool, done]() -> task<> {
                        asio::steady_timer timer(*pool, std::chrono::microseconds(20));
                        co_await timer.async_wait(rouse::use_poll);
                        *done = true;
                    });
                }
                wait_until([&] { return done->load(); }, "a function of the event loop");
                random.delay();
            }
        });
        pool->join();
        BOOST_TEST(pool->metrics().inject_queue_empty);
    });
}

// A burst wakes one worker, which wakes the next before it gets to work: they meet.
BOOST_AUTO_TEST_CASE(b45_a_burst_finds_all_workers) {
    in_both_modes({2, 4}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        for (unsigned r = 0; r < with_delays(4000U); ++r) {
            countdown here(workers);
            countdown gone(workers);
            for (unsigned n = 0; n < workers; ++n) {
                asio::post(*pool, [&] {
                    here.down();
                    here.wait("all workers at work");
                    gone.down();
                });
            }
            gone.wait();
        }
        BOOST_TEST(pool->size() == workers);
    });
}

BOOST_AUTO_TEST_CASE(b47_b73_what_waits_behind_a_stuck_worker_runs_elsewhere) {
    in_both_modes({2, 3}, [](mode m, unsigned workers) {
        for (behind const where : {behind::lifo, behind::queue, behind::yielded, behind::event_loop,
                                   behind::own_handler}) {
            pool_home pool(m, workers);
            stuck_worker stuck(*pool, where, false);
            unsigned const rounds = with_delays(160U);
            BOOST_TEST(stuck.run(rounds).size() == rounds, name_of(where));
        }
    });
}

namespace {

// It yields, wakes itself, wakes another through the LIFO slot, and spawns or posts its like.
struct hogs {
    explicit hogs(thread_pool& p) : pool(p) {
        for (int n = 0; n < 3; ++n) {
            spawn_ok(pool, [this]() -> task<> {
                while (!stop) co_await rouse::this_task::yield_now();
            });
            spawn_ok(pool, rouse::poll_fn([this](rouse::context& cx) -> rouse::poll_result<void> {
                         if (stop) return rouse::ready();
                         cx.waker().wake_by_ref();
                         return rouse::pending;
                     }));
        }
        for (std::size_t n = 0; n < 2; ++n) {
            spawn_ok(pool,
                     rouse::poll_fn([this, n](rouse::context& cx) -> rouse::poll_result<void> {
                         slots[n].register_waker(cx.waker());
                         slots[1 - n].wake();
                         return stop ? rouse::poll_result<void>(rouse::ready()) : rouse::pending;
                     }));
        }
        spawn_ok(pool, spawns(*this));
        posts();
    }

    static task<> spawns(hogs& all) {
        if (!all.stop) spawn_ok(all.pool, [&all] { return spawns(all); });
        co_return;
    }
    void posts() {
        asio::post(pool, [this] {
            if (!stop) posts();
        });
    }

    thread_pool& pool;
    std::atomic<bool> stop{false};
    std::array<rouse::atomic_waker, 2> slots{};
};

}  // namespace

// Beside tasks and functions that never stop, what other threads bring and what the event loop has
// is run.
BOOST_AUTO_TEST_CASE(b48_b49_b50_nobody_is_kept_from_running) {
    in_both_modes({1, 2, 4}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        hogs all(*pool);
        unsigned const rounds = with_delays(1600U);
        run_threads(2, [&](unsigned who) {
            if (who == 0) {
                brings_one_at_a_time(*pool, 100 + workers, rounds);
                return;
            }
            for (unsigned r = 0; r < rounds; ++r) {
                asio::steady_timer timer(*pool, std::chrono::microseconds(20));
                block_on(timer.async_wait(rouse::use_poll));
            }
        });
        all.stop = true;
        for (auto& slot : all.slots) slot.wake();
        pool->join();
        BOOST_TEST(pool->metrics().tasks_done == pool->metrics().tasks_spawned);
    });
}

// ---- the end of a pool --------------------------------------------------------------------------

namespace {

// How often a function ran, and how many objects of those who did not die are left.
struct function_record {
    explicit function_record(unsigned n) : runs(n) {}
    bool none_ran_twice() const {
        return std::all_of(runs.begin(), runs.end(), [](auto const& n) { return n <= 1; });
    }
    unsigned ran() const {
        unsigned sum = 0;
        for (auto const& n : runs) sum += n;
        return sum;
    }

    std::vector<std::atomic<unsigned>> runs;
    std::atomic<long> alive{0};
};

}  // namespace

// Threads that are no workers spawn, post, wake and abort while another stops the pool. Each
// function is run or destroyed, once; each task ends, and whoever waits for it is told.
BOOST_AUTO_TEST_CASE(b57_b59_b60_stop_races_all_that_comes_from_outside) {
    unsigned ran = 0;
    unsigned unrun = 0;
    unsigned completed = 0;
    unsigned aborted = 0;
    in_both_modes({1, 2, 4}, [&](mode m, unsigned workers) {
        constexpr unsigned each = 12;
        for (unsigned round = 0; round < with_delays(2400U); ++round) {
            function_record posted(each);
            std::atomic<long> alive{0};
            std::vector<join_handle<int>> parked;
            std::vector<join_handle<int>> spawned;
            std::array<event, each> events;
            event never;
            {
                pool_home pool(m, workers);
                for (unsigned n = 0; n < each; ++n) {
                    parked.push_back(spawn(*pool, [&, n, lives = counted(alive)]() -> task<int> {
                        co_await events[n].happened();
                        co_return 7;
                    }));
                }
                run_threads(5, [&](unsigned who) {
                    stress_random random(5 * round + who);
                    for (unsigned n = 0; n < each; ++n) {
                        random.delay();
                        switch (who) {
                            case 0:
                                if (n == each / 3) pool->stop();
                                break;
                            case 1:
                                asio::post(*pool, [&posted, n, lives = counted(posted.alive)] {
                                    ++posted.runs[n];
                                });
                                break;
                            case 2:
                                spawned.push_back(
                                    spawn(*pool, [&, n, lives = counted(alive)]() -> task<int> {
                                        co_await rouse::this_task::yield_now();
                                        if (n % 3 == 2) co_await never.happened();
                                        co_return 7;
                                    }));
                                break;
                            case 3: events[n].set(); break;
                            default: parked[each - 1 - n].abort(); break;
                        }
                    }
                });
            }
            BOOST_REQUIRE(posted.alive == 0);
            BOOST_REQUIRE(posted.none_ran_twice());
            BOOST_REQUIRE(alive == 0);
            ran += posted.ran();
            unrun += each - posted.ran();
            for (auto* const handles : {&parked, &spawned}) {
                for (auto& handle : *handles) {
                    BOOST_REQUIRE(handle.is_finished());
                    try {
                        BOOST_REQUIRE(block_on(std::move(handle)) == 7);
                        ++completed;
                    } catch (boost::system::system_error const& e) {
                        BOOST_REQUIRE(says_aborted(e));
                        ++aborted;
                    }
                }
            }
            for (auto const& e : events) e.set();  // its task is gone, and the pool too
        }
    });
    // The race was there to be seen.
    BOOST_TEST(ran > 0U);
    BOOST_TEST(unrun > 0U);
    BOOST_TEST(completed > 0U);
    BOOST_TEST(aborted > 0U);
}

// join() comes while operations complete: their functions are queued as they cease to be pending.
BOOST_AUTO_TEST_CASE(b57_join_races_the_last_operations) {
    in_both_modes({1, 2, 4}, [](mode m, unsigned workers) {
        for (unsigned round = 0; round < with_delays(3200U); ++round) {
            stress_random random(round);
            function_record completed(8);
            std::deque<asio::steady_timer> timers;
            {
                pool_home pool(m, workers);
                for (unsigned n = 0; n < 8; ++n) {
                    auto& timer =
                        timers.emplace_back(*pool, std::chrono::microseconds(random.below(200)));
                    timer.async_wait([&completed, n, lives = counted(completed.alive)](auto) {
                        ++completed.runs[n];
                    });
                }
                random.delay();
                pool->join();
                BOOST_REQUIRE(completed.ran() == 8);
                timers.clear();
            }
            BOOST_REQUIRE(completed.none_ran_twice());
            BOOST_REQUIRE(completed.alive == 0);
        }
    });
}

// A thread has brought the last thing that the pool waited for, and stays inside until the workers
// have ended.
BOOST_AUTO_TEST_CASE(b59_b60_a_pool_is_destroyed_while_a_wake_returns) {
    std::atomic<unsigned> held{0};
    in_both_modes({1, 2, 4}, [&](mode m, unsigned workers) {
        for (unsigned round = 0; round < with_delays(3200U); ++round) {
            event happens;
            function_record posted(1);
            door inside;
            std::atomic<bool> ended{false};
            {
                pool_home pool(m, workers);
                auto const handle = spawn(*pool, happens.happened());
                wait_until([&] { return happens.polls() != 0; }, "a first poll");
                std::uint64_t const ends = times(hook::last_worker_is_out);
                at const hold(hook::pushed_from_outside, [&] {
                    ++held;
                    inside.open();
                    wait_until([&] { return times(hook::last_worker_is_out) != ends; },
                               "the end of the last worker");
                });
                std::thread other([&] {
                    if (round % 2) {
                        happens.set();
                    } else {
                        asio::post(*pool,
                                   [&posted, lives = counted(posted.alive)] { ++posted.runs[0]; });
                    }
                    inside.open();  // the task was still in its poll, which then has queued it
                });
                inside.wait();
                if (round % 4 == 1) pool->join();
                pool.destroy_pool();
                ended = handle.is_finished();
                other.join();
            }
            BOOST_REQUIRE(ended);
            BOOST_REQUIRE(posted.alive == 0);
            BOOST_REQUIRE(posted.none_ran_twice());
        }
    });
    BOOST_TEST(held > 0U);
}

// A thread stops the pool, and stays inside until the workers have ended. Whoever destroys the pool
// then waits until it is out.
BOOST_AUTO_TEST_CASE(b59_a_pool_is_destroyed_while_stop_returns) {
    std::atomic<unsigned> held{0};
    in_both_modes({1, 2, 4}, [&](mode m, unsigned workers) {
        for (unsigned round = 0; round < with_delays(800U); ++round) {
            pool_home pool(m, workers);
            std::uint64_t const ends = times(hook::last_worker_is_out);
            door inside;
            std::atomic<bool> told{false};
            once_at const hold(hook::stop_begun, [&] {
                ++held;
                inside.open();
                wait_until([&] { return times(hook::last_worker_is_out) != ends; },
                           "the end of the last worker");
                for (int n = 0; n < 20; ++n) std::this_thread::yield();
                told = true;
            });
            std::thread other([&] { pool->stop(); });
            inside.wait();
            pool->join();
            pool.destroy_pool();
            bool const was_told = told;
            other.join();
            BOOST_REQUIRE(was_told);
        }
    });
    BOOST_TEST(held > 0U);
}

BOOST_AUTO_TEST_CASE(b58_tasks_that_wait_for_each_other_end_with_their_pool) {
    in_both_modes({1, 2, 4}, [](mode m, unsigned workers) {
        for (unsigned round = 0; round < with_delays(1600U); ++round) {
            stress_random random(round);
            std::atomic<long> alive{0};
            {
                pool_home home(m, workers);
                thread_pool& pool = *home;
                for (int n = 0; n < 8; ++n) {
                    // B drains an operation when it is told to end; A waits for B.
                    auto b = spawn(pool, [&, lives = counted(alive)]() -> task<> {
                        asio::steady_timer timer(pool, std::chrono::hours(1));
                        co_await timer.async_wait(rouse::use_poll);
                    });
                    spawn_ok(pool,
                             [handle = std::move(b), lives = counted(alive)]() mutable -> task<> {
                                 try {
                                     co_await std::move(handle);
                                 } catch (boost::system::system_error const&) {
                                 }
                             });
                    random.delay();
                }
                std::thread other([&] { pool.stop(); });
                random.delay();
                pool.stop();
                other.join();
            }
            BOOST_REQUIRE(alive == 0);
        }
    });
}

// A timer has expired and its completion is on its way, when its task is aborted.
BOOST_AUTO_TEST_CASE(b70_an_abort_meets_a_completion_that_is_on_its_way) {
    std::atomic<unsigned> values{0};
    std::atomic<unsigned> aborted{0};
    std::atomic<unsigned> wrong{0};
    in_both_modes({1, 2, 4}, [&](mode m, unsigned workers) {
        pool_home home(m, workers);
        thread_pool& pool = *home;
        run_threads(2, [&](unsigned who) {
            stress_random random(10 * workers + who);
            for (unsigned round = 0; round < with_delays(6000U); ++round) {
                std::atomic<bool> completed{false};
                auto const after = std::chrono::microseconds(random.below(30));
                auto handle = spawn(pool, [&pool, &completed, after]() -> task<int> {
                    asio::steady_timer timer(pool, after);
                    co_await timer.async_wait(rouse::use_poll);
                    completed = true;
                    co_return 7;
                });
                for (unsigned n = random.below(8); n != 0; --n) random.delay();
                handle.abort();
                bool value = false;
                try {
                    value = block_on(std::move(handle)) == 7;
                } catch (boost::system::system_error const& e) {
                    if (!says_aborted(e)) ++wrong;
                }
                ++(value ? values : aborted);
                if (value && !completed) ++wrong;
            }
        });
        pool.join();
    });
    BOOST_TEST(wrong == 0U);
    BOOST_TEST(values > 0U);
    BOOST_TEST(aborted > 0U);
}

// ---- the stop, which tells one task after the other ----------------------------------------------

namespace {

[[noreturn]] void throw_aborted() {
    throw boost::system::system_error(boost::asio::error::operation_aborted);
}

struct throws_when_destroyed {
    throws_when_destroyed() = default;
    throws_when_destroyed(throws_when_destroyed&& other) noexcept
        : armed(std::exchange(other.armed, false)) {}
    throws_when_destroyed& operator=(throws_when_destroyed&&) = delete;
    ~throws_when_destroyed() noexcept(false) {
        if (armed) throw_aborted();
    }
    bool armed = true;
};

// How many exceptions are reported of what `make` has begun: it goes on when the stop has begun,
// and ends before anybody was told.
struct begun {
    rouse_test::event go{};
    std::atomic<bool> released{false};
    std::atomic<bool> ended{false};
};
template <class Make>
std::size_t reported_at_stop(Make make) {
    rouse_test::reports heard;
    auto pool = thread_pool::builder()
                    .workers(1)
                    .on_unhandled_exception(heard.handler())
                    .build();
    begun what;
    make(*pool, what);
    once_at const before_any_is_told(hook::stop_begun, [&] {
        what.go.set();
        what.released = true;
        rouse_test::wait_until(
            [&] {
                auto const now = pool->metrics();
                return what.ended && now.tasks_done == now.tasks_spawned;
            },
            "an end during the stop");
    });
    pool->stop();
    pool->join();
    return heard.count();
}

template <class Throw>
auto task_that(Throw fails) {
    return [fails](thread_pool& pool, begun& what) {
        spawn_ok(pool, [&what, fails]() -> task<> {
            co_await what.go.happened();
            what.ended = true;
            fails();
        });
    };
}

std::atomic<unsigned> told_to_process{0};

}  // namespace

BOOST_AUTO_TEST_CASE(b31_that_a_task_was_cancelled_is_no_news_while_a_pool_stops) {
    BOOST_TEST(reported_at_stop(task_that(&throw_aborted)) == 0U);
    BOOST_TEST(reported_at_stop(task_that([] { throw std::runtime_error("news"); })) == 1U);

    // With a handle, which is dropped when the pool is gone: the process is told, if anybody.
    for (bool const news : {false, true}) {
        told_to_process = 0;
        auto const before = rouse::set_unhandled_handler(
            [](std::exception_ptr, std::source_location) { ++told_to_process; });
        std::optional<join_handle<void>> handle;
        BOOST_TEST(reported_at_stop([&](thread_pool& pool, begun& what) {
                       handle = spawn(pool, [&what, news]() -> task<> {
                           co_await what.go.happened();
                           what.ended = true;
                           if (news) throw std::runtime_error("news");
                           throw_aborted();
                       });
                   }) == 0U);
        handle.reset();
        rouse::set_unhandled_handler(before);
        BOOST_TEST(told_to_process == (news ? 1U : 0U));
    }
}

BOOST_AUTO_TEST_CASE(b31_what_no_task_has_ended_with_is_reported_while_a_pool_stops) {
    // A function.
    BOOST_TEST(reported_at_stop([](thread_pool& pool, begun& what) {
                   auto const running = std::make_shared<std::atomic<bool>>(false);
                   boost::asio::post(pool, [&what, running] {
                       *running = true;
                       rouse_test::wait_until([&] { return what.released.load(); }, "the stop");
                       what.ended = true;
                       throw_aborted();
                   });
                   rouse_test::wait_until([&] { return running->load(); }, "a function");
               }) == 1U);
    // The destructor of a future that is ready.
    BOOST_TEST(reported_at_stop([](thread_pool& pool, begun& what) {
                   spawn_ok(pool,
                            rouse::poll_fn([inner = what.go.happened(), &what,
                                            last = throws_when_destroyed()](
                                               rouse::context& cx) mutable {
                                auto result = inner.poll(cx);
                                if (result.is_ready()) what.ended = true;
                                return result;
                            }));
               }) == 1U);
}

// After all others: the numbers are those of the cases that ran once more.
BOOST_AUTO_TEST_CASE(b11_b12_b37_b38_b40_b42_b43_b44_b45_delays_were_injected_at_every_place) {
    for (hook const place : {hook::before_schedule,      hook::after_poll,
                             hook::before_join_waker,    hook::after_completion,
                             hook::before_inbox_wake,    hook::before_drop,
                             hook::before_push,          hook::registering,
                             hook::registered,           hook::waking,
                             hook::thief_has_seen,       hook::thief_has_copied,
                             hook::before_last_look,     hook::no_token_yet,
                             hook::before_futex,         hook::before_futex_wake,
                             hook::back_from_event_loop, hook::seat_taken,
                             hook::before_seat_is_left,  hook::lifo_filled,
                             hook::last_worker_is_out,   hook::task_entered,
                             hook::pushed_from_outside,  hook::stop_begun,
                             hook::before_finish}) {
        BOOST_TEST(times(place) > 0U, static_cast<int>(place));
    }
}
