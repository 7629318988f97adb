// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 2
#include <rouse/detail/hooks.hpp>
#include <rouse/error.hpp>
#include <rouse/join_handle.hpp>

namespace rouse::detail {

join_base::~join_base() {
    if (!task_) return;
    abort();
    detach();
}

void join_base::detach() noexcept {
    task_header* task = std::exchange(task_, nullptr);
    if (!task) return;
    if (task->state.disown() == task_state::join_step::complete) {
        task->discard_output(&report_unhandled);  // its executor may be gone
    } else {
        task->join_waker = {};
    }
    task->drop_reference();
}

void join_base::abort() const noexcept {
    if (task_) task_->request_abort();
}

bool join_base::is_finished() const noexcept { return !task_ || task_->state.is_complete(); }

void join_base::stop_waiting() noexcept {
    if (task_ && task_->state.withdraw_join_waker() == task_state::join_step::done)
        task_->join_waker = {};
}

bool join_base::wait(context& cx) {
    task_state& state = task_->state;
    if (state.is_complete()) return true;
    if (state.withdraw_join_waker() == task_state::join_step::complete) return true;
    task_->join_waker = cx.waker();
    ROUSE_AT(before_join_waker);
    if (state.publish_join_waker() == task_state::join_step::done) return false;
    task_->join_waker = {};  // not published, so nobody else's
    return true;
}

void join_base::throw_result() {
    if (was_aborted()) {
        finish();
        throw_error(errc::aborted, "a joined task");
    }
    std::exception_ptr error = std::move(task_->exception);
    finish();
    std::rethrow_exception(std::move(error));
}

}  // namespace rouse::detail
