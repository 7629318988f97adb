// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_TIMER_WHEEL_HPP
#define ROUSE_DETAIL_TIMER_WHEEL_HPP

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/driver.hpp>
#include <rouse/detail/futex_mutex.hpp>
#include <rouse/detail/intrusive_list.hpp>
#include <rouse/detail/wheel_levels.hpp>
#include <rouse/waker.hpp>

namespace rouse::detail {

// Time in the wheels' unit, 65.536 microseconds, from the epoch of steady_clock. What is too far to be
// expressed is `no_tick`.
using tick = std::uint64_t;
inline constexpr tick no_tick = ~tick{0};
inline constexpr unsigned tick_bits = 16;  // a tick is 2^16 nanoseconds

// A deadline is rounded up and the present down: nothing fires early.
ROUSE_DECL tick deadline_tick(time_point deadline) noexcept;
ROUSE_DECL tick present_tick(time_point now) noexcept;
// The first moment whose present_tick is `t`; `no_tick` is time_point::max().
ROUSE_DECL time_point time_of(tick t) noexcept;

class timer_wheel;

// What waits in a wheel: used by its owner only, and by the wheel under its lock.
//
//   idle      in no wheel
//   waiting   in a wheel, which will fire it
//   fired     its tick has come
//   orphaned  its wheel has ended before; it may be entered into another one
//
// The wheel takes it from waiting to one of the last two, and does not touch it any more then.
//
// The waker stands in it as two words. They change while the entry is idle, or by its owner under the
// wheel's lock; so the owner may look at them at any time, and the wheel under its lock. Whoever takes the
// entry out of `waiting` has the waker; what the words say afterwards means nothing.
class ROUSE_DECL timer_entry : private list_hook {
public:
    enum class state : unsigned char { idle, waiting, fired, orphaned };

    timer_entry() noexcept = default;
    timer_entry(timer_entry const&) = delete;
    timer_entry& operator=(timer_entry const&) = delete;
    ~timer_entry() { leave(); }

    state now() const noexcept { return state_.load(acquire); }  // pairs with the wheel's store

    // True: that is the very waker that waits, if any does.
    bool has(waker const& w) const noexcept { return w.data() == data_ && w.vtable() == vtable_; }

    // It is idle afterwards, and nobody else touches it. True: it has left before it fired; its waker
    // is then moved to `waiting`, or dropped.
    bool leave(waker* waiting = nullptr) noexcept;

private:
    friend class timer_wheel;
    friend class intrusive_list<timer_entry>;

    void keep(waker w) noexcept {
        vtable_ = w.vtable();
        data_ = w.release();
    }
    waker give() const noexcept { return vtable_ ? waker(data_, *vtable_) : waker(); }

    timer_wheel* wheel_ = nullptr;  // where it was entered last
    void* data_ = nullptr;
    waker_vtable const* vtable_ = nullptr;
    // Under the wheel's lock:
    tick when_ = no_tick;
    std::uint16_t slot_ = 0;

    atomic<state> state_{state::idle};
};

// Deadlines in a hierarchy of slots (Varghese and Lauck, 1987, scheme 7). The lowest level is a ring of the
// next 1024 ticks. For the others take the ticks as numbers whose digits are of ten bits, the last, and of
// eight: an entry stands at the level of the highest digit in which its tick differs from the wheel's. When
// the wheel comes to that slot its entries move down, some at a time. What is less than 67 milliseconds away
// never does; what is further away does once, or twice where a multiple of 17 seconds lies between, or three
// times where one of 73 minutes does. Beyond the next multiple of 13 days is a list of its own.
//
// Entering and removing cost the same whatever the number of entries, allocate nothing, and may be
// done by any thread; removing is over when it returns. Wakers are woken, and their copies made and
// dropped, outside of the lock. Entries with the same tick fire in no order that may be relied on.
//
// `next` is published in the lock by whoever changes it, and only ever too early: a removal leaves it
// as it is.
class ROUSE_DECL timer_wheel {
public:
    explicit timer_wheel(tick now) noexcept;
    timer_wheel(timer_wheel const&) = delete;
    timer_wheel& operator=(timer_wheel const&) = delete;

    // What is left is orphaned, and its wakers woken. Owners of such entries may look for the wheel's
    // lock even then: see wheel_ptr, for those that other threads use.
    ~timer_wheel() { orphan_all(); }

    // Has the waker woken when the tick has come, unless the entry leaves before. Where it was, it
    // leaves first. True: there is something to do earlier than before.
    bool enter(timer_entry& entry, tick when, waker w) noexcept;

    // Another waker for an entry that has not fired.
    static void replace_waker(timer_entry& entry, waker w) noexcept;

    // Fires everything up to `now`, or `most` of it; then `next` is still due. What has to move down does, whatever
    // `most` is, since nothing fires before that. Returns how many have fired. A wake may enter and remove.
    static constexpr std::size_t all = ~std::size_t{0};
    std::size_t advance(tick now, std::size_t most = all) noexcept;

    // When there is something to do, or earlier; `no_tick`: not at all.
    tick next() const noexcept { return next_.load(seq_cst); }

    // The earliest tick of those that wait; `no_tick`: nobody does. As slow as slots are full.
    tick earliest() const noexcept;

    // What waits is orphaned, and its wakers woken; the wheel goes on. Others who do the same at that time wake some of
    // them.
    void orphan_all() noexcept;

    // In a child of fork: a thread of the parent's may have held the lock. Entries leave as ever, and nothing fires.
    void begin_in_child() noexcept;

    // How many wait.
    std::size_t size() const noexcept;

private:
    using levels = wheel_levels;
    static constexpr std::uint16_t far_away = levels::slots;
    static constexpr std::uint16_t moving_down = levels::slots + 1;
    using list = intrusive_list<timer_entry>;

    friend class timer_entry;

    friend class recycled_wheels;

    void begin(tick now) noexcept;
    void place(timer_entry& entry) noexcept;
    void unlink(timer_entry& entry) noexcept;
    void tidy(unsigned slot) noexcept;
    // Fires entries that are due, or moves some down, for as long as the lock may be held.
    struct haul {
        std::array<waker, 32> wakers;
        std::size_t room = 0;  // for so many
        std::size_t fired = 0;
        std::size_t moved = 0;
        bool all = false;  // nothing is due any more
    };
    void collect(haul& h, tick now) noexcept;
    // The first slot that is occupied, and the tick at which it begins.
    struct occasion {
        unsigned slot;
        tick when;
    };
    occasion first() const noexcept;
    list& entries_of(unsigned slot) noexcept;

    mutable futex_mutex lock_;
    atomic<tick> next_{no_tick};
    timer_wheel* next_retired_ = nullptr;
    // Under the lock:
    tick elapsed_;  // everything up to here has fired
    std::size_t size_ = 0;
    std::array<occupancy, levels::count> occupied_{};
    std::array<list, levels::slots> slots_;
    list far_;
    tick far_from_ = no_tick;  // nobody there is earlier
    list moving_;  // out of a slot that has begun; before anything else
    list orphans_;  // not yet woken
};

// A wheel of a runtime that may end while other threads have entries in it: when it ends, the wheel is
// orphaned and kept for the next runtime, and its memory is never given back. An entry that leaves at
// this moment finds a lock, and under it that it is orphaned.
struct ROUSE_DECL retire_wheel {
    void operator()(timer_wheel* wheel) const noexcept;
};
using wheel_ptr = std::unique_ptr<timer_wheel, retire_wheel>;
ROUSE_DECL wheel_ptr make_wheel(tick now);  // throws std::bad_alloc

}  // namespace rouse::detail

#endif
