// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_DETAIL_COMBINATOR_HPP
#define ROUSE_DETAIL_COMBINATOR_HPP

#include <new>
#include <optional>
#include <rouse/detail/children.hpp>
#include <rouse/future.hpp>
#include <utility>

namespace rouse::detail {

// What join, select and their kin have in common. It goes through three states:
//
//   polling    until a child decides (Rule::decides, and see decision), or all have ended
//   draining   those that are still running are asked to let go
//   over       the result is Rule::result of the children and of the one that has decided
//
// An abort goes to the second state at once; the result is then Rule::released, which may be
// nothing.
template <class Rule, class... Held>
class [[nodiscard]] combinator {
    using children_type = children<Held...>;

public:
    using output = typename Rule::template output<child<Held>...>;
    static constexpr bool hears_requests = (child<Held>::hears_requests || ...);

    template <class... X>
    explicit combinator(std::in_place_t, X&&... x)
        : children_(std::in_place, std::forward<X>(x)...) {}

    poll_result<output> poll(context& cx) {
        if (state_ == state::over) throw_misuse(Rule::polled_again);
        if (state_ == state::polling) {
            if (!begun_) {
                first_ = Rule::first(children_type::count);
                begun_ = true;
                if (!cx.spend()) return pending;
            }
            if (!enough(cx)) return pending;
            which_.close();
            state_ = state::draining;
        }
        if (!children_.drain_losers(cx)) return pending;
        state_ = state::over;
        if (no_memory_) throw std::bad_alloc();
        return Rule::template result<output>(children_, which_.decided);
    }

    cancel_result<output> poll_cancel(context& cx) {
        if (state_ == state::over) return std::optional<output>();
        state_ = state::draining;
        if (!children_.drain(cx)) return pending;
        state_ = state::over;
        return Rule::template released<output>(children_, which_.decided);
    }

private:
    enum class state : unsigned char { polling, draining, over };

    bool enough(context& cx) {
        try {
            bool const decided = children_.poll(cx, first_, [&](auto& end, unsigned index) {
                return Rule::decides(end) && which_.take(index, end, children_.may_follow(index));
            });
            return decided || (which_.followed && !children_.any_hears(cx));
        } catch (std::bad_alloc const&) {
            if (children_.begun()) throw;
            // Nobody was polled, but the task of a join handle runs already: that is waited for.
            no_memory_ = true;
            return true;
        }
    }

    children_type children_;
    decision<std::optional<unsigned>> which_;
    unsigned first_ = 0;
    bool begun_ = false;
    bool no_memory_ = false;
    state state_ = state::polling;
};

}  // namespace rouse::detail

#endif
