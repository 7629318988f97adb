// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// expect: an Asio executor that can be required never to block

#include <boost/asio/any_completion_executor.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>

void use(boost::asio::any_completion_executor const& may_run_it_at_once, rouse::task<> t) {
    rouse::spawn_ok(may_run_it_at_once, std::move(t));
}
