// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <barrier>
#include <boost/asio/cancellation_type.hpp>
#include <boost/test/unit_test.hpp>
#include <rouse/cancellation.hpp>
#include <support/scale.hpp>
#include <thread>

BOOST_AUTO_TEST_SUITE(test_cancellation)

using rouse::cancellation_state;
using rouse::cancellation_type;

BOOST_AUTO_TEST_CASE(the_types_have_the_values_of_asios) {
    namespace asio = boost::asio;
    auto same = [](cancellation_type a, asio::cancellation_type b) {
        return static_cast<unsigned>(a) == static_cast<unsigned>(b);
    };
    BOOST_TEST(same(cancellation_type::none, asio::cancellation_type::none));
    BOOST_TEST(same(cancellation_type::terminal, asio::cancellation_type::terminal));
    BOOST_TEST(same(cancellation_type::partial, asio::cancellation_type::partial));
    BOOST_TEST(same(cancellation_type::total, asio::cancellation_type::total));
    BOOST_TEST(
        (~cancellation_type::total == (cancellation_type::terminal | cancellation_type::partial)));
    BOOST_TEST((~cancellation_type::all == cancellation_type::none));
    BOOST_TEST(
        ((cancellation_type::all & cancellation_type::partial) == cancellation_type::partial));
}

BOOST_AUTO_TEST_CASE(a_request_is_sticky_and_requests_add_up) {
    cancellation_state s;
    BOOST_TEST((s.requested() == cancellation_type::none));
    s.request(cancellation_type::partial);
    BOOST_TEST((s.requested() == cancellation_type::partial));
    BOOST_TEST((s.requested() == cancellation_type::partial));
    s.request(cancellation_type::terminal);
    BOOST_TEST((s.requested() == (cancellation_type::partial | cancellation_type::terminal)));
    s.clear();
    BOOST_TEST((s.requested() == cancellation_type::none));
}

BOOST_AUTO_TEST_CASE(the_epoch_changes_with_every_request_mask_and_clear) {
    cancellation_state s;
    auto last = s.epoch();
    auto const moved = [&] {
        auto const now = s.epoch();
        bool const different = now != last;
        last = now;
        return different;
    };
    BOOST_TEST(!moved());
    s.request(cancellation_type::total);
    BOOST_TEST(moved());
    s.request(cancellation_type::total);  // the same again: it may be meant for a new operation
    BOOST_TEST(moved());
    s.mask(cancellation_type::total);
    BOOST_TEST(moved());
    s.unmask(cancellation_type::total);
    BOOST_TEST(moved());
    s.clear();
    BOOST_TEST(moved());
    (void)s.requested();
    BOOST_TEST(!moved());
}

BOOST_AUTO_TEST_CASE(a_masked_request_is_kept_and_seen_when_it_is_unmasked) {
    cancellation_state s;
    s.mask(cancellation_type::all);
    s.request(cancellation_type::terminal);
    BOOST_TEST((s.requested() == cancellation_type::none));
    BOOST_TEST((s.masked() == cancellation_type::all));
    BOOST_TEST(!s.take_unmasked());
    s.mask(cancellation_type::partial);
    s.unmask(cancellation_type::all);
    BOOST_TEST(s.take_unmasked());
    BOOST_TEST(!s.take_unmasked());
    BOOST_TEST((s.masked() == cancellation_type::partial));
    BOOST_TEST((s.requested() == cancellation_type::terminal));
    s.request(cancellation_type::partial);
    BOOST_TEST((s.requested() == cancellation_type::terminal));
    s.unmask(cancellation_type::partial);
    BOOST_TEST((s.requested() == (cancellation_type::partial | cancellation_type::terminal)));
    BOOST_TEST(s.take_unmasked());
}

// A mask that is older than the poll in which it ends has hidden the request from all that were polled meanwhile, each
// time; one that is not must not have everybody polled again and again.
BOOST_AUTO_TEST_CASE(another_poll_is_due_after_each_mask_that_others_were_polled_under) {
    rouse::cancellation_state state;
    state.request(cancellation_type::terminal);
    for (int n = 0; n < 3; ++n) {
        state.mask(cancellation_type::all);
        BOOST_TEST(!state.take_unmasked());  // a poll ends under it
        state.unmask(cancellation_type::all);
        BOOST_TEST(state.take_unmasked());
    }
    for (int n = 0; n < 3; ++n) {
        state.mask(cancellation_type::all);
        state.unmask(cancellation_type::all);
        BOOST_TEST(state.take_unmasked() == (n == 0));
    }
}

BOOST_AUTO_TEST_CASE(many_requests_do_not_run_over_into_the_types) {
    cancellation_state s;
    for (int i = 0; i < 1'000'000; ++i) s.request(cancellation_type::partial);
    BOOST_TEST((s.requested() == cancellation_type::partial));
    BOOST_TEST(s.look().requests == 1'000'000U);
}

BOOST_AUTO_TEST_CASE(threads_request_while_the_task_looks_and_none_is_lost) {
    int const rounds = rouse_test::scaled(10'000);
    int lost = 0;
    cancellation_state s;
    std::barrier start(3);
    auto const ask = [&](cancellation_type type) {
        for (int i = 0; i < rounds; ++i) {
            start.arrive_and_wait();
            s.request(type);
            start.arrive_and_wait();
        }
    };
    std::jthread a(ask, cancellation_type::terminal);
    std::jthread b(ask, cancellation_type::total);
    for (int i = 0; i < rounds; ++i) {
        s.clear();
        auto const before = s.epoch();
        start.arrive_and_wait();
        (void)s.requested();
        start.arrive_and_wait();
        if (s.requested() != (cancellation_type::terminal | cancellation_type::total)) ++lost;
        if (s.epoch() != before + 2) ++lost;
    }
    BOOST_TEST(lost == 0);
}

BOOST_AUTO_TEST_SUITE_END()
