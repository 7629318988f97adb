// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_FUTURES_UNORDERED_HPP
#define ROUSE_FUTURES_UNORDERED_HPP

#include <cstddef>
#include <optional>
#include <rouse/detail/child_set.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

// A set of futures that run together, and give their values in the order in which they complete.
//
//     rouse::futures_unordered<rouse::task<page>> downloads;
//     for (auto const& url : urls) downloads.push(fetch(url));
//     while (auto page = co_await downloads.next()) show(*page);
//
// It polls those futures only that were woken, each once at most in a poll, and asks for another turn
// after a bounded number of them. They run while somebody awaits `next`, and not otherwise.
// One thread at a time. It may be moved at any time, between awaits. Destroyed, it drops its futures
// as they are. One allocation for each future, recycled.
template <future F>
class futures_unordered {
    using set_type = detail::child_set<F>;

public:
    using value_type = detail::regular<output_t<F>>;

    futures_unordered() noexcept {}

    // Adds a future, which the next poll of `next` polls for the first time. Throws std::bad_alloc,
    // and what moving the future throws; the set is unchanged then.
    template <awaitable_value X>
    void push(X&& x) {
        static_assert(std::is_same_v<into_future_t<X>, F>,
                      "rouse: a futures_unordered<F> takes futures of the type F");
        static_assert(std::is_constructible_v<std::remove_cvref_t<X>, X>,
                      "rouse: what is pushed is moved into the set: pass it by value or with "
                      "std::move");
        set_.enter(std::forward<X>(x));
    }

    // How many futures are in the set.
    std::size_t size() const noexcept { return set_.size(); }
    bool empty() const noexcept { return size() == 0; }

    // What `next` returns: a view of the set, which must outlive it.
    class [[nodiscard]] next_future {
    public:
        using output = std::optional<value_type>;
        static constexpr bool hears_requests = set_type::node::hears_requests;

        explicit next_future(futures_unordered& all) noexcept : set_(&all.set_) {}

        poll_result<output> poll(context& cx) {
            polled_ = true;
            if (!cx.can_spend()) return pending;
            // After an abort that nobody has waited for.
            if (set_->is_draining()) {
                if (!emptied(cx)) return pending;
                cx.charge();
                return output(std::nullopt);
            }
            typename set_type::node* ended = nullptr;
            bool const enough = set_->poll(cx, [&](auto& child) {
                ended = &child;
                return true;
            });
            if (!enough) return pending;
            cx.charge();  // also where all are ready, others have their turn
            if (ended) return output(take(*ended));
            return output(std::nullopt);
        }

        cancel_result<output> poll_cancel(context& cx) {
            if (!polled_ || cx.root().losing) return std::optional<output>();
            if (!set_->drain(cx)) return pending;
            set_type all = std::exchange(*set_, set_type());
            typename set_type::node* first = nullptr;
            all.for_each([&](auto& child) {
                bool const better = !first || (first->end().has_error() && child.end().has_value());
                if (!child.end().is_stopped() && better) first = &child;
            });
            if (!first) return std::optional<output>();
            return std::optional<output>(output(std::move(first->end()).value()));
        }

    private:
        bool emptied(context& cx) {
            if (!set_->drain(cx)) return false;
            set_type const all = std::exchange(*set_, set_type());
            return true;
        }

        // Its node goes, also if the value is an exception, or throws as it is moved.
        value_type take(typename set_type::node& ended) {
            struct guard {
                set_type& set;
                typename set_type::node& doomed;
                ~guard() { set.remove(doomed); }
            } const remove_afterwards{*set_, ended};
            return std::move(ended.end()).value();
        }

        set_type* set_;
        bool polled_ = false;
    };

    // The next value, in the order of completion (std::monostate if the futures have none); nothing if
    // the set is empty. Throws what the future has thrown that has completed; the others are still in
    // the set. If it loses a select, or runs into a time limit, nothing is lost: the futures go on with
    // the next call; but if a coroutine loses that awaits it, that is aborted, and so is this. Aborted: all futures of
    // the set are told to let go, and waited for, and the set is empty then; of several values that are there after all
    // it gives one. If nobody waits for the end of that, the following call does, and what was pushed in between goes
    // with the others.
    next_future next() noexcept { return next_future(*this); }

private:
    set_type set_;
};

}  // namespace rouse

#endif
