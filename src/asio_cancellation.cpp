// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#include <rouse/asio_cancellation.hpp>

namespace rouse::detail {

poll_result<void> emits_requests::poll(context& cx) {
    if (ended_.look(cx) != cancellation_type::none) return ready();
    auto const fresh = requested_.look(cx) & ~emitted_;
    if (fresh == cancellation_type::none) return pending;
    emitted_ = emitted_ | fresh;
    // Handlers are user code, and may end the slot.
    auto const keep = shared_;
    keep->signal.emit(static_cast<boost::asio::cancellation_type_t>(static_cast<unsigned>(fresh)));
    if (emitted_ == cancellation_type::all) return ready();
    return pending;
}

}  // namespace rouse::detail
