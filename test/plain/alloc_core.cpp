// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// How often the library asks for memory: behaviour 88 (wake, abort, drop: never; spawning, polling
// and awaiting: not in steady state) and behaviour 91 (memory comes back). malloc is replaced by
// one that counts.

#include <support/counted_malloc.hpp>
#include <support/stress_threads.hpp>

#include <rouse/any_future.hpp>
#include <rouse/atomic_waker.hpp>
#include <rouse/detail/slab.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>

#include <boost/test/unit_test.hpp>

#include <malloc.h>

#include <algorithm>

namespace {

// How often any thread asks for memory while the function runs.
template <class Function>
unsigned long allocations_of(Function function) {
    unsigned long const before = counted_calls;
    function();
    return counted_calls - before;
}

// The same, after a first run has filled the recycled stock.
template <class Function>
unsigned long steady_allocations_of(Function function) {
    for (int i = 0; i < 200; ++i) function();
    return allocations_of([&] {
        for (int i = 0; i < 1000; ++i) function();
    });
}

class queue_scheduler final : public rouse::scheduler {
public:
    void schedule(rouse::runnable task, rouse::schedule_reason) noexcept override {
        work_.push(*task.release());
    }
    void run() {
        while (auto* const item = work_.pop()) item->act(item, true);
    }
    template <class X>
    auto spawn(X&& x) {
        auto [runnable, handle] = rouse::make_task(*this, std::forward<X>(x));
        schedule(std::move(runnable), rouse::schedule_reason::spawned);
        return std::move(handle);
    }

private:
    rouse::detail::work_list work_;
};

// Never ready; its first poll leaves a waker.
class leaves_waker {
public:
    explicit leaves_waker(rouse::waker& where) noexcept : where_(&where) {}
    rouse::poll_result<int> poll(rouse::context& cx) {
        *where_ = cx.waker();
        return rouse::pending;
    }

private:
    rouse::waker* where_;
};

template <rouse::future F>
bool poll_once(F& future) {
    rouse::waker const nobody;
    rouse::context cx(nobody);
    return future.poll(cx).is_ready();
}

rouse::task<int> leaf(int n) {
    if (n % 4 == 0) co_await rouse::this_task::yield_now();
    co_return n;
}

rouse::task<int> nested(int depth) {
    if (depth == 0) {
        int const n = co_await leaf(1);
        co_return n;
    }
    int const below = co_await nested(depth - 1);
    co_return below + 1;
}

rouse::task<int> loop(int rounds) {
    int sum = 0;
    for (int i = 0; i < rounds; ++i) {
        int const n = co_await nested(4);
        sum += n;
        int const m = co_await leaf(i);
        sum += m;
    }
    co_return sum;
}

rouse::task<int> spawns() {
    auto child = rouse::this_task::spawn(leaf(4));
    rouse::this_task::spawn_ok([] { return leaf(0); });
    int const n = co_await std::move(child);
    co_return n;
}

}  // namespace

BOOST_AUTO_TEST_CASE(malloc_is_counted) {
    void* volatile memory = nullptr;  // volatile: so that nothing is optimised away
    BOOST_TEST(allocations_of([&] { memory = std::malloc(8); }) == 1U);
    std::free(memory);
    BOOST_TEST(allocations_of([&] { memory = ::operator new(8); }) == 1U);
    ::operator delete(memory);
}

BOOST_AUTO_TEST_CASE(b88_wake_clone_drop_and_abort_allocate_nothing_not_even_once) {
    queue_scheduler scheduler;
    rouse::waker waker;
    auto handle = scheduler.spawn(leaves_waker(waker));
    scheduler.run();
    std::array<rouse::waker, 100> copies;
    unsigned long const allocated = allocations_of([&] {
        for (auto& copy : copies) copy = waker;        // clone
        for (auto& copy : copies) copy.wake_by_ref();  // wake, queued and not
        scheduler.run();
        for (std::size_t i = 0; i < copies.size(); i += 2) std::move(copies[i]).wake();
        scheduler.run();
        copies.fill({});                       // drop
        static_cast<void>(poll_once(handle));  // join
        handle.abort();
        handle.abort();
        scheduler.run();      // drain
        waker.wake_by_ref();  // wake after completion
        handle.detach();
        waker = {};  // the last reference
    });
    BOOST_TEST(allocated == 0U);
}

BOOST_AUTO_TEST_CASE(b88_the_last_waker_of_a_detached_task_drops_without_allocating) {
    queue_scheduler scheduler;
    rouse::waker waker;
    scheduler.spawn(leaves_waker(waker)).detach();
    scheduler.run();
    BOOST_TEST(allocations_of([&] {
                   waker = {};
                   scheduler.run();
               }) == 0U);
}

BOOST_AUTO_TEST_CASE(b88_atomic_waker_and_inbox_allocate_nothing) {
    queue_scheduler scheduler;
    rouse::waker waker;
    auto handle = scheduler.spawn(leaves_waker(waker));
    scheduler.run();
    struct item : rouse::detail::work_item {
        item() noexcept : work_item([](work_item*, bool) {}) {}
    };
    std::array<item, 10> items;
    unsigned long const allocated = allocations_of([&] {
        rouse::atomic_waker slot;
        slot.register_waker(waker);
        slot.wake();
        slot.register_waker(waker);
        rouse::detail::inbox inbox;
        for (auto& i : items) static_cast<void>(inbox.push(i));
        auto batch = inbox.take();
        while (auto* const i = batch.pop()) i->act(i, true);
        inbox.close();
    });
    BOOST_TEST(allocated == 0U);
    handle.abort();
    scheduler.run();
}

BOOST_AUTO_TEST_CASE(b88_spawning_polling_and_joining_allocates_nothing_in_steady_state) {
    queue_scheduler scheduler;
    int joined = 0;
    unsigned long const allocated = steady_allocations_of([&] {
        auto handle = scheduler.spawn(leaf(4));
        auto second = scheduler.spawn([] { return nested(3); });
        scheduler.run();
        joined += poll_once(handle) + poll_once(second);
        rouse::waker waker;
        auto aborted = scheduler.spawn(leaves_waker(waker));
        scheduler.run();
        aborted.abort();
        scheduler.run();
    });
    BOOST_TEST(allocated == 0U);
    BOOST_TEST(joined == 2400);
}

BOOST_AUTO_TEST_CASE(b88_awaiting_tasks_in_a_loop_allocates_nothing_in_steady_state) {
    queue_scheduler scheduler;
    BOOST_TEST(steady_allocations_of([&] {
                   auto handle = scheduler.spawn(loop(20));
                   scheduler.run();
                   if (!poll_once(handle)) std::abort();
               }) == 0U);
}

BOOST_AUTO_TEST_CASE(b88_spawning_from_a_task_allocates_nothing_in_steady_state) {
    queue_scheduler scheduler;
    BOOST_TEST(steady_allocations_of([&] {
                   auto handle = scheduler.spawn(spawns());
                   scheduler.run();
                   if (!poll_once(handle)) std::abort();
               }) == 0U);
}

BOOST_AUTO_TEST_CASE(b88_erasing_futures_allocates_nothing_in_steady_state) {
    queue_scheduler scheduler;
    BOOST_TEST(steady_allocations_of([&] {
                   rouse::any_future<int> erased = leaf(4);
                   auto handle = scheduler.spawn(std::move(erased));
                   scheduler.run();
                   if (!poll_once(handle)) std::abort();
               }) == 0U);
}

namespace {

// One thread spawns, the other runs and frees.
class handing_scheduler final : public rouse::scheduler {
public:
    void schedule(rouse::runnable task, rouse::schedule_reason) noexcept override {
        std::lock_guard guard(mutex_);
        work_.push(*task.release());
        ++queued_;
        changed_.notify_all();
    }
    void task_done(rouse::detail::task_header&) noexcept override {
        std::lock_guard guard(mutex_);
        --alive_;
        changed_.notify_all();
    }
    // Waits until fewer than `limit` tasks are alive, and adds one.
    void spawn(unsigned limit, int n) {
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] { return alive_ < limit; });
            ++alive_;
        }
        schedule(rouse::make_detached_task(*this, leaf(n)), rouse::schedule_reason::spawned);
    }
    // Runs one task; waits for one.
    void run_one() {
        rouse::detail::work_item* item = nullptr;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] { return queued_ > 0; });
            --queued_;
            item = work_.pop();
        }
        item->act(item, true);
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    rouse::detail::work_list work_;
    unsigned queued_ = 0;
    unsigned alive_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b88_spawning_here_and_freeing_there_allocates_nothing_in_steady_state) {
    constexpr unsigned in_flight = 100;
    // What the other thread keeps for itself does not come back: so the first phase has more tasks
    // alive at once than the second one by more than a thread keeps.
    constexpr unsigned kept_by_a_thread = 64;
    constexpr unsigned warm_up = in_flight + 2 * kept_by_a_thread;
    unsigned const tasks = rouse_test::scaled(200'000U);
    handing_scheduler scheduler;
    unsigned long allocated = 0;
    std::barrier phase(2);
    rouse_test::run_threads(2, [&](unsigned index) {
        bool const spawner = index == 0;
        for (unsigned i = 0; i < warm_up && spawner; ++i) scheduler.spawn(warm_up, 1);
        phase.arrive_and_wait();
        for (unsigned i = 0; i < warm_up && !spawner; ++i) scheduler.run_one();
        phase.arrive_and_wait();
        unsigned long const before = counted_calls;
        for (unsigned i = 0; i < tasks; ++i)
            spawner ? scheduler.spawn(in_flight, 1) : scheduler.run_one();
        phase.arrive_and_wait();
        if (spawner) allocated = counted_calls - before;
        phase.arrive_and_wait();
    });
    BOOST_TEST(allocated == 0U);
}

// --- behaviour 91

namespace {

std::size_t bytes_in_use() {
    auto const info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
}

}  // namespace

BOOST_AUTO_TEST_CASE(b91_the_memory_of_a_million_tasks_comes_back) {
    constexpr unsigned parts = 4;
    constexpr unsigned at_once = 250'000;  // of a million: more than what the slab may keep
    constexpr unsigned threads = 4;
    // The slab may keep 64 MiB, and each thread's own two batches of 32 blocks, of two sizes below
    // 512 bytes. malloc adds 16 bytes to each block, of 64 bytes or more, and has caches of its
    // own.
    constexpr std::size_t kept =
        (std::size_t{64} << 20) / 64 * (64 + 16) + 2 * 2 * 32 * 512 + 64 * 1024;

    struct task_list {
        rouse::detail::work_item* first = nullptr;
    };
    class list_scheduler final : public rouse::scheduler {
    public:
        void schedule(rouse::runnable task, rouse::schedule_reason) noexcept override {
            auto* const item = task.release();
            item->next = std::exchange(lists[next++ % threads].first, item);
        }
        std::array<task_list, threads> lists;
        unsigned next = 0;
    };

    std::vector<rouse::join_handle<int>> handles;
    handles.reserve(at_once);
    std::size_t const before = bytes_in_use();
    std::size_t peak = 0;
    std::array<std::size_t, parts> after{};
    for (unsigned part = 0; part < parts; ++part) {
        list_scheduler scheduler;
        for (unsigned i = 0; i < at_once; ++i) {
            auto [runnable, handle] = rouse::make_task(scheduler, leaf(1));
            scheduler.schedule(std::move(runnable), rouse::schedule_reason::spawned);
            if (i % 2) handles.push_back(std::move(handle));
            if (i % 2 == 0 && i % 4 == 0) handle.detach();  // the others are aborted
        }
        peak = std::max(peak, bytes_in_use());
        rouse_test::run_threads(threads, [&](unsigned index) {
            while (auto* const item = scheduler.lists[index].first) {
                scheduler.lists[index].first = item->next;
                item->act(item, true);
            }
        });
        BOOST_TEST(std::all_of(handles.begin(), handles.end(),
                               [](auto const& handle) { return handle.is_finished(); }));
        handles.clear();
        after[part] = bytes_in_use();
    }
    BOOST_TEST_MESSAGE("before " << before << ", peak " << peak << ", after " << after[3]);
    BOOST_TEST(peak - before > kept);
    for (std::size_t bytes : after) BOOST_TEST(bytes < before + kept);
    // And it does not grow from one part to the next.
    BOOST_TEST(after[3] < after[1] + 64 * 1024);
}

BOOST_AUTO_TEST_CASE(b91_the_memory_of_threads_that_end_comes_back) {
    unsigned const threads = rouse_test::scaled(4000U);
    auto const one_thread = [] {
        rouse_test::run_threads(1, [](unsigned) {
            // Less than a batch: so it stays with the thread until that ends.
            std::array<void*, 30> blocks{};
            for (auto& block : blocks) block = rouse::detail::slab_allocate(900);
            for (auto* block : blocks) rouse::detail::slab_deallocate(block, 900);
        });
    };
    one_thread();
    std::size_t const before = bytes_in_use();
    for (unsigned i = 0; i < threads; ++i) one_thread();
    BOOST_TEST(bytes_in_use() < before + 256 * 1024);
}
