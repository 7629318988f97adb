// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#include <algorithm>
#include <boost/asio/execution/allocator.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/require.hpp>
#include <exception>
#include <rouse/detail/fatal.hpp>
#include <rouse/detail/io_driver.hpp>
#include <rouse/scheduler.hpp>
#include <source_location>

namespace rouse::detail {

namespace asio = boost::asio;

namespace {

constexpr unsigned most_at_once = 128;  // then the tasks that were woken have their turn
constexpr unsigned ask_again_after = 8;

// An allocator over one piece of memory, for one allocation at a time.
template <class T>
struct one_piece {
    using value_type = T;

    explicit one_piece(unsigned char* m) noexcept : memory(m) {}
    template <class U>
    one_piece(one_piece<U> const& other) noexcept : memory(other.memory) {}

    T* allocate(std::size_t n) {
        static_assert(sizeof(T) <= 128);
        if (n != 1) fatal("the event loop's own function does not fit its memory");
        return reinterpret_cast<T*>(memory);
    }
    void deallocate(T*, std::size_t) noexcept {}
    template <class U>
    bool operator==(one_piece<U> const& other) const noexcept {
        return memory == other.memory;
    }

    unsigned char* memory;
};
template <>
struct one_piece<void> {
    using value_type = void;

    explicit one_piece(unsigned char* m) noexcept : memory(m) {}
    template <class U>
    one_piece(one_piece<U> const& other) noexcept : memory(other.memory) {}
    template <class U>
    bool operator==(one_piece<U> const& other) const noexcept {
        return memory == other.memory;
    }

    unsigned char* memory;
};

// Runs the loop; an exception that leaves a handler of the application's is reported.
template <class Run>
unsigned guarded(Run run) noexcept {
    try {
        return static_cast<unsigned>(run());
    } catch (...) {
        report_unhandled(std::current_exception(), std::source_location{});
        return 1;
    }
}

}  // namespace

io_driver::io_driver(asio::io_context& io) : io_(io), work_(io.get_executor()) {}

unsigned io_driver::run_ready(unsigned most) noexcept {
    unsigned ran = 0;
    while (ran < most && guarded([this] { return io_.poll_one(); }) != 0) ++ran;
    return ran;
}

unsigned io_driver::park(time_point deadline) noexcept {
    if (io_.stopped()) io_.restart();  // a handler may stop the loop; it is the pool's to run
    unsigned ran = guarded([this, deadline] { return io_.run_one_until(deadline); });
    if (ran != 0) {
        // Not one more than there were the last time: to find nothing costs a system call.
        unsigned const most = ++parks_ % ask_again_after == 0 ? most_at_once : likely_;
        unsigned const more = run_ready(most);
        if (more < most || most == most_at_once) likely_ = more;
        ran += more;
    }
    return ran;
}

unsigned io_driver::poll(unsigned most) noexcept {
    if (io_.stopped()) io_.restart();
    return run_ready(std::min(most, most_at_once));
}

void io_driver::unpark() noexcept {
    // acq_rel: the memory is free again; pairs with the store in the function
    if (unpark_queued_.exchange(true, acq_rel)) return;
    asio::require(io_.get_executor(), asio::execution::blocking.never,
                  asio::execution::allocator(one_piece<void>(unpark_memory_)))
        .execute([this] { unpark_queued_.store(false, release); });
}

}  // namespace rouse::detail
