// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: pass it by value or with std::move

#include <boost/asio/io_context.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>

void use(boost::asio::io_context& io, rouse::task<>& named) {
    rouse::spawn_ok(io, named);
}
