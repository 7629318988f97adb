// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_DETAIL_CHILDREN_HPP
#define ROUSE_DETAIL_CHILDREN_HPP

#include <algorithm>
#include <cstddef>
#include <exception>
#include <rouse/detail/child.hpp>
#include <rouse/detail/child_wakers.hpp>
#include <rouse/error.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

namespace rouse::detail {

// The children of a combinator of fixed size. Those only are polled that were woken, but all of them
// at first and when the task's cancellation has changed.
template <class... Held>
class children {
public:
    static constexpr unsigned count = sizeof...(Held);
    static_assert(count <= child_wakers::most,
                  "rouse: a combinator takes 64 futures at most; join_all and select_all take ranges");

    template <class... X>
    explicit children(std::in_place_t, X&&... x)
        : all_(child<Held>(std::in_place, std::forward<X>(x))...) {
        if constexpr ((std::is_reference_v<Held> + ... + 0) > 1) refuse_one_twice();
    }

    // Polls, beginning with the child number `first`. `ended(end, index)` is called for each that
    // ends; true: that is enough, nobody else is polled. Returns true if it was enough, or if none
    // is running any more.
    template <class Ended>
    bool poll(context& cx, unsigned first, Ended ended) {
        if (running_ == 0) return true;
        auto const woken = wakers_.woken(cx, count);
        for (unsigned n = 0; n < count; ++n) {
            unsigned const index = first + n < count ? first + n : first + n - count;
            if (!(woken >> index & 1)) continue;
            bool const enough = visit(index, [&](auto& one) {
                if (!one.is_running()) return false;
                waker_ref const waker = wakers_.at(index);
                context mine(cx, waker.get());
                granted_one const grant(mine);
                mark(told_, index, mine);
                bool const over = one.poll(mine);
                mark(met_, index, mine);
                if (!over) return false;
                --running_;
                return ended(one.end(), index);
            });
            if (enough) return true;
        }
        if (running_ == 0) return true;
        wakers_.await(cx);
        return false;
    }

    // A request to cancel was there when it was polled, or had come when it had been.
    bool may_follow(unsigned index) const noexcept { return (told_ | met_) >> index & 1; }
    // One is running that has heard of a request, or will: of one that another has heard of, when nobody masks it.
    bool any_hears(context& cx) const noexcept {
        auto const told = cx.cancellation().any_stands() ? ~child_wakers::bits{0} : told_;
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return ((child<Held>::hears_requests && (told >> I & 1) && std::get<I>(all_).is_running()) || ...);
        }(std::index_sequence_for<Held...>{});
    }

    // False: nobody was polled, nor was there memory for it.
    bool begun() const noexcept { return !wakers_.unused(); }

    // Asks those that are running to let go. True: all have. Losers: another child has decided. Otherwise
    // the combinator was told to let go itself, for whatever reason.
    bool drain_losers(context& cx) {
        losing_mark const mark(cx, true);
        return drain(cx);
    }
    bool drain(context& cx) {
        if (running_ == 0) return true;
        // Before the first poll nobody has anything in flight, and no block is made for them.
        bool const unused = wakers_.unused();
        auto const woken = unused      ? ~child_wakers::bits{0}
                           : draining_ ? wakers_.woken(cx, count)
                                       : wakers_.all(cx, count);
        draining_ = true;
        for (unsigned index = 0; index < count; ++index) {
            if (!(woken >> index & 1)) continue;
            visit(index, [&](auto& one) {
                if (!one.is_running()) return false;
                if (unused) {
                    running_ -= one.cancel(cx);
                } else {
                    waker_ref const waker = wakers_.at(index);
                    context mine(cx, waker.get());
                    granted_one const grant(mine);  // clean-ups may wait for one another
                    running_ -= one.cancel(mine);
                }
                return false;
            });
        }
        if (running_ == 0) return true;
        if (!unused) wakers_.await(cx);
        return false;
    }

    // For those who look at all of them.
    std::tuple<child<Held>...>& all() noexcept { return all_; }

    // What `f` says of the child of that number.
    template <class F>
    bool visit(unsigned index, F f) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            bool result = false;
            (void)((index == I && (result = f(std::get<I>(all_)), true)) || ...);
            return result;
        }(std::index_sequence_for<Held...>{});
    }

    // Throws the first exception, in the order of the children, that says more than that it was cancelled; or else the
    // first, if there is one.
    void throw_first_error() {
        for (bool const news : {true, false})
            std::apply([news](auto&... one) { (throw_error(one.end(), news), ...); }, all_);
    }

    // True if each has a value.
    bool all_have_values() noexcept {
        return std::apply([](auto&... one) { return (one.end().has_value() && ...); }, all_);
    }

    bool all_have_failed() noexcept {
        return std::apply([](auto&... one) { return (one.end().has_error() && ...); }, all_);
    }

    auto take_values() {
        return std::apply(
            [](auto&... one) {
                return std::tuple<typename child<Held>::value_type...>(
                    std::move(one.end()).value()...);
            },
            all_);
    }

private:
    static void mark(child_wakers::bits& which, unsigned index, context& cx) noexcept {
        if (sees_a_request(cx)) which |= child_wakers::bits{1} << index;
    }

    // One cannot wait in two places: its first waker would be forgotten.
    void refuse_one_twice() const {
        std::apply(
            [](auto const&... one) {
                void const* const names[] = {one.name()...};
                for (unsigned n = 1; n < count; ++n) {
                    if (names[n] && std::find(names, names + n, names[n]) != names + n)
                        throw_misuse("a combinator was given one future twice, by name");
                }
            },
            all_);
    }
    template <class T>
    static void throw_error(outcome<T>& end, bool news) {
        if (end.has_error() && !(news && detail::says_cancelled(end))) std::rethrow_exception(end.error());
    }

    std::tuple<child<Held>...> all_;
    child_wakers wakers_;
    unsigned running_ = count;
    bool draining_ = false;
    child_wakers::bits told_ = 0;  // a request was there when it was polled
    child_wakers::bits met_ = 0;   // or had come when it had been polled; perhaps behind its back
};

}  // namespace rouse::detail

#endif
