// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Groups whose owner moves to another executor, or is cancelled: what becomes of their tasks and their errors.

#include <support/pool_kit.hpp>
#include <support/unit_kit.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>
#include <atomic>
#include <chrono>
#include <optional>
#include <rouse.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_groups_elsewhere)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::on_error;
using rouse::spawn;
using rouse::task;
using rouse::task_group;
using rouse::with_group;

namespace {

// Raised once, awaited by one.
struct flag {
    std::atomic<bool> up{false};
    rouse::atomic_waker waiting{};

    void raise() {
        up = true;
        waiting.wake();
    }
    auto raised() {
        return rouse::poll_fn([this](rouse::context& cx) -> rouse::poll_result<void> {
            waiting.register_waker(cx.waker());
            if (up) return rouse::ready();
            return rouse::pending;
        });
    }
};

task<> count(std::atomic<int>& ran) {
    ++ran;
    co_return;
}

// Spawns when it is told to.
auto a_group(std::atomic<int>& ran, flag& go) {
    return with_group([&](task_group& g) -> task<int> {
        g.spawn(count(ran));
        co_await go.raised();
        g.spawn(count(ran));
        co_return 1;
    });
}

}  // namespace

// The tasks run by whatever executor polls the owner now; the one of before may be gone.
BOOST_AUTO_TEST_CASE(a_group_goes_on_with_another_task_of_an_io_context) {
    std::atomic<int> ran{0};
    flag go;
    asio::io_context io;
    rouse::futures_unordered<decltype(a_group(ran, go))> groups;
    auto const begin = [&]() -> task<> {
        groups.push(a_group(ran, go));
        auto limited = rouse::timeout(groups.next(), 1ms);
        try {
            co_await std::move(limited);
        } catch (boost::system::system_error const&) {
        }
    };
    auto const finish = [&]() -> task<int> {
        int sum = 0;
        while (auto one = co_await groups.next()) sum += *one;
        co_return sum;
    };
    auto first = spawn(io, begin());
    io.run();
    block_on(std::move(first));
    BOOST_TEST(ran == 1);
    io.restart();
    go.raise();
    auto second = spawn(io, finish());
    io.run();
    BOOST_TEST(block_on(std::move(second)) == 1);
    BOOST_TEST(ran == 2);
}

BOOST_AUTO_TEST_CASE(a_group_outlives_the_pool_that_it_has_begun_on) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        std::atomic<int> ran{0};
        flag go;
        std::optional<decltype(a_group(ran, go))> group(a_group(ran, go));
        {
            pool_home pool(m, workers);
            block_on(spawn(*pool, rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                if (group->poll(cx).is_ready() || ran == 1) return rouse::ready();
                return rouse::pending;
            })));
        }
        go.raise();
        auto const rest = [&]() -> task<int> { co_return co_await *group; };
        BOOST_TEST(block_on(rest()) == 1);
        BOOST_TEST(ran == 2);
    });
}

// ---- tasks that their executor destroys ---------------------------------------------------------

namespace {

// An executor that does not run one of the functions that it gets.
class dropping_executor {
public:
    dropping_executor(asio::io_context& io, std::atomic<int>& until)
        : inner_(asio::require(io.get_executor(), asio::execution::blocking.never)), until_(&until) {}

    template <class F>
    void execute(F&& f) const {
        if (--*until_ != 0) inner_.execute(std::forward<F>(f));
    }
    asio::execution_context& query(asio::execution::context_t) const noexcept {
        return asio::query(inner_, asio::execution::context);
    }
    static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
        return asio::execution::blocking.never;
    }
    friend bool operator==(dropping_executor const& a, dropping_executor const& b) noexcept {
        return a.until_ == b.until_;
    }

private:
    decltype(asio::require(std::declval<asio::io_context::executor_type>(),
                           asio::execution::blocking.never)) inner_;
    std::atomic<int>* until_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_group_whose_executor_destroys_a_task_has_failed) {
    for (auto const policy : {on_error::abort_others, on_error::collect, on_error::report}) {
        std::atomic<int> ran{0};
        asio::io_context io;
        std::atomic<int> until{3};  // the owner, a task, and this one
        auto body = [&](task_group& g) -> task<> {
            for (int n = 0; n < 3; ++n) g.spawn(count(ran));
            co_return;
        };
        auto group = spawn(dropping_executor(io, until), with_group(policy, body));
        io.run();
        bool failed = false;
        try {
            block_on(std::move(group));
        } catch (boost::system::system_error const& e) {
            failed = e.code() == rouse::errc::aborted;
        }
        BOOST_TEST(failed == (policy != on_error::report));
        BOOST_TEST(ran == (policy == on_error::abort_others ? 0 : 2));
    }
}

BOOST_AUTO_TEST_CASE(a_group_with_values_whose_executor_destroys_a_task_has_failed) {
    asio::io_context io;
    std::atomic<int> until{3};
    auto body = [&](rouse::task_group_of<int>& g) -> task<> {
        for (int n = 0; n < 3; ++n) g.spawn(rouse::ready_future<int>(n));
        while (co_await g.next()) {
        }
    };
    auto group = spawn(dropping_executor(io, until), rouse::with_group_of<int>(body));
    io.run();
    BOOST_CHECK_EXCEPTION(block_on(std::move(group)), boost::system::system_error,
                          [](auto const& e) { return e.code() == rouse::errc::aborted; });
}

// A pool that ends has its tasks let go, also those of a group that goes on elsewhere.
BOOST_AUTO_TEST_CASE(a_group_that_outlives_its_pool_says_that_a_task_was_cut_off) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        std::atomic<bool> runs{false};
        rouse::atomic_waker waits;
        auto body = [&](task_group& g) -> task<int> {
            g.spawn(rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                waits.register_waker(cx.waker());
                runs = true;
                return rouse::pending;
            }));
            co_return 1;
        };
        std::optional<decltype(with_group(body))> group(with_group(body));
        {
            pool_home pool(m, workers);
            block_on(spawn(*pool, rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                if (group->poll(cx).is_ready() || runs) return rouse::ready();
                cx.yield();
                return rouse::pending;
            })));
        }
        auto const rest = [&]() -> task<int> { co_return co_await *group; };
        BOOST_CHECK_EXCEPTION(block_on(rest()), boost::system::system_error,
                              [](auto const& e) { return e.code() == rouse::errc::aborted; });
    });
}

// ---- what is thrown after a request to cancel ---------------------------------------------------

BOOST_AUTO_TEST_CASE(an_error_after_a_request_to_cancel_is_thrown_and_not_the_cancellation) {
    for (auto const policy : {on_error::abort_others, on_error::collect, on_error::report}) {
        rouse::cancellation_source source;
        auto body = [&](task_group& g) -> task<> {
            g.spawn(rouse::sleep_for(1h));
            source.cancel();
            try {
                co_await rouse::sleep_for(1h);
            } catch (boost::system::system_error const&) {
            }
            rouse::this_task::cancellation_mask const clean_up;
            co_await rouse::sleep_for(1ms);
            throw std::runtime_error("could not be saved");
        };
        try {
            block_on(rouse::with_cancellation(with_group(policy, body), source.token()));
            BOOST_ERROR("nothing was thrown");
        } catch (rouse::group_error const& e) {
            BOOST_TEST((policy == on_error::collect));
            BOOST_TEST(e.errors().size() == 2U);
        } catch (std::runtime_error const& e) {
            BOOST_TEST((policy != on_error::collect));
            BOOST_TEST(e.what() == std::string("could not be saved"));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_group_of_which_all_have_followed_a_request_ends_like_them) {
    for (auto const policy : {on_error::abort_others, on_error::collect}) {
        auto body = [](task_group& g) -> task<> {
            g.spawn(rouse::sleep_for(1h));
            g.spawn(rouse::sleep_for(1h));
            co_await rouse::sleep_for(1h);
        };
        boost::system::error_code error;
        try {
            block_on(rouse::with_deadline(with_group(policy, body), 1ms));
        } catch (boost::system::system_error const& e) {
            error = e.code();
        }
        BOOST_TEST((error == rouse::errc::timed_out));
    }
}

// ---- requests that are passed on ----------------------------------------------------------------

namespace {

// Says what it sees, and forgets it.
struct forgetful {
    explicit forgetful(rouse::cancellation_type& seen) noexcept : seen_(&seen) {}
    rouse::poll_result<void> poll(rouse::context& cx) {
        *seen_ = cx.cancellation().requested();
        if (*seen_ != rouse::cancellation_type::none) cx.cancellation().clear();
        return rouse::pending;
    }
    rouse::cancellation_type* seen_;
};

template <class Make>
void passes_each_request_once(Make make) {
    using rouse::cancellation_type;
    rouse::cancellation_type seen{};
    rouse::cancellation_source source;
    wake_counter counter;
    rouse::waker const waker = counter.make();
    auto future = make(forgetful(seen), source);
    rouse::cancellation_state outside;
    auto const polled = [&] {
        rouse::poll_root root;
        root.waker = &waker;
        root.cancellation = &outside;
        rouse::context cx(root);
        BOOST_TEST(future.poll(cx).is_pending());
        return seen;
    };
    BOOST_TEST((polled() == cancellation_type::none));
    outside.request(cancellation_type::terminal);
    BOOST_TEST((polled() == cancellation_type::terminal));
    BOOST_TEST((polled() == cancellation_type::none));
    // Somebody beside it masks and unmasks: that is no request.
    outside.mask(cancellation_type::total);
    BOOST_TEST((polled() == cancellation_type::none));
    outside.unmask(cancellation_type::total);
    BOOST_TEST((polled() == cancellation_type::none));
    // The same once more is one.
    outside.request(cancellation_type::terminal);
    BOOST_TEST((polled() == cancellation_type::terminal));
}

}  // namespace

BOOST_AUTO_TEST_CASE(with_cancellation_passes_each_request_once) {
    passes_each_request_once([](forgetful f, rouse::cancellation_source& source) {
        return rouse::with_cancellation(std::move(f), source.token());
    });
    // That of the token is seen though one from outside came before it.
    rouse::cancellation_type seen{};
    rouse::cancellation_source source;
    wake_counter counter;
    rouse::waker const waker = counter.make();
    auto future = rouse::with_cancellation(forgetful(seen), source.token());
    rouse::cancellation_state outside;
    outside.request(rouse::cancellation_type::terminal);
    rouse::poll_root root;
    root.waker = &waker;
    root.cancellation = &outside;
    rouse::context cx(root);
    BOOST_TEST(future.poll(cx).is_pending());
    BOOST_TEST((seen == rouse::cancellation_type::terminal));
    source.cancel();
    BOOST_TEST(future.poll(cx).is_pending());
    BOOST_TEST((seen == rouse::cancellation_type::terminal));
    BOOST_TEST(future.poll(cx).is_pending());
    BOOST_TEST((seen == rouse::cancellation_type::none));
}

namespace {

// Ready as soon as it sees a request.
struct until_cancelled {
    rouse::poll_result<void> poll(rouse::context& cx) {
        if (cx.cancellation().requested() != rouse::cancellation_type::none) return rouse::ready();
        waits = cx.waker();
        return rouse::pending;
    }
    rouse::waker waits{};
};

template <class F>
void sees_a_request_of_another_state(F f) {
    rouse::waker const nobody;
    rouse::cancellation_state one;
    rouse::cancellation_state other;
    auto const poll_with = [&](rouse::cancellation_state& state) {
        rouse::poll_root root;
        root.waker = &nobody;
        root.cancellation = &state;
        rouse::context cx(root);
        return f.poll(cx).is_ready();
    };
    one.mask(rouse::cancellation_type::all);
    BOOST_TEST(!poll_with(one));
    other.request(rouse::cancellation_type::total);  // as many changes as that one has had
    BOOST_TEST(poll_with(other));
}

}  // namespace

// A future may be polled by one task first and by another later, whose request it has not seen.
BOOST_AUTO_TEST_CASE(a_request_is_seen_by_a_future_that_was_polled_elsewhere_before) {
    sees_a_request_of_another_state(rouse::with_cancellation(until_cancelled(), rouse::cancellation_token()));
    sees_a_request_of_another_state(rouse::join(until_cancelled()));
    std::vector<until_cancelled> all(1);
    sees_a_request_of_another_state(rouse::join_all(std::move(all)));
}

// Also if it has had one from the first, and has forgotten it: that of the second is another one.
BOOST_AUTO_TEST_CASE(a_request_of_another_state_is_passed_on_though_one_was_before) {
    using rouse::cancellation_type;
    cancellation_type seen{};
    rouse::waker const nobody;
    auto future = rouse::with_cancellation(forgetful(seen), rouse::cancellation_token());
    auto const seen_under = [&](rouse::cancellation_state& state) {
        rouse::poll_root root;
        root.waker = &nobody;
        root.cancellation = &state;
        rouse::context cx(root);
        BOOST_TEST(future.poll(cx).is_pending());
        return seen;
    };
    rouse::cancellation_state one;
    rouse::cancellation_state other;
    one.request(cancellation_type::terminal);
    other.request(cancellation_type::terminal);
    BOOST_TEST((seen_under(one) == cancellation_type::terminal));
    BOOST_TEST((seen_under(one) == cancellation_type::none));
    BOOST_TEST((seen_under(other) == cancellation_type::terminal));
    BOOST_TEST((seen_under(other) == cancellation_type::none));
}

BOOST_AUTO_TEST_CASE(with_deadline_passes_each_request_once) {
    passes_each_request_once([](forgetful f, rouse::cancellation_source&) {
        return rouse::with_deadline(std::move(f), 1h);
    });
}

BOOST_AUTO_TEST_SUITE_END()
