// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// An executor of one's own: some threads and a queue. Tasks on it yield, spawn children and join
// them, like everywhere else.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <iostream>
#include <mutex>
#include <rouse.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "command_line.hpp"

// [executor]
class executor final : public rouse::scheduler {
public:
    explicit executor(unsigned threads) {
        for (unsigned i = 0; i != threads; ++i) threads_.emplace_back([this] { work(); });
    }

    // Waits until every task has ended: until then they may call the functions below.
    ~executor() {
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return tasks_ == 0; });
            closed_ = true;
        }
        changed_.notify_all();
        for (auto& thread : threads_) thread.join();
    }

    template <rouse::spawnable X>
    [[nodiscard]] auto spawn(X&& x) {
        auto [task, handle] = rouse::make_task(*this, std::forward<X>(x));
        schedule(std::move(task), rouse::schedule_reason::spawned);
        return std::move(handle);
    }

    // By spawns and by wakes, on any thread.
    void schedule(rouse::runnable task, rouse::schedule_reason why) noexcept override {
        std::lock_guard lock(mutex_);
        if (why == rouse::schedule_reason::spawned) ++tasks_;
        queue_.push_back(std::move(task));
        changed_.notify_one();
    }
    void task_done(rouse::detail::task_header&) noexcept override {
        std::lock_guard lock(mutex_);
        if (--tasks_ == 0) changed_.notify_all();
    }

private:
    void work() {
        for (std::unique_lock lock(mutex_);; lock.lock()) {
            changed_.wait(lock, [this] { return !queue_.empty() || closed_; });
            if (queue_.empty()) return;
            rouse::runnable task = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            std::move(task).run();  // one poll, with no lock held: it may come back to schedule
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<rouse::runnable> queue_;  // the tasks to poll
    std::size_t tasks_ = 0;              // those that have not ended, the waiting ones included
    bool closed_ = false;
    std::vector<std::thread> threads_;
};
// [/executor]

// The square of n as a sum, with a turn for the others after each addition.
rouse::task<long> square(long n) {
    long sum = 0;
    for (long i = 0; i != n; ++i) {
        sum += n;
        co_await rouse::this_task::yield_now();
    }
    co_return sum;
}

// [children]
rouse::task<long> sum_of_squares(long n) {
    std::vector<rouse::join_handle<long>> children;
    for (long i = 1; i <= n; ++i) children.push_back(rouse::this_task::spawn(square(i)));
    long sum = 0;
    for (auto& child : children) {
        long const one = co_await child;
        sum += one;
    }
    co_return sum;
}
// [/children]

int main(int argc, char** argv) {
    namespace options = command_line::options;
    int threads = 0;
    long tasks = 0;
    options::options_description all("Options");
    all.add_options()  //
        ("threads", options::value(&threads)->value_name("N")->default_value(4),
         "how many threads, from 1 to 100")  //
        ("tasks", options::value(&tasks)->value_name("N")->default_value(100),
         "how many numbers to square, each in a task, from 1 to 1000");
    return command_line::run(
        argc, argv, "Adds up square numbers in tasks, on an executor that is part of this program.",
        all, [&](auto const&) {
            if (threads < 1 || threads > 100)
                throw command_line::usage_error("--threads must be from 1 to 100");
            if (tasks < 1 || tasks > 1000)
                throw command_line::usage_error("--tasks must be from 1 to 1000");
            executor ex(static_cast<unsigned>(threads));
            auto sum = ex.spawn(sum_of_squares(tasks));
            std::cout << "The squares of 1 to " << tasks << " add up to "
                      << rouse::block_on(std::move(sum)) << '\n';
        });
}
