// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_SELECT_HPP
#define ROUSE_SELECT_HPP

#include <cstddef>
#include <exception>
#include <optional>
#include <rouse/detail/combinator.hpp>
#include <rouse/detail/random.hpp>
#include <tuple>
#include <utility>
#include <variant>

namespace rouse {

// What select gives: a std::variant with the value of the winner, at its index.
template <class... T>
class select_result : public std::variant<T...> {
public:
    using std::variant<T...>::variant;
    // The winner's value, after what is left of the others.
    template <std::size_t I, class Value>
    select_result(std::tuple<outcome<T>...> others, std::in_place_index_t<I> winner, Value&& value)
        : std::variant<T...>(winner, std::forward<Value>(value)), losers(std::move(others)) {}

    // What the others were told to let go with. One that had completed meanwhile has its value or its
    // exception here; one that was stopped, or lives on, has neither, nor has the winner.
    std::tuple<outcome<T>...> losers;
};

namespace detail {

struct select_rule {
    static constexpr char const* polled_again = "a select was polled after it was ready";

    template <class... Child>
    using output = select_result<typename Child::value_type...>;

    static unsigned first(unsigned n) noexcept { return random_below(n); }

    template <class T>
    static bool decides(outcome<T> const&) noexcept {
        return true;
    }

    template <class Output, class Children>
    static Output result(Children& all, std::optional<unsigned> decided) {
        return won<Output>(all, *decided, std::make_index_sequence<Children::count>());
    }

    // Had none decided before the abort, it is the first that turns out to have a value.
    template <class Output, class Children>
    static std::optional<Output> released(Children& all, std::optional<unsigned> decided) {
        if (!decided) decided = first_value(all);
        if (decided) return select_rule::result<Output>(all, decided);
        all.throw_first_error();
        return std::nullopt;
    }

protected:
    // One that says more than that it was cancelled, if there is one.
    template <class Children>
    static std::optional<unsigned> first_value(Children& all) {
        std::optional<unsigned> followed;
        for (unsigned n = 0; n < Children::count; ++n) {
            if (!all.visit(n, [](auto& one) { return one.end().has_value(); })) continue;
            if (!all.visit(n, [](auto& one) { return detail::says_cancelled(one.end()); })) return n;
            if (!followed) followed = n;
        }
        return followed;
    }

    // A function for each index, since the place in the variant is known at compile time only.
    template <class Output, class Children, std::size_t... I>
    static Output won(Children& all, unsigned winner, std::index_sequence<I...>) {
        using function = Output (*)(Children&);
        static constexpr function make[] = {+[](Children& c) {
            constexpr auto every = std::make_index_sequence<Children::count>();
            return Output(left<Output>(c, I, every), std::in_place_index<I>,
                          std::move(std::get<I>(c.all()).end()).value());
        }...};
        return make[winner](all);
    }

private:
    // Moved, never assigned: a value need not be assignable.
    template <class Output, class Children, std::size_t... I>
    static auto left(Children& all, unsigned winner, std::index_sequence<I...>) {
        return decltype(Output::losers)(left_of(std::get<I>(all.all()).end(), I == winner)...);
    }
    template <class T>
    static outcome<T> left_of(outcome<T>& end, bool has_won) {
        return has_won ? outcome<T>() : outcome<T>(std::move(end));
    }
};

struct select_biased_rule : select_rule {
    static constexpr unsigned first(unsigned) noexcept { return 0; }
};

struct race_rule : select_rule {
    static constexpr char const* polled_again = "a race was polled after it was ready";

    template <class T>
    static bool decides(outcome<T> const& end) noexcept {
        return end.has_value();
    }

    template <class Output, class Children>
    static Output result(Children& all, std::optional<unsigned> decided) {
        if (!decided) all.throw_first_error();
        return select_rule::result<Output>(all, decided);
    }

    // A failure is its result only if all have failed: one that was stopped might have won.
    template <class Output, class Children>
    static std::optional<Output> released(Children& all, std::optional<unsigned> decided) {
        if (!decided) decided = first_value(all);
        if (!decided && !all.all_have_failed()) return std::nullopt;
        return race_rule::result<Output>(all, decided);
    }
};

}  // namespace detail

// Waits for the first that completes, and lets the others go.
//
//     auto first = co_await rouse::select(read(sock), rouse::sleep_for(1s), stop.cancelled());
//     if (first.index() == 1) ...
//
// Completes when one of them has completed and the others have let go: with its value at its index
// (std::monostate if it has none), or throwing what it threw. If several are ready at once, chance
// decides which of them comes first, so that none is preferred for long.
// A future is moved in; the losers are told to let go and waited for, and what they had completed with
// nevertheless is in `losers` of the result (lost, if the winner threw). A named future is taken by
// reference, must live until the select is over, and lives on if it loses. But one that has followed a request to
// cancel while another gave a value, or that a race has seen fail, is over: its exception is in `losers`, and it must
// not be awaited again.
// Cancelled: so are they all, and each ends in its own way: one that throws no more than that it was cancelled wins only
// when all have ended that may have heard of it, and none has anything else to say. That is so for all but join handles,
// pending_future, names that are being resolved, and what is made of nothing else: beside a future that takes no notice,
// such as one that is shielded, it goes on until that ends.
// Aborted: all are told to let go; if one turns out to have completed, its value is kept, or if none
// has a value, its exception. Of several, one that says only that it was cancelled comes last.
// At most 64 futures; one thread at a time, like any future. Allocates one block for the wakers, from
// recycled memory, at its first poll.
template <class... X>
auto select(X&&... futures) {
    static_assert(sizeof...(X) != 0, "rouse: a select of nothing would wait for ever");
    return detail::combinator<detail::select_rule, detail::held_t<X>...>(
        std::in_place, std::forward<X>(futures)...);
}

// The same, but of several that are ready the first in the order of the arguments wins.
template <class... X>
auto select_biased(X&&... futures) {
    static_assert(sizeof...(X) != 0, "rouse: a select_biased of nothing would wait for ever");
    return detail::combinator<detail::select_biased_rule, detail::held_t<X>...>(
        std::in_place, std::forward<X>(futures)...);
}

// The first success: as select, but one that throws has only dropped out. If all have failed, it
// throws the exception of the first in the order of the arguments, as join does; the others are lost. Aborted, it
// throws only if all turn out to have failed: a failure among others that were stopped decides nothing,
// and is lost.
template <class... X>
auto race(X&&... futures) {
    static_assert(sizeof...(X) != 0, "rouse: a race of nothing has no winner");
    return detail::combinator<detail::race_rule, detail::held_t<X>...>(std::in_place,
                                                                       std::forward<X>(futures)...);
}

}  // namespace rouse

#endif
