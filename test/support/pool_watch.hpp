// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_POOL_WATCH_HPP
#define ROUSE_TEST_SUPPORT_POOL_WATCH_HPP

#include <support/asio_loopback.hpp>
#include <support/pool_kit.hpp>

#include <atomic>
#include <boost/asio/any_io_executor.hpp>

// What Asio does with a pool, and where: continuations of operations that the pool's executor was
// given for run on the pool's workers, and no thread appears that nobody has asked for.

namespace rouse_test {

class pool_watch {
public:
    pool_watch(mode m, unsigned workers) : home_(m, workers) {
        // All workers have started.
        wait_until([this] { return threads_of_process() >= threads_at_rest + home_.threads(); },
                   "the workers' threads");
    }

    rouse::thread_pool& pool() { return *home_; }

    // A continuation says where it is; `expected` of them are awaited.
    void here() {
        if (!pool().get_executor().running_in_this_thread()) ++elsewhere_;
        ++seen_;
    }
    // A continuation that says so; it passes on nothing.
    auto handler() {
        return [this](auto const&...) { here(); };
    }
    void expect(unsigned continuations, unsigned extra_threads = 0) {
        wait_until([&] { return seen_ >= continuations; }, "continuations");
        BOOST_TEST(seen_ == continuations);
        BOOST_TEST(elsewhere_ == 0U);
        BOOST_TEST(threads_become(threads_at_rest + home_.threads() + extra_threads));
        seen_ = 0;
    }

private:
    pool_home home_;
    std::atomic<unsigned> seen_{0};
    std::atomic<unsigned> elsewhere_{0};
};

// Calls check(watch, where) with the pool, its executor, and an any_io_executor of it.
template <class Check>
void on_each(Check check) {
    in_both_modes({1, 2}, [&](mode m, unsigned workers) {
        pool_watch watch(m, workers);
        check(watch, watch.pool());
        auto ex = watch.pool().get_executor();
        check(watch, ex);
        asio::any_io_executor any = ex;
        check(watch, any);
    });
}

// Connects two sockets with each other.
inline void connect_pair(tcp::socket& here, tcp::socket& there) {
    tcp::acceptor acceptor = listening(there.get_executor());
    here.connect(acceptor.local_endpoint());
    accept_from(here, acceptor, there);
    here.set_option(tcp::no_delay(true));
    there.set_option(tcp::no_delay(true));
}

}  // namespace rouse_test

#endif
