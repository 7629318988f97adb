// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#include <exception>
#include <rouse/detail/asio_scheduler.hpp>
#include <rouse/make_task.hpp>
#include <typeinfo>

namespace rouse::detail {

asio_scheduler_base::asio_scheduler_base(asio::execution_context* context) : context_(context) {
    if (!context) return;
    registry_ = &task_registry::of(*context);
    registry_->retain();
    clock_ = registry_->clock.load(acquire);  // pairs with use_clock()
    if (clock_) hears_of_operations_ = clock_->hears_of_operations();
}

asio_scheduler_base::~asio_scheduler_base() {
    if (registry_) registry_->release();
}

void asio_scheduler_base::schedule(runnable task, schedule_reason why) noexcept {
    if (why == schedule_reason::spawned) {
        references_.fetch_add(1, relaxed);  // whoever spawns has a reference
        // A task that is refused dies here, as aborted; so does one whose executor cannot take it.
        if (registry_ && !registry_->enter(*task.get())) return;
    }
    if (registry_) {
        if (!registry_->begin_use()) return registry_->surrender(std::move(task));
        registry_->mark_with_executor(*task.get(), true);
    }
    // Also after the submission: it may have run the task, and that was the last of this scheduler.
    task_registry* const registry = registry_;
    auto const where = task.get()->spawned_at;
    try {
        submit(std::move(task));
    } catch (...) {
        report_unhandled(std::current_exception(), where);
    }
    if (registry) registry->end_use();
}

void asio_scheduler_base::task_done(task_header& task) noexcept {
    if (registry_) registry_->leave(task);
    release();
}

void* asio_scheduler_base::find(std::type_info const& type) noexcept {
    if (type == typeid(time_driver)) return clock_ ? clock_->find(type) : nullptr;
    if (type == typeid(asio::execution_context)) return context_;
    return type == typeid(spawner) ? static_cast<spawner*>(this) : nullptr;
}

void asio_scheduler_base::spawn(any_future<>&& f, std::source_location where) {
    schedule(make_detached_task(*this, std::move(f), where), schedule_reason::spawned);
}

bool asio_scheduler_base::try_retain() noexcept {
    auto references = references_.load(relaxed);
    // relaxed: only the number counts, the link's lock has published the rest
    while (references != 0) {
        if (references_.compare_exchange_weak(references, references + 1, relaxed, relaxed)) return true;
    }
    return false;
}

void asio_scheduler_base::release() noexcept {
    // release: what this owner did; acquire: what the others did, before the memory goes
    if (references_.fetch_sub(1, acq_rel) != 1) return;
    cut_link();
    destroy();
}

}  // namespace rouse::detail
