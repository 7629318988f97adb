// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#include <new>
#include <rouse/error.hpp>
#include <rouse/task_group.hpp>
#include <rouse/unhandled.hpp>
#include <utility>
#include <vector>

// The errors of a group: which of them it keeps, which are none, and what it throws in the end.

namespace rouse::detail {

// By a request to end by itself.
bool group_state::was_told(std::exception_ptr const& error) const noexcept {
    return cancellation_.requested() != cancellation_type::none && is_cancellation(error);
}

void group_state::fail(std::exception_ptr error) noexcept {
    // What only says that the group is being aborted is no news.
    if (is_aborting() && is_cancellation(error)) return miss();
    bool const told = was_told(error);
    if (policy_ == on_error::report) {
        if (!told) report_unhandled(std::move(error), {});
        return;
    }
    keep_error(std::move(error), told);
    // Of those that were all asked to end by themselves, one that has done so is no reason to abort the
    // others.
    if (policy_ == on_error::abort_others && !told) abort();
}

bool group_state::is_echo(std::exception_ptr const& error) const noexcept {
    return was_told(error) || (is_aborting() && is_cancellation(error));
}

// Whatever the policy, the body's exception is one of the group.
void group_state::fail_body(std::exception_ptr error) noexcept {
    if (is_aborting() && is_cancellation(error)) return;
    if (policy_ != on_error::report) return fail(std::move(error));
    bool const told = was_told(error);
    keep_error(std::move(error), told);
}

void group_state::keep_error(std::exception_ptr error, bool told) noexcept {
    kept_errors one;
    kept_error mine{std::move(error), told};
    if (policy_ == on_error::collect) {
        try {
            one.push_back(mine);
        } catch (...) {
        }
    }
    bool kept = true;
    {
        // `mine` becomes what is not kept, and is destroyed outside of the lock.
        lock_guard const guard(lock_);
        if (over_) {  // the owner has gone
            kept = told;
        } else if (policy_ == on_error::collect && first_.error) {
            kept = told || !one.empty();
            others_.splice(others_.end(), one);
        } else if (!first_.error || (first_.told && !told)) {
            std::swap(first_, mine);
        }
    }
    if (!kept) report_unhandled(std::move(mine.error), {});
}

// As with a join handle that is dropped: nobody waits for them any more. When it is over nobody keeps another one.
void group_state::report_errors() noexcept {
    auto const first = std::exchange(first_, {});
    auto const others = std::exchange(others_, {});
    report(first);
    for (auto const& one : others) report(one);
}

void group_state::report(kept_error const& one) noexcept {
    if (one.error && !one.told) report_unhandled(one.error, {});
}

void group_state::excuse() noexcept {
    lock_guard const guard(lock_);
    ++excused_;
}

void group_state::miss() noexcept {
    lock_guard const guard(lock_);
    missed_ = true;
}

bool group_state::has_missed() const noexcept {
    lock_guard const guard(lock_);
    return missed_;
}

void group_state::lose() noexcept {
    bool const stopped = is_aborting();
    if (stopped) miss();
    // For a server, which goes on whatever becomes of one client, that is no error.
    bool known = stopped || policy_ == on_error::report;
    if (!known) {
        lock_guard const guard(lock_);
        known = excused_ != 0;
        if (known) --excused_;
    }
    if (!known) {
        std::exception_ptr error;
        try {
            throw_error(errc::aborted, "rouse::with_group: a task was destroyed before its end");
        } catch (...) {
            error = std::current_exception();
        }
        // It says no more than that: real news take its place, and without any it is what the group throws.
        keep_error(std::move(error), true);
        if (policy_ == on_error::abort_others) abort();
    }
    leave(nullptr);
}

// All were told, and ended as they were told: so does the group, whatever is done with errors. If there is no memory
// for what says all, each that was not told is reported.
void group_state::rethrow_errors() {
    auto const first = std::exchange(first_, {});
    auto const others = std::exchange(others_, {});
    if (!first.error) return;
    bool only_told = first.told;
    for (auto const& one : others) only_told = only_told && one.told;
    if (policy_ != on_error::collect || only_told) std::rethrow_exception(first.error);
    try {
        std::vector<std::exception_ptr> all{first.error};
        for (auto const& one : others) all.push_back(one.error);
        throw group_error(std::move(all));
    } catch (std::bad_alloc const&) {
        report(first);
        for (auto const& one : others) report(one);
        throw;
    }
}

}  // namespace rouse::detail
