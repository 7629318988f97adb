// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Behaviour 87, at the end of a thread pool: it is stopped, shut down or destroyed while
// allocations fail, or is called when it was stopped already. A call, and a shutdown that is to
// name what is left over, may throw std::bad_alloc. Every task ends all the same, and whoever waits
// gets an end. Nothing leaks, and no thread stays. Each scenario runs with its first allocation
// failing, then with its second, until it runs through.

#include <support/fault_pool.hpp>
#include <support/pool_end.hpp>
#include <support/scale.hpp>

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <rouse.hpp>

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::thread_pool;
using rouse::use_poll;

namespace {

// What a pool ends with.
class waiting_tasks {
public:
    explicit waiting_tasks(thread_pool& pool) {
        auto timer = std::make_unique<asio::steady_timer>(pool, 1h);
        auto& t = *timer;
        t.async_wait([timer = std::move(timer), done = handler(of_timer_)](auto e) { done(e); });
        rouse::spawn_ok(pool, [this, &pool] { return sleeps(pool); });
        rouse::spawn_ok(pool, [this] { return waits(0); });
        rouse::spawn(
            pool, [this] { return waits(1); }, callback(of_callback_));
        asio::any_io_executor const there(pool.get_executor());
        rouse::spawn(
            pool, [this] { return waits(2); }, asio::bind_executor(there, callback(elsewhere_)));
        handle_.emplace(rouse::spawn(pool, [this] { return waits(3); }));
        rouse::spawn_ok(pool, [this] { return joins(); });
        wait_until([this] { return begun_ == 7; }, "tasks that have begun");
    }

    // After the end of the pool. One that is stopped destroys what is in its queues.
    void check() {
        result joined;
        left rest;
        rest.handle.emplace(*std::move(handle_));
        rest.wait(joined);
        BOOST_TEST((joined.get() == end::aborted || (told && joined.get() == end::bad_alloc)));
        for (result const* r : {&of_timer_, &of_callback_, &elsewhere_}) {
            bool const fine = r->get() == end::nothing || r->get() == end::aborted;
            BOOST_TEST((fine || (told && r->get() == end::bad_alloc)));
        }
    }

private:
    rouse::task<> sleeps(thread_pool& pool) {
        tracked const here;
        asio::steady_timer timer(pool, 1h);
        ++begun_;
        co_await timer.async_wait(use_poll);
    }
    rouse::task<int> waits(unsigned which) {
        tracked const here;
        ++begun_;
        co_await never_[which].happened();
        co_return 0;
    }
    // Which of the two is told first is open.
    rouse::task<> joins() {
        tracked const here;
        ++begun_;
        co_await rouse::this_task::spawn([this] { return waits(4); });
    }

    std::atomic<unsigned> begun_{0};
    std::array<event, 5> never_{};
    result of_timer_{};
    result of_callback_{};
    result elsewhere_{};
    std::optional<rouse::join_handle<int>> handle_{};
};

// Ends pools while allocations fail; `Failing` says whose. Returns how many have.
template <class Failing, class Finish>
unsigned failures_of_ending(mode m, unsigned workers, runner who, Finish finish) {
    for (unsigned nth = 1;; ++nth) {
        told = mistold = 0;
        bool reached = false;
        BOOST_TEST_CONTEXT("allocation " << nth) {
            home h(m, workers, who);
            waiting_tasks waiting(*h);
            {
                empty_slab const cold;
                Failing const fails(nth);
                finish(h);
                reached = fails.reached();
            }
            h.destroy_pool();
            waiting.check();
            h.end_with_operations();
            BOOST_TEST(live == 0);
            BOOST_TEST((reached || told == 0U));
            BOOST_TEST(mistold == 0U);
        }
        if (!reached || nth == most) return nth - 1;
    }
}

// For long.
struct failing_elsewhere_for_long : failing_elsewhere {
    explicit failing_elsewhere_for_long(unsigned nth) : failing_elsewhere(nth, all_that_follow) {}
};

}  // namespace

BOOST_AUTO_TEST_CASE(b87_the_end_of_a_pool) {
    empty_slab const emptied;
    hearing const ears;
    in_both_modes({1, long_tests() ? 8U : 2U}, [](mode m, unsigned workers) {
        for (runner const who : {runner::a_thread, runner::nobody}) {
            if (m == mode::own && who == runner::nobody) continue;
            auto const ends = [=](char const* name, auto finish) {
                BOOST_TEST_CONTEXT(name) {
                    auto a = failures_of_ending<failing_allocation>(m, workers, who, finish);
                    auto b = failures_of_ending<failing_elsewhere>(m, workers, who, finish);
                    auto c =
                        failures_of_ending<failing_elsewhere_for_long>(m, workers, who, finish);
                    for (unsigned const failed : {a, b, c}) BOOST_TEST(failed < most);
                    BOOST_TEST(b >= 1U);
                    BOOST_TEST(c >= 1U);
                }
            };
            ends("stop and join", [](home& h) {
                auto const before = allocations();
                h->stop();
                if (allocations() != before) mistold = 100;
                h->join();
            });
            ends("shutdown", [](home& h) {
                if (!h->shutdown(60s).empty()) mistold = 100;
            });
            ends("the destructor", [](home& h) { h.destroy_pool(); });
        }
        BOOST_TEST(threads_become(threads_at_rest));
    });
}

BOOST_AUTO_TEST_CASE(b87_a_shutdown_that_names_tasks) {
    empty_slab const emptied;
    hearing const ears;
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        told = mistold = 0;
        std::atomic<int> polled{0};
        std::atomic<int> dead{0};
        home h(m, workers);
        for (int i = 0; i < 5; ++i) rouse::spawn_ok(*h, stubborn(polled, dead));
        wait_until([&] { return polled == 5; }, "tasks that wait");
        unsigned nth = 1;
        for (bool reached = true; reached && nth != most; ++nth) {
            bool refused = false;
            std::size_t left_over = 0;
            {
                empty_slab const cold;
                failing_allocation const fails(nth);
                try {
                    left_over = h->shutdown(1ms).size();
                } catch (std::bad_alloc const&) {
                    refused = true;
                }
                reached = fails.reached();
            }
            BOOST_TEST(refused == reached);
            BOOST_TEST(left_over == (refused ? 0U : 5U));
        }
        BOOST_TEST(nth > 2U);
        BOOST_TEST(nth < most);
        BOOST_TEST(dead == 0);
        h.destroy_pool();
        BOOST_TEST(dead == 5);
        BOOST_TEST(told == 0U);
        BOOST_TEST(mistold == 0U);
    });
    BOOST_TEST(threads_become(threads_at_rest));
}

// Tasks end as aborted, and functions are destroyed, in this thread.
BOOST_AUTO_TEST_CASE(b87_a_pool_that_is_stopped) {
    empty_slab const emptied;
    hearing const ears;
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        home h(m, workers);
        h->stop();
        auto const refuses = [&](char const* name, auto start) {
            BOOST_TEST_CONTEXT(name) {
                unsigned nth = 1;
                for (bool reached = true; reached && nth != most; ++nth) {
                    told = mistold = 0;
                    result r;
                    bool refused = false;
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
                        if (!refused) rest.wait(r);
                        wait_until([] { return live == 0; }, "the end of what was called");
                    }
                    BOOST_TEST((r.get() == end::nothing || (r.get() == end::aborted && !refused)));
                    BOOST_TEST((refused || told) == reached);
                    BOOST_TEST(mistold == 0U);
                }
                BOOST_TEST(nth > 2U);
                BOOST_TEST(nth < most);
            }
        };
        refuses("spawn", [&](left& l, result&) { l.handle.emplace(rouse::spawn(*h, work())); });
        refuses("spawn_ok", [&](left&, result& r) { rouse::spawn_ok(*h, telling_work(r)); });
        refuses("a callback", [&](left&, result& r) { rouse::spawn(*h, work(), callback(r)); });
        refuses("a callback elsewhere", [&](left&, result& r) {
            asio::any_io_executor const there(h->get_executor());
            rouse::spawn(*h, work(), asio::bind_executor(there, callback(r)));
        });
        refuses("post", [&](left&, result& r) { asio::post(*h, function(r)); });
        refuses("defer", [&](left&, result& r) { asio::defer(*h, function(r)); });
        BOOST_TEST(h->shutdown(60s).empty());
    });
    BOOST_TEST(threads_become(threads_at_rest));
}
