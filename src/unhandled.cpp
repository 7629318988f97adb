// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#include <boost/system/errc.hpp>
#include <boost/system/system_error.hpp>
#include <cstdio>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/fatal.hpp>
#include <rouse/unhandled.hpp>
#include <string_view>
#include <system_error>
#include <utility>

namespace rouse {

namespace {

// One line on stderr. Without a place: a function, or a destructor that runs where no task is
// known.
void print_line(char const* what, std::source_location where) {
    if (where.line() == 0) {
        std::fprintf(stderr, "rouse: unhandled exception in a function or a destructor: %s\n", what);
    } else {
        std::fprintf(stderr, "rouse: unhandled exception in a task spawned at %s:%u: %s\n",
                     where.file_name(), static_cast<unsigned>(where.line()), what);
    }
}

void print_unhandled(std::exception_ptr error, std::source_location where) {
    try {
        std::rethrow_exception(error);
    } catch (std::exception const& e) {
        print_line(e.what(), where);
    } catch (...) {
        print_line("an exception that is not a std::exception", where);
    }
}

constinit detail::atomic<unhandled_handler> process_handler{&print_unhandled};

}  // namespace

unhandled_handler set_unhandled_handler(unhandled_handler handler) noexcept {
    // acq_rel: what the handler needs was made before it is called; pairs with report_unhandled
    return process_handler.exchange(handler ? handler : &print_unhandled, detail::acq_rel);
}

void report_unhandled(std::exception_ptr error, std::source_location where) noexcept {
    try {
        process_handler.load(detail::acquire)(std::move(error), where);
    } catch (...) {
        detail::fatal("the handler of unhandled exceptions threw one");
    }
}

// Asio's channels have a code of their own for it, experimental::error::channel_cancelled; not to be included here.
bool is_cancellation(boost::system::error_code const& code) noexcept {
    constexpr int channel_cancelled = 2;
    return code == boost::system::errc::operation_canceled ||
           (code.value() == channel_cancelled && std::string_view(code.category().name()) == "asio.channel");
}

bool is_cancellation(std::exception_ptr const& error) noexcept {
    if (!error) return false;
    try {
        std::rethrow_exception(error);
    } catch (boost::system::system_error const& e) {
        return is_cancellation(e.code());
    } catch (std::system_error const& e) {
        return e.code() == std::errc::operation_canceled;
    } catch (...) {
        return false;
    }
}

}  // namespace rouse
