// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#include <optional>
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

group_state::~group_state() {
    if (runs_them_) runs_them_->release();
}

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
    // Another thread may have it run as soon as it waits, and then nothing else keeps the group here.
    std::optional<kept> while_it_launches;
    queued next{std::move(child), where};  // destroyed outside of the lock, if nobody takes it
    bool waits = false;
    try {
        {
            lock_guard const guard(lock_);
            // Whoever begins the abort takes what waits out of the lock, and this came before or after that.
            if (is_aborting()) return;
            // The task itself is counted already. Others that wait for their turn come first.
            waits = !waiting_.empty() || size_ > limit_;
            if (waits) {
                while_it_launches.emplace(*this);
                waiting_.push_back(std::move(next));
            }
        }
        if (!waits) return launch(next);
    } catch (...) {
        excuse();
        throw;
    }
    launch_waiting();
}

void group_state::launch(queued& next) {
    spawner_link* link = nullptr;
    {
        lock_guard const guard(lock_);
        link = runs_them_;
        if (link) link->retain();
    }
    spawner* const there = link ? link->take() : nullptr;
    if (link) link->release();
    if (there) {
        struct releasing {
            spawner& s;
            ~releasing() { s.release(); }
        } const afterwards{*there};
        there->spawn(std::move(next.future), next.where);
        return;
    }
    // It waits for the owner's next poll.
    kept const while_it_wakes(*this);
    queue one;
    one.push_back(std::move(next));
    {
        lock_guard const guard(lock_);
        if (!over_) incoming_.splice(incoming_.end(), one);  // or the owner has gone, and polls nobody
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
        queue next;
        {
            lock_guard const guard(lock_);
            if (waiting_.empty() || size_ - waiting_.size() >= limit_) return;
            next.splice(next.end(), waiting_, waiting_.begin());
        }
        try {
            launch(next.front());
        } catch (...) {
            fail(std::current_exception());  // before it leaves, or the group could be over without this
            excuse();
        }
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

void group_state::adopt(spawner* here) noexcept {
    auto* link = here ? here->link() : nullptr;
    if (link == runs_them_) return;  // only the owner changes it
    if (link) link->retain();
    {
        lock_guard const guard(lock_);
        std::swap(runs_them_, link);
    }
    if (link) link->release();
}

void group_state::look(context& cx) noexcept {
    if (auto const requests = outside_.look(cx.cancellation()); requests != cancellation_type::none)
        cancellation_.cancel(requests);
}

void group_state::poll(context& cx) {
    owner_.register_waker(cx.waker());
    look(cx);
    auto* const here = cx.service<spawner>();
    adopt(here);
    queue incoming;
    {
        lock_guard const guard(lock_);
        incoming.swap(incoming_);
    }
    for (auto& one : incoming) {
        try {
            if (here) {
                here->spawn(std::move(one.future), one.where);
            } else {
                own_.enter(std::move(one.future));
            }
        } catch (...) {
            fail(std::current_exception());  // it leaves without having begun
            excuse();
        }
    }
    poll_own(cx);
}

namespace {

// While it lives, what is polled leaves its late functions in another inbox, and whoever brings one, or yields,
// wakes the poll's own waker and not that of the whole task.
class own_inbox {
public:
    own_inbox(context& cx, inbox_owner& mine) noexcept
        : root_(cx.root()),
          inbox_(std::exchange(root_.inbox, &mine)),
          waker_(std::exchange(root_.waker, &cx.waker())),
          by_hand_(std::exchange(root_.by_hand, true)) {}
    own_inbox(own_inbox const&) = delete;
    own_inbox& operator=(own_inbox const&) = delete;
    ~own_inbox() {
        root_.inbox = inbox_;
        root_.waker = waker_;
        root_.by_hand = by_hand_;
    }

private:
    poll_root& root_;
    inbox_owner* inbox_;
    waker const* waker_;
    bool by_hand_;
};

}  // namespace

// Those that no executor runs. What comes to them late is done here as long as the group lasts. They hear of
// requests by the group's token as all its tasks do, once.
void group_state::poll_own(context& cx) {
    if (own_.size() == 0 && late_functions_.empty()) return;
    own_inbox const mine(cx, late_functions_);
    losing_mark const for_good(cx, false);  // whatever the owner has lost
    own_cancellation const by_token(cx, nothing_);
    try {
        late_functions_.run();
    } catch (...) {
        report_unhandled(std::current_exception(), {});
        cx.yield();  // for the functions behind it
    }
    own_.poll(cx, [&](auto& child) {
        own_.remove(child);
        return false;
    });
}

bool group_state::finish() noexcept {
    {
        lock_guard const guard(lock_);
        if (size_ != 0) return over_;
        over_ = true;
    }
    let_go();
    return true;
}

// Of what a copy of the task_group, which may live long, has no use for.
void group_state::let_go() noexcept {
    { child_set<any_future<>> const own = std::move(own_); }
    late_functions_.close();
    adopt(nullptr);
    static_cast<void>(owner_.take());
}

void group_state::drop() noexcept {
    abort();
    queue incoming;
    {
        lock_guard const guard(lock_);
        over_ = true;
        incoming.swap(incoming_);
    }
    let_go();
    report_errors();
}

}  // namespace rouse::detail
