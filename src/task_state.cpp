// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 2
#include <rouse/detail/fatal.hpp>
#include <rouse/detail/task_state.hpp>

// The orders. Every change is acq_rel: it releases what its thread did before (a wake: the data
// that it announces; a poll: the future's state) to the next change of the word, and acquires what
// the change before it released. All of them are read-modify-writes of one word, so each pairs with
// whichever change comes after it. The loads that start a compare-exchange loop are hints.

namespace rouse::detail {

task_state::start task_state::to_running() noexcept {
    // Only the holder of the runnable changes these two bits while notified is set and running is
    // clear, so one addition moves the one bit to the other.
    std::uint64_t const old = word_.fetch_add(running - notified, acq_rel);
    return (old & abort) ? start::drain : start::poll;
}

task_state::idle task_state::to_idle() noexcept {
    std::uint64_t old = word_.load(relaxed);
    for (;;) {
        if (old & notified) {
            // acquire: the poll that follows sees what the waker did
            word_.fetch_and(~notified, acq_rel);
            return idle::again;
        }
        std::uint64_t const parked = (old & ~running) - reference;
        if (parked / reference == 0) {
            word_.fetch_or(abort, acq_rel);  // only this thread can change it now
            return idle::orphaned;
        }
        if (word_.compare_exchange_weak(old, parked, acq_rel, relaxed)) return idle::parked;
    }
}

void task_state::to_rescheduled() noexcept {
    std::uint64_t old = word_.load(relaxed);
    while (!word_.compare_exchange_weak(old, (old & ~running) | notified, acq_rel, relaxed)) {
    }
}

void task_state::to_draining() noexcept { word_.fetch_or(draining, acq_rel); }

task_state::completion task_state::to_complete() noexcept {
    std::uint64_t const old = word_.fetch_add(complete - running, acq_rel);
    if (!(old & join)) return completion::nobody;
    return (old & join_waker) ? completion::waker : completion::handle;
}

task_state::duty task_state::wake() noexcept {
    std::uint64_t old = word_.load(relaxed);
    for (;;) {
        std::uint64_t next;
        duty then = duty::nothing;
        if (old & (complete | notified)) {
            next = old - reference;
            if (next / reference == 0) then = duty::deallocate;  // complete
        } else if (old & running) {
            next = (old | notified) - reference;
        } else {
            next = old | notified;
            then = duty::schedule;
        }
        if (word_.compare_exchange_weak(old, next, acq_rel, relaxed)) return then;
    }
}

task_state::duty task_state::wake_by_ref() noexcept {
    std::uint64_t old = word_.load(relaxed);
    for (;;) {
        std::uint64_t next = old;
        duty then = duty::nothing;
        if (old & complete) return duty::nothing;
        if (old & running) {
            next = old | notified;
        } else if (!(old & notified)) {
            next = (old | notified) + reference;
            then = duty::schedule;
        }
        // Also when nothing changes: the exchange publishes what this thread did to the poll.
        if (word_.compare_exchange_weak(old, next, acq_rel, relaxed)) return then;
    }
}

task_state::duty task_state::drop() noexcept {
    std::uint64_t old = word_.load(relaxed);
    for (;;) {
        std::uint64_t next = old - reference;
        duty then = duty::nothing;
        if (next / reference == 0) {
            if (old & complete) {
                then = duty::deallocate;
            } else {
                next = old | notified | abort;  // the reference becomes the runnable's
                then = duty::schedule;
            }
        }
        if (word_.compare_exchange_weak(old, next, acq_rel, relaxed)) return then;
    }
}

void task_state::retain() noexcept {
    // relaxed: the caller has a reference, and passes the new one on by other means
    if (word_.fetch_add(reference, relaxed) & overflow) [[unlikely]]
        fatal("a task has more wakers than can be counted");
}

task_state::duty task_state::to_aborting() noexcept {
    std::uint64_t old = word_.load(relaxed);
    for (;;) {
        if (old & (complete | abort)) return duty::nothing;
        std::uint64_t next = old | notified | abort;
        duty then = duty::nothing;
        if (!(old & (notified | running))) {
            next += reference;
            then = duty::schedule;
        }
        if (word_.compare_exchange_weak(old, next, acq_rel, relaxed)) return then;
    }
}

task_state::join_step task_state::publish_join_waker() noexcept {
    // acquire: the output, stored before to_complete; release: the waker, read after it
    std::uint64_t old = word_.load(acquire);
    for (;;) {
        if (old & complete) return join_step::complete;
        if (word_.compare_exchange_weak(old, old | join_waker, acq_rel, acquire))
            return join_step::done;
    }
}

task_state::join_step task_state::withdraw_join_waker() noexcept {
    std::uint64_t old = word_.load(acquire);  // as in publish_join_waker
    for (;;) {
        if (old & complete) return join_step::complete;
        if (!(old & join_waker)) return join_step::done;  // nobody else sets it
        if (word_.compare_exchange_weak(old, old & ~join_waker, acq_rel, acquire))
            return join_step::done;
    }
}

task_state::join_step task_state::disown() noexcept {
    std::uint64_t old = word_.load(relaxed);
    for (;;) {
        std::uint64_t const next = (old & complete) ? old & ~join : old & ~(join | join_waker);
        if (word_.compare_exchange_weak(old, next, acq_rel, relaxed))
            return (old & complete) ? join_step::complete : join_step::done;
    }
}

void task_state::set_references(std::uint64_t count) noexcept {
    word_.store((word_.load(relaxed) & (reference - 1)) + count * reference, relaxed);  // tests
}

}  // namespace rouse::detail
