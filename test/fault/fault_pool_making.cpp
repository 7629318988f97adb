// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Behaviour 87, of a thread pool that is made. Whatever allocation fails: what was called throws
// std::bad_alloc and has made nothing, or there is a pool that works. So it is for a thread that is
// attached. Nothing leaks, and no thread stays. Each scenario runs with its first allocation
// failing, then with its second, until it runs through.

#include <support/fault_pool.hpp>

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <latch>
#include <rouse.hpp>
#include <type_traits>

using namespace rouse_test;
using namespace std::chrono_literals;
using builder = rouse::thread_pool::builder;
using rouse::thread_pool;

namespace {

// As check_works(), until its end; nobody else need run the event loop.
void check_works_and_ends(thread_pool& pool) {
    auto handle = rouse::spawn(pool, work());
    std::atomic<int> ran{0};
    asio::post(pool, [&] { ++ran; });
    asio::steady_timer timer(pool, 0s);
    timer.async_wait([&](boost::system::error_code error) { ran += error ? 100 : 1; });
    pool.join();
    BOOST_TEST(rouse::block_on(std::move(handle)) == 7);
    BOOST_TEST(ran == 2);
}

// Makes pools; the nth allocation of this thread fails. `refusing`: then nothing is made. Returns
// how many have failed.
template <class Make>
unsigned failures_of_making(bool refusing, Make make) {
    for (unsigned nth = 1;; ++nth) {
        std::optional<asio::io_context> io;
        if (!std::is_invocable_v<Make>) io.emplace();
        std::unique_ptr<thread_pool> pool;
        bool refused = false;
        bool reached = false;
        {
            empty_slab const cold;
            failing_allocation const fails(nth);
            try {
                if constexpr (std::is_invocable_v<Make>) {
                    pool = make();
                } else {
                    pool = make(*io);
                }
            } catch (std::bad_alloc const&) {
                refused = true;
            }
            reached = fails.reached();
        }
        BOOST_TEST_CONTEXT("allocation " << nth) {
            BOOST_TEST((reached || !refused));
            if (refusing) BOOST_TEST(refused == reached);
            if (pool) {
                BOOST_TEST(pool->size() >= 1U);
                check_works_and_ends(*pool);
                pool.reset();
            }
            BOOST_TEST(threads_become(threads_at_rest));
            if (io) {
                io->restart();
                io->poll();
                BOOST_TEST(io->stopped());  // no work is left on it
            }
        }
        if (!reached || nth == most) return nth - 1;
    }
}

struct counts_down {
    std::latch& latch;
    ~counts_down() { latch.count_down(); }
};

std::atomic<int> starts{0};
std::atomic<int> stops{0};

// The name is too long for a string's own memory, and so are the functions for a function's.
builder with_hooks(unsigned workers) {
    struct large {
        tracked kept{};
        std::array<unsigned char, 200> padding{};
    };
    return builder()
        .workers(workers)
        .thread_name("a name that is longer than any thread's can be")
        .after_start([l = large()](unsigned) { ++starts; })
        .before_stop([l = large()](unsigned) { ++stops; })
        .on_unhandled_exception([l = large()](auto e, auto where) { hear(e, where); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(b87_a_pool_is_made_or_it_is_not) {
    empty_slab const emptied;
    hearing const ears;
    told = mistold = 0;
    for (unsigned const workers : {1U, 2U, 8U}) {
        BOOST_TEST_CONTEXT(workers << " workers") {
            for (bool const hooks : {false, true}) {
                auto const how = hooks ? with_hooks(workers) : builder().workers(workers);
                auto const own =
                    failures_of_making(true, [&] { return std::make_unique<thread_pool>(how); });
                auto const applications = failures_of_making(true, [&](asio::io_context& io) {
                    return std::make_unique<thread_pool>(io, how);
                });
                auto const built = failures_of_making(true, [&] { return how.build(); });
                auto const built_there =
                    failures_of_making(true, [&](asio::io_context& io) { return how.build(io); });
                // Each worker, and the beginning of its thread; the pool itself.
                for (unsigned const failed : {own, applications, built, built_there}) {
                    BOOST_TEST(failed >= 2 * workers + 1);
                    BOOST_TEST(failed < most);
                }
            }
            BOOST_TEST(starts == stops);
            BOOST_TEST(live == 0);
        }
    }
    BOOST_TEST(starts > 0);
    BOOST_TEST(told == 0U);
    BOOST_TEST(mistold == 0U);
}

BOOST_AUTO_TEST_CASE(b87_a_builder_and_its_pool) {
    empty_slab const emptied;
    // Without memory to read the quotas in there are as many workers as processors.
    auto const whole = [] { return builder().thread_name(std::string(100, 'n')).build(); };
    for (unsigned const failed : {
             failures_of_making(false, [] { return std::make_unique<thread_pool>(); }),
             failures_of_making(false, [] { return std::make_unique<thread_pool>(2U); }),
             failures_of_making(false, [](auto& io) { return std::make_unique<thread_pool>(io); }),
             failures_of_making(false,
                                [](auto& io) { return std::make_unique<thread_pool>(io, 2U); }),
             failures_of_making(false, whole),
             failures_of_making(false, [] { return with_hooks(2).build(); }),
         }) {
        BOOST_TEST(failed >= 3U);
        BOOST_TEST(failed < most);
    }
    BOOST_TEST(starts == stops);
    BOOST_TEST(live == 0);
}

BOOST_AUTO_TEST_CASE(b87_workers_start_without_memory) {
    empty_slab const emptied;
    hearing const ears;
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        for (unsigned long const more : {0UL, all_that_follow}) {
            unsigned nth = 0;
            bool reached = true;
            while (reached && nth != most) {
                told = mistold = 0;
                std::atomic<unsigned> hooks{0};
                std::optional<asio::io_context> io;
                if (m == mode::applications) io.emplace();
                {
                    failing_elsewhere const fails(++nth, more);
                    std::latch begun(workers);
                    auto const how = builder()
                                         .workers(workers)
                                         .after_start([&](unsigned) {
                                             ++hooks;
                                             counts_down const at_the_end{begun};
                                             auto const memory = std::make_unique<tracked>();
                                         })
                                         .on_unhandled_exception(hear);
                    auto const pool = io ? how.build(*io) : how.build();
                    begun.wait();
                    reached = fails.reached();
                    // No task needs more than the memory that this thread has for it.
                    auto handle = rouse::spawn(*pool, a_poll_fn());
                    BOOST_TEST(rouse::block_on(std::move(handle)) == 7);
                    pool->join();
                }
                BOOST_TEST(hooks == workers);
                BOOST_TEST(told <= (more == 0 ? 1U : workers));
                BOOST_TEST((reached || told == 0U));
                BOOST_TEST(mistold == 0U);
                BOOST_TEST(live == 0);
            }
            BOOST_TEST(nth > workers);
            BOOST_TEST(nth < most);
            BOOST_TEST(threads_become(threads_at_rest));
        }
    });
}

BOOST_AUTO_TEST_CASE(b87_attaching_a_thread) {
    empty_slab const emptied;
    hearing const ears;
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        unsigned nth = 0;
        bool reached = true;
        while (reached && nth != most) {
            ++nth;
            told = mistold = 0;
            std::optional<asio::io_context> io;
            if (m == mode::applications) io.emplace();
            std::atomic<bool> attached{false};
            std::atomic<bool> refused{false};
            std::thread helper;
            {
                auto const how = builder()
                                     .workers(workers)
                                     .after_start([&](unsigned index) {
                                         if (index != workers) return;
                                         if (!refused) reached = fault::countdown == 0;
                                         fault::countdown = 0;
                                         attached = true;
                                     })
                                     .on_unhandled_exception(hear);
                auto const pool = io ? how.build(*io) : how.build();
                helper = std::thread([&] {
                    {
                        empty_slab const cold;
                        failing_allocation const fails(nth);
                        try {
                            pool->attach();
                            return;
                        } catch (std::bad_alloc const&) {
                            reached = fails.reached();
                            refused = true;
                        }
                    }
                    pool->attach();  // now there is memory
                });
                wait_until([&] { return attached.load(); }, "a thread that is attached");
                BOOST_TEST(pool->size() == workers + 1);
                check_works_and_ends(*pool);
                helper.join();
            }
            if (refused) BOOST_TEST(reached);
            BOOST_TEST(told == 0U);
            BOOST_TEST(mistold == 0U);
            BOOST_TEST(live == 0);
        }
        BOOST_TEST(nth > 2U);
        BOOST_TEST(nth < most);
        BOOST_TEST(threads_become(threads_at_rest));
    });
}
