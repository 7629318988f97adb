// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_ASIO_WORLDS_HPP
#define ROUSE_TEST_SUPPORT_ASIO_WORLDS_HPP

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <rouse/block_on.hpp>
#include <rouse/spawn.hpp>
#include <rouse/thread_pool.hpp>
#include <thread>
#include <utility>
#include <vector>

// The places where tasks of the Asio tests run. A test case takes a world and knows nothing else of
// it, so that one more kind of executor is tested by one more entry in worlds().

namespace rouse_test {

namespace asio = boost::asio;

class world {
public:
    world() = default;
    world(world const&) = delete;
    world& operator=(world const&) = delete;
    virtual ~world() = default;

    // Where tasks are spawned and I/O objects are made.
    virtual asio::any_io_executor executor() = 0;

    // How many threads run tasks at once.
    virtual unsigned threads() const = 0;

    // True: nothing happens but in run_until.
    virtual bool is_driven_by_caller() const { return false; }

    // Lets the world run until the condition holds, which the calling thread evaluates.
    virtual void run_until(std::function<bool()> const& condition) = 0;
};

// An io_context that the test's own thread runs.
class io_context_world final : public world {
public:
    asio::any_io_executor executor() override { return io.get_executor(); }
    unsigned threads() const override { return 1; }
    bool is_driven_by_caller() const override { return true; }
    void run_until(std::function<bool()> const& condition) override {
        while (!condition()) {
            if (io.stopped()) io.restart();
            if (io.run_one() == 0) {
                std::fprintf(stderr, "the io_context has nothing more to do\n");
                std::abort();
            }
        }
    }

    asio::io_context io{};
};

// What threads of their own run.
class threaded_world : public world {
public:
    unsigned threads() const override { return count_; }
    void run_until(std::function<bool()> const& condition) override {
        while (!condition()) std::this_thread::yield();
    }

protected:
    static constexpr unsigned thread_count = 3;

    explicit threaded_world(unsigned count) : count_(count) {}

private:
    unsigned count_;
};

class io_threads_world : public threaded_world {
public:
    explicit io_threads_world(unsigned count = thread_count) : threaded_world(count) {
        for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this] { io.run(); });
    }
    ~io_threads_world() override { end(); }
    asio::any_io_executor executor() override { return io.get_executor(); }

    asio::io_context io{};

protected:
    void end() {
        work_.reset();
        for (auto& thread : threads_) {
            if (thread.joinable()) thread.join();
        }
    }

private:
    asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io);
    std::vector<std::thread> threads_{};
};

class strand_world final : public io_threads_world {
public:
    ~strand_world() override { end(); }
    unsigned threads() const override { return 1; }
    asio::any_io_executor executor() override { return strand_; }

private:
    asio::strand<asio::io_context::executor_type> strand_{io.get_executor()};
};

class asio_pool_world final : public threaded_world {
public:
    explicit asio_pool_world(unsigned count = thread_count) : threaded_world(count), pool(count) {}
    ~asio_pool_world() override { pool.join(); }
    asio::any_io_executor executor() override { return pool.get_executor(); }

    asio::thread_pool pool;
};

class rouse_pool_world final : public threaded_world {
public:
    explicit rouse_pool_world(unsigned count = thread_count) : threaded_world(count), pool(count) {}
    ~rouse_pool_world() override { pool.join(); }
    asio::any_io_executor executor() override { return pool.get_executor(); }

    rouse::thread_pool pool;
};

// The pool over an io_context that the application runs.
class rouse_external_world final : public threaded_world {
public:
    explicit rouse_external_world(unsigned count = thread_count)
        : threaded_world(count), pool_(std::make_unique<rouse::thread_pool>(io_, count)) {}
    ~rouse_external_world() override {
        pool_->join();
        pool_.reset();
        work_.reset();
        thread_.join();
    }
    asio::any_io_executor executor() override { return pool_->get_executor(); }

private:
    asio::io_context io_{};
    asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
    std::thread thread_{[this] { io_.run(); }};
    std::unique_ptr<rouse::thread_pool> pool_;
};

struct world_kind {
    char const* name;
    std::unique_ptr<world> (*make)();
};

inline std::vector<world_kind> const& worlds() {
    static std::vector<world_kind> const all = {
        {"io_context, one thread", [] { return std::unique_ptr<world>(new io_context_world); }},
        {"io_context, three threads", [] { return std::unique_ptr<world>(new io_threads_world); }},
        {"strand", [] { return std::unique_ptr<world>(new strand_world); }},
        {"rouse::thread_pool", [] { return std::unique_ptr<world>(new rouse_pool_world); }},
        {"rouse::thread_pool over an io_context",
         [] { return std::unique_ptr<world>(new rouse_external_world); }},
        {"asio::thread_pool", [] { return std::unique_ptr<world>(new asio_pool_world); }},
    };
    return all;
}

// Calls function(world&) for each kind of world.
template <class Function>
void on_each_world(Function function) {
    for (auto const& kind : worlds()) {
        BOOST_TEST_CONTEXT(kind.name) {
            auto const w = kind.make();
            function(*w);
        }
    }
}

// Waits for a task that was spawned in the world; gives its value, or throws.
template <class T>
T wait(world& w, rouse::join_handle<T> handle) {
    if (w.is_driven_by_caller()) w.run_until([&] { return handle.is_finished(); });
    return rouse::block_on(std::move(handle));
}

// Spawns, and waits for the result.
template <class X>
auto result_in(world& w, X&& x) {
    return wait(w, rouse::spawn(w.executor(), std::forward<X>(x)));
}

}  // namespace rouse_test

#endif
