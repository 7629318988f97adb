// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_ERROR_HPP
#define ROUSE_ERROR_HPP

#include <boost/system/error_category.hpp>
#include <boost/system/error_code.hpp>
#include <rouse/config.hpp>
#include <type_traits>

namespace rouse {

// The library's own errors. They reach users as boost::system::system_error, or as the error_code
// of an operation whose token asks for codes.
enum class errc {
    aborted = 1,         // the task was aborted, or its executor ended before it
    timed_out,           // a time limit was reached
    shut_down,           // the executor takes no more tasks
    blocking_in_worker,  // something that blocks was called where a task is being polled
    closed,              // the other end is gone
};

// The category "rouse". It maps `aborted` to the generic operation_canceled and `timed_out` to the
// generic timed_out.
ROUSE_DECL boost::system::error_category const& error_category() noexcept;

inline boost::system::error_code make_error_code(errc e) noexcept {
    return {static_cast<int>(e), error_category()};
}

namespace detail {
// Throws boost::system::system_error.
[[noreturn]] ROUSE_DECL void throw_error(errc e, char const* what);
[[noreturn]] ROUSE_DECL void throw_error(boost::system::error_code const& e);
// Throws what an operation gives that was cancelled: Asio's operation_aborted.
[[noreturn]] ROUSE_DECL void throw_cancelled();
// Throws std::logic_error: a rule was broken; the sentence names it.
[[noreturn]] ROUSE_DECL void throw_misuse(char const* sentence);
}  // namespace detail

}  // namespace rouse

template <>
struct boost::system::is_error_code_enum<rouse::errc> : std::true_type {};

#endif
