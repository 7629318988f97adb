// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#include <exception>
#include <rouse/detail/asio_scheduler.hpp>
#include <rouse/make_task.hpp>
#include <typeinfo>
#include <utility>

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
    drop_reference();
}

void* asio_scheduler_base::find(std::type_info const& type) noexcept {
    if (type == typeid(time_driver)) return clock_ ? clock_->find(type) : nullptr;
    if (type == typeid(asio::execution_context)) return context_;
    return type == typeid(spawner) ? static_cast<spawner*>(this) : nullptr;
}

void asio_scheduler_base::spawn(any_future<>&& f, std::source_location where) {
    schedule(make_detached_task(*this, std::move(f), where), schedule_reason::spawned);
}

void asio_scheduler_base::report(std::exception_ptr error, std::source_location where) noexcept {
    unhandled_exception(std::move(error), where);
}

// Whoever has retained it may spawn, and what is refused then dies: the context does not end meanwhile.
bool asio_scheduler_base::try_retain() noexcept {
    if (registry_ && !registry_->begin_use()) return false;
    auto references = references_.load(relaxed);
    // relaxed: only the number counts, the link's lock has published the rest
    while (references != 0) {
        if (references_.compare_exchange_weak(references, references + 1, relaxed, relaxed)) return true;
    }
    if (registry_) registry_->end_use();
    return false;
}

void asio_scheduler_base::release() noexcept {
    task_registry* const registry = registry_;
    if (registry) registry->retain();
    drop_reference();
    if (!registry) return;
    registry->end_use();
    registry->release();
}

void asio_scheduler_base::drop_reference() noexcept {
    // release: what this owner did; acquire: what the others did, before the memory goes
    if (references_.fetch_sub(1, acq_rel) != 1) return;
    cut_link();
    destroy();
}

}  // namespace rouse::detail
