// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_TASK_GROUP_OF_HPP
#define ROUSE_TASK_GROUP_OF_HPP

#include <concepts>
#include <list>
#include <optional>
#include <rouse/detail/slab_allocator.hpp>
#include <rouse/task_group.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

template <class T>
class task_group_of;

namespace detail {

template <class T>
class results_group final : public group_state {
public:
    using group_type = task_group_of<T>;

    explicit results_group(on_error policy) : group_state(policy), group(*this) {}

    // Whoever waits for a value is woken as the task leaves, a moment later.
    // A value is made, moved and destroyed outside of the lock.
    void keep(T value) {
        values one;
        one.push_back(std::move(value));
        lock_guard const guard(values_lock_);
        if (!over_) values_.splice(values_.end(), one);
    }
    std::optional<T> take() {
        values one;
        {
            lock_guard const guard(values_lock_);
            if (values_.empty()) return std::nullopt;
            one.splice(one.end(), values_, values_.begin());
        }
        return std::move(one.front());
    }
    // When it is over, or its owner goes: those that nobody has taken, and those that still come.
    void discard() noexcept {
        values doomed;
        lock_guard const guard(values_lock_);
        doomed.swap(values_);
        over_ = true;
    }
    bool has_values() const noexcept {
        lock_guard const guard(values_lock_);
        return !values_.empty();
    }

private:
    using values = std::list<T, slab_allocator<T>>;

    mutable mutex values_lock_;
    values values_;
    bool over_ = false;

public:
    group_type group;
};

// The next value of a group, or nothing when all its tasks have ended.
template <class T>
class [[nodiscard]] next_of_group {
public:
    explicit next_of_group(results_group<T>& group) noexcept : group_(&group) { group.retain(); }
    next_of_group(next_of_group&& other) noexcept : group_(std::exchange(other.group_, nullptr)) {
        if (other.waits_)
            fatal("a task_group_of::next was moved after its first poll: a future stays where it is");
    }
    next_of_group& operator=(next_of_group&&) = delete;
    ~next_of_group() {
        if (!group_) return;
        if (waits_) group_->left().remove(waiter_);
        group_->release();
    }

    poll_result<std::optional<T>> poll(context& cx) {
        for (;;) {
            if (!there()) {
                waits_ = true;
                group_->left().add(waiter_, cx.waker());
                if (!there()) return pending;
            }
            if (!cx.spend()) return pending;
            if (auto value = group_->take()) return value;
            // A task keeps its value before it leaves: whoever sees that all have left sees all values.
            if (group_->size() == 0) return group_->take();
            // Another one who waits was faster.
        }
    }

private:
    bool there() const noexcept { return group_->size() == 0 || group_->has_values(); }

    results_group<T>* group_;
    waiter waiter_;
    bool waits_ = false;
};

}  // namespace detail

// A task_group whose tasks have values, which come out as they finish. A copy refers to the same group.
template <class T>
class task_group_of {
    static_assert(std::is_object_v<T> && std::is_nothrow_destructible_v<T>,
                  "rouse: task_group_of<T>: T is an object type whose destructor does not throw; tasks "
                  "without a value are for task_group");

public:
    explicit task_group_of(detail::results_group<T>& state) noexcept : state_(state) {}
    task_group_of(task_group_of const&) noexcept = default;
    task_group_of& operator=(task_group_of const&) = delete;

    // Starts a future whose value is a T, or a callable that returns one. Everything else is as with
    // task_group::spawn. A task whose value finds no memory has failed with std::bad_alloc.
    template <class X>
    void spawn(X&& x, std::source_location where = std::source_location::current()) {
        static_assert(std::is_constructible_v<std::decay_t<X>, X>,
                      "rouse: what is spawned is moved into its task: pass it by value or with "
                      "std::move");
        using future_type = typename detail::spawned_future<X>::type;
        static_assert(std::convertible_to<output_t<future_type>, T>,
                      "rouse: task_group_of<T>::spawn takes a future of a T");
        auto child = detail::make_group_child(*state_, std::forward<X>(x), where);
        state_->start(child.erased(), where);
    }

    // The value of the task that has finished next, in the order in which they finish; nothing when all
    // tasks that were spawned so far have ended and all values were taken. Several may wait, in any thread,
    // and each value goes to one of them; but one that is a task of the group has not ended itself, and
    // would wait for the end for ever. Dropped while pending, or lost in a select, no value is lost; one that
    // throws as it is moved out is. Values that nobody has taken when the group is over are destroyed then.
    // Allocates nothing.
    auto next() noexcept { return detail::next_of_group<T>(*state_); }

    // As with task_group.
    void limit(std::size_t most) { state_->limit(most); }
    auto has_room() noexcept { return detail::group_room(*state_); }
    void abort() noexcept { state_->abort(); }
    std::size_t size() const noexcept { return state_->size(); }

private:
    detail::group_ref<detail::results_group<T>> state_;
};

// with_group for tasks with values:
//
//     co_await rouse::with_group_of<page>([&](rouse::task_group_of<page>& g) -> rouse::task<> {
//         for (auto const& url : urls) g.spawn(fetch(url));
//         while (auto p = co_await g.next()) show(*p);
//     });
//
// Everything else is as with with_group.
template <class T, class Function>
auto with_group_of(Function&& function) {
    return detail::with_group_future<detail::results_group<T>, std::decay_t<Function>>(
        std::in_place, on_error::abort_others, std::forward<Function>(function));
}
template <class T, class Function>
auto with_group_of(on_error policy, Function&& function) {
    return detail::with_group_future<detail::results_group<T>, std::decay_t<Function>>(
        std::in_place, policy, std::forward<Function>(function));
}

}  // namespace rouse

#endif
