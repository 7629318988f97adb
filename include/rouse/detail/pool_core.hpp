// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_POOL_CORE_HPP
#define ROUSE_DETAIL_POOL_CORE_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <rouse/detail/driver.hpp>
#include <rouse/detail/idle.hpp>
#include <rouse/detail/inject_queue.hpp>
#include <rouse/detail/intrusive_list.hpp>
#include <rouse/detail/pool_time.hpp>
#include <rouse/detail/task_cell.hpp>
#include <rouse/detail/worker.hpp>
#include <rouse/metrics.hpp>
#include <rouse/scheduler.hpp>
#include <source_location>
#include <span>
#include <string>
#include <vector>

namespace rouse::detail {

struct pool_options {
    unsigned workers = 0;  // 0 is refused; the builder's default is available_parallelism()
    std::string thread_name = "rouse";
    std::size_t stack_size = 0;
    std::function<void(unsigned)> after_start;
    std::function<void(unsigned)> before_stop;
    std::function<void(std::exception_ptr, std::source_location)> on_unhandled_exception;
    unsigned event_interval = 61;
    unsigned lifo_cap = 3;
    paused_clock* clock = nullptr;  // null: the steady clock
    // If set: called in each worker's thread, to run its body.
    void (*run_thread)(std::function<void()> const& body) = nullptr;
    // If set: called as each task comes, and after it has gone.
    std::function<void()> task_begins;
    std::function<void()> task_has_ended;
};

// The work-stealing scheduler: workers, queues, and the list of tasks. It knows no Asio: the event
// loop is a `driver`, or there is none and all workers sleep by themselves.
//
// How it ends, in order (see also thread_pool):
//   1. stop: tasks are refused from now on, and plain functions destroyed instead of run;
//      every task is told to abort, which makes its next poll a drain.
//   2. The workers go on until no task is left (join alone: until there is also no queued function
//      and no tracked work). The one in the driver's seat keeps the event loop running, since
//      draining tasks wait for it.
//   3. The last worker to park finds that nothing is left, closes the shared queue, and tells all.
//   4. The threads end, and are joined. What is left in queues is destroyed unrun.
class ROUSE_DECL pool_core final : public scheduler {
public:
    static constexpr unsigned most_attached = 16;

    // `loop` and `offered_services` may be null; both outlive the threads.
    pool_core(pool_options options, driver* loop, services* offered_services);
    pool_core(pool_core const&) = delete;
    pool_core& operator=(pool_core const&) = delete;
    ~pool_core();

    // Starts the workers; if one cannot be started it ends the others and throws.
    void start();

    // Of the scheduler.
    void schedule(runnable task, schedule_reason why) noexcept override;
    void task_done(task_header& task) noexcept override;
    void unhandled_exception(std::exception_ptr e, std::source_location where) noexcept override;
    services* offered() noexcept override { return services_; }

    time_driver& time() noexcept { return time_; }

    // Queues a function; `continuation`: it comes from the work that this thread is doing, and may
    // run next. After the end it is destroyed.
    void submit(work_item& function, bool continuation) noexcept;

    // Work of others (a pending operation, a work guard) that join() waits for.
    void work_started() noexcept;
    void work_finished() noexcept;
    // After join_threads: true while work of others is left, which will call work_finished.
    bool is_reachable() const noexcept;

    void stop() noexcept;
    bool stopping() const noexcept override { return stopping_.load(acquire); }  // pairs with stop()
    // Nothing else is started from outside: the workers end when nothing is left.
    void end_when_idle() noexcept;
    bool finished() const noexcept { return finished_.load(seq_cst) != 0; }  // pairs with finish()
    // Sleeps until the workers are to end, or the deadline has come. True: they are.
    bool wait_finished(time_point deadline) noexcept;
    // Makes the calling thread a worker until the pool ends. Throws std::length_error if there are
    // `most_attached` already, and std::bad_alloc.
    void attach_thread();
    // After the workers are to end.
    void join_threads() noexcept;
    // Ends the tasks that are parked, in this thread and without a drain.
    void drop_tasks() noexcept;
    // The tasks that have not ended. Throws std::bad_alloc.
    std::vector<task_info> tasks() const;

    // True on one of the pool's workers.
    bool running_here() const noexcept;
    // How many workers there are.
    unsigned size() const noexcept { return active_.load(seq_cst); }  // pairs with attach_thread()
    pool_metrics metrics() const;
    // True on a worker that is inside the event loop.
    bool in_driver_here() const noexcept;

    // Around what other threads do with the pool whatever becomes of it: it does not end meanwhile. To be
    // short, and to wait for nobody.
    void visitor_comes() noexcept { visitors_.fetch_add(1, relaxed); }  // published by what it does next
    void visitor_leaves() noexcept { visitors_.fetch_sub(1, release); }  // pairs with await_visitors()
    void await_visitors() const noexcept;

    // In a child of fork there are no workers, but perhaps the locks that they held: the program
    // ends with a sentence instead of waiting for them.
    void refuse_in_child() const noexcept;

private:
    friend class worker;

    static void after_fork() noexcept;
    static unsigned forks_so_far() noexcept;

    struct shard {
        alignas(64) mutex lock;
        intrusive_list<task_header> tasks;
        bool closed = false;
    };

    // The stay of a thread, mostly of one that is no worker, which join_threads waits for: what that
    // thread has done may let the pool end before it has left.
    class visit {
    public:
        explicit visit(pool_core& core) noexcept : core_(core) { core_.visitor_comes(); }
        visit(visit const&) = delete;
        visit& operator=(visit const&) = delete;
        ~visit() { core_.visitor_leaves(); }

    private:
        pool_core& core_;
    };

    std::span<std::unique_ptr<worker> const> workers() const noexcept {
        return {workers_.data(), size()};
    }
    // The index of what threads share that are no workers.
    unsigned outside() const noexcept { return static_cast<unsigned>(workers_.size()); }

    worker* here() const noexcept;
    bool push_from_outside(work_item& item) noexcept;
    // What its destructor throws is reported.
    void destroy_unrun(work_item& item) noexcept;
    work_list end_of_threads() noexcept;
    bool attach(task_header& task, worker* here) noexcept;
    // `from_driver`: by a worker inside the event loop, which counts as asleep.
    void wake_one(bool from_driver = false) noexcept;
    // Those that have been woken and sleep all the same.
    void wake_again() noexcept;
    void wake_all() noexcept;
    // Somebody must look at a worker that may be stuck, soon.
    void ensure_watch(bool from_driver = false) noexcept;
    bool has_work() const noexcept;
    bool has_lifo_work() const noexcept;
    std::uint64_t polls() const noexcept;
    void check_finished() noexcept;
    void finish() noexcept;
    bool take_seat() noexcept;
    void leave_seat() noexcept;

    pool_options const options_;
    unsigned const forks_ = forks_so_far();  // of the process that has the workers
    driver* const driver_;
    services* const services_;
    idle idle_;
    pool_time time_;
    inject_queue inject_;
    atomic<bool> seat_taken_{false};
    atomic<bool> watched_{false};   // a parked worker looks at the others every millisecond
    atomic<bool> stopping_{false};
    atomic<bool> ending_{false};    // stopping, or joining
    atomic<std::uint32_t> finished_{0};
    atomic<std::uint32_t> visitors_{0};
    mutex joining_;
    std::vector<std::unique_ptr<worker>> workers_;  // the first `active_` are there
    atomic<unsigned> active_;
    mutex attaching_;
    bool attachable_ = true;
    atomic<unsigned> attached_{0};     // threads that are inside attach_thread()
    atomic<std::uint32_t> running_{0};  // workers that are inside run()
    std::unique_ptr<shard[]> shards_;  // one a worker, and the last for other threads
    // Only grow. Done is read first: if it then equals what was begun, nothing was left in between.
    struct counts {
        alignas(64) atomic<std::uint64_t> tasks_begun{0};
        atomic<std::uint64_t> tasks_done{0};
        atomic<std::uint64_t> work_begun{0};
        atomic<std::uint64_t> work_done{0};
    };
    std::unique_ptr<counts[]> counts_;  // one a worker, and the last for other threads
    template <class Begun, class Done>
    bool none_left(Begun begun, Done done) const noexcept;
    void count(atomic<std::uint64_t> counts::*which) noexcept;
    void count_end(atomic<std::uint64_t> counts::*which) noexcept;
};

}  // namespace rouse::detail

#endif
