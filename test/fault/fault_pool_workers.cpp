// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Behaviour 87, in the workers of a thread pool. Whatever allocation of theirs fails: whoever waits
// gets std::bad_alloc; where there is nobody to throw at, the unhandled handler gets it, and what
// was on its way is destroyed. Nothing leaks, and the pool works afterwards. Each scenario runs
// with the first allocation of all other threads failing, then with the second, until it runs
// through.

#include <support/fault_pool.hpp>
#include <support/scale.hpp>

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <rouse.hpp>
#include <string>
#include <tuple>

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::thread_pool;
using rouse::use_poll;

namespace {

using local = asio::local::stream_protocol::socket;

rouse::task<int> nested(int depth) {
    tracked const here;
    if (depth != 0) co_return co_await nested(depth - 1);
    co_return co_await work();
}
rouse::task<int> deep(thread_pool&) { return nested(5); }

rouse::task<int> spawning(thread_pool& pool) {
    auto first = rouse::spawn(pool, work());
    auto second = rouse::spawn(pool.get_executor(), a_callable());
    int const sum = co_await std::move(first) + co_await std::move(second);
    co_return sum / 2;
}
rouse::task<int> spawning_here(thread_pool&) {
    rouse::this_task::spawn_ok(a_poll_fn());
    auto other = rouse::this_task::spawn(work());
    co_return co_await std::move(other);
}
rouse::task<int> awaiting_a_spawn(thread_pool& pool) {
    int const n = co_await rouse::spawn(pool, work(), use_poll);
    co_return n;
}
rouse::task<int> awaiting_a_spawn_as_tuple(thread_pool& pool) {
    auto const [error, n] = co_await rouse::spawn(pool, work(), asio::as_tuple(use_poll));
    if (error) std::rethrow_exception(error);
    co_return n;
}
rouse::task<int> awaiting_a_deferred_spawn(thread_pool& pool) {
    int const n = co_await rouse::spawn(pool, a_poll_fn(), asio::deferred);
    co_return n;
}
rouse::task<int> submitting(thread_pool& pool) {
    co_await asio::post(pool, use_poll);
    co_await asio::defer(pool, use_poll);
    co_await asio::dispatch(pool, use_poll);
    asio::any_io_executor const any(pool.get_executor());
    co_await asio::post(any, use_poll);
    co_return 7;
}
rouse::task<int> always(thread_pool& pool) {
    auto const ex = asio::require(pool.get_executor(), asio::execution::blocking.always);
    int n = 0;
    ex.execute([&n, kept = tracked()] { n = 7; });
    co_return n;
}
rouse::task<int> sleeping(thread_pool& pool) {
    asio::steady_timer timer(pool, 1ms);
    co_await timer.async_wait(use_poll);
    co_return 7;
}
rouse::task<int> talking(thread_pool& pool) {
    local a(pool);
    local b(pool);
    asio::local::connect_pair(a, b);
    std::string sent(100, 's');
    std::string got(100, ' ');
    co_await asio::async_write(a, asio::buffer(sent), use_poll);
    co_await asio::async_read(b, asio::buffer(got), use_poll);
    co_return sent == got ? 7 : 0;
}
rouse::task<int> asking(thread_pool& pool) {
    co_return pool.metrics().workers.size() == pool.size() ? 7 : 0;
}

// Starts while nothing fails. What is left stays until the end.
using start_there = void (*)(thread_pool& pool, result& r, left& l);

struct scenario {
    char const* name;
    start_there start;
};

// A coroutine is called by the worker.
template <rouse::task<int> (*F)(thread_pool&)>
void in_a_task(thread_pool& pool, result& r, left&) {
    auto call = [&pool]() -> rouse::task<int> { co_return co_await F(pool); };
    rouse::spawn_ok(pool, [&r, call, kept = tracked()] { return telling(r, call()); });
}

// A function that is queued by a function in a worker, and does not fit that one's memory.
using padding_t = std::array<unsigned char, 300>;
template <class Submit>
void in_a_function(thread_pool& pool, result& r, Submit submit) {
    asio::post(pool, [&r, &pool, submit, kept = tracked()] {
        submit(pool, [f = function(r), padding = padding_t()] {
            f();
            static_cast<void>(padding);
        });
    });
}

// Not Asio's coroutines: they post in a destructor, which ends the program when there is no memory.
scenario const in_workers[] = {
    {"nested coroutines", &in_a_task<&deep>},
    {"spawn", &in_a_task<&spawning>},
    {"this_task::spawn", &in_a_task<&spawning_here>},
    {"spawn with use_poll", &in_a_task<&awaiting_a_spawn>},
    {"spawn with as_tuple", &in_a_task<&awaiting_a_spawn_as_tuple>},
    {"spawn with deferred", &in_a_task<&awaiting_a_deferred_spawn>},
    {"submit", &in_a_task<&submitting>},
    {"blocking.always", &in_a_task<&always>},
    {"a timer", &in_a_task<&sleeping>},
    {"sockets", &in_a_task<&talking>},
    {"metrics", &in_a_task<&asking>},
    {"the result for a callback",
     [](thread_pool& pool, result& r, left&) { rouse::spawn(pool, a_callable(), callback(r)); }},
    {"the result for a callback elsewhere",
     [](thread_pool& pool, result& r, left&) {
         asio::any_io_executor const there(pool.get_executor());
         rouse::spawn(pool, a_callable(), asio::bind_executor(there, callback(r)));
     }},
    {"the result for a handle",
     [](thread_pool& pool, result&, left& l) {
         l.handle.emplace(rouse::spawn(pool, a_callable()));
     }},
    {"post in a function",
     [](thread_pool& pool, result& r, left&) {
         in_a_function(pool, r, [](auto& p, auto f) { asio::post(p, std::move(f)); });
     }},
    {"defer in a function",
     [](thread_pool& pool, result& r, left&) {
         in_a_function(pool, r, [](auto& p, auto f) { asio::defer(p, std::move(f)); });
     }},
    {"spawn in a function",
     [](thread_pool& pool, result& r, left&) {
         in_a_function(pool, r, [](auto& p, auto f) {
             rouse::spawn_ok(p, [f = std::move(f)]() mutable -> rouse::task<> {
                 f();
                 co_return;
             });
         });
     }},
    {"a timer with a handler",
     [](thread_pool& pool, result& r, left& l) {
         l.timer.emplace(pool, 1ms);
         l.timer->async_wait(handler(r));
     }},
    {"a socket with a handler",
     [](thread_pool& pool, result& r, left& l) {
         asio::ip::tcp::endpoint const anywhere(asio::ip::address_v4::loopback(), 0);
         l.acceptor.emplace(pool, anywhere);
         l.socket.emplace(pool);
         l.socket->async_connect(l.acceptor->local_endpoint(), handler(r));
     }},
};

// A std::promise that breaks needs memory of its own, and ends the program if there is none: so
// this one fails once only. On the way Asio may start threads of its own, which stay.
scenario const for_a_future{"the result for a future", [](thread_pool& pool, result&, left& l) {
                                l.future = rouse::spawn(pool, a_callable(), asio::use_future);
                            }};

// Runs a scenario while allocations of all other threads fail: the nth, and `more`. True: one has.
bool fails_there(scenario const& s, mode m, unsigned workers, unsigned nth, unsigned long more) {
    told = mistold = 0;
    result r;
    bool reached = false;
    {
        home h(m, workers);
        {
            empty_slab const cold;
            left rest;
            {
                // Asio makes what it needs now and then, here and now.
                asio::steady_timer const timer(*h, 1h);
                local const socket(*h);
            }
            failing_elsewhere const fails(nth, more);
            s.start(*h, r, rest);
            rest.wait(r);
            wait_until([] { return live == 0; }, "the end of a scenario");
            reached = fails.reached();
        }
        check_works(*h);
        BOOST_TEST(h->shutdown(60s).empty());
    }
    bool const heard = told != 0 || r.get() == end::bad_alloc;
    BOOST_TEST(live == 0);
    BOOST_TEST((r.get() == end::value || (reached && heard && r.get() != end::wrong)));
    BOOST_TEST((reached || told == 0U));
    BOOST_TEST(mistold == 0U);
    return reached;
}

// Until it runs through.
void fails_there(scenario const& s, mode m, unsigned workers, unsigned long more) {
    BOOST_TEST_CONTEXT(s.name << (more ? ", for long" : "")) {
        unsigned nth = 1;
        for (bool reached = true; reached && nth != most; ++nth) {
            BOOST_TEST_CONTEXT("allocation " << nth) {
                reached = fails_there(s, m, workers, nth, more);
            }
        }
        BOOST_TEST_MESSAGE(s.name << ": " << nth - 2);
        BOOST_TEST(nth > 2U);
        BOOST_TEST(nth < most);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(b87_no_memory_in_a_worker) {
    empty_slab const emptied;
    hearing const ears;
    in_both_modes({1, long_tests() ? 8U : 2U}, [](mode m, unsigned workers) {
        for (scenario const& s : in_workers) {
            for (unsigned long const more : {0UL, all_that_follow})
                fails_there(s, m, workers, more);
        }
    });
    BOOST_TEST(threads_become(threads_at_rest));
}

BOOST_AUTO_TEST_CASE(b87_no_memory_for_a_future_in_a_worker) {
    empty_slab const emptied;
    hearing const ears;
    in_both_modes({1, 2, 8},
                  [](mode m, unsigned workers) { fails_there(for_a_future, m, workers, 0); });
}
