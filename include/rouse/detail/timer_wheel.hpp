// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_TIMER_WHEEL_HPP
#define ROUSE_DETAIL_TIMER_WHEEL_HPP

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/driver.hpp>
#include <rouse/detail/futex_mutex.hpp>
#include <rouse/detail/intrusive_list.hpp>
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

// Which slots of a level of a wheel have entries.
class occupancy {
public:
    void set(unsigned slot) noexcept { words_[slot / 64] |= std::uint64_t{1} << slot % 64; }
    void clear(unsigned slot) noexcept { words_[slot / 64] &= ~(std::uint64_t{1} << slot % 64); }
    static constexpr unsigned none = 256;
    unsigned first() const noexcept {
        for (unsigned n = 0; n < words_.size(); ++n) {
            if (words_[n] != 0) return n * 64 + static_cast<unsigned>(std::countr_zero(words_[n]));
        }
        return none;
    }

private:
    std::array<std::uint64_t, 4> words_{};
};

class timer_wheel;

// What waits in a wheel: used by its owner only, and by the wheel under its lock.
//
//   idle      in no wheel
//   waiting   in a wheel, which will fire it
//   fired     its tick has come
//   orphaned  its wheel has ended before; it may be entered into another one
//
// The wheel takes it from waiting to one of the last two, and does not touch it any more then.
class ROUSE_DECL timer_entry : private list_hook {
public:
    enum class state : unsigned char { idle, waiting, fired, orphaned };

    timer_entry() noexcept = default;
    timer_entry(timer_entry const&) = delete;
    timer_entry& operator=(timer_entry const&) = delete;
    ~timer_entry() { leave(); }

    state now() const noexcept { return state_.load(acquire); }  // pairs with the wheel's store

    // It is idle afterwards, and nobody else touches it. True: it has left before it fired; its waker
    // is then moved to `waiting`, or dropped.
    bool leave(waker* waiting = nullptr) noexcept;

private:
    friend class timer_wheel;
    friend class intrusive_list<timer_entry>;

    timer_wheel* wheel_ = nullptr;  // where it was entered last
    atomic<state> state_{state::idle};
    // Under the wheel's lock:
    std::uint16_t slot_ = 0;
    tick when_ = no_tick;
    waker waker_;
};

// Deadlines in a hierarchy of slots: four levels of 256 slots, where a slot of one level is as long as
// all of the level below (Varghese and Lauck, 1987, scheme 7). An entry stands at the level of the
// highest digit, to the base 256, in which its tick differs from the wheel's; when the wheel comes to
// that slot, its entries move down: what is less than 17 milliseconds away never does, what is less than
// four seconds away does once. What is more than three days away stands in a list of its own.
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

    // Fires everything up to `now`, but not many more than `most`; then `next` is still due. Returns how
    // many that were. A wake may enter and remove.
    static constexpr std::size_t all = ~std::size_t{0};
    std::size_t advance(tick now, std::size_t most = all) noexcept;

    // When there is something to do, or earlier; `no_tick`: not at all.
    tick next() const noexcept { return next_.load(seq_cst); }

    // The earliest tick of those that wait; `no_tick`: nobody does. As slow as a slot is full.
    tick earliest() const noexcept;

    // How many wait.
    std::size_t size() const noexcept;

private:
    static constexpr unsigned level_bits = 8;
    static constexpr unsigned levels = 4;
    static constexpr unsigned slots_per_level = 1U << level_bits;
    static constexpr std::uint16_t far_away = levels * slots_per_level;
    using list = intrusive_list<timer_entry>;

    friend class timer_entry;

    friend class recycled_wheels;

    void begin(tick now) noexcept;
    void orphan_all() noexcept;
    void place(timer_entry& entry) noexcept;
    void unlink(timer_entry& entry) noexcept;
    void tidy(unsigned slot) noexcept;
    // Fires one entry, or moves those of a slot down.
    enum class done { fired, moved, all };
    done step(tick now, waker& fired) noexcept;
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
    std::array<occupancy, levels> occupied_{};
    std::array<list, levels * slots_per_level> slots_;
    list far_;
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
