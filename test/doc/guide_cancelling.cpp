// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <exception>
#include <future>
#include <rouse.hpp>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_guide_cancelling)

// The code of the guide's page on cancelling. In it an hour is nothing: the clock is a paused one.

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

using lines = std::vector<std::string>;

// [worker]
rouse::task<> worker(lines& said) {
    try {
        co_await rouse::sleep_for(1h);
        said.push_back("done");
    } catch (boost::system::system_error const& e) {
        if (e.code() != asio::error::operation_aborted) throw;
        said.push_back("cancelled: cleaning up");
    }
}
// [/worker]

BOOST_AUTO_TEST_CASE(cancelled_it_cleans_up_and_aborted_it_does_not) {
    lines said;
    // [cancel_and_abort]
    asio::io_context io;
    rouse::cancellation_source stop;
    auto asked = rouse::spawn(io, rouse::with_cancellation(worker(said), stop.token()));
    auto ended = rouse::spawn(io, worker(said));
    io.poll();       // both sleep
    stop.cancel();   // from any thread: the worker is asked
    ended.abort();   // from any thread: the worker is ended where it stands
    io.run();
    rouse::block_on(std::move(asked));  // has returned, as it has caught the exception
    BOOST_CHECK_THROW(rouse::block_on(std::move(ended)), boost::system::system_error);
    // [/cancel_and_abort]
    BOOST_TEST(said == lines{"cancelled: cleaning up"}, boost::test_tools::per_element());
}

// [sticky]
rouse::task<int> stubborn() {
    int refused = 0;
    for (int i = 0; i != 3; ++i) {
        try {
            co_await rouse::sleep_for(1h);
        } catch (boost::system::system_error const&) {
            ++refused;  // every time: the request stays
        }
    }
    rouse::this_task::cancellation().clear();  // forgotten
    co_await rouse::sleep_for(1ms);
    co_return refused;
}
// [/sticky]

BOOST_AUTO_TEST_CASE(a_request_stays_until_it_is_forgotten) {
    rouse::cancellation_source stop;
    stop.cancel();
    BOOST_TEST(rouse::block_on(rouse::with_cancellation(stubborn(), stop.token())) == 3);
}

rouse::task<> flush(lines& said) {
    co_await rouse::sleep_for(1ms);
    said.push_back("flushed");
}

// [masks]
rouse::task<> careful(lines& said) {
    co_await rouse::shielded(flush(said));  // no request reaches this one future
    {
        rouse::this_task::cancellation_mask const shield;  // nor anything that is awaited here
        co_await flush(said);
    }
    rouse::this_task::throw_if_cancelled();  // what was requested meanwhile is seen now
    said.push_back("not reached");
}
// [/masks]

BOOST_AUTO_TEST_CASE(what_must_run_to_its_end) {
    lines said;
    rouse::cancellation_source stop;
    stop.cancel();
    BOOST_CHECK_THROW(rouse::block_on(rouse::with_cancellation(careful(said), stop.token())),
                      boost::system::system_error);
    BOOST_TEST(said.size() == 2U);
}

// [cleanup]
auto with_clean_up(lines& said) {
    return rouse::finally(rouse::sleep_for(1h), [&said] { return flush(said); });
}
// [/cleanup]

BOOST_AUTO_TEST_CASE(a_clean_up_that_waits) {
    lines said;
    asio::io_context io;
    auto handle = rouse::spawn(io, with_clean_up(said));
    io.poll();
    handle.abort();
    io.run();
    BOOST_TEST(said.size() == 1U);
}

BOOST_AUTO_TEST_CASE(sources_are_a_tree) {
    // [tree]
    rouse::cancellation_source everything;
    rouse::cancellation_source one_part(everything.token()), another(everything.token());
    one_part.cancel();
    BOOST_TEST(one_part.token().is_cancelled());
    BOOST_TEST(!another.token().is_cancelled());  // neither beside it
    BOOST_TEST(!everything.token().is_cancelled());  // nor above
    everything.cancel();
    BOOST_TEST(another.token().is_cancelled());
    // [/tree]
}

BOOST_AUTO_TEST_CASE(the_standard_librarys_tokens) {
    bool seen = false;
    // [stop_token]
    std::jthread thread([&](std::stop_token stopped) {
        rouse::cancellation_source stop(stopped);  // below it
        try {
            rouse::block_on(rouse::with_cancellation(rouse::sleep_for(1h), stop.token()));
        } catch (boost::system::system_error const& e) {
            seen = e.code() == asio::error::operation_aborted;
        }
    });
    thread.request_stop();
    thread.join();

    rouse::cancellation_source source;
    std::stop_callback const callback(source.token().stop_token(), [&] { seen = !seen; });  // above
    source.cancel();
    // [/stop_token]
    BOOST_TEST(!seen);
}

BOOST_AUTO_TEST_CASE(asios_slots) {
    // [slots]
    asio::io_context io;
    asio::cancellation_signal signal;  // of code that knows nothing of Rouse
    rouse::cancellation_source stop;
    rouse::cancel_from(signal.slot(), stop);  // the source is below it

    asio::steady_timer timer(io, 1h);
    rouse::asio_slot const below(io.get_executor(), stop.token());  // an operation below the source
    auto waited = timer.async_wait(asio::bind_cancellation_slot(below.get(), asio::use_future));
    io.poll();
    signal.emit(asio::cancellation_type::terminal);
    io.poll();  // not `run`: the slot is work for its executor as long as it lives
    BOOST_CHECK_THROW(waited.get(), boost::system::system_error);
    // [/slots]
}

BOOST_AUTO_TEST_CASE(a_slot_of_spawn) {
    // [spawn_slot]
    asio::io_context io;
    asio::cancellation_signal signal;
    auto ended = rouse::spawn(io, rouse::sleep_for(1h),
                              asio::bind_cancellation_slot(signal.slot(), asio::use_future));
    io.poll();
    signal.emit(asio::cancellation_type::terminal);  // asks the task
    io.run();
    BOOST_CHECK_THROW(ended.get(), boost::system::system_error);
    // [/spawn_slot]
}

// [deadline]
rouse::task<> part(lines& said) {
    try {
        co_await rouse::sleep_for(1h);
    } catch (boost::system::system_error const&) {
        said.push_back("a part was cancelled");
        throw;
    }
}

// Everything that it begins has the same time.
rouse::task<> many_parts(lines& said) {
    co_await rouse::with_group([&](rouse::task_group& g) -> rouse::task<> {
        for (int i = 0; i != 3; ++i) g.spawn(part(said));
        co_return;
    });
}

rouse::task<> limited(lines& said) {
    try {
        co_await rouse::with_deadline(many_parts(said), 5s);
    } catch (boost::system::system_error const& e) {
        if (e.code() == rouse::errc::timed_out) said.push_back("out of time");
    }
}
// [/deadline]

BOOST_AUTO_TEST_CASE(deadlines_are_inherited) {
    lines said;
    rouse::paused_clock clock;
    rouse::block_on(limited(said), clock);
    BOOST_TEST(said.size() == 4U);
    BOOST_TEST(said.back() == "out of time");
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
