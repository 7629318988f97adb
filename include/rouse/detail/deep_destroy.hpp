// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_DETAIL_DEEP_DESTROY_HPP
#define ROUSE_DETAIL_DEEP_DESTROY_HPP

#include <rouse/config.hpp>

namespace rouse::detail {

// Something that may own another of its kind, which owns another, a million levels deep.
struct deeply_owned {
    using destroy_function = void (*)(deeply_owned*) noexcept;

    explicit deeply_owned(destroy_function d) noexcept : destroy(d) {}
    deeply_owned(deeply_owned const&) = delete;
    deeply_owned& operator=(deeply_owned const&) = delete;

    destroy_function destroy;
    deeply_owned* next_doomed = nullptr;
    unsigned polled_at = 0;  // how many of them its last poll went through, with this one; 0: there was none

protected:
    ~deeply_owned() = default;
};

// Destroys with bounded recursion: what is too deep for the order of the language, in which what is owned dies inside
// its owner's destructor, dies when the level at the limit is done, still before the outermost destruction returns.
// What is too deep, that depends on what it may refer to:
//
//   never polled   more than 100 of these in one another. Few futures refer to anything before; but to a frame that
//                  they are local variables of, so it is counted from the nearest owner that was polled.
//   polled         where it was polled no deeper than its owner was, the 31st time that this is so. Then no poll went
//                  from that to it, and it has come there afterwards; so it does not refer to anything there. A
//                  chain that grows from poll to poll consists of these. Otherwise it may refer to all that is around
//                  it, and is never too deep: the poll came to it by a recursion that was as deep.
inline constexpr unsigned recursion_limit = 100;
inline constexpr unsigned recursion_limit_of_polled = 30;
ROUSE_DECL void deep_destroy(deeply_owned& object) noexcept;

// Where this thread is in all that. While it lives something begins anew: frames that were polled, which may be what
// others refer to; or everything, where a destructor runs a program of its own.
class ROUSE_DECL fresh_destruction {
public:
    enum class what : bool { never_polled, everything };

    explicit fresh_destruction(what) noexcept;
    fresh_destruction(fresh_destruction const&) = delete;
    fresh_destruction& operator=(fresh_destruction const&) = delete;
    ~fresh_destruction();

private:
    unsigned never_polled_, polled_at_, breaks_;
};

}  // namespace rouse::detail

#endif
