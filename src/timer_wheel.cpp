// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <algorithm>
#include <bit>
#include <new>
#include <rouse/detail/prefetch.hpp>
#include <rouse/detail/timer_wheel.hpp>
#include <utility>

namespace rouse::detail {

namespace {

using std::chrono::nanoseconds;

constexpr std::uint64_t since_epoch(time_point t) noexcept {
    auto const ns = std::chrono::duration_cast<nanoseconds>(t.time_since_epoch()).count();
    return ns < 0 ? 0 : static_cast<std::uint64_t>(ns);
}

// What the levels have room for begins at a multiple of one more than that.
constexpr tick last_of_turn = (tick{1} << wheel_levels::shift(wheel_levels::count)) - 1;

constexpr tick latest = static_cast<std::uint64_t>(nanoseconds::max().count()) >> tick_bits;

}  // namespace

tick deadline_tick(time_point deadline) noexcept {
    if (deadline == time_point::max()) return no_tick;
    return (since_epoch(deadline) + ((1U << tick_bits) - 1)) >> tick_bits;
}

tick present_tick(time_point now) noexcept { return since_epoch(now) >> tick_bits; }

time_point time_of(tick t) noexcept {
    if (t > latest) return time_point::max();
    return time_point(nanoseconds(static_cast<std::int64_t>(t << tick_bits)));
}

bool timer_entry::leave(waker* waiting) noexcept {
    bool left = false;
    waker old;  // dropped last, outside of the lock
    if (now() == state::waiting) {
        futex_guard const guard(wheel_->lock_);
        left = state_.load(relaxed) == state::waiting;  // changes under the lock
        if (left) {
            wheel_->unlink(*this);
            old = give();
        }
    }
    state_.store(state::idle, relaxed);  // the owner's from now on
    if (left && waiting) *waiting = std::move(old);
    return left;
}

timer_wheel::timer_wheel(tick now) noexcept : elapsed_(now) {}

void timer_wheel::begin(tick now) noexcept {
    futex_guard const guard(lock_);
    elapsed_ = now;
    far_from_ = no_tick;
}

// As a story: that thread was in the middle of linking or unlinking an entry, which nobody touches any more in this
// process. Its neighbours point to it or past it, and it is there for ever, so that they are unlinked without harm.
void timer_wheel::begin_in_child() noexcept { ::new (static_cast<void*>(&lock_)) futex_mutex; }

// All at once, since others may move entries from slot to slot, and enter new ones. They stand in the wheel, not in
// this thread's stack: a child of fork has no such thread, and others help to wake them.
void timer_wheel::orphan_all() noexcept {
    {
        futex_guard const guard(lock_);
        if (size_ == 0) return;
        for (unsigned slot = 0; slot < levels::slots; ++slot) {
            orphans_.splice(slots_[slot]);
            tidy(slot);
        }
        orphans_.splice(far_);
        orphans_.splice(moving_);
        next_.store(no_tick, seq_cst);
    }
    for (;;) {
        waker alone;
        {
            futex_guard const guard(lock_);
            timer_entry* const entry = orphans_.pop_front();
            if (!entry) return;
            --size_;
            alone = entry->give();
            // release: pairs with now(); the last touch
            entry->state_.store(timer_entry::state::orphaned, release);
        }
        std::move(alone).wake();
    }
}

timer_wheel::list& timer_wheel::entries_of(unsigned slot) noexcept {
    if (slot == moving_down) return moving_;
    return slot == far_away ? far_ : slots_[slot];
}

// In the ring, or by the highest digit in which it differs from the wheel's tick. What is due stands in the
// slot of the wheel's own tick, the next to fire.
void timer_wheel::place(timer_entry& entry) noexcept {
    tick const when = std::max(entry.when_, elapsed_);
    unsigned level = 0;
    if (when - elapsed_ >= levels::lowest) {
        tick const differs = when ^ elapsed_;
        level = 1;
        while (level < levels::count && differs >> levels::shift(level + 1) != 0) ++level;
    }
    if (level == levels::count) {
        entry.slot_ = far_away;
        far_from_ = std::min(far_from_, when);
    } else {
        auto const digit = static_cast<unsigned>(when >> levels::shift(level)) % levels::size(level);
        entry.slot_ = static_cast<std::uint16_t>(levels::first_slot(level) + digit);
        occupied_[level].set(digit);
    }
    entries_of(entry.slot_).push_back(entry);
}

// After something was taken out of the slot.
void timer_wheel::tidy(unsigned slot) noexcept {
    if (slot >= levels::slots || !slots_[slot].empty()) return;
    unsigned const level = levels::of(slot);
    occupied_[level].clear(slot - levels::first_slot(level));
}

void timer_wheel::unlink(timer_entry& entry) noexcept {
    list::erase(entry);
    tidy(entry.slot_);
    --size_;
}

// What is on its way down comes first. At the upper levels all entries are ahead of the wheel's digit, and
// the lower level comes before the higher. The ring may reach beyond the beginning of a slot of theirs, whose
// entries must come down before the ring goes on.
timer_wheel::occasion timer_wheel::first() const noexcept {
    if (!moving_.empty()) return {moving_down, elapsed_};
    occasion soonest{far_away, no_tick};
    auto const here = static_cast<unsigned>(elapsed_ % levels::lowest);
    if (unsigned const ahead = occupied_[0].ahead_of(here); ahead != occupancy::none)
        soonest = {(here + ahead) % levels::lowest, elapsed_ + ahead};
    for (unsigned level = 1; level < levels::count; ++level) {
        unsigned const digit = occupied_[level].first();
        if (digit == occupancy::none) continue;
        tick const turn = elapsed_ >> levels::shift(level + 1) << levels::shift(level + 1);
        tick const begin = turn | tick{digit} << levels::shift(level);
        return begin <= soonest.when ? occasion{levels::first_slot(level) + digit, begin} : soonest;
    }
    if (far_.empty() || far_from_ == no_tick) return soonest;
    // Turns in which nobody's time comes are passed over.
    tick const turn = std::max(far_from_, elapsed_) & ~last_of_turn;
    return turn <= soonest.when ? occasion{far_away, turn} : soonest;
}

// At each level nobody is earlier than those in its first slot. Of a level that begins later than what was found
// nobody is looked at: there may be many.
tick timer_wheel::earliest() const noexcept {
    futex_guard const guard(lock_);
    tick found = no_tick;
    auto const look = [&found](list const& entries) {
        entries.for_each([&](timer_entry const& e) { found = std::min(found, e.when_); });
    };
    look(moving_);
    auto const here = static_cast<unsigned>(elapsed_ % levels::lowest);
    unsigned const ahead = occupied_[0].ahead_of(here);
    if (ahead != occupancy::none) look(slots_[(here + ahead) % levels::lowest]);
    for (unsigned level = 1; level < levels::count; ++level) {
        unsigned const digit = occupied_[level].first();
        if (digit == occupancy::none) continue;
        tick const turn = elapsed_ >> levels::shift(level + 1) << levels::shift(level + 1);
        if ((turn | tick{digit} << levels::shift(level)) >= found) return found;
        look(slots_[levels::first_slot(level) + digit]);
    }
    if ((elapsed_ | last_of_turn) < found) look(far_);
    return found;
}

bool timer_wheel::enter(timer_entry& entry, tick when, waker w) noexcept {
    entry.leave();
    futex_guard const guard(lock_);
    entry.wheel_ = this;
    entry.when_ = when;
    entry.keep(std::move(w));
    entry.state_.store(timer_entry::state::waiting, relaxed);  // only its owner looks, who calls this
    place(entry);
    ++size_;
    // Its slot may begin earlier, but need be looked at no earlier than that.
    tick const due = std::max(when, elapsed_);
    if (due >= next_.load(relaxed)) return false;
    // seq_cst: whoever is about to sleep until then sees it, or is seen sleeping
    next_.store(due, seq_cst);
    return true;
}

void timer_wheel::replace_waker(timer_entry& entry, waker w) noexcept {
    futex_guard const guard(entry.wheel_->lock_);
    if (entry.state_.load(relaxed) != timer_entry::state::waiting) return;
    waker old = entry.give();
    entry.keep(std::move(w));
    w = std::move(old);  // dropped by the caller, outside of the lock
}

namespace {

// What a task that has slept needs for its next poll is in nobody's cache: its cell, and the frame that the
// entry stands in, which is some hundred bytes. It comes while other entries fire.
[[gnu::always_inline]] inline void prefetch_task(void const* entry, void const* cell) noexcept {
    prefetch(entry, -128, 0);
    prefetch(entry, 64, 192);
    prefetch(cell, 0, 192);
}

}  // namespace

void timer_wheel::collect(haul& h, tick now) noexcept {
    constexpr std::size_t most_moves = 64;
    while (h.fired < h.room && h.moved < most_moves) {
        auto const [slot, when] = first();
        h.all = when > now || when == no_tick;
        if (h.all) {
            elapsed_ = std::max(elapsed_, now);
            return;
        }
        elapsed_ = std::max(elapsed_, when);
        list& entries = entries_of(slot);
        if (slot == moving_down) {
            for (; h.moved < most_moves && !moving_.empty(); ++h.moved) place(*moving_.pop_front());
        } else if (slot >= levels::lowest) {
            moving_.splice(entries);
            tidy(slot);
            if (slot == far_away) far_from_ = no_tick;
        } else {
            while (h.fired < h.room && !entries.empty()) {
                timer_entry& entry = *entries.pop_front();
                prefetch_task(&entry, entry.data_);
                h.wakers[h.fired++] = entry.give();
                --size_;
                // release: pairs with now(); the last touch
                entry.state_.store(timer_entry::state::fired, release);
            }
            tidy(slot);
        }
    }
}

std::size_t timer_wheel::advance(tick now, std::size_t most) noexcept {
    std::size_t fired = 0;
    for (bool over = most == 0; !over;) {
        haul h;
        h.room = std::min(h.wakers.size(), most - fired);
        {
            futex_guard const guard(lock_);
            collect(h, now);
            fired += h.fired;
            over = h.all || fired == most;
            if (over) next_.store(first().when, seq_cst);
        }
        for (std::size_t n = 0; n < h.fired; ++n) std::move(h.wakers[n]).wake();
    }
    return fired;
}

std::size_t timer_wheel::size() const noexcept {
    futex_guard const guard(lock_);
    return size_;
}

}  // namespace rouse::detail
