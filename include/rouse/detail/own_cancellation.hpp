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

// For a future with a state of its own: what was requested of whoever is outside, and is to be passed on.
// Each request is once, even if it was cleared inside since; but with it come again the types of those before that
// still stand outside.
class outer_requests {
public:
    cancellation_type look(cancellation_state const& outside) noexcept {
        // The epoch alone first: hardly ever is there more.
        if (outside.epoch() == last_.epoch) return cancellation_type::none;
        auto const now = outside.look();
        // A new one, perhaps of the same type, or whoever polls now has had others.
        if (now.requests != last_.requests || !now.is_of_the_same(last_)) passed_ = cancellation_type::none;
        last_ = now;
        auto const fresh = now.requested & ~passed_;
        passed_ = passed_ | fresh;
        return fresh;
    }

private:
    cancellation_state::snapshot last_;
    cancellation_type passed_ = cancellation_type::none;
};

}  // namespace rouse::detail

#endif
