// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_DETAIL_WAKER_IDENTITY_HPP
#define ROUSE_DETAIL_WAKER_IDENTITY_HPP

#include <rouse/waker.hpp>

namespace rouse::detail {

// Which waker somebody else keeps, for whoever gave it away and wants to know whether that is still the
// latest one. It says so only while the kept one is certain to be there: when that is gone, another
// task's may stand at the same address.
class waker_identity {
public:
    waker_identity() noexcept = default;
    // Of the copy that is kept; what it was copied from may have other data.
    explicit waker_identity(waker const& kept) noexcept
        : data_(kept.data()), vtable_(kept.vtable()) {}

    bool is(waker const& w) const noexcept { return w.data() == data_ && w.vtable() == vtable_; }

private:
    void const* data_ = nullptr;
    waker_vtable const* vtable_ = nullptr;
};

}  // namespace rouse::detail

#endif
