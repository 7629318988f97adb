// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#include <boost/system/errc.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <rouse/error.hpp>
#include <stdexcept>
#include <string>

namespace rouse {

namespace {

// Boost's base class has no virtual destructor; its objects are never deleted.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class category final : public boost::system::error_category {
public:
    char const* name() const noexcept override { return "rouse"; }

    std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
            case errc::aborted: return "the task was aborted";
            case errc::timed_out: return "the time limit was reached";
            case errc::shut_down: return "the executor has been shut down";
            case errc::blocking_in_worker:
                return "a blocking call inside a task or on a worker of a thread_pool";
            case errc::closed: return "the other end is closed";
        }
        return "unknown error";
    }

    boost::system::error_condition default_error_condition(int value) const noexcept override {
        namespace generic = boost::system::errc;
        switch (static_cast<errc>(value)) {
            case errc::aborted: return generic::make_error_condition(generic::operation_canceled);
            case errc::timed_out: return generic::make_error_condition(generic::timed_out);
            default: return {value, *this};
        }
    }
};
#pragma GCC diagnostic pop

}  // namespace

boost::system::error_category const& error_category() noexcept {
    static category const instance;
    return instance;
}

namespace detail {

void throw_error(errc e, char const* what) {
    throw boost::system::system_error(make_error_code(e), what);
}

void throw_cancelled() {
    // Equal to boost::asio::error::operation_aborted, of which this floor knows nothing.
    throw_error(boost::system::error_code(ECANCELED, boost::system::system_category()));
}

void throw_error(boost::system::error_code const& e) { throw boost::system::system_error(e); }

void throw_misuse(char const* sentence) { throw std::logic_error(std::string("rouse: ") + sentence); }

}  // namespace detail

}  // namespace rouse
