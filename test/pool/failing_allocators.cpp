// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Behaviour 87, of a thread pool and handlers with allocators of their own: those fail, and not the
// operators new, so this runs with ThreadSanitizer as well. A function that was called throws
// std::bad_alloc; where a worker has nobody to throw at, the unhandled handler gets it. Nothing
// leaks, and the pool works afterwards. Each scenario runs with its first allocation failing, then
// with its second, until it runs through.

#include <support/fault_pool.hpp>

#include <algorithm>
#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/steady_timer.hpp>
#include <rouse.hpp>

BOOST_AUTO_TEST_SUITE(test_failing_allocators)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::thread_pool;

namespace {

// Of all its copies' allocations the nth fails.
struct rations {
    explicit rations(int nth) : left(nth) {}
    bool reached() const { return left <= 0; }

    std::atomic<int> left;
};

template <class T>
struct rationed {
    using value_type = T;

    explicit rationed(rations& r) noexcept : from(&r) {}
    template <class U>
    rationed(rationed<U> const& other) noexcept : from(other.from) {}

    T* allocate(std::size_t n) {
        if (from->left.fetch_sub(1) == 1) throw std::bad_alloc();
        return std::allocator<T>().allocate(n);
    }
    void deallocate(T* memory, std::size_t n) noexcept {
        std::allocator<T>().deallocate(memory, n);
    }
    template <class U>
    bool operator==(rationed<U> const& other) const noexcept {
        return from == other.from;
    }

    rations* from;
};

using submit = void (*)(thread_pool&, rationed<void>, result&);

struct with_allocator {
    char const* name;
    bool throws;  // at who calls, whenever an allocation fails
    submit start;
};

with_allocator const with_allocators[] = {
    {"post", true,
     [](thread_pool& pool, rationed<void> a, result& r) {
         asio::post(pool, asio::bind_allocator(a, function(r)));
     }},
    {"defer", true,
     [](thread_pool& pool, rationed<void> a, result& r) {
         asio::defer(pool, asio::bind_allocator(a, function(r)));
     }},
    {"dispatch", true,
     [](thread_pool& pool, rationed<void> a, result& r) {
         asio::dispatch(pool, asio::bind_allocator(a, function(r)));
     }},
    {"execute", true,
     [](thread_pool& pool, rationed<void> a, result& r) {
         asio::require(pool.get_executor(), asio::execution::allocator(a)).execute(function(r));
     }},
    {"post in a function", false,
     [](thread_pool& pool, rationed<void> a, result& r) {
         asio::post(pool, [&pool, &r, a, kept = tracked()] {
             asio::post(pool, asio::bind_allocator(a, function(r)));
         });
     }},
    {"post in a task", false,
     [](thread_pool& pool, rationed<void> a, result& r) {
         rouse::spawn_ok(pool, [&pool, &r, a, kept = tracked()]() -> rouse::task<> {
             co_await rouse::this_task::yield_now();
             asio::post(pool, asio::bind_allocator(a, function(r)));
         });
     }},
    {"the result for a callback", false,
     [](thread_pool& pool, rationed<void> a, result& r) {
         rouse::spawn(pool, work(), asio::bind_allocator(a, callback(r)));
     }},
    {"the result for a callback elsewhere", false,
     [](thread_pool& pool, rationed<void> a, result& r) {
         asio::any_io_executor const there(pool.get_executor());
         rouse::spawn(pool, work(),
                      asio::bind_executor(there, asio::bind_allocator(a, callback(r))));
     }},
    {"a timer", false,
     [](thread_pool& pool, rationed<void> a, result& r) {
         auto timer = std::make_unique<asio::steady_timer>(pool, 0s);
         auto& t = *timer;
         t.async_wait(asio::bind_allocator(
             a, [timer = std::move(timer), done = handler(r)](auto error) { done(error); }));
     }},
};

}  // namespace

BOOST_AUTO_TEST_CASE(b87_allocators_of_handlers_that_fail) {
    hearing const ears;
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        home h(m, workers);
        for (auto const& one : with_allocators) {
            BOOST_TEST_CONTEXT(one.name) {
                int nth = 1;
                for (bool reached = true; reached && nth != 100; ++nth) {
                    told = mistold = 0;
                    result r;
                    rations memory(nth);
                    bool refused = false;
                    try {
                        one.start(*h, rationed<void>(memory), r);
                    } catch (std::bad_alloc const&) {
                        refused = true;
                    }
                    wait_until([] { return live == 0; }, "the end of a handler");
                    reached = memory.reached();
                    if (reached && !refused)
                        wait_until([] { return told != 0; }, "somebody who is told");
                    BOOST_TEST((reached || (!refused && told == 0U)));
                    BOOST_TEST((!one.throws || refused == reached));
                    bool const value = r.get() == end::value;
                    BOOST_TEST((value || (reached && r.get() == end::nothing)));
                    BOOST_TEST(mistold == 0U);
                    check_works(*h);
                }
                BOOST_TEST(nth > 2);
                BOOST_TEST(nth < 100);
            }
        }
        BOOST_TEST(h->shutdown(60s).empty());
    });
}

BOOST_AUTO_TEST_CASE(b87_allocators_of_handlers_that_fail_at_the_end_of_a_pool) {
    hearing const ears;
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        int nth = 1;
        for (bool reached = true; reached && nth != 100; ++nth) {
            told = mistold = 0;
            rations memory(nth);
            std::array<result, 8> results;
            std::array<event, 8> never;
            {
                home h(m, workers);
                asio::any_io_executor const there(h->get_executor());
                rationed<void> const a(memory);
                for (std::size_t i = 0; i < results.size(); ++i) {
                    auto waits = [](event e, tracked) -> rouse::task<int> {
                        co_await e.happened();
                        co_return 0;
                    };
                    auto done = asio::bind_allocator(a, callback(results[i]));
                    if (i % 2 == 0) {
                        rouse::spawn(*h, waits(never[i], {}), std::move(done));
                    } else {
                        rouse::spawn(*h, waits(never[i], {}),
                                     asio::bind_executor(there, std::move(done)));
                    }
                }
                wait_until(
                    [&] {
                        return std::ranges::all_of(never, [](auto& e) { return e.polls() != 0; });
                    },
                    "tasks that wait");
                h->stop();
                BOOST_TEST(h->shutdown(60s).empty());
            }
            reached = memory.reached();
            BOOST_TEST((told != 0U) == reached);
            BOOST_TEST(mistold == 0U);
            BOOST_TEST(live == 0);
            for (result const& r : results)
                BOOST_TEST((r.get() == end::nothing || r.get() == end::aborted));
        }
        BOOST_TEST(nth > 8);
        BOOST_TEST(nth < 100);
    });
}

BOOST_AUTO_TEST_SUITE_END()
