// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_DETAIL_OWN_CANCELLATION_HPP
#define ROUSE_DETAIL_OWN_CANCELLATION_HPP

#include <rouse/context.hpp>
#include <utility>

namespace rouse::detail {

// While it lives, whoever is polled sees another cancellation state than the task's: for the poll of a
// future that has one of its own.
class own_cancellation {
public:
    own_cancellation(context& cx, cancellation_state& mine) noexcept
        : cx_(cx), mine_(mine), before_(std::exchange(cx.root().cancellation, &mine)) {}
    own_cancellation(own_cancellation const&) = delete;
    own_cancellation& operator=(own_cancellation const&) = delete;
    ~own_cancellation() {
        cx_.root().cancellation = before_;
        if (mine_.take_unmasked()) cx_.yield();
    }

private:
    context& cx_;
    cancellation_state& mine_;
    cancellation_state* before_;
};

}  // namespace rouse::detail

#endif
