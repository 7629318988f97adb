// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_POOL_KIT_HPP
#define ROUSE_TEST_SUPPORT_POOL_KIT_HPP

#include <support/stress_threads.hpp>

#include <unistd.h>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <rouse/error.hpp>
#include <rouse/future.hpp>
#include <rouse/task.hpp>
#include <rouse/thread_pool.hpp>
#include <rouse/waker.hpp>
#include <source_location>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// What the tests of the thread pool share: pools in both modes, and ways to wait for what they do.

namespace rouse_test {

namespace asio = boost::asio;

// Whose io_context the pool uses: its own, or the application's, which another thread runs.
enum class mode { own, applications };

inline char const* name_of(mode m) { return m == mode::own ? "own io_context" : "application's"; }

// A pool, with an event loop and a thread that runs it if it has none of its own.
class pool_home {
public:
    explicit pool_home(mode m, rouse::thread_pool::builder const& how) {
        if (m == mode::own) {
            pool_ = how.build();
        } else {
            io_.emplace();
            work_.emplace(io_->get_executor());
            runner_ = std::thread([this] { io_->run(); });
            pool_ = how.build(*io_);
        }
    }
    pool_home(mode m, unsigned workers)
        : pool_home(m, rouse::thread_pool::builder().workers(workers)) {}
    pool_home(pool_home const&) = delete;
    pool_home& operator=(pool_home const&) = delete;
    ~pool_home() {
        pool_.reset();
        end_event_loop();
    }

    rouse::thread_pool& operator*() const noexcept { return *pool_; }
    rouse::thread_pool* operator->() const noexcept { return pool_.get(); }
    void destroy_pool() { pool_.reset(); }
    std::unique_ptr<rouse::thread_pool> release() { return std::move(pool_); }

    // Of the threads that the process has for this pool.
    unsigned threads() const { return static_cast<unsigned>(pool_->size()) + (io_ ? 1U : 0U); }

private:
    void end_event_loop() {
        work_.reset();
        if (runner_.joinable()) runner_.join();
    }

    std::optional<asio::io_context> io_{};
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{};
    std::thread runner_{};
    std::unique_ptr<rouse::thread_pool> pool_{};
};

// Calls function(mode, workers) for both modes and each number of workers.
template <class Function>
void in_both_modes(std::initializer_list<unsigned> workers, Function function) {
    for (mode const m : {mode::own, mode::applications}) {
        for (unsigned const n : workers) {
            BOOST_TEST_CONTEXT(name_of(m) << ", " << n << " workers") { function(m, n); }
        }
    }
}

// Waits until a condition holds which other threads bring about. For ever is two minutes.
template <class Condition>
void wait_until(Condition condition, char const* awaited) {
    auto const end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    for (unsigned looks = 0; !condition(); ++looks) {
        if (std::chrono::steady_clock::now() > end) {
            std::fprintf(stderr, "two minutes without %s\n", awaited);
            std::abort();
        }
        if (looks < 100) {
            std::this_thread::yield();
        } else {
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
    }
}

// A door that threads wait for; it stays open.
class door {
public:
    void open() {
        std::lock_guard guard(mutex_);  // also while it notifies: whoever waits may destroy this
        open_ = true;
        changed_.notify_all();
    }
    void wait() {
        std::unique_lock lock(mutex_);
        wait_or_die(
            changed_, lock, [this] { return open_; }, "an open door");
    }
    bool is_open() {
        std::lock_guard guard(mutex_);
        return open_;
    }
    // True if it was opened in time.
    bool wait_for(std::chrono::steady_clock::duration time) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, time, [this] { return open_; });
    }

private:
    std::mutex mutex_{};
    std::condition_variable changed_{};
    bool open_ = false;
};

// Counts down; threads wait for nothing left. It may be touched after the waiting has ended.
class countdown {
public:
    explicit countdown(std::size_t n) : left_(n) {}
    void down() noexcept { left_.fetch_sub(1); }
    void wait(char const* awaited = "the end of a countdown") const {
        wait_until([this] { return left_ == 0; }, awaited);
    }
    std::size_t left() const noexcept { return left_; }

private:
    std::atomic<std::size_t> left_;
};

// An event that tasks on any thread wait for; it may die before they do.
class event {
public:
    void set() const {
        rouse::waker waiting;
        {
            std::lock_guard guard(state_->mutex);
            state_->happened = true;
            waiting = std::move(state_->waiting);
        }
        std::move(waiting).wake();
    }
    // The waker of whoever waits.
    rouse::waker waker() const {
        std::lock_guard guard(state_->mutex);
        return state_->waiting;
    }
    int polls() const {
        std::lock_guard guard(state_->mutex);
        return state_->polls;
    }

    // For one task.
    auto happened() const {
        return rouse::poll_fn([state = state_](rouse::context& cx) -> rouse::poll_result<void> {
            std::lock_guard guard(state->mutex);
            ++state->polls;
            if (state->happened) return rouse::ready();
            state->waiting = cx.waker();
            return rouse::pending;
        });
    }

private:
    struct state {
        std::mutex mutex{};
        bool happened = false;
        int polls = 0;
        rouse::waker waiting{};
    };
    std::shared_ptr<state> state_ = std::make_shared<state>();
};

// The threads of this process at this moment.
inline unsigned threads_of_process() {
    return static_cast<unsigned>(
        std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                      std::filesystem::directory_iterator()));
}

// The threads of this process while no test runs, a sanitizer's included: that one starts with the
// first other thread. Found before any test, as a thread that was joined is counted for a moment
// more.
inline unsigned const threads_at_rest = [] {
    std::string first = "/proc/self/task/";
    std::thread([&] { first += std::to_string(::gettid()); }).join();
    wait_until([&] { return !std::filesystem::exists(first); }, "the end of a thread");
    return threads_of_process();
}();

// As above: later is not at once.
inline bool threads_become(unsigned wanted) {
    for (int looks = 0; looks < 60'000; ++looks) {
        if (threads_of_process() == wanted) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
}

// For BOOST_CHECK_EXCEPTION.
inline auto const says_aborted = [](boost::system::system_error const& e) {
    return e.code() == rouse::errc::aborted;
};
// The same: the text of the exception begins with this.
inline auto says(std::string sentence) {
    return [sentence = std::move(sentence)](std::exception const& e) {
        std::string const said = e.what();
        bool const right = said.starts_with(sentence);
        if (!right) BOOST_TEST_MESSAGE("it says: " << said);
        return right;
    };
}

// A task that waits for something that never happens.
inline rouse::task<> forever(std::shared_ptr<void> kept) {
    event never;
    co_await never.happened();
    kept.reset();
}

// What a handler of exceptions was given: the messages, and where they came from.
struct reports {
    struct one {
        std::string what;
        unsigned line;
    };
    auto handler() {
        return [this](std::exception_ptr e, std::source_location where) {
            std::lock_guard guard(mutex);
            all.push_back({message_of(e), where.line()});
        };
    }
    std::size_t count() {
        std::lock_guard guard(mutex);
        return all.size();
    }
    static std::string message_of(std::exception_ptr const& e) {
        try {
            std::rethrow_exception(e);
        } catch (std::exception const& thrown) {
            return thrown.what();
        } catch (...) {
            return "no std::exception";
        }
    }

    std::mutex mutex{};
    std::vector<one> all{};
};

}  // namespace rouse_test

#endif
