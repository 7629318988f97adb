// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_DETAIL_RANGE_COMBINATOR_HPP
#define ROUSE_DETAIL_RANGE_COMBINATOR_HPP

#include <iterator>
#include <optional>
#include <rouse/detail/child_set.hpp>
#include <rouse/future.hpp>
#include <type_traits>
#include <utility>

namespace rouse::detail {

// How an element of a range is handed on: that of a named range by reference, everything else is
// moved.
template <class Range>
using dereferenced_t = decltype(*std::begin(std::declval<Range&>()));
template <class Range>
using element_t =
    std::conditional_t<std::is_lvalue_reference_v<Range> &&
                           std::is_lvalue_reference_v<dereferenced_t<Range>>,
                       dereferenced_t<Range>, std::remove_reference_t<dereferenced_t<Range>>&&>;

template <class Range>
concept range_of_futures = requires(Range& r) {
    std::begin(r) != std::end(r);
    requires awaitable_value<element_t<Range>>;
};

// What the combinators over ranges have in common: the three states are those of combinator.
template <class Rule, class Held>
class [[nodiscard]] range_combinator {
    using set_type = child_set<Held>;

public:
    using node = typename set_type::node;
    using output = typename Rule::template output<typename node::value_type>;
    static constexpr bool hears_requests = node::hears_requests;

    template <class Range>
    explicit range_combinator(std::in_place_t, Range&& range) {
        for (auto&& x : range) set_.enter(static_cast<element_t<Range>>(x));
        if (set_.size() == 0 && Rule::of_nothing) throw_misuse(Rule::of_nothing);
    }

    poll_result<output> poll(context& cx) {
        if (state_ == state::over) throw_misuse(Rule::polled_again);
        if (state_ == state::polling) {
            if (!std::exchange(begun_, true) && !cx.spend()) return pending;
            bool const enough = set_.poll(cx, [&](node& child) {
                return Rule::decides(child.end()) && which_.take(&child, child.end(), child.may_follow());
            });
            if (!enough && !(which_.followed && !set_.any_hears(cx))) return pending;
            which_.close();
            state_ = state::draining;
        }
        if (!set_.drain_losers(cx)) return pending;
        state_ = state::over;
        return Rule::template result<output>(set_, which_.decided);
    }

    cancel_result<output> poll_cancel(context& cx) {
        if (state_ == state::over) return std::optional<output>();
        state_ = state::draining;
        if (!set_.drain(cx)) return pending;
        state_ = state::over;
        return Rule::template released<output>(set_, which_.decided);
    }

private:
    enum class state : unsigned char { polling, draining, over };

    set_type set_;
    decision<node*> which_;
    bool begun_ = false;
    state state_ = state::polling;
};

template <class Rule, class Range>
auto combine_range(Range&& range) {
    static_assert(range_of_futures<Range>,
                  "rouse: a combinator over a range takes futures of one type in anything that has "
                  "begin and end");
    return range_combinator<Rule, held_t<element_t<Range>>>(std::in_place,
                                                            std::forward<Range>(range));
}

// The first child, in the order of the range, of which that is true; null if there is none.
template <class Set, class Predicate>
auto* first_of(Set& set, Predicate holds) {
    typename Set::node* found = nullptr;
    set.for_each([&](auto& child) {
        if (!found && holds(child.end())) found = &child;
    });
    return found;
}

// As with `children`: the first exception that says more than that it was cancelled, or else the first.
template <class Set>
void throw_first_error(Set& set) {
    auto* failed = detail::first_of(set, [](auto& end) { return end.has_error() && !detail::says_cancelled(end); });
    if (!failed) failed = detail::first_of(set, [](auto& end) { return end.has_error(); });
    if (failed) std::rethrow_exception(failed->end().error());
}

}  // namespace rouse::detail

#endif
