// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#include <rouse/detail/group_state.hpp>
#include <rouse/error.hpp>
#include <rouse/unhandled.hpp>
#include <utility>

namespace rouse::detail {

namespace {

// Keeps the group while others are woken, who may end it.
class kept {
public:
    explicit kept(group_state& group) noexcept : group_(group) { group_.retain(); }
    kept(kept const&) = delete;
    kept& operator=(kept const&) = delete;
    ~kept() { group_.release(); }

private:
    group_state& group_;
};

}  // namespace

void group_state::release() noexcept {
    // release: what was done with the state is done; acquire: for whoever destroys it
    if (references_.fetch_sub(1, acq_rel) == 1) delete this;
}

void group_state::enter() {
    lock_guard const guard(lock_);
    if (over_) throw_error(errc::closed, "rouse::task_group: the group is over");
    ++size_;
}

void group_state::start(any_future<> child, std::source_location where) {
    queued next{std::move(child), where};  // destroyed outside of the lock, if nobody takes it
    {
        lock_guard const guard(lock_);
        // Whoever begins the abort takes what waits out of the lock, and this came before or after that.
        if (is_aborting()) return;
        // The task itself is counted already.
        if (size_ - waiting_.size() > limit_) {
            waiting_.push_back(std::move(next));
            return;
        }
    }
    launch(std::move(next));
}

void group_state::launch(queued next) {
    if (spawner_) {
        spawner_->spawn(std::move(next.future), next.where);
        return;
    }
    kept const while_it_wakes(*this);
    {
        lock_guard const guard(lock_);
        if (over_) return;  // the owner has gone, and polls nobody any more
        incoming_.push_back(std::move(next));
    }
    owner_.wake();
}

void group_state::leave(std::exception_ptr error) noexcept {
    if (error) fail(std::move(error));
    bool last = false;
    {
        lock_guard const guard(lock_);
        last = --size_ == 0;
    }
    if (last) {
        owner_.wake();
    } else {
        launch_waiting();
    }
    left_.wake_all();
}

// Those whose turn it is: more than one, if the limit was raised.
void group_state::launch_waiting() noexcept {
    for (;;) {
        queued next;
        {
            lock_guard const guard(lock_);
            if (waiting_.empty() || size_ - waiting_.size() >= limit_) return;
            next = std::move(waiting_.front());
            waiting_.pop_front();
        }
        try {
            launch(std::move(next));
        } catch (...) {
            fail(std::current_exception());
        }
    }
}

void group_state::fail(std::exception_ptr error) noexcept {
    // What only says that the group is being aborted is no news.
    if (is_aborting() && is_cancellation(error)) return;
    bool const asked = cancellation_.requested() != cancellation_type::none && is_cancellation(error);
    if (policy_ == on_error::report) {
        if (!asked) report_unhandled(std::move(error), {});
        return;
    }
    keep_error(error);
    // Of those that were all asked to end by themselves, one that has done so is no reason to abort the
    // others.
    if (policy_ == on_error::abort_others && !asked) abort();
}

bool group_state::is_for_executor(std::exception_ptr const& error) const noexcept {
    if (policy_ != on_error::report || !spawner_ || !error) return false;
    bool const told = is_aborting() || cancellation_.requested() != cancellation_type::none;
    return !told || !is_cancellation(error);
}

// Whatever the policy, the body's exception is one of the group.
void group_state::fail_body(std::exception_ptr error) noexcept {
    if (policy_ != on_error::report) return fail(std::move(error));
    if (is_aborting() && is_cancellation(error)) return;
    keep_error(error);
}

void group_state::keep_error(std::exception_ptr const& error) noexcept {
    try {
        lock_guard const guard(lock_);
        if (policy_ == on_error::collect || errors_.empty()) errors_.push_back(error);
    } catch (...) {
        report_unhandled(error, {});  // no memory to keep it
    }
}

void group_state::abort() noexcept {
    kept const while_it_wakes(*this);
    // release: whoever sees it sees the error that it has begun with
    if (aborting_.exchange(true, acq_rel)) return;
    queue waiting;
    {
        lock_guard const guard(lock_);
        waiting.swap(waiting_);
    }
    waiting.clear();  // somebody else's code, and each of them leaves
    told_.wake_all();
    left_.wake_all();
    owner_.wake();
}

void group_state::limit(std::size_t most) {
    if (most == 0) throw_misuse("the limit of a task_group is at least 1");
    kept const while_it_wakes(*this);
    {
        lock_guard const guard(lock_);
        limit_ = most;
    }
    launch_waiting();
    left_.wake_all();
}

std::size_t group_state::size() const noexcept {
    lock_guard const guard(lock_);
    return size_;
}

bool group_state::has_room() const noexcept {
    lock_guard const guard(lock_);
    return size_ < limit_;
}

void group_state::poll(context& cx) {
    owner_.register_waker(cx.waker());
    if (cx.cancellation().epoch() != epoch_) {
        epoch_ = cx.cancellation().epoch();
        cancellation_.cancel(cx.cancellation().requested());
    }
    if (spawner_) return;
    queue incoming;
    {
        lock_guard const guard(lock_);
        incoming.swap(incoming_);
    }
    try {
        for (auto& one : incoming) own_.enter(std::move(one.future));
    } catch (...) {
        fail(std::current_exception());  // those that found no memory leave without having begun
    }
    // Each has told the group of its end, and is of no interest any more.
    own_.poll(cx, [&](auto& child) {
        own_.remove(child);
        return false;
    });
}

bool group_state::finish() noexcept {
    lock_guard const guard(lock_);
    if (size_ == 0) over_ = true;
    return over_;
}

void group_state::drop() noexcept {
    abort();
    queue incoming;
    {
        lock_guard const guard(lock_);
        over_ = true;
        incoming.swap(incoming_);
    }
    child_set<any_future<>> const own = std::move(own_);
}

}  // namespace rouse::detail
