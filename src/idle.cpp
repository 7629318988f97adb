// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <algorithm>
#include <rouse/detail/idle.hpp>
#include <utility>

// Every change of the word is seq_cst, as are the look in worker_to_wake() and those into the
// queues: the proof in idle.hpp needs one order of all of them.

namespace rouse::detail {

idle::idle(std::uint32_t workers, std::uint32_t most)
    : workers_(workers), word_(workers * one_awake) {
    asleep_.reserve(most);
}

void idle::add_worker() noexcept {
    // In this order: in between one seems to sleep, and whoever looks for it finds none.
    workers_.fetch_add(1, seq_cst);
    word_.fetch_add(one_awake, seq_cst);
}

std::optional<std::uint32_t> idle::worker_to_wake(bool but_not_seated) noexcept {
    std::uint32_t const word = word_.load(seq_cst);
    if (searching(word) != 0 || awake(word) == workers_.load(seq_cst)) return std::nullopt;
    lock_guard guard(lock_);
    // Somebody else may have come first.
    if (searching(word_.load(seq_cst)) != 0) return std::nullopt;
    if (!asleep_.empty()) {
        std::uint32_t const chosen = asleep_.back();
        asleep_.pop_back();
        // awake + 1, searching + 1: the work that was pushed has its searcher.
        word_.fetch_add(one_awake + 1, seq_cst);
        return chosen;
    }
    if (but_not_seated || !seated_) return std::nullopt;
    // awake + 1 only: it may be inside a handler of the application's, and a searcher that does not
    // search keeps everybody from being woken. Nobody else is asleep now, and whoever parks while
    // that handler runs looks through all queues.
    word_.fetch_add(one_awake, seq_cst);
    called_ = seated_;
    return std::exchange(seated_, std::nullopt);
}

bool idle::start_searching() noexcept {
    // A throttle, not a rule.
    if (2 * searching(word_.load(relaxed)) >= workers_.load(relaxed)) return false;
    word_.fetch_add(1, seq_cst);  // searching + 1: only ever helps
    return true;
}

bool idle::stop_searching() noexcept {
    // searching - 1: if that was the last, the caller wakes another one, or looks again.
    return searching(word_.fetch_sub(1, seq_cst)) == 1;
}

void idle::to_parked(std::uint32_t worker, bool was_searching) noexcept {
    lock_guard guard(lock_);
    asleep_.push_back(worker);
    // awake - 1 (and searching - 1): the caller looks through all queues after this.
    word_.fetch_sub(one_awake + (was_searching ? 1 : 0), seq_cst);
}

bool idle::seat(std::uint32_t worker, bool seated) noexcept {
    lock_guard guard(lock_);
    // A worker that was woken meanwhile is in neither place, and stays out.
    if (seated) {
        if (!std::erase(asleep_, worker)) return false;
        seated_ = worker;
        return true;
    }
    if (seated_ == worker) {
        seated_.reset();
        asleep_.push_back(worker);
        return true;
    }
    if (called_ == worker) {
        called_.reset();
        word_.fetch_add(1, seq_cst);  // searching + 1: now it does
    }
    return false;
}

bool idle::leave_parked(std::uint32_t worker) noexcept {
    lock_guard guard(lock_);
    if (seated_ == worker) {
        seated_.reset();
    } else if (!std::erase(asleep_, worker)) {
        return false;  // counted as awake and searching by whoever woke it
    }
    word_.fetch_add(one_awake, seq_cst);  // awake + 1
    return true;
}

}  // namespace rouse::detail
