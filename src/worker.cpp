// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <algorithm>
#include <optional>
#include <rouse/detail/clock_watch.hpp>
#include <rouse/detail/futex.hpp>
#include <rouse/detail/hooks.hpp>
#include <rouse/detail/pool_core.hpp>
#include <rouse/detail/prefetch.hpp>
#include <rouse/detail/worker.hpp>

namespace rouse::detail {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t inject_batch = 32;
constexpr std::uint32_t fewest_events = 8;  // of a look at the event loop, however full the queue is
constexpr auto look_interval = std::chrono::milliseconds(1);
constexpr unsigned quiet_looks = 2;  // with nobody awake; then the watcher sleeps like the others

thread_local constinit worker* this_worker = nullptr;

}  // namespace

[[gnu::noinline]] worker* worker::current() noexcept {
    asm volatile("" ::: "memory");  // the thread may have changed since the caller's last call
    return this_worker;
}

worker::worker(pool_core& c, unsigned index, unsigned of)
    : core_(c), index_(index), random_(index * 2654435761U + 1), seen_(of) {}

void worker::run() noexcept {
    core_.running_.fetch_add(1, relaxed);  // for join_threads(), which comes after the end of the pool
    this_worker = this;
    auto const call = [this](std::function<void(unsigned)> const& hook) {
        try {
            if (hook) hook(index_);
        } catch (...) {
            core_.unhandled_exception(std::current_exception(), {});
        }
    };
    call(core_.options_.after_start);
    while (!core_.finished()) {
        ++tick_;
        if (tick_ - looked_ >= core_.options_.event_interval) {
            looked_ = tick_;
            stop_searching();  // the event loop may run handlers that take long
            poll_driver();
            fire_timers(true);
        }
        if (work_item* item = next()) {
            stop_searching();
            execute(*item);
        } else {
            park();
        }
    }
    core_.refuse_in_child();
    call(core_.options_.before_stop);
    this_worker = nullptr;
    if (core_.running_.fetch_sub(1, acq_rel) == 1) {
        ROUSE_AT(last_worker_is_out);
        futex_wake_all(core_.running_);
    }
}

void worker::stop_searching() noexcept {
    if (std::exchange(searching_, false) && core_.idle_.stop_searching()) core_.wake_one();
}

work_item* worker::next() noexcept {
    of_shared_ = false;
    if (rescued_) return std::exchange(rescued_, nullptr);
    if (tick_ % core_.options_.event_interval == 0 && rotation_ == 0 && !core_.inject_.empty())
        rotation_ = 2 * std::max(core_.options_.event_interval / 8, 1U);
    if (rotation_ != 0 && --rotation_ % 2 == 0) {
        work_list one = core_.inject_.pop(1);
        if (work_item* item = one.pop()) {
            of_shared_ = true;
            return item;
        }
        rotation_ = 0;
    }
    if (work_item* item = next_of_lifo()) return item;
    if (work_item* item = queue.pop()) return item;
    if (work_item* item = from_inject()) return item;
    return steal();
}

work_item* worker::next_of_lifo() noexcept {
    if (!lifo_.load(relaxed)) {  // only this thread puts something there
        lifo_in_a_row_ = 0;
        return nullptr;
    }
    work_item* item = lifo_.exchange(nullptr, acq_rel);  // against a thief, see find_stuck()
    if (!item || lifo_in_a_row_ < core_.options_.lifo_cap) {
        ++lifo_in_a_row_;
        return item;
    }
    lifo_in_a_row_ = 0;
    push_back(*item, false);  // this worker goes on at once: nobody need be told
    return nullptr;
}

work_item* worker::from_inject() noexcept {
    work_list batch = core_.inject_.pop(inject_batch);
    work_item* first = batch.pop();
    if (batch.empty()) return first;
    while (work_item* item = batch.pop()) {
        prefetch(item, 64, 192);  // written by another thread; its first line came with the list
        push_back(*item, batch.empty());
    }
    core_.wake_one();
    return first;
}

work_item* worker::steal() noexcept {
    auto const workers = core_.workers();
    if (!searching_ && !core_.idle_.start_searching()) return nullptr;
    searching_ = true;
    std::size_t const count = workers.size();
    std::size_t const begin = random() % count;
    for (std::size_t i = 0; i < count; ++i) {
        worker& victim = *workers[(begin + i) % count];
        if (&victim == this) continue;
        if (work_item* item = victim.queue.steal_into(queue)) {
            steals_.add(1);
            return item;
        }
    }
    return from_inject();
}

void worker::execute(work_item& item) noexcept {
    polls_.add(1);
    if (is_task_item(item)) {
        item.act(&item, true);
        return;
    }
    try {
        item.act(&item, !core_.stopping_.load(acquire));  // pairs with stop()
    } catch (...) {
        core_.unhandled_exception(std::current_exception(), {});
    }
}

void worker::push_next(work_item& item) noexcept {
    if (firing_) {
        push_back(item, false);  // announced by fire_timers()
        return;
    }
    // release: a thief, or this worker, acquires it
    if (work_item* before = lifo_.exchange(&item, acq_rel)) {
        push_back(*before, true);
        core_.wake_one(in_driver_);
    } else {
        ROUSE_AT(lifo_filled);
        core_.ensure_watch(in_driver_);
    }
}

void worker::push_back(work_item& item, bool announced) noexcept {
    if (queue.push(item, announced)) return;
    overflows_.add(1);
    core_.inject_.overflow(item);
}

void worker::push_last(work_item& item) noexcept {
    bool const rotates = rotation_ != 0 && !of_shared_ && !core_.inject_.empty();
    if (rotates && core_.inject_.push(item)) return;
    push_back(item, false);  // this worker goes on at once: nobody need be told
}

bool worker::has_own_work() const noexcept {
    return lifo_.load(relaxed) != nullptr || queue.size() != 0;
}

// Then another worker shall help.
bool worker::has_more_than_one() const noexcept {
    return queue.size() + (lifo_.load(relaxed) ? 1U : 0U) > 1;
}

// Parks until there is something to do. Two workers matter to the others even while they sleep: the
// one in the driver's seat, which runs the event loop, and the watcher, which looks every
// millisecond whether somebody is stuck in a long poll while work waits in a place that does not
// announce itself: his LIFO slot, or the event loop that he has left.
//
// There is a watcher while anybody is awake and anybody sleeps: a worker that parks becomes it if
// there is none; whoever gets up, or fills a LIFO slot, and finds none, wakes somebody, who finds
// nothing to do and becomes it. When nobody was awake for some looks, it sleeps as all do: a
// pool without work makes hardly any noise.
void worker::park() noexcept {
    parks_.add(1);
    core_.idle_.to_parked(index_, std::exchange(searching_, false));
    ROUSE_AT(before_last_look);
    bool watching = false;
    unsigned quiet = 0;
    bool woken = false;
    worker* stuck = nullptr;
    if (!core_.has_work()) {
        for (;;) {
            core_.check_finished();
            if (core_.finished()) break;
            auto const now = steady_clock::now();
            // Also by those that are woken all the time, or they would never look.
            if (now - looked_around_ >= look_interval && core_.size() > 1) {
                looked_around_ = now;
                core_.wake_again();
                stuck = find_stuck();
                if (stuck) break;
            }
            // acq_rel: one watcher at a time inherits nothing but the right; see also below
            if (!watching && quiet < quiet_looks && core_.size() > 1)
                watching = !core_.watched_.exchange(true, seq_cst);
            woken = sleep(watching, now);
            fire_timers(false);
            if (woken || has_own_work() || core_.finished() || core_.has_work()) break;
            if (!watching) continue;
            quiet = core_.idle_.awake_count() == 0 ? quiet + 1 : 0;
            if (quiet == quiet_looks) {
                watching = false;
                core_.watched_.store(false, seq_cst);
                // seq_cst: somebody who got up just now either sees that nobody watches, or is seen
                if (core_.idle_.awake_count() != 0) quiet = 0;
            }
        }
    }
    if (watching) core_.watched_.store(false, seq_cst);
    if (!core_.idle_.leave_parked(index_)) {
        searching_ = true;  // whoever woke us has counted us so
    } else if (!core_.finished()) {
        // Got up by itself. More than one thing to do: another worker shall help, and take the
        // seat; with one thing, a watcher looks after the event loop.
        if (has_more_than_one()) {
            core_.wake_one();
        } else {
            core_.ensure_watch();
        }
    }
    // Now that this worker counts as awake: nobody else knows of what it takes.
    if (stuck) {
        // acquire: pairs with the exchange in push_next()
        rescued_ = stuck->lifo_.exchange(nullptr, acq_rel);
        if (rescued_) steals_.add(1);
    }
}

// True: woken by another worker. A watcher looks again soon; in an idle pool the one in the driver's seat,
// or else the first, does so now and then, since the system may have lost a wake.
bool worker::sleep(bool watching, time_point now) noexcept {
    std::optional<clock_watch> watch;
    if (core_.options_.clock && core_.size() == 1) {
        paused_clock& clock = *core_.options_.clock;
        watch.emplace(clock, *this, clock_watch::ended(clock));
        if (core_.driver_ && poll_driver() != 0) return false;  // there may be more
        if (has_own_work() || core_.has_work() || watch->jump()) return false;
        watch->count_sleep();
    }
    time_point const soon = now + look_interval;
    time_point const deadline = watching ? soon : now + longest_sleep;
    if (core_.take_seat()) {
        ROUSE_AT(seat_taken);
        if (!core_.idle_.seat(index_, true)) {
            // Somebody has called this worker, and its token is on the way. It counts as searching,
            // and must not go where handlers may take long.
            core_.leave_seat();
            return sleeper.park_until(soon);
        }
        in_driver_ = true;
        unsigned ran = 0;
        bool const woken =
            sleeper.park_in(*core_.driver_, core_.time_.begin_keeping(index_, deadline), ran);
        core_.time_.end_keeping();
        core_.refuse_in_child();  // a handler may have forked
        looked_ = tick_;
        in_driver_ = false;
        core_.idle_.seat(index_, false);
        ROUSE_AT(before_seat_is_left);
        core_.leave_seat();
        return woken;
    }
    if (!core_.driver_ && index_ == 0) {
        bool const woken = sleeper.park_until(core_.time_.begin_keeping(index_, deadline));
        core_.time_.end_keeping();
        return woken;
    }
    if (auto const keeper = core_.time_.keeper_to_wake())
        core_.workers()[*keeper]->sleeper.unpark();
    if (watching || index_ == 0) return sleeper.park_until(deadline);
    sleeper.park();
    return true;
}

// A worker whose LIFO slot and poll are the same as at the last look, or null.
worker* worker::find_stuck() noexcept {
    worker* found = nullptr;
    for (auto const& other : core_.workers()) {
        if (other.get() == this) continue;
        seen& last = seen_[other->index_];
        seen const now{other->lifo_.load(relaxed), other->polls_.get()};
        if (now.lifo && now.lifo == last.lifo && now.polls == last.polls) found = other.get();
        last = now;
    }
    return found;
}

unsigned worker::poll_driver() noexcept {
    if (!core_.take_seat()) return 0;
    in_driver_ = true;
    // The event loop keeps its events in order; what does not fit the own queue would lose its place.
    unsigned const ran = core_.driver_->poll(std::max(local_queue::capacity - queue.size(), fewest_events));
    in_driver_ = false;
    core_.leave_seat();
    return ran;
}

// As many as the own queue takes: more would only come back by way of the shared one. They are announced
// once for all; a worker that is about to leave park() does that there.
void worker::fire_timers(bool busy) noexcept {
    constexpr std::size_t fewest = 8;
    std::size_t const room = local_queue::capacity - queue.size();
    firing_ = true;
    std::size_t const fired =
        core_.time_.advance(std::max(room, fewest), {index_, ++time_looks_, busy});
    firing_ = false;
    if (fired == 0) return;
    queue.announce();
    if (busy && has_more_than_one()) core_.wake_one();
}

std::uint32_t worker::random() noexcept {
    // xorshift (Marsaglia 2003)
    random_ ^= random_ << 13;
    random_ ^= random_ >> 17;
    random_ ^= random_ << 5;
    return random_;
}

worker_metrics worker::metrics() const noexcept {
    return {polls_.get(), steals_.get(), parks_.get(), overflows_.get(), queue.size()};
}

work_list worker::leftovers() noexcept {
    work_list rest;
    if (work_item* item = lifo_.exchange(nullptr, acq_rel)) rest.push(*item);
    if (work_item* item = std::exchange(rescued_, nullptr)) rest.push(*item);
    while (work_item* item = queue.pop()) rest.push(*item);
    return rest;
}

}  // namespace rouse::detail
