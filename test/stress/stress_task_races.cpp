// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The end of a spawned task under real threads: its completion, aborts, its join handle, and a
// dropped runnable race with each other. Each race that has two outcomes must have been seen with
// both. stress_delays.cpp runs the same cases with delays inside the library.

#include <support/stress_executor.hpp>

#include <rouse/atomic_waker.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <deque>
#include <thread>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_stress_task_races)

namespace {

using rouse_test::counted;
using rouse_test::ending;
using rouse_test::run_threads;
using rouse_test::scaled;
using rouse_test::stress_executor;
using rouse_test::stress_random;
using rouse_test::wait_for;

// What a gate_future waits for.
struct gate {
    std::atomic<bool> open_{false};
    rouse::atomic_waker waker;
    std::atomic<long> polls_at_once{0};
    std::atomic<unsigned> overlapping{0};
    std::atomic<unsigned> completed{0};
    std::atomic<long> futures{0};
    std::atomic<long> values{0};

    void open() {
        open_.store(true, std::memory_order_relaxed);
        waker.wake();
    }
};

// Completes when its gate is open. Sees polls that overlap.
class gate_future {
public:
    explicit gate_future(gate& g) noexcept : gate_(&g), alive_(g.futures) {}

    rouse::poll_result<counted> poll(rouse::context& cx) {
        if (gate_->polls_at_once.fetch_add(1, std::memory_order_relaxed) != 0) ++gate_->overlapping;
        gate_->waker.register_waker(cx.waker());
        bool const is_open = gate_->open_.load(std::memory_order_relaxed);
        ++polls_;  // no atomic: for ThreadSanitizer
        rouse_test::random_delay();
        gate_->polls_at_once.fetch_sub(1, std::memory_order_relaxed);
        if (!is_open) return rouse::pending;
        ++gate_->completed;
        return counted(gate_->values);
    }

private:
    gate* gate_;
    counted alive_;
    unsigned polls_ = 0;
};

// A row of gates, each with a task that waits for it.
struct gated_tasks {
    static constexpr std::size_t count = 32;

    explicit gated_tasks(stress_executor& executor) {
        for (auto& g : gates) handles.push_back(executor.spawn(gate_future(g)));
    }

    // A random order of the tasks.
    static std::array<std::size_t, count> order(stress_random& random) {
        std::array<std::size_t, count> result;
        for (std::size_t i = 0; i < count; ++i) result[i] = i;
        for (std::size_t i = count; i > 1; --i) {
            std::swap(result[i - 1], result[random.below(static_cast<unsigned>(i))]);
        }
        return result;
    }

    std::array<gate, count> gates;
    std::deque<rouse::join_handle<counted>> handles;
};

struct totals {
    unsigned values = 0;
    unsigned aborted = 0;
    unsigned errors = 0;
    unsigned overlapping = 0;
    long left = 0;
    unsigned contradictions = 0;

    void add(gate const& g, ending how) {
        values += how == ending::value;
        aborted += how == ending::aborted;
        errors += how == ending::error;
        contradictions += (how == ending::value) != (g.completed == 1);
        add(g);
    }
    // For a task whose outcome nobody has asked for.
    void add(gate const& g) {
        overlapping += g.overlapping;
        left += g.futures + g.values;
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(b32_abort_racing_completion_has_one_outcome) {
    unsigned const rounds = scaled(2000U);
    stress_executor executor(3);
    totals seen;
    for (unsigned r = 0; r < rounds; ++r) {
        gated_tasks tasks(executor);
        std::array<ending, gated_tasks::count> endings{};
        run_threads(4, [&](unsigned index) {
            stress_random random(r * 4 + index);
            auto const order = tasks.order(random);
            for (std::size_t i = 0; i < gated_tasks::count; ++i) {
                std::size_t const n = order[i];
                switch (index) {
                    case 0: tasks.gates[n].open(); break;
                    case 1: tasks.handles[n].abort(); break;  // while another thread waits on it
                    case 2: endings[i] = wait_for(tasks.handles[i]); break;
                    default:
                        static_cast<void>(tasks.handles[n].is_finished());
                        tasks.handles[n].abort();  // twice
                        break;
                }
                random.delay();
            }
        });
        executor.wait_until_idle();
        for (std::size_t i = 0; i < gated_tasks::count; ++i) seen.add(tasks.gates[i], endings[i]);
    }
    BOOST_TEST(seen.values + seen.aborted == rounds * gated_tasks::count);
    BOOST_TEST(seen.contradictions == 0U);
    BOOST_TEST(seen.overlapping == 0U);
    BOOST_TEST(seen.left == 0);
    BOOST_TEST(seen.values > 0U);
    BOOST_TEST(seen.aborted > 0U);
}

BOOST_AUTO_TEST_CASE(b32_abort_with_wake_in_both_orders_has_one_outcome) {
    unsigned const rounds = scaled(2000U);
    stress_executor executor(3);
    totals abort_first;
    totals wake_first;
    for (unsigned r = 0; r < rounds; ++r) {
        gated_tasks tasks(executor);
        std::array<ending, gated_tasks::count> endings{};
        run_threads(3, [&](unsigned index) {
            stress_random random(r * 3 + index);
            for (std::size_t i = 0; i < gated_tasks::count; ++i) {
                if (index == 2) {
                    endings[i] = wait_for(tasks.handles[i]);
                } else if (i % 2 == index) {  // two threads, half of the tasks each
                    bool const abort_it_first = (i / 2) % 2 == 0;
                    if (abort_it_first) tasks.handles[i].abort();
                    if (!abort_it_first) tasks.gates[i].open();
                    random.delay();
                    if (abort_it_first) tasks.gates[i].open();
                    if (!abort_it_first) tasks.handles[i].abort();
                }
            }
        });
        executor.wait_until_idle();
        for (std::size_t i = 0; i < gated_tasks::count; ++i) {
            ((i / 2) % 2 == 0 ? abort_first : wake_first).add(tasks.gates[i], endings[i]);
        }
    }
    BOOST_TEST(abort_first.left + wake_first.left == 0);
    BOOST_TEST(abort_first.contradictions + wake_first.contradictions == 0U);
    BOOST_TEST(abort_first.errors + wake_first.errors == 0U);
    // An abort that came before the wake may still meet the first poll, but not often.
    BOOST_TEST(abort_first.aborted > 0U);
    BOOST_TEST(wake_first.values > 0U);
    BOOST_TEST(wake_first.aborted > 0U);
}

BOOST_AUTO_TEST_CASE(b31_an_abort_alone_ends_a_task_before_its_poll_in_it_and_after) {
    unsigned const rounds = scaled(2000U);
    stress_executor executor(3);
    totals all;
    for (unsigned r = 0; r < rounds; ++r) {
        gated_tasks tasks(executor);  // whose gates nobody opens
        std::array<ending, gated_tasks::count> endings{};
        run_threads(3, [&](unsigned index) {
            stress_random random(r * 3 + index);
            for (std::size_t i = 0; i < gated_tasks::count; ++i) {
                if (index == 2) {
                    endings[i] = wait_for(tasks.handles[i]);
                } else {
                    tasks.handles[index == 0 ? i : gated_tasks::count - 1 - i].abort();
                    random.delay();
                }
            }
        });
        executor.wait_until_idle();
        for (std::size_t i = 0; i < gated_tasks::count; ++i) all.add(tasks.gates[i], endings[i]);
    }
    BOOST_TEST(all.aborted == rounds * gated_tasks::count);
    BOOST_TEST(all.contradictions == 0U);
    BOOST_TEST(all.left == 0);
}

BOOST_AUTO_TEST_CASE(b29_a_handle_dropped_while_its_task_completes_leaves_nothing) {
    unsigned const rounds = scaled(2000U);
    stress_executor executor(3);
    unsigned completed = 0;
    unsigned aborted = 0;
    unsigned detached_but_not_completed = 0;
    totals all;
    for (unsigned r = 0; r < rounds; ++r) {
        gated_tasks tasks(executor);
        std::array<bool, gated_tasks::count> detached{};
        run_threads(2, [&](unsigned index) {
            stress_random random(r * 2 + index);
            rouse_test::thread_waker const wakes;
            rouse::waker const waker = wakes.make();
            for (std::size_t i = 0; i < gated_tasks::count; ++i) {
                if (index == 0) {
                    tasks.gates[i].open();
                } else {
                    bool taken = false;
                    if (random.below(2)) {  // with a waker for the completing thread to find
                        rouse::context cx(waker);
                        taken = tasks.handles[i].poll(cx).is_ready();
                    }
                    if (random.below(4)) random.delay();
                    detached[i] = taken || random.below(4) == 0;
                    if (detached[i]) tasks.handles[i].detach();
                    auto const dropped = std::move(tasks.handles[i]);
                }
                random.delay();
            }
        });
        executor.wait_until_idle();
        for (std::size_t i = 0; i < gated_tasks::count; ++i) {
            gate const& g = tasks.gates[i];
            all.add(g);
            completed += g.completed == 1;
            aborted += g.completed == 0;
            detached_but_not_completed += detached[i] && g.completed == 0;
        }
    }
    BOOST_TEST(all.left == 0);
    BOOST_TEST(all.overlapping == 0U);
    BOOST_TEST(detached_but_not_completed == 0U);
    BOOST_TEST(completed > 0U);
    BOOST_TEST(aborted > 0U);
}

BOOST_AUTO_TEST_CASE(b30_a_join_waker_replaced_while_the_task_completes_is_the_one_woken) {
    unsigned const rounds = scaled(2000U);
    stress_executor executor(3);
    unsigned at_once = 0;
    unsigned woken = 0;
    totals all;
    for (unsigned r = 0; r < rounds; ++r) {
        gated_tasks tasks(executor);
        std::array<ending, gated_tasks::count> endings{};
        run_threads(2, [&](unsigned index) {
            stress_random random(r * 2 + index);
            std::array<rouse_test::thread_waker, 3> const wakes;
            std::array<rouse::waker, 3> const wakers{wakes[0].make(), wakes[1].make(),
                                                     wakes[2].make()};
            for (std::size_t i = 0; i < gated_tasks::count; ++i) {
                if (index == 0) {
                    tasks.gates[i].open();
                    random.delay();
                    continue;
                }
                // Any number of polls with wakers that change; then the last one is waited for.
                unsigned const polls = 1 + random.below(6);
                bool done = false;
                std::size_t last = 0;
                for (unsigned p = 0; p < polls && !done; ++p) {
                    last = random.below(3);
                    static_cast<void>(wakes[last].woken());
                    rouse::context cx(wakers[last]);
                    done = tasks.handles[i].poll(cx).is_ready();
                    random.delay();
                }
                if (done) {
                    ++at_once;
                } else {
                    if (random.below(8) == 0) {
                        tasks.handles[i].stop_waiting();  // which a later poll makes good
                    } else {
                        wakes[last].wait();
                        ++woken;
                    }
                    wait_for(tasks.handles[i]);
                }
                endings[i] = ending::value;
            }
        });
        executor.wait_until_idle();
        for (std::size_t i = 0; i < gated_tasks::count; ++i) all.add(tasks.gates[i], endings[i]);
    }
    BOOST_TEST(all.contradictions == 0U);
    BOOST_TEST(all.left == 0);
    BOOST_TEST(at_once > 0U);
    BOOST_TEST(woken > 0U);
}

namespace {

// Takes every third runnable and drops it at once, as an executor does that is being stopped.
class dropping_scheduler final : public rouse::scheduler {
public:
    explicit dropping_scheduler(stress_executor& to) noexcept : to_(&to) {}

    void schedule(rouse::runnable task, rouse::schedule_reason why) noexcept override {
        if (why == rouse::schedule_reason::woken && ++woken_ % 3 == 0) {
            ++dropped_;
            return;
        }
        to_->schedule(std::move(task), rouse::schedule_reason::woken);
    }
    void task_done(rouse::detail::task_header&) noexcept override { ++done_; }

    unsigned dropped() const noexcept { return dropped_; }
    unsigned done() const noexcept { return done_; }

private:
    stress_executor* to_;
    std::atomic<unsigned> woken_{0};
    std::atomic<unsigned> dropped_{0};
    std::atomic<unsigned> done_{0};
};

}  // namespace

BOOST_AUTO_TEST_CASE(b9_b10_a_runnable_dropped_where_it_is_scheduled_ends_its_task) {
    unsigned const rounds = scaled(1000U);
    stress_executor executor(3);
    dropping_scheduler scheduler(executor);
    totals seen;
    for (unsigned r = 0; r < rounds; ++r) {
        std::array<gate, gated_tasks::count> gates;
        std::deque<rouse::join_handle<counted>> handles;
        for (auto& g : gates) {
            auto [runnable, handle] = rouse::make_task(scheduler, gate_future(g));
            scheduler.schedule(std::move(runnable), rouse::schedule_reason::spawned);
            handles.push_back(std::move(handle));
        }
        std::array<ending, gated_tasks::count> endings{};
        run_threads(3, [&](unsigned index) {
            stress_random random(r * 3 + index);
            for (std::size_t i = 0; i < gated_tasks::count; ++i) {
                switch (index) {
                    case 0: gates[i].open(); break;
                    case 1: gates[i].waker.wake(); break;  // for nothing, or the end of the task
                    default: endings[i] = wait_for(handles[i]); break;
                }
                random.delay();
            }
        });
        for (std::size_t i = 0; i < gated_tasks::count; ++i) {
            seen.add(gates[i], endings[i]);
        }
        while (scheduler.done() != (r + 1) * gated_tasks::count) std::this_thread::yield();
    }
    BOOST_TEST(seen.values + seen.aborted == rounds * gated_tasks::count);
    BOOST_TEST(seen.contradictions == 0U);
    BOOST_TEST(seen.left == 0);
    BOOST_TEST(seen.values > 0U);
    BOOST_TEST(seen.aborted > 0U);
    BOOST_TEST(scheduler.dropped() > 0U);
}

BOOST_AUTO_TEST_SUITE_END()
