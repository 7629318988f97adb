// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The pool's scheduler behind other executors: a task that is spawned on one of them is a task of
// the pool.

#include <support/pool_end.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <cstdint>
#include <memory>
#include <rouse.hpp>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_executor_behind_others)

using namespace rouse_test;
using rouse::block_on;
using rouse::join_handle;
using rouse::spawn;
using rouse::spawn_ok;
using rouse::task;

namespace {

task<> nothing() { co_return; }

}  // namespace

BOOST_AUTO_TEST_CASE(an_any_io_executor_of_the_pool_leads_to_the_pool_in_every_property_form) {
    namespace ex = asio::execution;
    in_both_modes({2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        auto const own = pool->get_executor();
        asio::any_io_executor const any = own;
        asio::steady_timer timer(*pool);
        std::vector<asio::any_io_executor> const forms = {
            any,
            timer.get_executor(),
            asio::steady_timer(own).get_executor(),
            asio::require(any, ex::blocking.never),
            asio::prefer(any, ex::blocking.possibly),
            asio::prefer(any, ex::outstanding_work.tracked),
            asio::prefer(any, ex::outstanding_work.untracked),
            asio::prefer(any, ex::relationship.continuation),
            asio::prefer(any, ex::relationship.fork),
            asio::require(own, ex::blocking.always),
            asio::require(own, ex::blocking.never),
            asio::prefer(asio::require(own, ex::blocking.never), ex::outstanding_work.tracked),
            asio::prefer(asio::require(any, ex::blocking.never), ex::relationship.continuation,
                         ex::outstanding_work.tracked),
        };
        std::uint64_t expected = 0;
        std::vector<join_handle<void>> parked;
        for (std::size_t n = 0; n < forms.size(); ++n) {
            BOOST_TEST_CONTEXT("form " << n) {
                bool const here = block_on(rouse::spawn(
                    forms[n], [own]() -> task<bool> { co_return own.running_in_this_thread(); }));
                BOOST_TEST(here);
                spawn_ok(forms[n], nothing());
                rouse::spawn(forms[n], nothing(), asio::use_future).get();
                parked.push_back(rouse::spawn(forms[n], waits_for(event(), nullptr)));
                expected += 4;
                BOOST_TEST(pool->metrics().tasks_spawned == expected);
            }
        }
        parked.push_back(rouse::spawn(asio::require(own, ex::allocator(std::allocator<int>())),
                               waits_for(event(), nullptr)));
        BOOST_TEST(pool->metrics().tasks_spawned == expected + 1);
        BOOST_TEST(!parked.front().is_finished());
        pool->stop();
        for (auto& handle : parked) BOOST_TEST(is_aborted(std::move(handle)));
    });
}

BOOST_AUTO_TEST_SUITE_END()
