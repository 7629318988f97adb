// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_STRESS_EXECUTOR_HPP
#define ROUSE_TEST_SUPPORT_STRESS_EXECUTOR_HPP

#include <support/stress_threads.hpp>

#include <rouse/make_task.hpp>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace rouse_test {

// A small executor for real threads: one queue under a mutex, and `threads` threads that run what
// is in it, in an order that is now and then not that of arrival. It allocates nothing when it
// schedules. Destroyed, it waits for all its tasks.
class stress_executor final : public rouse::scheduler {
public:
    explicit stress_executor(unsigned threads = stress_threads) {
        for (unsigned i = 0; i < threads; ++i) {
            threads_.emplace_back([this] { work(); });
        }
    }
    stress_executor(stress_executor const&) = delete;
    stress_executor& operator=(stress_executor const&) = delete;
    ~stress_executor() {
        wait_until_idle();
        {
            std::lock_guard guard(mutex_);
            ending_ = true;
        }
        changed_.notify_all();
        for (auto& thread : threads_) thread.join();
    }

    template <class X>
    rouse::join_handle<rouse::spawned_output_t<X>> spawn(X&& x) {
        auto [runnable, handle] = rouse::make_task(*this, std::forward<X>(x));
        schedule(std::move(runnable), rouse::schedule_reason::spawned);
        return std::move(handle);
    }

    template <class X>
    void spawn_ok(X&& x) {
        schedule(rouse::make_detached_task(*this, std::forward<X>(x)),
                 rouse::schedule_reason::spawned);
    }

    // Returns when no task is alive.
    void wait_until_idle() {
        std::unique_lock lock(mutex_);
        wait_or_die(
            idle_, lock, [this] { return live_ == 0; }, "the end of all tasks");
    }

    void schedule(rouse::runnable task, rouse::schedule_reason why) noexcept override {
        rouse::detail::work_item* const item = task.release();
        {
            std::lock_guard guard(mutex_);
            if (why == rouse::schedule_reason::spawned) ++live_;
            item->next = nullptr;
            if (!first_) {
                first_ = last_ = item;
            } else if (++scheduled_ % 8 == 0) {
                item->next = std::exchange(first_, item);
            } else {
                last_->next = item;
                last_ = item;
            }
        }
        changed_.notify_one();
    }

    void task_done(rouse::task_header&) noexcept override {
        std::lock_guard guard(mutex_);
        if (--live_ == 0) idle_.notify_all();
    }

    void unhandled_exception(std::exception_ptr, std::source_location) noexcept override {
        std::lock_guard guard(mutex_);
        ++unhandled_;
    }

    // How many exceptions nobody waited for.
    std::uint64_t unhandled() {
        std::lock_guard guard(mutex_);
        return unhandled_;
    }

private:
    void work() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return first_ || ending_; });
            if (!first_) return;
            auto* const item = std::exchange(first_, first_->next);
            lock.unlock();
            item->act(item, true);
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::condition_variable idle_;
    rouse::detail::work_item* first_ = nullptr;
    rouse::detail::work_item* last_ = nullptr;
    std::uint64_t scheduled_ = 0;
    std::uint64_t live_ = 0;
    std::uint64_t unhandled_ = 0;
    bool ending_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace rouse_test

#endif
