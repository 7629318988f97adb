// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Behaviour 87, of calls to a thread pool: spawning on it, submitting to it, making its I/O
// objects, asking it. Whatever allocation of the calling thread fails: the function that was called
// throws std::bad_alloc, and nothing has happened. Nothing leaks, and the pool works afterwards.
// Each scenario runs with its first allocation failing, then with its second, until it runs
// through.

#include <support/fault_pool.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <rouse.hpp>

using namespace rouse_test;
using namespace std::chrono_literals;
using executor = rouse::thread_pool::executor_type;

namespace {

// Calls `start(left, result)` while the nth allocation of this thread fails: it throws, and nothing
// has happened, or there will be a value. Returns how many have failed.
template <class Start>
unsigned failures_of_calling(home& where, Start start) {
    for (unsigned nth = 1;; ++nth) {
        told = mistold = 0;
        result r;
        bool refused = false;
        bool reached = false;
        {
            left rest;
            {
                empty_slab const cold;
                failing_allocation const fails(nth);
                try {
                    start(rest, r);
                } catch (std::bad_alloc const&) {
                    refused = true;
                }
                reached = fails.reached();
            }
            rest.wait(r);
            wait_until([] { return live == 0; }, "the end of what was called");
        }
        BOOST_TEST_CONTEXT("allocation " << nth) {
            BOOST_TEST(refused == reached);
            BOOST_TEST((r.get() == (refused ? end::nothing : end::value)));
            BOOST_TEST(told == 0U);
            BOOST_TEST(mistold == 0U);
            check_works(*where);
        }
        if (!reached || nth == most) return nth - 1;
    }
}

// As many allocations as are named fail; -1: one at least.
template <class Start>
void call(home& where, char const* name, int expected, Start start) {
    BOOST_TEST_CONTEXT(name) {
        unsigned const failed = failures_of_calling(where, start);
        BOOST_TEST(failed < most);
        if (expected < 0) {
            BOOST_TEST(failed >= 1U);
        } else {
            BOOST_TEST(failed == static_cast<unsigned>(expected));
        }
    }
}

// Calls function(home) for both modes and some numbers of workers.
template <class Function>
void in_homes(Function function) {
    hearing const ears;
    in_both_modes({1, 2, 8}, [&](mode m, unsigned workers) {
        {
            home h(m, workers);
            function(h);
            BOOST_TEST(h->shutdown(60s).empty());
        }
        BOOST_TEST(threads_become(threads_at_rest));
    });
}

// Calls function(where) with all that can be spawned on and submitted to.
template <class Function>
void on_each_executor(home& h, Function function) {
    BOOST_TEST_CONTEXT("the pool") { function(*h); }
    BOOST_TEST_CONTEXT("its executor") {
        auto const ex = h->get_executor();
        function(ex);
    }
    BOOST_TEST_CONTEXT("any_io_executor") {
        asio::any_io_executor const ex(h->get_executor());
        function(ex);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(b87_spawning_on_a_pool) {
    empty_slab const emptied;
    in_homes([](home& h) {
        on_each_executor(h, [&h](auto& on) {
            call(h, "a coroutine", 2,  // its frame, the task
                 [&](left& l, result&) { l.handle.emplace(rouse::spawn(on, work())); });
            call(h, "a poll_fn", 1,
                 [&](left& l, result&) { l.handle.emplace(rouse::spawn(on, a_poll_fn())); });
            call(h, "a callable", 1,
                 [&](left& l, result&) { l.handle.emplace(rouse::spawn(on, a_callable())); });
            call(h, "spawn_ok", 3, [&](left&, result& r) { rouse::spawn_ok(on, telling_work(r)); });
            call(h, "detached", 3,
                 [&](left&, result& r) { rouse::spawn(on, telling_work(r), asio::detached); });
            call(h, "a callback", 2,
                 [&](left&, result& r) { rouse::spawn(on, work(), callback(r)); });
            call(h, "a callback for a poll_fn", 1,
                 [&](left&, result& r) { rouse::spawn(on, a_poll_fn(), callback(r)); });
            call(h, "use_future", -1,
                 [&](left& l, result&) { l.future = rouse::spawn(on, work(), asio::use_future); });
        });
        call(h, "a callback elsewhere", -1, [&](left&, result& r) {
            asio::any_io_executor const there(h->get_executor());
            rouse::spawn(*h, work(), asio::bind_executor(there, callback(r)));
        });
        call(h, "co_spawn", -1, [&](left&, result& r) {
            auto coroutine = [](tracked) -> asio::awaitable<int> { co_return 7; };
            asio::co_spawn(*h, coroutine({}), callback(r));
        });
    });
}

BOOST_AUTO_TEST_CASE(b87_submitting_to_a_pool) {
    empty_slab const emptied;
    in_homes([](home& h) {
        on_each_executor(h, [&h](auto& on) {
            call(h, "post", -1, [&](left&, result& r) { asio::post(on, function(r)); });
            call(h, "defer", -1, [&](left&, result& r) { asio::defer(on, function(r)); });
            call(h, "dispatch", -1, [&](left&, result& r) { asio::dispatch(on, function(r)); });
            call(h, "use_future", -1, [&](left& l, result& r) {
                l.done = asio::post(on, asio::use_future(function(r)));
            });
        });
        auto const ex = h->get_executor();
        auto const each = [&](auto const& e) {
            call(h, "execute", -1, [&](left&, result& r) { e.execute(function(r)); });
        };
        each(ex);
        each(asio::require(ex, asio::execution::blocking.never));
        each(asio::require(ex, asio::execution::blocking.always));
        each(asio::prefer(ex, asio::execution::relationship.continuation));
        each(asio::require(ex, asio::execution::outstanding_work.tracked));
        each(asio::prefer(ex, asio::execution::allocator(std::allocator<void>())));
        each(asio::any_io_executor(ex));
        each(asio::require(asio::any_io_executor(ex), asio::execution::blocking.never));
    });
}

// Not signal_set: Asio's service for it stays in a list of the process when its constructor fails.
BOOST_AUTO_TEST_CASE(b87_io_objects_of_a_pool) {
    empty_slab const emptied;
    in_homes([](home& h) {
        call(h, "a timer", -1, [&](left& l, result& r) {
            l.timer.emplace(*h, 1ms);
            l.timer->async_wait(handler(r));
        });
        call(h, "sockets", -1, [&](left& l, result& r) {
            asio::ip::tcp::endpoint const anywhere(asio::ip::address_v4::loopback(), 0);
            l.acceptor.emplace(h->get_executor(), anywhere);
            l.socket.emplace(*h);
            l.socket->async_connect(l.acceptor->local_endpoint(), handler(r));
        });
        call(h, "datagrams", -1, [&](left& l, result& r) {
            static char byte = 'a';
            asio::ip::udp::endpoint const anywhere(asio::ip::address_v4::loopback(), 0);
            l.datagrams.emplace(*h, anywhere);
            auto const to = l.datagrams->local_endpoint();
            l.datagrams->async_send_to(asio::buffer(&byte, 1), to, handler(r));
        });
        call(h, "an operation that waits", -1, [&](left& l, result& r) {
            asio::ip::tcp::endpoint const anywhere(asio::ip::address_v4::loopback(), 0);
            l.acceptor.emplace(*h, anywhere);
            l.acceptor->async_wait(asio::ip::tcp::acceptor::wait_read, handler(r));
            l.socket.emplace(*h);
            l.socket->connect(l.acceptor->local_endpoint());
        });
    });
}

BOOST_AUTO_TEST_CASE(b87_asking_a_pool) {
    empty_slab const emptied;
    in_homes([](home& h) {
        call(h, "metrics", 1, [&](left&, result& r) {
            auto const metrics = h->metrics();
            r.set(metrics.workers.size() == h->size() ? end::value : end::wrong);
        });
        // These have no way to tell of a failure.
        auto const before = allocations();
        {
            executor const ex = h->get_executor();
            executor copy = ex;
            copy = asio::require(ex, asio::execution::blocking.always);
            copy = asio::prefer(copy, asio::execution::outstanding_work.tracked);
            executor moved = std::move(copy);
            copy = moved;
            copy = asio::require(copy, asio::execution::relationship.continuation);
            auto const other =
                asio::require(copy, asio::execution::allocator(std::allocator<int>()));
            bool const answers = asio::query(other, asio::execution::occupancy) == h->size() &&
                                 &asio::query(ex, asio::execution::context) == &h->context() &&
                                 !ex.running_in_this_thread() && !(ex == moved);
            if (!answers) mistold = 1;
        }
        BOOST_TEST(allocations() == before);
        BOOST_TEST(mistold == 0U);
    });
}
