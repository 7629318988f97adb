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
    bool polled = false;  // whoever polls it says so

protected:
    ~deeply_owned() = default;
};

// Destroys what was never polled with bounded recursion. The first hundred in one another die as the language has it,
// what is owned inside its owner's destructor; what lies deeper dies when the hundredth has, still before the outermost
// destruction returns. So what is that deep must not refer to what its owner holds, and few futures refer to anything
// before their first poll.
//
// What was polled may refer to all that is around it, and always dies where it is. So it is counted anew inside of it:
// a future that has not begun, and refers to the frame that it is a local variable of, is not deep there.
inline constexpr unsigned recursion_limit = 100;
ROUSE_DECL void deep_destroy(deeply_owned& object) noexcept;

// While it lives, this thread counts anew: for a frame that was polled, which others refer to; and for a program that
// a destructor runs.
class ROUSE_DECL fresh_destruction {
public:
    fresh_destruction() noexcept;
    fresh_destruction(fresh_destruction const&) = delete;
    fresh_destruction& operator=(fresh_destruction const&) = delete;
    ~fresh_destruction();

private:
    unsigned depth_;
};

}  // namespace rouse::detail

#endif
