// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_DETAIL_ASIO_SCHEDULER_HPP
#define ROUSE_DETAIL_ASIO_SCHEDULER_HPP

#include <boost/asio/execution/allocator.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <cstdint>
#include <exception>
#include <rouse/detail/slab_allocator.hpp>
#include <rouse/detail/spawner.hpp>
#include <rouse/detail/task_registry.hpp>
#include <rouse/runnable.hpp>
#include <rouse/scheduler.hpp>
#include <utility>

namespace rouse::detail {

// Tasks on an Asio executor: each runnable is a function submitted to it. One scheduler serves what
// one call of `spawn` made and all that was spawned from inside; it is counted, one reference for
// each task. While it lives it holds work on the executor.
class ROUSE_DECL asio_scheduler_base : public scheduler, public services, public spawner {
public:
    asio_scheduler_base(asio_scheduler_base const&) = delete;
    asio_scheduler_base& operator=(asio_scheduler_base const&) = delete;

    void schedule(runnable task, schedule_reason why) noexcept final;
    void task_done(task_header& task) noexcept final;
    services* offered() noexcept final { return this; }
    void* find(std::type_info const& type) noexcept final;
    void spawn(any_future<>&& f, std::source_location where) final;
    void report(std::exception_ptr error, std::source_location where) noexcept final;
    bool try_retain() noexcept final;
    void release() noexcept final;

    // Whoever has made it has one, and each task has one.
    void drop_reference() noexcept;

protected:
    explicit asio_scheduler_base(asio::execution_context* context);
    virtual ~asio_scheduler_base();

    // Submits; throws what the executor throws.
    virtual void submit(runnable task) = 0;
    virtual void destroy() noexcept = 0;

private:
    asio::execution_context* context_;  // null: the executor has none
    task_registry* registry_ = nullptr;
    paused_clock* clock_ = nullptr;
    atomic<std::uint32_t> references_{1};
};

// What is submitted.
struct run_task {
    explicit run_task(runnable r) noexcept : task(std::move(r)) {}
    void operator()() noexcept {
        task_registry::mark_with_executor(*task.get(), false);
        std::move(task).run();
    }

    runnable task;
};

template <class Executor>
class asio_scheduler final : public asio_scheduler_base {
public:
    static asio_scheduler& make(Executor const& ex) {
        void* memory = slab_allocate(sizeof(asio_scheduler));
        try {
            return *::new (memory) asio_scheduler(ex);
        } catch (...) {
            slab_deallocate(memory, sizeof(asio_scheduler));
            throw;
        }
    }

private:
    static auto submitting(Executor const& ex) {
        namespace execution = asio::execution;
        return asio::prefer(asio::require(ex, execution::blocking.never),
                            execution::outstanding_work.tracked,
                            execution::allocator(slab_allocator<void>()));
    }
    static asio::execution_context* context_of(Executor const& ex) {
        if constexpr (asio::can_query<Executor const&, asio::execution::context_t>::value) {
            return &asio::query(ex, asio::execution::context);
        } else {
            return nullptr;
        }
    }

    explicit asio_scheduler(Executor const& ex)
        : asio_scheduler_base(context_of(ex)), executor_(submitting(ex)) {}

    void submit(runnable task) override { executor_.execute(run_task(std::move(task))); }

    void destroy() noexcept override {
        this->~asio_scheduler();
        slab_deallocate(this, sizeof(asio_scheduler));
    }

    decltype(submitting(std::declval<Executor const&>())) executor_;
};

}  // namespace rouse::detail

#endif
