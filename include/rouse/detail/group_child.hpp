// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_DETAIL_GROUP_CHILD_HPP
#define ROUSE_DETAIL_GROUP_CHILD_HPP

#include <exception>
#include <optional>
#include <rouse/detail/fatal.hpp>
#include <rouse/detail/group_state.hpp>
#include <rouse/detail/inbox.hpp>
#include <rouse/detail/spawner.hpp>
#include <rouse/into_future.hpp>
#include <rouse/spawnable.hpp>
#include <rouse/unhandled.hpp>
#include <rouse/with_cancellation.hpp>
#include <source_location>
#include <type_traits>
#include <utility>

namespace rouse::detail {

// A task of a group: its future, and the group that hears of its end, whatever that is. Before the group hears,
// the future is destroyed, and what may still come to the task is, and an exception that is for the executor is
// reported: of all this nothing is left when the group is over.
// One that is destroyed before its end is a loss that the group reports, as a join handle does; so whoever fails
// to start one says so before it destroys it, see erased() and group_state::excuse().
template <future F, class Group>
class [[nodiscard]] group_child {
public:
    template <class X>
    group_child(Group& group, X&& x, std::source_location where)
        : future_(std::in_place, std::in_place, std::forward<X>(x), group.token()),
          group_(enter(group)),
          where_(where) {
        future_->limit(group.deadline);
    }
    group_child(group_child&& other)
        : future_(std::move(other.future_)),
          group_(std::exchange(other.group_, nullptr)),
          where_(other.where_) {
        if (other.waits_)
            fatal("a task of a group was moved after its first poll: a future stays where it is");
    }
    group_child& operator=(group_child&&) = delete;
    ~group_child() {
        if (!group_) return;
        drop_future();
        leave([](Group& group) { group.lose(); });
    }

    // If it throws, the task has left the group.
    any_future<> erased() {
        try {
            return any_future<>(std::move(*this));
        } catch (...) {
            drop_future();
            leave([](Group& group) { group.leave(nullptr); });
            throw;
        }
    }

    poll_result<void> poll(context& cx) {
        if (is_told(cx)) return poll_cancel(cx).is_ready() ? ready() : poll_result<void>(pending);
        std::exception_ptr error;
        try {
            auto polled = future_->poll(cx);
            if (polled.is_pending()) return pending;
            if constexpr (!std::is_void_v<output_t<F>>) keep(std::move(polled).value());
        } catch (...) {
            error = std::current_exception();
        }
        ends(cx, std::move(error));
        return ready();
    }

    // The group is being aborted; or its executor ends, or whoever owns it.
    cancel_result<void> poll_cancel(context& cx) {
        if (!group_) return true;
        std::exception_ptr error;
        try {
            auto released = future_->poll_cancel(cx);
            if (released.is_pending()) return pending;
            if (!released.value()) {
                drop_future();
                close_inbox(cx);
                leave([](Group& group) {
                    group.miss();  // whoever has told it
                    group.lose();
                });
                return true;
            }
            if constexpr (!std::is_void_v<output_t<F>>) keep(*std::move(released).value());
        } catch (...) {
            error = std::current_exception();
            // It was told, by whoever it was.
            if (group_->reports() && is_cancellation(error)) {
                group_->miss();
                error = nullptr;
            }
        }
        ends(cx, std::move(error));
        return true;
    }

private:
    static Group* enter(Group& group) {
        group.enter();
        group.retain();
        return &group;
    }

    // True once the group is being aborted. Before that the group has the latest waker.
    bool is_told(context& cx) {
        if (told_ || (told_ = group_->is_aborting())) return true;
        waits_ = true;
        group_->told().add(waiter_, cx.waker());
        return told_ = group_->is_aborting();
    }

    template <class T>
    void keep(T value) {
        drop_future();
        group_->keep(std::move(value));
    }

    void drop_future() noexcept { future_.reset(); }

    // Of a task that is this alone. One that the group's owner polls has that of the group.
    void close_inbox(context& cx) noexcept {
        inbox_owner* const inbox = cx.root().inbox;
        if (inbox && !group_->owns(*inbox)) inbox->close();
    }

    void ends(context& cx, std::exception_ptr error) noexcept {
        drop_future();
        close_inbox(cx);
        if (error && group_->reports()) {
            auto mine = std::exchange(error, nullptr);
            auto* const here = cx.service<spawner>();
            if (!group_->is_echo(mine))
                here ? here->report(std::move(mine), where_) : report_unhandled(std::move(mine), where_);
        }
        leave([&error](Group& group) { group.leave(std::move(error)); });
    }

    template <class Leave>
    void leave(Leave how) noexcept {
        Group* const group = std::exchange(group_, nullptr);
        if (waits_) group->told().remove(waiter_);
        how(*group);
        group->release();
    }

    // In this order: what throws as it is made or moved has not entered yet, or not left.
    std::optional<cancellable_future<F>> future_;
    Group* group_;  // null: it has ended, or was moved from
    std::source_location where_;
    waiter waiter_;
    bool waits_ = false;
    bool told_ = false;
};

// Of a future, or of a callable that returns one.
template <class X, class Group>
auto make_group_child(Group& group, X&& x, std::source_location where) {
    using future_type = typename spawned_future<X>::type;
    using child_type = group_child<future_type, Group>;
    if constexpr (awaitable_value<X>) {
        return child_type(group, std::forward<X>(x), where);
    } else {
        return child_type(group, future_type(std::forward<X>(x)), where);
    }
}

}  // namespace rouse::detail

#endif
