// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_THREAD_POOL_HPP
#define ROUSE_THREAD_POOL_HPP

#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <rouse/detail/pool_executor.hpp>
#include <rouse/detail/saturated.hpp>
#include <rouse/metrics.hpp>
#include <rouse/paused_clock.hpp>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

namespace rouse {

// A work-stealing thread pool that polls tasks, runs functions, and is an Asio execution context:
// `tcp::socket s(pool)`, `steady_timer t(pool.get_executor())`, strands, `co_spawn`, `post` and so on
// work on it, and their handlers run on its workers, in parallel.
//
// Either it owns an io_context, and an idle worker parks in it; or it uses one that the application
// runs itself (`thread_pool pool(io, n)`), which must outlive the pool, and on which the pool holds
// work exactly while it has live tasks.
//
// How it ends:
//   join()         waits until no task, no queued function and no tracked work is left, then ends
//                  the workers. Nothing is refused meanwhile.
//   stop()         refuses new tasks (their handles give errc::aborted) and aborts all that there
//                  are; queued functions are destroyed. Returns at once, from anywhere.
//   ~thread_pool   stop(), then waits until every task has let go of what it had in flight, then
//     1. ends and joins the threads,
//     2. destroys what is left in queues,
//     3. destroys the io_context if it is the pool's own: handlers of others die uncalled,
//     4. destroys the scheduler: what died in 3 may still have used it.
// Members may be called by any thread, but for the destructor. join(), wait() and the destructor
// terminate the program with a sentence when they are called on one of the pool's own workers.
class ROUSE_DECL thread_pool {
public:
    using executor_type = detail::pool_executor<detail::slab_allocator<void>>;
    class builder;

    // As many workers as this process may use processors, or `workers`. Throws
    // std::invalid_argument for none, and std::system_error if a thread cannot be started, when
    // those that were are joined.
    thread_pool();
    explicit thread_pool(unsigned workers);

    // The same, on an io_context that the application runs. Throws std::invalid_argument for one
    // that was made without locks (an "unsafe" concurrency hint).
    explicit thread_pool(boost::asio::io_context& io);
    thread_pool(boost::asio::io_context& io, unsigned workers);

    explicit thread_pool(builder const& how);
    thread_pool(boost::asio::io_context& io, builder const& how);

    thread_pool(thread_pool const&) = delete;
    thread_pool& operator=(thread_pool const&) = delete;
    ~thread_pool();

    executor_type get_executor() noexcept;

    // The io_context in which I/O objects of the pool live. Handlers of objects that are built from
    // this reference, and not from the pool, run in the event loop, one at a time. If it is the pool's
    // own, nobody else may run, poll, stop or restart it.
    boost::asio::io_context& context() noexcept;
    operator boost::asio::execution_context&() noexcept { return context(); }

    // Makes the calling thread one more worker, until the pool ends: it returns after a stop(), or
    // when somebody joins and nothing is left to do; at once if the pool has ended. The hooks of the
    // builder are called in it; it keeps its signal mask and its name. Throws std::length_error for a
    // seventeenth such thread, system_error with errc::blocking_in_worker inside a task or on a worker
    // of any pool, and std::bad_alloc.
    void attach();

    void join();
    void wait() { join(); }
    void stop() noexcept;

    // stop(), and then join() for at most `limit`, of any length. Returns the tasks that have not let go by then:
    // none, if the pool has ended. The destructor then waits for them no longer, but destroys them
    // with what they have in flight. Throws std::bad_alloc.
    template <class Rep, class Period>
    std::vector<task_info> shutdown(std::chrono::duration<Rep, Period> limit) {
        return shutdown_within(detail::saturated(limit));
    }

    // How many workers there are, those included that were attached.
    std::size_t size() const noexcept;
    pool_metrics metrics() const;

private:
    void tell_others_of_the_clock();
    std::vector<task_info> shutdown_within(std::chrono::steady_clock::duration limit);

    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

// How a pool is to be. Each function returns the builder; `build` can be called repeatedly.
class ROUSE_DECL thread_pool::builder {
public:
    builder();

    // How many workers; none is refused. By default as many as this process may use processors:
    // its affinity mask and cgroup quota count.
    builder& workers(unsigned count);
    // The threads are called NAME0, NAME1 and so on; the system cuts names after 15 characters.
    builder& thread_name(std::string name);
    // Of each worker, in bytes; 0: the system's default.
    builder& stack_size(std::size_t bytes);
    // Called in each worker with its index, before its first and after its last work. An exception
    // is reported as unhandled.
    builder& after_start(std::function<void(unsigned)> hook);
    builder& before_stop(std::function<void(unsigned)> hook);
    // What becomes of an exception that leaves a task nobody waits for, or a function. By default
    // report_unhandled. Must not throw; several workers may call it at once.
    builder& on_unhandled_exception(
        std::function<void(std::exception_ptr, std::source_location)> handler);
    // A busy worker looks at the shared queue and the event loop after so many polls (from 1).
    builder& event_interval(unsigned polls);
    // Has all timers of the pool's tasks wait for that clock, for tests, and those of tasks on a strand over the pool;
    // it must outlive the pool. If the pool has one worker, the clock jumps when that finds nothing to do.
    builder& clock(paused_clock& clock);
    // So many tasks in a row may run because the one before has woken them (0: none).
    builder& lifo_cap(unsigned polls);

    std::unique_ptr<thread_pool> build() const;
    std::unique_ptr<thread_pool> build(boost::asio::io_context& io) const;

private:
    friend class thread_pool;
    detail::pool_options options_;
};

}  // namespace rouse

#endif
