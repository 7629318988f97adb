// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_TASK_GROUP_HPP
#define ROUSE_TASK_GROUP_HPP

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <rouse/config.hpp>
#include <rouse/detail/child.hpp>
#include <rouse/detail/group_child.hpp>
#include <rouse/detail/group_ref.hpp>
#include <rouse/detail/group_room.hpp>
#include <rouse/detail/group_state.hpp>
#include <rouse/error.hpp>
#include <rouse/into_future.hpp>
#include <source_location>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace rouse {

// The exceptions of a group that collects them, in the order in which they came.
class ROUSE_DECL group_error : public std::runtime_error {
public:
    explicit group_error(std::vector<std::exception_ptr> all);  // throws std::bad_alloc
    std::vector<std::exception_ptr> const& errors() const noexcept { return *errors_; }

private:
    // Counted: the copy of an exception does not throw.
    std::shared_ptr<std::vector<std::exception_ptr> const> errors_;
};

// What with_group gives to its body: where tasks are spawned that end before with_group completes. Any thread may use
// it, tasks of the group included. The reference is good as long as the future of with_group, or one of the tasks, is
// there. A copy refers to the same group and is good as long as it lives, for those who cannot know how long that is:
// when the group is over, it has no tasks, and takes none. A copy never throws.
class ROUSE_DECL task_group {
public:
    explicit task_group(detail::group_state& state) noexcept : state_(state) {}
    task_group(task_group const&) noexcept = default;
    task_group& operator=(task_group const&) = delete;

    // Starts a future in the group, or a callable that returns one and lives as long as that, as rouse::spawn does; its
    // value is thrown away. It runs on the executor of the task that
    // awaits with_group; where there is none, as in block_on, with_group polls it itself. (If with_group
    // is polled by one task first and by another later, the last one counts.) Beyond the limit it waits
    // for its turn. In a group that is being aborted it is destroyed unpolled. Throws
    // system_error with errc::closed once the group is over, and std::bad_alloc.
    template <class X>
    void spawn(X&& x, std::source_location where = std::source_location::current()) {
        static_assert(std::is_constructible_v<std::decay_t<X>, X>,
                      "rouse: what is spawned is moved into its task: pass it by value or with "
                      "std::move");
        auto child = detail::make_group_child(*state_, std::forward<X>(x), where);
        state_->start(child.erased(), where);
    }

    // How many tasks run at the same time at most; at least 1.
    void limit(std::size_t most);

    // Completes when the next task would not have to wait for its turn: for a body that shall not
    // produce faster than the tasks consume.
    auto has_room() noexcept { return detail::group_room(*state_); }

    // Aborts all tasks, and the body. Any thread; returns at once.
    void abort() noexcept { state_->abort(); }

    // How many tasks have not ended.
    std::size_t size() const noexcept { return state_->size(); }

private:
    detail::group_ref<detail::group_state> state_;
};

namespace detail {

// Tasks may still use the group when the future that made it was dropped.
struct shared_group final : group_state {
    using group_state::group_state;
    using group_type = task_group;
    task_group group{*this};
};

// How with_group goes:
//
//   1. its first poll makes the group and calls the body's function;
//   2. the body runs; an abort, of the group or from outside, has it let go;
//   3. when the body and all tasks have ended, the group is over.
//
// What a task throws while it is told to let go is kept like any other exception, but for what only says
// that it was told.
template <class Shared, class Function>
class [[nodiscard]] with_group_future {
    using group = typename Shared::group_type;
    static_assert(std::is_invocable_v<Function&, group&> &&
                      awaitable_value<std::invoke_result_t<Function&, group&>>,
                  "rouse: with_group: the function takes a task_group& and returns a future");
    using body = into_future_t<std::invoke_result_t<Function&, group&>>;
    using output = output_t<body>;

public:
    template <class Fn>
    with_group_future(std::in_place_t, on_error policy, Fn&& function)
        : function_(std::forward<Fn>(function)), policy_(policy) {}
    with_group_future(with_group_future&& other)
        : function_(std::move(other.function_)), policy_(other.policy_) {
        if (other.state_)
            fatal("a with_group was moved after its first poll: a future stays where it is");
    }
    with_group_future& operator=(with_group_future&&) = delete;
    ~with_group_future() {
        if (!state_) return;
        body_.reset();
        state_->drop();
        state_->discard();
        state_->release();
    }

    poll_result<output> poll(context& cx) {
        if (!state_) {
            if (!std::exchange(asked_, true) && !cx.spend()) return pending;
            begin(cx);
        }
        if (over_) throw_misuse("a with_group was polled after it was ready");
        if (!ended(cx)) return pending;
        rethrow();
        auto& end = body_->end();
        if (end.is_stopped()) throw_error(errc::aborted, "rouse::with_group: its group was aborted");
        if constexpr (std::is_void_v<output>) {
            static_cast<void>(end.value());
            return ready();
        } else {
            return std::move(end).value();
        }
    }

    cancel_result<output> poll_cancel(context& cx) {
        if (!state_ || over_) return nothing();
        // One that aborts its tasks itself has a value all the same.
        if (!state_->is_aborting()) from_outside_ = true;
        state_->abort();
        if (!ended(cx)) return pending;
        rethrow();
        auto& end = body_->end();
        if (end.is_stopped() || (end.has_value() && from_outside_ && state_->has_missed())) return nothing();
        if constexpr (std::is_void_v<output>) {
            static_cast<void>(end.value());
            return true;
        } else {
            return std::optional<output>(std::move(end).value());
        }
    }

private:
    static auto nothing() noexcept { return typename cancel_value<output>::type{}; }

    void begin(context& cx) {
        state_ = new Shared(policy_);
        state_->deadline = cx.cancellation().deadline();
        try {
            body_.emplace(std::in_place, function_(state_->group));
        } catch (...) {
            // It may have spawned before it threw: that is waited for like any other end.
            no_body_ = std::current_exception();
            state_->fail_body(no_body_);
            state_->abort();
        }
    }

    bool ended(context& cx) {
        state_->poll(cx);
        if (body_ && body_->is_running()) {
            step(cx);
            // What it has spawned, or aborted, is looked after at once.
            state_->poll(cx);
            if (body_->is_running() && state_->is_aborting()) step(cx);
            if (body_->is_running()) return false;
        }
        over_ = state_->finish();
        if (over_) state_->discard();
        return over_;
    }

    void step(context& cx) {
        granted_one const grant(cx);  // tasks that it polls itself came first
        bool const over = state_->is_aborting() ? body_->cancel(cx) : body_->poll(cx);
        if (!over || !body_->end().has_error()) return;
        state_->look(cx);
        state_->fail_body(body_->end().error());
    }

    void rethrow() {
        state_->rethrow_errors();
        if (no_body_) std::rethrow_exception(no_body_);
    }

    Function function_;  // lives as long as the body that it has returned
    on_error policy_;
    Shared* state_ = nullptr;
    std::optional<child<body>> body_;
    std::exception_ptr no_body_;  // what the function threw
    bool asked_ = false;  // whether there is something to spend
    bool over_ = false;
    bool from_outside_ = false;  // the abort
};

}  // namespace detail

// Tasks that end before this does.
//
//     int sum = co_await rouse::with_group([&](rouse::task_group& g) -> rouse::task<int> {
//         for (auto& part : parts) g.spawn(work_on(part));
//         co_return co_await rest();
//     });
//
// Calls the function with a new group, awaits the future that it returns (the body), and completes when
// that has ended and all tasks that were spawned into the group have, on every path: with the body's
// value, or throwing what the body or a task threw. By default the first exception has the body and all
// other tasks aborted, and what they throw then is lost. With on_error::collect they all go on, and all
// exceptions come together as a group_error. With on_error::report it is the body's exception alone that is
// thrown, after the tasks have ended, and what a task throws is unhandled, as with a detached task (see
// unhandled.hpp). A group that was aborted by its own `abort` throws errc::aborted if the body had not ended.
// A task that its executor destroys before its end, for want of memory or since it ends itself, has failed with
// errc::aborted, as it would be for a join handle; with on_error::report that is no error.
// What only says that a request to cancel was followed is thrown by the group if nothing else is, as it is,
// with on_error::collect too.
// The function lives until the end: a lambda that is a coroutine may use its captures.
// Aborted: the body and all tasks are, and waited for; if one of them was stopped by that, the value of a body that
// had returned before is lost: it would say that all is done. Cancelled: so are they, each ends in its own way, and
// that one of them ends with operation_aborted does not have the others aborted. Dropped while pending:
// the tasks are aborted, but not waited for, and what they have thrown, or throw later, is unhandled. Some allocations
// for the group, two for each task, and one more if it waits for its turn or has a value, all recycled.
template <class Function>
auto with_group(Function&& function) {
    return detail::with_group_future<detail::shared_group, std::decay_t<Function>>(
        std::in_place, on_error::abort_others, std::forward<Function>(function));
}
template <class Function>
auto with_group(on_error policy, Function&& function) {
    return detail::with_group_future<detail::shared_group, std::decay_t<Function>>(
        std::in_place, policy, std::forward<Function>(function));
}

}  // namespace rouse

#endif
