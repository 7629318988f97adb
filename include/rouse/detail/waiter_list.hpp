// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_DETAIL_WAITER_LIST_HPP
#define ROUSE_DETAIL_WAITER_LIST_HPP

#include <cstddef>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/intrusive_list.hpp>
#include <rouse/detail/waker_identity.hpp>
#include <rouse/waker.hpp>

namespace rouse::detail {

// A part of a future that waits in a waiter_list: its waker, while that is wanted.
struct waiter : list_hook {
    rouse::waker waker;
    atomic<bool> waits{false};  // the waker is there, and was not taken to be woken
    waker_identity given;       // the future's: which waker that is
};

// Futures that wait for the same thing, each by a waiter of its own. Any thread may call any of
// these, but one waiter is used by its future only. Wakers are woken, copied and dropped outside of
// the lock.
class ROUSE_DECL waiter_list {
public:
    waiter_list() noexcept = default;
    waiter_list(waiter_list const&) = delete;
    waiter_list& operator=(waiter_list const&) = delete;

    // Leaves a copy of the waker, in place of the one before it, unless it is there already. Whoever
    // calls this looks afterwards whether there is anything to wait for. Throws what copying throws;
    // nothing has changed then.
    void add(waiter& mine, waker const& w);

    // Afterwards nobody touches the waiter.
    void remove(waiter& mine) noexcept;

    // Wakes those that wait now, the oldest first; each has to be added again. The list may be
    // destroyed by the last wake.
    void wake_all() noexcept;

private:
    mutex lock_;
    intrusive_list<waiter> waiting_;
    std::size_t count_ = 0;
};

}  // namespace rouse::detail

#endif
