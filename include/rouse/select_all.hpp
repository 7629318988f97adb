// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_SELECT_ALL_HPP
#define ROUSE_SELECT_ALL_HPP

#include <cstddef>
#include <optional>
#include <rouse/detail/range_combinator.hpp>
#include <utility>
#include <vector>

namespace rouse {

// What select_all gives: the winner's place in the range, and its value.
template <class T>
struct select_all_result {
    std::size_t index;
    T value;

    // What others had completed with when they were told to let go, in the order of the range.
    struct loser {
        std::size_t index;
        outcome<T> end;
    };
    std::vector<loser> losers;
};

namespace detail {

struct select_all_rule {
    static constexpr char const* polled_again = "a select_all was polled after it was ready";
    static constexpr char const* of_nothing = "a select_all of nothing would wait for ever";

    template <class T>
    using output = select_all_result<T>;

    template <class T>
    static bool decides(outcome<T> const&) noexcept {
        return true;
    }

    template <class Output, class Set, class Node>
    static Output result(Set& all, Node* decided) {
        Output result{decided->index, std::move(decided->end()).value(), {}};
        all.for_each([&](auto& child) {
            if (&child != decided && !child.end().is_stopped())
                result.losers.push_back({child.index, std::move(child.end())});
        });
        return result;
    }

    // Had none decided before the abort, it is the first that turns out to have a value.
    template <class Output, class Set, class Node>
    static std::optional<Output> released(Set& all, Node* decided) {
        if (!decided) decided = first_value(all);
        if (decided) return select_all_rule::result<Output>(all, decided);
        detail::throw_first_error(all);
        return std::nullopt;
    }

protected:
    template <class Set>
    static auto* first_value(Set& all) {
        auto* const first = detail::first_of(
            all, [](auto& end) { return end.has_value() && !detail::says_cancelled(end); });
        return first ? first : detail::first_of(all, [](auto& end) { return end.has_value(); });
    }
};

struct race_all_rule : select_all_rule {
    static constexpr char const* polled_again = "a race_all was polled after it was ready";
    static constexpr char const* of_nothing = "a race_all of nothing has no winner";

    template <class T>
    static bool decides(outcome<T> const& end) noexcept {
        return end.has_value();
    }

    template <class Output, class Set, class Node>
    static Output result(Set& all, Node* decided) {
        if (!decided) detail::throw_first_error(all);
        return select_all_rule::result<Output>(all, decided);
    }

    // A failure is its result only if all have failed: one that was stopped might have won.
    template <class Output, class Set, class Node>
    static std::optional<Output> released(Set& all, Node* decided) {
        if (!decided) decided = first_value(all);
        if (!decided && detail::first_of(all, [](auto& end) { return end.is_stopped(); }))
            return std::nullopt;
        return race_all_rule::result<Output>(all, decided);
    }
};

}  // namespace detail

// `select` for any number of futures of one type, in anything that has begin and end.
//
// Completes when one of them has completed and the others have let go: with its index in the range
// and its value (std::monostate if it has none), or throwing what it threw. Of those that are woken
// the one that was woken first is polled first, and at the beginning they are polled in the order of
// the range. The futures of a range that is moved in are moved in; those of a named range are taken by
// reference, must live until the select is over, and live on if they lose. An empty range throws
// std::logic_error. Everything else is as with select. Allocates one block for each future, recycled;
// throws std::bad_alloc in the call, and as a result if there is no memory for the list of losers.
template <class Range>
auto select_all(Range&& futures) {
    return detail::combine_range<detail::select_all_rule>(std::forward<Range>(futures));
}

// The first success, as with race.
template <class Range>
auto race_all(Range&& futures) {
    return detail::combine_range<detail::race_all_rule>(std::forward<Range>(futures));
}

}  // namespace rouse

#endif
