// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_FAULT_POOL_HPP
#define ROUSE_TEST_SUPPORT_FAULT_POOL_HPP

#include <support/fault_new.hpp>
#include <support/pool_kit.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <latch>
#include <limits>
#include <rouse.hpp>

// What the tests of a pool whose allocations fail share: objects that are counted, ends that are
// told apart, and a pool that allocates nothing while it waits for work. It replaces operators, as
// fault_new.hpp does: for one file of a program.

namespace rouse_test {

inline std::atomic<long> live{0};  // objects
// How often who hears of what nobody waits for got ...
inline std::atomic<unsigned> told{0};     // ... std::bad_alloc
inline std::atomic<unsigned> mistold{0};  // ... something else

class tracked {
public:
    tracked() noexcept { ++live; }
    tracked(tracked const&) noexcept { ++live; }
    tracked& operator=(tracked const&) = delete;
    ~tracked() { --live; }
};

// What whoever waits gets.
enum class end { nothing, value, bad_alloc, aborted, wrong };

inline end end_of(std::exception_ptr const& e) try {
    std::rethrow_exception(e);
} catch (std::bad_alloc const&) {
    return end::bad_alloc;
} catch (boost::system::system_error const& error) {
    bool const canceled = error.code() == boost::system::errc::operation_canceled;
    return canceled ? end::aborted : end::wrong;
} catch (std::future_error const&) {
    return end::nothing;  // a broken promise
} catch (...) {
    return end::wrong;
}

// An end that comes once at most.
class result {
public:
    void set(end e) noexcept {
        if (got_.exchange(e) != end::nothing) got_ = end::wrong;
    }
    void set(std::exception_ptr const& e, int n) noexcept {
        set(e ? end_of(e) : n == 7 ? end::value : end::wrong);
    }
    end get() const noexcept { return got_; }

private:
    std::atomic<end> got_{end::nothing};
};

inline auto callback(result& r) {
    return [&r, kept = tracked()](std::exception_ptr e, int n) { r.set(e, n); };
}
inline auto function(result& r) {
    return [&r, kept = tracked()] { r.set(end::value); };
}
// Of an operation of Asio.
inline auto handler(result& r) {
    return [&r, kept = tracked()](boost::system::error_code error, std::size_t = 0) {
        bool const canceled = error == boost::system::errc::operation_canceled;
        r.set(!error ? end::value : canceled ? end::aborted : end::wrong);
    };
}

inline void hear(std::exception_ptr e, std::source_location) {
    ++(end_of(e) == end::bad_alloc ? told : mistold);
}

// The handler of the process, too.
class hearing {
public:
    hearing() : before_(rouse::set_unhandled_handler([](auto e, auto where) { hear(e, where); })) {}
    hearing(hearing const&) = delete;
    hearing& operator=(hearing const&) = delete;
    ~hearing() { rouse::set_unhandled_handler(before_); }

private:
    rouse::unhandled_handler before_;
};

inline rouse::task<int> work() {
    tracked const local;
    co_await rouse::this_task::yield_now();
    co_return 7;
}

// Who runs the event loop of an application.
enum class runner { a_thread, nobody };

// A pool whose workers have started, and allocate nothing while they wait for work.
class home {
public:
    home(mode m, unsigned workers, runner who = runner::a_thread) : begun_(workers) {
        auto const how = rouse::thread_pool::builder()
                             .workers(workers)
                             .after_start([this](unsigned) { begun_.count_down(); })
                             .on_unhandled_exception(hear);
        if (m == mode::own) {
            pool_ = how.build();
        } else {
            io_.emplace();
            work_.emplace(io_->get_executor());
            if (who == runner::a_thread) runner_ = std::thread([this] { run(); });
            pool_ = how.build(*io_);
        }
        begun_.wait();
    }
    home(home const&) = delete;
    home& operator=(home const&) = delete;
    ~home() { end(); }

    void end() noexcept {
        pool_.reset();
        work_.reset();
        if (runner_.joinable()) runner_.join();
        io_.reset();
    }
    // The same; operations may be left in the event loop.
    void end_with_operations() noexcept {
        pool_.reset();
        if (io_) io_->stop();
        end();
    }

    rouse::thread_pool& operator*() const noexcept { return *pool_; }
    rouse::thread_pool* operator->() const noexcept { return pool_.get(); }
    void destroy_pool() noexcept { pool_.reset(); }

private:
    // As an application that lives on.
    void run() {
        for (;;) {
            try {
                io_->run();
                return;
            } catch (...) {
                hear(std::current_exception(), {});
            }
        }
    }

    std::latch begun_;
    std::optional<asio::io_context> io_{};
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{};
    std::thread runner_{};
    std::unique_ptr<rouse::thread_pool> pool_{};
};

// Tasks, functions and timers work.
inline void check_works(rouse::thread_pool& pool) {
    auto handle = rouse::spawn(pool, work());
    std::atomic<int> ran{0};
    asio::post(pool, [&] { ++ran; });
    asio::steady_timer timer(pool, std::chrono::seconds(0));
    timer.async_wait([&](boost::system::error_code error) { ran += error ? 100 : 1; });
    BOOST_TEST(rouse::block_on(std::move(handle)) == 7);
    wait_until([&] { return ran >= 2; }, "a pool that works");
    BOOST_TEST(ran == 2);
}

#if ROUSE_TEST_REPLACES_NEW

inline constexpr unsigned most = 500;  // allocations of a scenario

inline constexpr unsigned long all_that_follow = std::numeric_limits<unsigned>::max();

inline auto a_poll_fn() {
    return rouse::poll_fn(
        [kept = tracked()](rouse::context&) -> rouse::poll_result<int> { return 7; });
}

inline auto a_callable() {
    return [kept = tracked()]() -> rouse::task<int> { co_return co_await work(); };
}

// What a call has left in this thread.
struct left {
    std::optional<rouse::join_handle<int>> handle{};
    std::future<int> future{};
    std::future<void> done{};
    std::optional<asio::steady_timer> timer{};
    std::optional<asio::ip::tcp::socket> socket{};
    std::optional<asio::ip::tcp::acceptor> acceptor{};
    std::optional<asio::ip::udp::socket> datagrams{};

    void wait(result& r) {
        try {
            if (handle) r.set(nullptr, rouse::block_on(*std::move(handle)));
            if (future.valid()) r.set(nullptr, future.get());
            if (done.valid()) done.get();
        } catch (...) {
            r.set(std::current_exception(), 0);
        }
    }
};

inline rouse::task<> telling(result& r, rouse::task<int> f, tracked = {}) {
    try {
        r.set(nullptr, co_await std::move(f));
    } catch (...) {
        r.set(std::current_exception(), 0);
    }
}
inline rouse::task<> telling_work(result& r) { return telling(r, work()); }

#endif

}  // namespace rouse_test

#endif
