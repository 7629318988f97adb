// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 2
#include <rouse/detail/hooks.hpp>
#include <rouse/detail/task_cell.hpp>
#include <rouse/runnable.hpp>
#include <rouse/unhandled.hpp>

namespace rouse::detail {

namespace {

// How many operations may succeed in one poll, and how often a task that is woken during its poll
// is polled again before it has to queue.
constexpr unsigned repolls_at_once = 3;

std::uint64_t next_id() noexcept {
    // Handed out to threads in blocks, so that spawning threads do not share a counter.
    constexpr std::uint64_t block = 1024;
    static constinit atomic<std::uint64_t> blocks{0};
    thread_local constinit std::uint64_t next = 0;
    if (next % block == 0) next = blocks.fetch_add(1, relaxed) * block;  // only uniqueness counts
    return ++next;
}

thread_local constinit task_header* current = nullptr;
thread_local constinit poll_root* root_here = nullptr;

// Not inlined, like all that looks at a thread's own: the thread may have changed since the last call.
[[gnu::noinline]] poll_root* exchange_root(poll_root* root) noexcept {
    asm volatile("" ::: "memory");
    return std::exchange(root_here, root);
}

void act_on(task_state::duty duty, task_header& task) noexcept {
    switch (duty) {
        case task_state::duty::nothing: break;
        case task_state::duty::schedule:
            ROUSE_AT(before_schedule);
            task.owner->schedule(runnable(&task), schedule_reason::woken);
            break;
        case task_state::duty::deallocate: task.vtable->deallocate(&task); break;
    }
}

void act_on_task(work_item* self, bool run) {
    auto& task = static_cast<task_header&>(*self);
    run ? task.run() : task.end_unrun();
}

task_header& header(void* data) noexcept { return *static_cast<task_header*>(data); }

constexpr waker_vtable task_waker{
    [](void* data) -> void* {
        header(data).state.retain();
        return data;
    },
    [](void* data) { act_on(header(data).state.wake(), header(data)); },
    [](void* data) { act_on(header(data).state.wake_by_ref(), header(data)); },
    [](void* data) { header(data).drop_reference(); },
    "rouse task",
};

}  // namespace

waker waker_of(task_header& task) noexcept {
    task.state.retain();
    return waker(&task, task_waker);
}

bool is_task_item(work_item const& item) noexcept { return item.act == &act_on_task; }

[[gnu::noinline]] task_header* current_task() noexcept {
    asm volatile("" ::: "memory");  // the thread may have changed since the caller's last call
    return current;
}

[[gnu::noinline]] poll_root* current_root() noexcept {
    asm volatile("" ::: "memory");
    return root_here;
}

current_root_mark::current_root_mark(poll_root& root) noexcept : before_(exchange_root(&root)) {}
current_root_mark::~current_root_mark() { exchange_root(before_); }

[[gnu::noinline]] current_task_mark::current_task_mark(task_header* task) noexcept
    : before_(std::exchange(current, task)) {
    asm volatile("" ::: "memory");
}

[[gnu::noinline]] current_task_mark::~current_task_mark() {
    asm volatile("" ::: "memory");
    current = before_;
}

task_header::task_header(task_vtable const& v, scheduler& s, bool joined,
                         std::source_location where) noexcept
    : work_item(&act_on_task), state(joined), vtable(&v), owner(&s), id(next_id()), spawned_at(where) {}

void task_header::run() noexcept {
    current_task_mark mark(this);
    waker_ref const waker(this, task_waker);
    bool draining = state.to_running() == task_state::start::drain;
    for (unsigned polls = 0;; ++polls) {
        poll_root root;
        root.waker = &waker.get();
        root.cancellation = &cancellation;
        root.budget = poll_root::budget_of_a_poll;
        root.inbox = &late_functions;
        root.offered = owner->offered();
        context cx(root);
        poll_root* const before = exchange_root(&root);

        if (!late_functions.empty()) {
            try {
                late_functions.run();
            } catch (...) {
                owner->unhandled_exception(std::current_exception(), spawned_at);
                root.requeue = true;  // for the functions behind it
            }
        }
        if (draining && !state.is_draining()) state.to_draining();
        bool const over = draining ? vtable->poll_cancel(*this, cx) : vtable->poll(*this, cx);
        exchange_root(before);
        // Those who were polled before a request was unmasked have not seen it.
        if (cancellation.take_unmasked()) root.requeue = true;
        if (over) {
            complete();
            return;
        }
        awaiting.store(root.awaiting, relaxed);  // for people who look; nothing hangs on it
        ROUSE_AT(after_poll);

        if (root.requeue) break;
        switch (state.to_idle()) {
            case task_state::idle::parked: return;  // it may be running elsewhere, or gone
            case task_state::idle::again: break;
            case task_state::idle::orphaned:
                // Nobody can wake it any more, so it would never end. It is aborted; and if it
                // waits for nothing even while it drains, it is destroyed as it is.
                if (draining) {
                    late_functions.close();
                    vtable->destroy_future(*this);
                    complete();
                    return;
                }
                draining = true;
                continue;
        }
        draining = state.is_aborting() || draining;
        if (polls == repolls_at_once) break;
    }
    scheduler& to = *owner;
    state.to_rescheduled();
    to.schedule(runnable(this), schedule_reason::yielded);
}

void task_header::end_unrun() noexcept {
    current_task_mark mark(this);
    static_cast<void>(state.to_running());
    late_functions.close();  // the future may tell others that it is over
    vtable->destroy_future(*this);
    complete();
}

void task_header::complete() noexcept {
    late_functions.close();
    // The stop of an executor tells one task after the other, and who joins one that was told may
    // end of that before its own turn. Found out while the executor is there.
    if (result == outcome::error) ended_by_stop = owner->stopping();
    auto const then = state.to_complete();
    ROUSE_AT(after_completion);
    switch (then) {
        case task_state::completion::handle: break;
        case task_state::completion::waker: std::move(join_waker).wake(); break;
        case task_state::completion::nobody:
            discard_output([this](std::exception_ptr const& error, std::source_location where) {
                owner->unhandled_exception(error, where);
            });
            break;
    }
    owner->task_done(*this);
    drop_reference();
}

void task_header::request_abort() noexcept { act_on(state.to_aborting(), *this); }

void task_header::drop_reference() noexcept {
    ROUSE_AT(before_drop);
    act_on(state.drop(), *this);
}

bool task_header::is_echo_of_abort() const noexcept {
    bool const told = ended_by_stop || state.is_aborting() ||
                      cancellation.requested() != cancellation_type::none;
    return told && is_cancellation(exception);
}

}  // namespace rouse::detail
