// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_DETAIL_WHEEL_LEVELS_HPP
#define ROUSE_DETAIL_WHEEL_LEVELS_HPP

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace rouse::detail {

// The slots of all levels of a timer wheel, in a row: 1024 of a tick, and three levels of 256, where a slot
// of one level is as long as all of the level below.
struct wheel_levels {
    static constexpr unsigned count = 4;
    static constexpr unsigned lowest = 1024;
    static constexpr unsigned upper = 256;
    static constexpr std::uint16_t slots = lowest + (count - 1) * upper;

    static constexpr unsigned size(unsigned level) noexcept { return level == 0 ? lowest : upper; }
    static constexpr unsigned first_slot(unsigned level) noexcept {
        return level == 0 ? 0 : lowest + (level - 1) * upper;
    }
    // The bits of a tick below the digit that chooses the slot.
    static constexpr unsigned shift(unsigned level) noexcept {
        return level == 0 ? 0 : 10 + (level - 1) * 8;
    }
    static constexpr unsigned of(unsigned slot) noexcept {
        return slot < lowest ? 0 : 1 + (slot - lowest) / upper;
    }
};

// Which slots of a level have entries.
class occupancy {
public:
    void set(unsigned slot) noexcept { words_[slot / 64] |= std::uint64_t{1} << slot % 64; }
    void clear(unsigned slot) noexcept { words_[slot / 64] &= ~(std::uint64_t{1} << slot % 64); }

    static constexpr unsigned none = wheel_levels::lowest;
    unsigned first() const noexcept { return first_in(0); }

    // Of the lowest level, which is a ring: how far ahead of `slot` the first is.
    unsigned ahead_of(unsigned slot) const noexcept {
        unsigned const word = slot / 64;
        if (std::uint64_t const rest = words_[word] >> slot % 64; rest != 0)
            return static_cast<unsigned>(std::countr_zero(rest));
        unsigned found = first_in(word + 1);
        if (found == none) found = first_in(0);
        return found == none ? none : (found + none - slot) % none;
    }

private:
    unsigned first_in(unsigned word) const noexcept {
        for (; word < words_.size(); ++word) {
            if (words_[word] != 0)
                return word * 64 + static_cast<unsigned>(std::countr_zero(words_[word]));
        }
        return none;
    }

    std::array<std::uint64_t, wheel_levels::lowest / 64> words_{};
};

}  // namespace rouse::detail

#endif
