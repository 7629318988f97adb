// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: nodiscard

// flags: -Werror=unused-result
#include <boost/asio/steady_timer.hpp>
#include <rouse/use_poll.hpp>

void use(boost::asio::steady_timer& timer) {
    timer.async_wait(rouse::use_poll);
}
