// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#include <cstddef>
#include <rouse/detail/task_registry.hpp>
#include <rouse/detail/time_driver.hpp>
#include <thread>

namespace rouse::detail {

class task_registry_service final : public asio::execution_context::service {
public:
    static asio::execution_context::id id;

    explicit task_registry_service(asio::execution_context& context)
        : asio::execution_context::service(context), registry(new task_registry) {}
    ~task_registry_service() override { registry->release(); }

    void shutdown() override { registry->shut_down(); }
    void notify_fork(asio::execution_context::fork_event event) override {
        if (event == asio::execution_context::fork_prepare) enter_timers_anew();
    }

    task_registry* registry;
};

asio::execution_context::id task_registry_service::id;

task_registry& task_registry::of(asio::execution_context& context) {
    return *asio::use_service<task_registry_service>(context).registry;
}

void task_registry::release() noexcept {
    // release: what this owner did; acquire: what the others did, before the memory goes
    if (references_.fetch_sub(1, acq_rel) == 1) delete this;
}

bool task_registry::enter(task_header& task) noexcept {
    lock_guard guard(lock_);
    if (users_.load(relaxed) & closed) return false;  // set under the lock
    tasks_.push_back(task);
    return true;
}

void task_registry::leave(task_header& task) noexcept {
    lock_guard guard(lock_);
    if (task.linked()) intrusive_list<task_header>::erase(task);
}

bool task_registry::begin_use() noexcept {
    // acquire: pairs with shut_down(), before which the context was whole
    if (!(users_.fetch_add(1, acq_rel) & closed)) return true;
    end_use();
    return false;
}

void task_registry::end_use() noexcept {
    users_.fetch_sub(1, acq_rel);  // release: pairs with the wait in shut_down()
}

void task_registry::surrender(runnable task) noexcept {
    lock_guard guard(lock_);
    surrendered_.push(*task.release());
}

void task_registry::shut_down() noexcept {
    {
        lock_guard guard(lock_);
        users_.fetch_or(closed, acq_rel);
    }
    // A hand-over is a few instructions long, and waits for nobody.
    while (users_.load(acquire) != closed) std::this_thread::yield();

    std::size_t in_hands = 0;  // found in other threads' hands, and not yet surrendered
    for (;;) {
        work_item* ending = nullptr;
        {
            lock_guard guard(lock_);
            // Taken out of the list, a task stays alive by the reference of its runnable, which
            // either is made here, or is in a queue, or will be surrendered. The surrendered ones
            // come last, when each has been counted. Those that were spawned last go first: they may be
            // of a group, and refer to what an earlier one has around it.
            if (task_header* task = tasks_.pop_back()) {
                if (task->state.wake_by_ref() == task_state::duty::schedule) {
                    ending = task;
                } else if (!task->shard) {
                    ++in_hands;
                }
            } else if ((ending = surrendered_.pop())) {
                --in_hands;
            } else if (in_hands == 0) {
                return;
            }
        }
        if (ending) {
            ending->act(ending, false);
        } else {
            std::this_thread::yield();
        }
    }
}

}  // namespace rouse::detail
