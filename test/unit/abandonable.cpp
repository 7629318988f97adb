// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <concepts>
#include <rouse/abandonable.hpp>
#include <rouse/task.hpp>
#include <stdexcept>
#include <support/unit_kit.hpp>

BOOST_AUTO_TEST_SUITE(test_abandonable)

using rouse::abandonable;
using rouse::task;
using namespace rouse_test;

BOOST_AUTO_TEST_CASE(left_alone_it_is_what_it_holds) {
    loan l;
    abandonable f{lending(l)};
    static_assert(std::same_as<decltype(f), abandonable<lending>>);
    static_assert(rouse::lending_future<abandonable<lending>>);
    BOOST_TEST(poll_once(f).is_pending());
    l.finish();
    BOOST_TEST(poll_once(f).value() == 7);

    loan failing;
    failing.done = failing.throws = true;
    abandonable g{lending(failing)};
    BOOST_CHECK_THROW((void)poll_once(g), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(asked_to_let_go_it_destroys_what_it_holds) {
    loan l;
    l.cancels_needed = 1'000'000;  // it would not
    {
        hand_executor ex;
        auto body = [](loan& lent) -> task<int> { co_return co_await abandonable{lending(lent)}; };
        auto handle = ex.spawn(body(l));
        ex.run_all();
        BOOST_TEST(l.polls == 1);
        handle.abort();
        ex.run_all();
        BOOST_TEST(handle.is_finished());
        BOOST_TEST(l.dropped_in_flight == 1);
        BOOST_TEST(l.cancels == 0);
        BOOST_CHECK_THROW((void)poll_once(handle), boost::system::system_error);
    }
    BOOST_TEST(l.book.live() == 0);
}

BOOST_AUTO_TEST_CASE(polled_after_that_it_says_so) {
    loan l;
    abandonable f{lending(l)};
    rouse::waker const none;
    rouse::context cx(none);
    BOOST_TEST(f.poll_cancel(cx).is_ready());
    BOOST_CHECK_THROW((void)f.poll(cx), std::logic_error);
}

BOOST_AUTO_TEST_SUITE_END()
