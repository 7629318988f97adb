// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#include <rouse/detail/coroutine.hpp>
#include <rouse/unhandled.hpp>

namespace rouse::detail {

// A frame in the middle of its body is destroyed, and the destructor of one of its variables
// throws. To the language that is an exception in the body: the other variables are destroyed, the
// promise is given the exception, and the coroutine goes on to its final suspend point, where it
// stays. So destroy() returns, and the frame is still there. It says so in the root that it has for
// this.
void promise_base::destroy_frame(promise_base& promise) noexcept {
    coroutine_root ends_in;
    ends_in.innermost = &promise;
    promise.root = &ends_in;
    promise.parent = nullptr;
    std::coroutine_handle<> const frame = promise.frame;
    frame.destroy();
    if (ends_in.innermost) return;
    std::exception_ptr error = std::move(promise.error);
    frame.destroy();
    report_unhandled(std::move(error), {});
}

}  // namespace rouse::detail
