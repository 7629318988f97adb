// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_UNHANDLED_HPP
#define ROUSE_UNHANDLED_HPP

#include <boost/system/error_code.hpp>
#include <exception>
#include <rouse/config.hpp>
#include <source_location>

namespace rouse {

// What becomes of an exception that nobody waits for, where the executor does not say otherwise.
// The handler may be called by several threads at once, and must not throw.
using unhandled_handler = void (*)(std::exception_ptr error, std::source_location where);

// Replaces the handler of the whole process and returns the old one. The first one prints a line
// on stderr: what was thrown, and where the task was spawned. Any thread.
ROUSE_DECL unhandled_handler set_unhandled_handler(unhandled_handler handler) noexcept;

// Calls the handler of the whole process.
ROUSE_DECL void report_unhandled(std::exception_ptr error, std::source_location where) noexcept;

// True of what is thrown where something was cancelled or aborted, which is no news of a task that was told to end:
// Asio's operation_aborted, errc::aborted, and all else that equals the generic operation_canceled; the cancellation of
// an Asio channel. Not of errc::timed_out, nor of a null pointer. Any thread.
ROUSE_DECL bool is_cancellation(std::exception_ptr const& error) noexcept;
ROUSE_DECL bool is_cancellation(boost::system::error_code const& code) noexcept;

}  // namespace rouse

#endif
