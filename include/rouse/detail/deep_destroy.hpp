// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_DETAIL_DEEP_DESTROY_HPP
#define ROUSE_DETAIL_DEEP_DESTROY_HPP

#include <algorithm>
#include <rouse/config.hpp>

namespace rouse::detail {

// Something that may own another of its kind, which owns another, a million levels deep.
struct deeply_owned {
    using destroy_function = void (*)(deeply_owned*) noexcept;

    explicit deeply_owned(destroy_function d) noexcept : destroy(d) {}
    deeply_owned(deeply_owned const&) = delete;
    deeply_owned& operator=(deeply_owned const&) = delete;

    void was_polled(unsigned depth) noexcept {  // from 1: how many of them that poll went through
        polled = true;
        polled_at = std::max(polled_at, depth);
    }
    void was_moved() noexcept { polled_at = 0; }

    destroy_function destroy;
    deeply_owned* next_doomed = nullptr;
    unsigned polled_at = 0;  // 0: not where it stands now
    bool polled = false;

protected:
    ~deeply_owned() = default;
};

// Destroys with bounded recursion: what is too deep for the order of the language, in which what is owned dies inside
// its owner's destructor, dies when the level at the limit is done, still before the outermost destruction returns.
// What is too deep, that depends on what it may refer to:
//
//   never polled              more than 100 of these in one another. Few futures refer to anything before.
//   polled where it stands    more than 30 levels deeper than the poll was. Whatever is around it was polled, too, and
//                             it may refer to all of that; but a recursion as deep was possible then.
//   polled, and moved since   more than 30 of these in one another. It does not refer to where it is now. A chain
//                             that grows from poll to poll consists of them, and no recursion was as deep.
inline constexpr unsigned recursion_limit = 100;
inline constexpr unsigned recursion_limit_of_polled = 30;
ROUSE_DECL void deep_destroy(deeply_owned& object) noexcept;

}  // namespace rouse::detail

#endif
