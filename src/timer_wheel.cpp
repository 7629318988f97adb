// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <algorithm>
#include <bit>
#include <rouse/detail/timer_wheel.hpp>
#include <utility>

namespace rouse::detail {

namespace {

using std::chrono::nanoseconds;

constexpr std::uint64_t since_epoch(time_point t) noexcept {
    auto const ns = std::chrono::duration_cast<nanoseconds>(t.time_since_epoch()).count();
    return ns < 0 ? 0 : static_cast<std::uint64_t>(ns);
}

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
            old = std::move(waker_);
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
}

void timer_wheel::orphan_all() noexcept {
    auto const orphan = [this](list& entries, unsigned slot) {
        for (;;) {
            waker alone;
            {
                futex_guard const guard(lock_);
                timer_entry* const entry = entries.pop_front();
                if (!entry) return;
                tidy(slot);
                --size_;
                alone = std::move(entry->waker_);
                // release: pairs with now(); the last touch
                entry->state_.store(timer_entry::state::orphaned, release);
            }
            std::move(alone).wake();
        }
    };
    if (size() != 0) {
        for (unsigned slot = 0; slot < far_away; ++slot) orphan(slots_[slot], slot);
        orphan(far_, far_away);
    }
    next_.store(no_tick, seq_cst);
}

timer_wheel::list& timer_wheel::entries_of(unsigned slot) noexcept {
    return slot == far_away ? far_ : slots_[slot];
}

// By the highest digit in which it differs from the wheel's tick. What is due stands in the slot of
// the wheel's own tick, the next to fire.
void timer_wheel::place(timer_entry& entry) noexcept {
    tick const when = std::max(entry.when_, elapsed_);
    tick const differs = when ^ elapsed_;
    unsigned const level =
        differs == 0 ? 0 : (static_cast<unsigned>(std::bit_width(differs)) - 1) / level_bits;
    if (level >= levels) {
        entry.slot_ = far_away;
    } else {
        auto const digit = static_cast<unsigned>(when >> (level * level_bits)) % slots_per_level;
        entry.slot_ = static_cast<std::uint16_t>(level * slots_per_level + digit);
        occupied_[level].set(digit);
    }
    entries_of(entry.slot_).push_back(entry);
}

// After something was taken out of the slot.
void timer_wheel::tidy(unsigned slot) noexcept {
    if (slot == far_away || !slots_[slot].empty()) return;
    occupied_[slot / slots_per_level].clear(slot % slots_per_level);
}

void timer_wheel::unlink(timer_entry& entry) noexcept {
    list::erase(entry);
    tidy(entry.slot_);
    --size_;
}

// At each level all entries are ahead of the wheel's digit, and the lowest level comes first.
timer_wheel::occasion timer_wheel::first() const noexcept {
    for (unsigned level = 0; level < levels; ++level) {
        unsigned const digit = occupied_[level].first();
        if (digit == occupancy::none) continue;
        unsigned const shift = level * level_bits;
        tick const turn = elapsed_ >> (shift + level_bits) << (shift + level_bits);
        return {level * slots_per_level + digit, turn | tick{digit} << shift};
    }
    constexpr tick last_of_turn = (tick{1} << (levels * level_bits)) - 1;
    return {far_away, far_.empty() ? no_tick : (elapsed_ | last_of_turn) + 1};
}

tick timer_wheel::earliest() const noexcept {
    futex_guard const guard(lock_);
    unsigned const slot = first().slot;
    tick found = no_tick;
    auto& entries = const_cast<timer_wheel*>(this)->entries_of(slot);
    entries.for_each([&](timer_entry const& e) { found = std::min(found, e.when_); });
    return found;
}

bool timer_wheel::enter(timer_entry& entry, tick when, waker w) noexcept {
    entry.leave();
    futex_guard const guard(lock_);
    entry.wheel_ = this;
    entry.when_ = when;
    entry.waker_.swap(w);  // an entry that is in no wheel has none
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
    if (entry.state_.load(relaxed) == timer_entry::state::waiting) entry.waker_.swap(w);
}

timer_wheel::done timer_wheel::step(tick now, waker& fired) noexcept {
    auto const [slot, when] = first();
    if (when > now || when == no_tick) return done::all;
    elapsed_ = std::max(elapsed_, when);
    list& entries = entries_of(slot);
    if (slot < slots_per_level) {
        timer_entry& entry = *entries.pop_front();
        tidy(slot);
        --size_;
        fired = std::move(entry.waker_);
        // release: pairs with now(); the last touch
        entry.state_.store(timer_entry::state::fired, release);
        return done::fired;
    }
    list moving;
    while (timer_entry* entry = entries.pop_front()) moving.push_back(*entry);
    tidy(slot);
    while (timer_entry* entry = moving.pop_front()) place(*entry);
    return done::moved;
}

std::size_t timer_wheel::advance(tick now, std::size_t most) noexcept {
    std::size_t fired = 0;
    for (auto last = done::moved; last != done::all;) {
        std::array<waker, 32> batch;
        std::size_t taken = 0;
        {
            futex_guard const guard(lock_);
            while (taken < batch.size() && last != done::all) {
                last = step(now, batch[taken]);
                if (last == done::fired) ++taken;
            }
            fired += taken;
            if (last == done::all) elapsed_ = std::max(elapsed_, now);
            if (last == done::all || fired >= most) next_.store(first().when, seq_cst);
        }
        // Tasks that have slept are in nobody's cache: they come while the first are woken.
        for (std::size_t n = 0; n < taken; ++n) __builtin_prefetch(batch[n].data(), 1);
        for (std::size_t n = 0; n < taken; ++n) std::move(batch[n]).wake();
        if (fired >= most) break;
    }
    return fired;
}

std::size_t timer_wheel::size() const noexcept {
    futex_guard const guard(lock_);
    return size_;
}

// Those that wait for another runtime.
class recycled_wheels {
public:
    void put(timer_wheel& wheel) noexcept {
        wheel.orphan_all();
        lock_guard const guard(lock_);
        wheel.next_retired_ = std::exchange(first_, &wheel);
    }
    timer_wheel* take(tick now) noexcept {
        timer_wheel* wheel = nullptr;
        {
            lock_guard const guard(lock_);
            if (!first_) return nullptr;
            wheel = std::exchange(first_, first_->next_retired_);
        }
        wheel->begin(now);
        return wheel;
    }

private:
    mutex lock_;
    timer_wheel* first_ = nullptr;
};

namespace {
recycled_wheels retired;
}

void retire_wheel::operator()(timer_wheel* wheel) const noexcept { retired.put(*wheel); }

wheel_ptr make_wheel(tick now) {
    if (timer_wheel* const again = retired.take(now)) return wheel_ptr(again);
    return wheel_ptr(new timer_wheel(now));
}

}  // namespace rouse::detail
