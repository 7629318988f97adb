// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_ASIO_BOUND_SLOT_HPP
#define ROUSE_TEST_SUPPORT_ASIO_BOUND_SLOT_HPP

#include <support/asio_hand.hpp>
#include <support/asio_matrix.hpp>

namespace rouse_test {

// A pending operation ends when the slot that is bound to it emits, through as_result as well. Op
// is as in asio_matrix.hpp, but does not complete by itself: its values and its check are not
// needed.
template <class Op>
void bound_slot_cancels() {
    io_context_world w;
    asio::cancellation_signal signal;
    Op op(w);
    auto future = op.start(
        rouse::as_result(asio::bind_cancellation_slot(signal.slot(), rouse::use_poll)));
    hand h;
    auto polled = h.poll(future);
    auto const go_on = [&] {
        run_ready(w.io);
        while (polled.is_pending() && (h.woken() || h.requeued)) {
            polled = h.poll(future);
            run_ready(w.io);
        }
    };
    go_on();
    BOOST_TEST_REQUIRE(polled.is_pending());
    signal.emit(asio::cancellation_type::terminal);
    go_on();
    BOOST_TEST_REQUIRE(polled.is_ready());
    BOOST_TEST((std::move(polled).value().error() == asio::error::operation_aborted));
}

}  // namespace rouse_test

#endif
