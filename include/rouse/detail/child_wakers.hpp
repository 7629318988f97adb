// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_DETAIL_CHILD_WAKERS_HPP
#define ROUSE_DETAIL_CHILD_WAKERS_HPP

#include <cstdint>
#include <rouse/config.hpp>
#include <rouse/context.hpp>
#include <rouse/waker.hpp>
#include <utility>

namespace rouse::detail {

class child_block;

// The wakers of the children of one future, so that it polls those only that were woken.
//
// They live in a block of their own, which is counted: wakers outlive futures. It is made by the
// first poll, from recycled memory, and is the only allocation.
//
//   a child is woken:  sets its bit, and wakes the parent if it is the first since the last look
//   the parent looks:  registers its waker, and then takes all bits
//   at first, and when all are due:  all are polled, and the parent registers its waker only if that
//                      was not the end of it; what was woken meanwhile is polled at the next turn
//
// The race that this survives: a child is woken while the parent looks. Either the bit is there in
// time and is taken; or it comes later, is the first since that look, and wakes the waker that the
// look has registered. The child is polled afterwards, and sees what its waker's thread has done.
class ROUSE_DECL child_wakers {
public:
    static constexpr unsigned most = 64;  // children
    using bits = std::uint64_t;

    child_wakers() noexcept = default;
    child_wakers(child_wakers&& other) noexcept
        : block_(std::exchange(other.block_, nullptr)),
          epoch_(other.epoch_),
          all_due_(other.all_due_) {}
    child_wakers& operator=(child_wakers&&) = delete;
    ~child_wakers();

    // Which of the `n` children are to be polled: all of them at first, and when the task's
    // cancellation has changed. Throws std::bad_alloc, at first only, and what copying the waker
    // throws.
    bits woken(context& cx, unsigned n);

    // The same, all of them. Throws std::bad_alloc, at first only.
    bits all(context& cx, unsigned n);

    // After the polls, if there is something left to wait for. Throws what copying the waker throws.
    void await(context& cx);

    // For the poll of a child, which borrows it.
    waker_ref at(unsigned index) const noexcept;

    // True before the first poll.
    bool unused() const noexcept { return block_ == nullptr; }

private:
    child_block* block_ = nullptr;
    std::uint32_t epoch_ = 0;  // of the task's cancellation, at the last look
    bool all_due_ = true;
};

}  // namespace rouse::detail

#endif
