// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_DETAIL_SHARED_STATE_HPP
#define ROUSE_DETAIL_SHARED_STATE_HPP

#include <cstddef>
#include <cstdint>
#include <rouse/config.hpp>
#include <rouse/context.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/own_cancellation.hpp>
#include <rouse/detail/waiter_list.hpp>
#include <rouse/waker.hpp>

namespace rouse::detail {

// One future that many handles wait for, without the future. Counted: by the handles, and by the
// wakers that the future has.
//
//   idle      nobody polls it
//   polling   a handle polls it; others leave their wakers and wait. The last handle that goes has
//             the turn for good: it has the future let go, and whoever copies it then waits for that
//   over      its outcome is there, and does not change any more
//
// The future is polled by whichever handle comes first, with a waker that wakes all. The race that
// this survives: the future wakes while A polls it, and B, woken too, finds A polling and waits. A
// left its waker before it polled, so A is woken as well and polls again; if A goes away instead, it
// wakes all who are left; and since it may do neither, and just not be polled any more, the end of its
// poll wakes those whom it has kept waiting. But only if the future was woken since A's turn began,
// for which the wakes are counted: a wake before that is answered by A's poll, and if every poll woke
// those who met it, handles that poll slowly would wake each other for ever.
class ROUSE_DECL shared_state {
public:
    shared_state() noexcept = default;
    shared_state(shared_state const&) = delete;
    shared_state& operator=(shared_state const&) = delete;

    void retain() noexcept { references_.fetch_add(1, relaxed); }  // the caller has a reference
    void release() noexcept {
        // release: what was done with the state is done; acquire: for whoever destroys it
        if (references_.fetch_sub(1, acq_rel) == 1) delete this;
    }

    // The handles that may still ask for the outcome.
    void join() noexcept;
    // True: it was the last one, and has the turn for good. There is one such at most, also if others
    // come and go while it lets the future go.
    [[nodiscard]] bool leave(waiter& mine) noexcept;
    // True: it has left. False: it is the last one, and has not. While the last one lets the future go, others are not.
    [[nodiscard]] bool leave_unless_last(waiter& mine) noexcept;

    enum class turn { mine, wait, over };
    // Leaves a waker unless it is over, and says what is to be done. Throws what copying it throws.
    [[nodiscard]] turn take_turn(context& cx, waiter& mine);
    // After the poll that `mine` has allowed.
    void end_turn(bool over) noexcept;

    bool is_over() const noexcept { return over_.load(acquire); }  // pairs with end_turn()

    // For the poll of the future, which borrows it.
    waker_ref waker() noexcept;
    // What that waker does.
    void wake() noexcept;

    // Those that wait for the future.
    waiter_list waiting;

    // What the future sees: the requests of those who wait are theirs alone, but for those of the last one, which
    // passes them on when it has the turn.
    cancellation_state cancellation;
    void pass_on(cancellation_state const& of_the_last) noexcept {
        auto const fresh = outside_.look(of_the_last);
        if (fresh != cancellation_type::none) cancellation.request(fresh);
    }

protected:
    virtual ~shared_state() = default;

private:
    outer_requests outside_;  // of whoever has the turn
    atomic<std::uint32_t> references_{1};
    atomic<bool> over_{false};
    atomic<std::size_t> wakes_{0};  // of the future; may wrap
    mutex mutex_;
    // Under the lock:
    std::size_t handles_ = 1;
    std::size_t wakes_before_ = 0;  // the turn that is being taken
    bool polling_ = false;
    bool last_left_ = false;
    bool missed_ = false;  // somebody found it polling
};

}  // namespace rouse::detail

#endif
