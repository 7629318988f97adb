// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Threads that become workers for a while.

#include <support/pool_kit.hpp>

#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <deque>
#include <rouse.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_attach)

using namespace rouse_test;
using rouse::block_on;
using rouse::spawn;
using rouse::spawn_ok;
using rouse::task;
using rouse::thread_pool;
namespace asio = boost::asio;

namespace {

// All of the pool's own workers are in functions that do not end by themselves.
class stuck_workers {
public:
    stuck_workers(thread_pool& pool, unsigned workers) : inside_(workers), outside_(workers) {
        for (unsigned n = 0; n < workers; ++n) {
            asio::post(pool, [this] {
                inside_.down();
                open_.wait();
                outside_.down();
            });
        }
        inside_.wait("stuck workers");
    }
    void release() {
        open_.open();
        outside_.wait("workers that go on");
    }

private:
    countdown inside_;
    countdown outside_;
    door open_;
};

void attach_until(thread_pool& pool, std::size_t size) {
    wait_until([&] { return pool.size() == size; }, "attached threads");
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_attached_thread_does_what_the_others_cannot) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        stuck_workers stuck(*pool, workers);
        std::thread::id ran_by[2];
        std::thread attached([&] { pool->attach(); });
        auto const id = attached.get_id();
        attach_until(*pool, workers + 1);
        countdown done(1);
        asio::post(*pool, [&] {
            ran_by[0] = std::this_thread::get_id();
            done.down();
        });
        done.wait();
        block_on(spawn(*pool, [&]() -> task<> {
            co_await rouse::this_task::yield_now();
            ran_by[1] = std::this_thread::get_id();
        }));
        BOOST_TEST((ran_by[0] == id));
        BOOST_TEST((ran_by[1] == id));
        stuck.release();
        pool->join();
        attached.join();
        BOOST_TEST(pool->metrics().workers.size() == workers + 1);
        BOOST_TEST(pool->metrics().workers.back().polls >= 2U);
    });
}

BOOST_AUTO_TEST_CASE(stop_and_the_destructor_let_it_go) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        for (bool const by_stop : {true, false}) {
            std::vector<std::thread> attached;
            {
                pool_home pool(m, workers);
                for (int n = 0; n < 3; ++n) attached.emplace_back([&] { pool->attach(); });
                attach_until(*pool, workers + 3);
                auto never = spawn(*pool, rouse::pending_future());
                if (by_stop) {
                    pool->stop();
                    pool->join();
                    pool->attach();  // too late: returns
                    BOOST_TEST(pool->size() == workers + 3);
                }
                never.detach();
            }
            for (auto& t : attached) t.join();
        }
    });
}

BOOST_AUTO_TEST_CASE(more_than_sixteen_are_refused) {
    thread_pool pool(1);
    std::vector<std::thread> attached;
    for (int n = 0; n < 16; ++n) attached.emplace_back([&] { pool.attach(); });
    attach_until(pool, 17);
    BOOST_CHECK_EXCEPTION(pool.attach(), std::length_error, [](std::length_error const& e) {
        return std::string(e.what()) ==
               "rouse: at most 16 threads can be attached to a thread_pool";
    });
    pool.join();
    for (auto& t : attached) t.join();
}

BOOST_AUTO_TEST_CASE(a_worker_cannot_attach_itself) {
    thread_pool pool(1);
    auto const tries = [&]() -> task<bool> {
        try {
            pool.attach();
        } catch (boost::system::system_error const& e) {
            co_return e.code() == rouse::errc::blocking_in_worker;
        }
        co_return false;
    };
    BOOST_TEST(block_on(spawn(pool, tries())));
}

BOOST_AUTO_TEST_CASE(its_hooks_are_called_with_its_number) {
    std::mutex mutex;
    std::multiset<unsigned> started;
    std::multiset<unsigned> ended;
    auto const pool = thread_pool::builder()
                          .workers(2)
                          .after_start([&](unsigned n) {
                              std::lock_guard lock(mutex);
                              started.insert(n);
                          })
                          .before_stop([&](unsigned n) {
                              std::lock_guard lock(mutex);
                              ended.insert(n);
                          })
                          .build();
    std::thread attached([&] { pool->attach(); });
    attach_until(*pool, 3);
    pool->join();
    attached.join();
    std::multiset<unsigned> const all{0, 1, 2};
    BOOST_TEST((started == all));
    BOOST_TEST((ended == all));
}

// Threads come while the pool works, and while it ends.
BOOST_AUTO_TEST_CASE(threads_are_attached_at_any_moment) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        for (unsigned round = 0; round < 20; ++round) {
            std::atomic<unsigned> ran{0};
            std::deque<std::thread> attached;
            unsigned const jobs = 200;
            {
                pool_home pool(m, workers);
                std::atomic<bool> go{false};
                for (unsigned n = 0; n < 4; ++n) {
                    attached.emplace_back([&, n] {
                        while (!go) std::this_thread::yield();
                        for (unsigned i = 0; i < n * 20; ++i) std::this_thread::yield();
                        pool->attach();
                    });
                }
                for (unsigned n = 0; n < jobs; ++n) {
                    spawn_ok(*pool, [&]() -> task<> {
                        go = true;
                        co_await rouse::this_task::yield_now();
                        ++ran;
                    });
                }
                pool->join();
                for (auto& t : attached) t.join();
            }
            BOOST_TEST(ran == jobs);
        }
    });
}

BOOST_AUTO_TEST_SUITE_END()
