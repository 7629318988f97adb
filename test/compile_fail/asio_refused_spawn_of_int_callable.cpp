// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: what is spawned is a future

#include <boost/asio/io_context.hpp>
#include <rouse/spawn.hpp>

void use(boost::asio::io_context& io) {
    rouse::spawn_ok(io, [] { return 42; });
}
