// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_POOL_STUCK_HPP
#define ROUSE_TEST_SUPPORT_POOL_STUCK_HPP

#include <support/pool_kit.hpp>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <rouse/use_poll.hpp>
#include <vector>

// A worker that is stuck in a poll while something waits behind it: how long until another worker
// runs that. If nobody does, the test ends with a sentence (a door that stays closed).

namespace rouse_test {

// Where it waits.
enum class behind {
    lifo,          // what the stuck task has spawned last
    queue,         // what it has spawned before that, or posted
    yielded,       // it has given up its turn; nobody was told
    event_loop,    // a timer, when the stuck worker was the one in the driver's seat
    own_handler,   // the stuck one is a function of an operation
};

inline char const* name_of(behind where) {
    switch (where) {
        case behind::lifo: return "in the LIFO slot";
        case behind::queue: return "in the queue";
        case behind::yielded: return "at the back of the queue, unannounced";
        case behind::event_loop: return "in the event loop";
        default: return "behind a handler";
    }
}

class stuck_worker {
public:
    using duration = std::chrono::steady_clock::duration;

    stuck_worker(rouse::thread_pool& pool, behind where, bool busy)
        : pool_(pool), where_(where), busy_(busy) {}

    // How long it took, once for each round.
    std::vector<duration> run(unsigned rounds) {
        for (unsigned r = 0; r < rounds; ++r) {
            ran_ = std::make_unique<door>();
            over_ = std::make_unique<door>();
            round();
            over_->wait();
            waits_.push_back(waited_);
        }
        return waits_;
    }

private:
    using clock = std::chrono::steady_clock;

    void round() {
        switch (where_) {
            case behind::lifo:
                rouse::spawn_ok(pool_, [this]() -> rouse::task<> {
                    rouse::this_task::spawn_ok([this]() -> rouse::task<> {
                        ran_->open();
                        co_return;
                    });
                    stick();
                    co_return;
                });
                break;
            case behind::queue:
                rouse::spawn_ok(pool_, [this]() -> rouse::task<> {
                    asio::post(pool_, [this] { ran_->open(); });
                    stick();
                    co_return;
                });
                break;
            case behind::yielded:
                rouse::spawn_ok(pool_, [this]() -> rouse::task<> {
                    rouse::this_task::spawn_ok([this]() -> rouse::task<> {
                        stick();
                        co_return;
                    });
                    co_await rouse::this_task::yield_now();
                    ran_->open();
                });
                break;
            case behind::event_loop:
                rouse::spawn_ok(pool_, [this]() -> rouse::task<> {
                    asio::steady_timer first(pool_, std::chrono::milliseconds(1));
                    asio::steady_timer second(pool_, std::chrono::milliseconds(1));
                    co_await first.async_wait(rouse::use_poll);
                    second.async_wait([this](auto) { ran_->open(); });
                    stick();
                });
                break;
            case behind::own_handler: {
                auto const timer = std::make_shared<asio::steady_timer>(
                    pool_, std::chrono::milliseconds(1));
                timer->async_wait([this, timer](auto) {
                    rouse::spawn_ok(pool_, [this]() -> rouse::task<> {
                        ran_->open();
                        co_return;
                    });
                    stick();
                });
                break;
            }
        }
    }

    // Blocks the worker until the other thing has run.
    void stick() {
        auto const begin = clock::now();
        if (busy_) {
            auto const end = begin + std::chrono::minutes(2);
            while (!ran_->is_open() && clock::now() < end) {
            }
        }
        ran_->wait();
        waited_ = clock::now() - begin;
        over_->open();
    }

    rouse::thread_pool& pool_;
    behind const where_;
    bool const busy_;
    std::unique_ptr<door> ran_{};
    std::unique_ptr<door> over_{};
    duration waited_{};
    std::vector<duration> waits_{};
};

inline stuck_worker::duration median(std::vector<stuck_worker::duration> all) {
    auto const middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    std::nth_element(all.begin(), middle, all.end());
    return *middle;
}

}  // namespace rouse_test

#endif
