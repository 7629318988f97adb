// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#include <rouse/detail/fatal.hpp>
#include <rouse/waker.hpp>

namespace rouse {

namespace {
constexpr char wake_threw[] =
    "a waker's wake function threw an exception; it runs where nobody can catch one";
}

void waker::wake() && noexcept {
    if (!vtable_) return;
    auto const* vtable = vtable_;
    void* data = release();  // first: the wake may destroy whatever holds this waker
    try {
        vtable->wake(data);
    } catch (...) {
        detail::fatal(wake_threw);
    }
}

void waker::wake_by_ref() const noexcept {
    if (!vtable_) return;
    try {
        vtable_->wake_by_ref(data_);
    } catch (...) {
        detail::fatal(wake_threw);
    }
}

}  // namespace rouse
