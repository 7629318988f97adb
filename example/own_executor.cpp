// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// An executor of one's own: some threads and a queue. Tasks on it yield, spawn children and join
// them, like everywhere else; and it can be stopped, whatever they are doing.

#include <condition_variable>
#include <deque>
#include <iostream>
#include <latch>
#include <mutex>
#include <rouse.hpp>
#include <set>
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

    // Until every task has ended they may call the functions below.
    ~executor() {
        stop();
        {
            std::unique_lock lock(mutex_);
            ended_.wait(lock, [this] { return tasks_.empty(); });
            closed_ = true;
        }
        ready_.notify_all();
        for (auto& thread : threads_) thread.join();
    }

    // Aborts all tasks, those that wait included, and those that are still to come. Any thread.
    void stop() {
        std::lock_guard lock(mutex_);
        stopped_ = true;
        for (auto* task : tasks_) task->request_abort();  // calls schedule for those that wait
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
        if (why == rouse::schedule_reason::spawned) {
            tasks_.insert(task.get());
            if (stopped_) task.get()->request_abort();
        }
        queue_.push_back(std::move(task));
        ready_.notify_one();
    }
    void task_done(rouse::task_header& task) noexcept override {
        std::lock_guard lock(mutex_);
        tasks_.erase(&task);
        if (tasks_.empty()) ended_.notify_all();
    }

private:
    void work() {
        for (std::unique_lock lock(mutex_);; lock.lock()) {
            ready_.wait(lock, [this] { return !queue_.empty() || closed_; });
            if (queue_.empty()) return;
            rouse::runnable task = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            std::move(task).run();  // one poll, with no lock held: it may come back to schedule
        }
    }

    std::recursive_mutex mutex_;
    std::condition_variable_any ready_, ended_;
    std::deque<rouse::runnable> queue_;            // the tasks to poll
    std::set<rouse::task_header*> tasks_;          // those that have not ended
    bool stopped_ = false;                         // they are to be aborted
    bool closed_ = false;                          // there are none, and the threads are to end
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

// Tasks that would never end, and the end of their executor. Returns how many were told.
int stop_tasks(unsigned threads) {
    rouse::atomic_waker bell;  // that nobody rings
    std::latch begun(3);
    auto const waits = [&]() -> rouse::task<> {
        begun.count_down();
        co_await rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
            bell.register_waker(cx.waker());
            return rouse::pending;
        });
    };
    auto const turns = [&]() -> rouse::task<> {
        for (begun.count_down();;) co_await rouse::this_task::yield_now();
    };
    auto const joins = [&]() -> rouse::task<> {
        auto child = rouse::this_task::spawn(turns());
        co_await child;
    };
    std::vector<rouse::join_handle<>> left;
    {
        executor ex(threads);
        left.push_back(ex.spawn(waits()));
        left.push_back(ex.spawn(turns()));
        left.push_back(ex.spawn(joins()));
        begun.wait();
    }
    int aborted = 0;
    for (auto& one : left) {
        try {
            rouse::block_on(std::move(one));
        } catch (boost::system::system_error const& e) {
            if (e.code() == rouse::errc::aborted) ++aborted;
        }
    }
    return aborted;
}

int main(int argc, char** argv) {
    namespace options = command_line::options;
    int threads = 0;
    long tasks = 0;
    options::options_description all("Options");
    all.add_options()  //
        ("threads", options::value(&threads)->value_name("N")->default_value(4),
         "how many threads, from 1 to 100")  //
        ("tasks", options::value(&tasks)->value_name("N")->default_value(100),
         "how many numbers to square, each in a task, from 1 to 1000")  //
        ("stop", "stop an executor with three tasks that never end, instead");
    return command_line::run(
        argc, argv, "Adds up square numbers in tasks, on an executor that is part of this program.",
        all, [&](auto const& given) {
            if (threads < 1 || threads > 100)
                throw command_line::usage_error("--threads must be from 1 to 100");
            if (tasks < 1 || tasks > 1000)
                throw command_line::usage_error("--tasks must be from 1 to 1000");
            if (given.count("stop")) {
                std::cout << stop_tasks(static_cast<unsigned>(threads)) << " tasks were aborted\n";
                return;
            }
            executor ex(static_cast<unsigned>(threads));
            auto sum = ex.spawn(sum_of_squares(tasks));
            std::cout << "The squares of 1 to " << tasks << " add up to "
                      << rouse::block_on(std::move(sum)) << '\n';
        });
}
