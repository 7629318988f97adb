// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_JOIN_HPP
#define ROUSE_JOIN_HPP

#include <exception>
#include <optional>
#include <rouse/detail/combinator.hpp>
#include <tuple>
#include <utility>

namespace rouse {

namespace detail {

struct join_rule {
    static constexpr char const* polled_again = "a join was polled after it was ready";

    template <class... Child>
    using output = std::tuple<typename Child::value_type...>;

    static constexpr unsigned first(unsigned) noexcept { return 0; }

    template <class T>
    static bool decides(outcome<T> const&) noexcept {
        return false;
    }

    template <class Output, class Children>
    static Output result(Children& all, std::optional<unsigned>) {
        all.throw_first_error();
        return all.take_values();
    }

    template <class Output, class Children>
    static std::optional<Output> released(Children& all, std::optional<unsigned>) {
        all.throw_first_error();
        if (!all.all_have_values()) return std::nullopt;
        return all.take_values();
    }
};

struct try_join_rule : join_rule {
    static constexpr char const* polled_again = "a try_join was polled after it was ready";

    template <class T>
    static bool decides(outcome<T> const& end) noexcept {
        return end.has_error();
    }

    template <class Output, class Children>
    static Output result(Children& all, std::optional<unsigned> failed) {
        throw_error_of(all, failed);
        return join_rule::result<Output>(all, failed);
    }

    template <class Output, class Children>
    static std::optional<Output> released(Children& all, std::optional<unsigned> failed) {
        throw_error_of(all, failed);
        return join_rule::released<Output>(all, failed);
    }

private:
    template <class Children>
    static void throw_error_of(Children& all, std::optional<unsigned> failed) {
        if (!failed) return;
        all.visit(*failed, [](auto& one) -> bool { std::rethrow_exception(one.end().error()); });
    }
};

}  // namespace detail

// Polls all of them together, and waits for all.
//
//     auto [page, user] = co_await rouse::join(fetch(url), load_user(id));
//
// Completes when each future has completed, with the tuple of their values (std::monostate for one
// without value); if some have failed, it throws the exception of the first of these in the order of
// the arguments (one that says only that it was cancelled comes last), and the other values and exceptions are lost.
// `join()` is ready at once.
// A future is moved in, a named one is taken by reference and must live until the join is over.
// Aborted: all are told to let go, and waited for; if it turns out that all have completed, their
// values are kept. A join handle that is named is only not waited for any more.
// At most 64 futures; one thread at a time, like any future. Allocates one block for the wakers, from
// recycled memory, at its first poll.
template <class... X>
auto join(X&&... futures) {
    return detail::combinator<detail::join_rule, detail::held_t<X>...>(std::in_place,
                                                                       std::forward<X>(futures)...);
}

// The same, but the first failure decides: all others are told to let go, and when they have, its
// exception is thrown. (That one was cancelled as it was told, together with the others, is a failure when all have
// ended that may have heard of it, as with select.) What they had completed with is lost; those taken by reference live
// on.
template <class... X>
auto try_join(X&&... futures) {
    return detail::combinator<detail::try_join_rule, detail::held_t<X>...>(
        std::in_place, std::forward<X>(futures)...);
}

}  // namespace rouse

#endif
