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

protected:
    ~deeply_owned() = default;
};

// Destroys with bounded recursion. Up to `recursion_limit` levels everything dies in the order of
// the language: what is owned dies inside its owner's destructor. What lies deeper dies when the
// level at the limit is done, still before the outermost destruction returns.
// What was polled may refer to what is around it, whereas few futures do before: it has a higher limit. It was
// reached by a recursion, but not always by one as deep: a chain may have grown since.
inline constexpr unsigned recursion_limit = 100;
inline constexpr unsigned recursion_limit_of_polled = 1000;
ROUSE_DECL void deep_destroy(deeply_owned& object, unsigned limit = recursion_limit) noexcept;

}  // namespace rouse::detail

#endif
