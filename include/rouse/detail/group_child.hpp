// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_DETAIL_GROUP_CHILD_HPP
#define ROUSE_DETAIL_GROUP_CHILD_HPP

#include <exception>
#include <optional>
#include <rouse/detail/fatal.hpp>
#include <rouse/detail/group_state.hpp>
#include <rouse/into_future.hpp>
#include <rouse/with_cancellation.hpp>
#include <type_traits>
#include <utility>

namespace rouse::detail {

// A task of a group: its future, and the group that hears of its end, whatever that is. The future is
// destroyed before the group hears. One that is destroyed before its end is a loss that the group reports, as a
// join handle does; so whoever fails to start one says so before it destroys it, see erased() and
// group_state::excuse().
template <future F, class Group>
class [[nodiscard]] group_child {
public:
    template <class X>
    group_child(Group& group, X&& x)
        : future_(std::in_place, std::in_place, std::forward<X>(x), group.token()),
          group_(enter(group)) {
        future_->limit(group.deadline);
    }
    group_child(group_child&& other)
        : future_(std::move(other.future_)), group_(std::exchange(other.group_, nullptr)) {
        if (other.waits_)
            fatal("a task of a group was moved after its first poll: a future stays where it is");
    }
    group_child& operator=(group_child&&) = delete;
    ~group_child() {
        if (group_) is_lost();
    }

    // If it throws, the task has left the group.
    any_future<> erased() {
        try {
            return any_future<>(std::move(*this));
        } catch (...) {
            ends(nullptr);
            throw;
        }
    }

    poll_result<void> poll(context& cx) {
        std::exception_ptr error;
        try {
            if (!is_told(cx)) {
                auto polled = future_->poll(cx);
                if (polled.is_pending()) return pending;
                if constexpr (!std::is_void_v<output_t<F>>) group_->keep(std::move(polled).value());
            } else if (lets_go(cx) == end::pending) {
                return pending;
            }
        } catch (...) {
            error = std::current_exception();
        }
        bool const leaves = group_->is_for_executor(error);
        ends(leaves ? nullptr : error);
        if (leaves) std::rethrow_exception(std::move(error));
        return ready();
    }

    // Its executor ends, or whoever owns it.
    cancel_result<void> poll_cancel(context& cx) {
        if (!group_) return true;
        std::exception_ptr error;
        end how = end::completed;
        try {
            how = lets_go(cx);
        } catch (...) {
            error = std::current_exception();
        }
        if (how == end::pending) return pending;
        how == end::stopped ? is_lost() : ends(std::move(error));
        return true;
    }

private:
    static Group* enter(Group& group) {
        group.enter();
        group.retain();
        return &group;
    }

    enum class end { pending, stopped, completed };

    end lets_go(context& cx) {
        auto released = future_->poll_cancel(cx);
        if (released.is_pending()) return end::pending;
        if (!released.value()) return end::stopped;
        if constexpr (!std::is_void_v<output_t<F>>) group_->keep(*std::move(released).value());
        return end::completed;
    }

    // True once the group is being aborted. Before that the group has the latest waker.
    bool is_told(context& cx) {
        if (told_ || (told_ = group_->is_aborting())) return true;
        waits_ = true;
        group_->told().add(waiter_, cx.waker());
        return told_ = group_->is_aborting();
    }

    void ends(std::exception_ptr error) noexcept {
        go([&error](Group& group) { group.leave(std::move(error)); });
    }
    void is_lost() noexcept {
        go([](Group& group) { group.lose(); });
    }
    template <class Leave>
    void go(Leave leave) noexcept {
        future_.reset();
        Group* const group = std::exchange(group_, nullptr);
        if (waits_) group->told().remove(waiter_);
        leave(*group);
        group->release();
    }

    // In this order: what throws as it is made or moved has not entered yet, or not left.
    std::optional<cancellable_future<F>> future_;
    Group* group_;  // null: it has ended, or was moved from
    waiter waiter_;
    bool waits_ = false;
    bool told_ = false;
};

}  // namespace rouse::detail

#endif
