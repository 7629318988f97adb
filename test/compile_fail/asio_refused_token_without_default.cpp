// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: T must be default-constructible

#include <boost/asio/io_context.hpp>
#include <exception>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>

struct number {
    explicit number(int);
};

void use(boost::asio::io_context& io, rouse::task<number> t) {
    rouse::spawn(io, std::move(t), [](std::exception_ptr, number) {});
}
