// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A worker's thread that cannot be started (behaviour 54). pthread_create is replaced by one that
// fails when it is told to.

#include <support/pool_kit.hpp>

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <rouse.hpp>
#include <system_error>

namespace {
std::atomic<int> threads_until_failure{-1};  // negative: never
}

extern "C" int pthread_create(pthread_t* thread, pthread_attr_t const* attributes,
                              void* (*body)(void*), void* argument) noexcept {
    using function = int (*)(pthread_t*, pthread_attr_t const*, void* (*)(void*), void*);
    static auto const real = reinterpret_cast<function>(::dlsym(RTLD_NEXT, "pthread_create"));
    if (threads_until_failure >= 0 && threads_until_failure-- == 0) return EAGAIN;
    return real(thread, attributes, body, argument);
}

using namespace rouse_test;
using rouse::thread_pool;

namespace {

bool is_no_more_threads(std::system_error const& e) {
    return e.code() == std::errc::resource_unavailable_try_again &&
           says("rouse: a worker's thread could not be started")(e);
}

}  // namespace

BOOST_AUTO_TEST_CASE(b54_a_thread_that_cannot_be_started_ends_the_others) {
    asio::io_context io;
    for (int const workers : {1, 2, 8}) {
        for (int k = 0; k < workers; ++k) {
            for (bool const own : {true, false}) {
                BOOST_TEST_CONTEXT("thread " << k << " of " << workers) {
                    auto const kept = std::make_shared<int>(0);
                    std::atomic<int> started{0};
                    std::atomic<int> stopped{0};
                    auto how = thread_pool::builder()
                                   .workers(static_cast<unsigned>(workers))
                                   .after_start([kept, &started](unsigned) { ++started; })
                                   .before_stop([kept, &stopped](unsigned) { ++stopped; });
                    threads_until_failure = k;
                    if (own) {
                        BOOST_CHECK_EXCEPTION(static_cast<void>(how.build()), std::system_error,
                                              is_no_more_threads);
                    } else {
                        BOOST_CHECK_EXCEPTION(static_cast<void>(how.build(io)), std::system_error,
                                              is_no_more_threads);
                    }
                    threads_until_failure = -1;
                    BOOST_TEST(started == k);
                    BOOST_TEST(stopped == k);
                    BOOST_TEST(threads_become(threads_at_rest));
                    how = thread_pool::builder();
                    BOOST_TEST(kept.use_count() == 1);
                }
            }
        }
    }
    // The io_context is as good as before.
    thread_pool pool(io, 2);
    BOOST_TEST(rouse::block_on(rouse::spawn(pool, []() -> rouse::task<int> { co_return 5; })) == 5);
}

BOOST_AUTO_TEST_CASE(a_process_with_a_pool_has_its_workers_and_the_main_thread) {
    BOOST_TEST(threads_become(1));
    for (unsigned const workers : {1U, 2U, 8U}) {
        thread_pool pool(workers);
        asio::steady_timer timer(pool, std::chrono::milliseconds(1));
        rouse::block_on(rouse::spawn(pool, [&]() -> rouse::task<> {
            co_await timer.async_wait(rouse::use_poll);
        }));
        BOOST_TEST(threads_become(1 + workers));
        pool.join();
        BOOST_TEST(threads_become(1));
    }
}
