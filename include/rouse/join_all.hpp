// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_JOIN_ALL_HPP
#define ROUSE_JOIN_ALL_HPP

#include <exception>
#include <optional>
#include <rouse/detail/range_combinator.hpp>
#include <utility>
#include <vector>

namespace rouse {

namespace detail {

struct join_all_rule {
    static constexpr char const* polled_again = "a join_all was polled after it was ready";
    static constexpr char const* of_nothing = nullptr;  // is allowed

    template <class T>
    using output = std::vector<T>;

    template <class T>
    static bool decides(outcome<T> const&) noexcept {
        return false;
    }

    template <class Output, class Set, class Node>
    static Output result(Set& all, Node*) {
        detail::throw_first_error(all);
        Output values;
        values.reserve(all.size());
        all.for_each([&](auto& child) { values.push_back(std::move(child.end()).value()); });
        return values;
    }

    template <class Output, class Set, class Node>
    static std::optional<Output> released(Set& all, Node* failed) {
        detail::throw_first_error(all);
        if (detail::first_of(all, [](auto& end) { return end.is_stopped(); })) return std::nullopt;
        return join_all_rule::result<Output>(all, failed);
    }
};

struct try_join_all_rule : join_all_rule {
    static constexpr char const* polled_again = "a try_join_all was polled after it was ready";

    template <class T>
    static bool decides(outcome<T> const& end) noexcept {
        return end.has_error();
    }

    template <class Output, class Set, class Node>
    static Output result(Set& all, Node* failed) {
        if (failed) std::rethrow_exception(failed->end().error());
        return join_all_rule::result<Output>(all, failed);
    }

    template <class Output, class Set, class Node>
    static std::optional<Output> released(Set& all, Node* failed) {
        if (failed) std::rethrow_exception(failed->end().error());
        return join_all_rule::released<Output>(all, failed);
    }
};

}  // namespace detail

// `join` for any number of futures of one type, in anything that has begin and end.
//
//     std::vector<rouse::task<page>> downloads = ...;
//     std::vector<page> pages = co_await rouse::join_all(std::move(downloads));
//
// Completes with the values in the order of the range (std::monostate if the futures have none); that
// of an empty range is ready at once. The futures of a range that is moved in are moved in; those of
// a named range are taken by reference, and must live until the join is over. That goes by the range
// alone, also if it is a view: out of a std::span that is a temporary the futures are moved, although
// they are somebody else's; one with a name refers to them. Of the futures that are woken, each is
// polled once at most in a poll, and after a bounded number it asks for another turn.
// Everything else is as with join. Allocates one block for each future, recycled, and the vector;
// throws std::bad_alloc, in the call or, for the vector, as a result.
template <class Range>
auto join_all(Range&& futures) {
    return detail::combine_range<detail::join_all_rule>(std::forward<Range>(futures));
}

// The same, but the first failure decides, as with try_join.
template <class Range>
auto try_join_all(Range&& futures) {
    return detail::combine_range<detail::try_join_all_rule>(std::forward<Range>(futures));
}

}  // namespace rouse

#endif
