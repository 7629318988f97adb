// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_DETAIL_IO_DRIVER_HPP
#define ROUSE_DETAIL_IO_DRIVER_HPP

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <rouse/detail/abi.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/driver.hpp>

namespace rouse::detail {

// An io_context as a pool's event loop: a worker parks in it by running it.
//
// A park runs one handler, and then those that are ready behind it if that is likely to pay: asking
// Asio for more costs a system call when there is none, and saves other workers' time when there is.
// So it asks for as many as there were when it last came to the end of them, and every few parks for
// all that there are.
class ROUSE_DECL io_driver final : public driver {
public:
    explicit io_driver(boost::asio::io_context& io);
    io_driver(io_driver const&) = delete;
    io_driver& operator=(io_driver const&) = delete;

    unsigned park(time_point deadline) noexcept override;
    unsigned poll(unsigned most) noexcept override;
    void unpark() noexcept override;

    // Nobody parks any more: holds no work on the io_context, which must be destroyed before this object.
    void let_go() noexcept { work_.reset(); }

private:
    unsigned run_ready(unsigned most) noexcept;

    boost::asio::io_context& io_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    unsigned likely_ = 0;  // how many were ready behind the first one
    unsigned parks_ = 0;
    // The function that makes a park return: at most one is queued, in this memory.
    atomic<bool> unpark_queued_{false};
    alignas(std::max_align_t) unsigned char unpark_memory_[128];
};

}  // namespace rouse::detail

#endif
