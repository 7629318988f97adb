// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A race that ThreadSanitizer must report (and then end the program with status 66), although an
// exception goes from one of the two threads to the other: tsan_exceptions.cpp does not hide it.
// Both threads touch `unprotected` before either touches an exception, so that nothing orders
// the two writes, whichever thread is first.

#include <boost/test/unit_test.hpp>

#include <exception>
#include <future>
#include <stdexcept>
#include <thread>

BOOST_AUTO_TEST_CASE(a_race_beside_an_exception_is_reported) {
    int unprotected = 0;
    std::promise<int> hand_over;
    std::future<int> handed_over = hand_over.get_future();

    std::thread giver([&] {
        ++unprotected;
        try {
            throw std::runtime_error("handed over");
        } catch (...) {
            hand_over.set_exception(std::current_exception());
        }
    });
    std::thread taker([&] {
        ++unprotected;
        try {
            handed_over.get();
        } catch (const std::runtime_error&) {
        }
    });
    giver.join();
    taker.join();
    BOOST_TEST(unprotected == 2);
}
