// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A request to cancel reaches all that are polled together, and each ends in its own way: it never becomes an abort,
// and that the first one has followed it does not have the others aborted.

#include <support/unit_kit.hpp>

#include <rouse/any_future.hpp>
#include <rouse/block_on.hpp>
#include <rouse/cancellation_source.hpp>
#include <rouse/finally.hpp>
#include <rouse/futures_unordered.hpp>
#include <rouse/join.hpp>
#include <rouse/join_all.hpp>
#include <rouse/paused_clock.hpp>
#include <rouse/future.hpp>
#include <rouse/select.hpp>
#include <rouse/select_all.hpp>
#include <rouse/shared.hpp>
#include <rouse/shielded.hpp>
#include <rouse/sleep.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/task_group.hpp>
#include <rouse/then.hpp>
#include <rouse/this_task.hpp>
#include <rouse/thread_pool.hpp>
#include <rouse/timeout.hpp>
#include <rouse/with_cancellation.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_cancelled_together)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::any_future;
using rouse::task;

namespace {

// Cleans up when it is cancelled, as long as nobody aborts it, and then ends as it was told.
task<> session(int& goodbyes, bool shielded) {
    std::exception_ptr told;
    try {
        co_await rouse::sleep_for(1h);
    } catch (boost::system::system_error const&) {
        told = std::current_exception();
    }
    if (shielded) {
        co_await rouse::shielded(rouse::sleep_for(5ms));
    } else {
        rouse::this_task::cancellation_mask const mask;
        co_await rouse::sleep_for(5ms);
    }
    ++goodbyes;
    if (told) std::rethrow_exception(told);
}

// How that ends which is cancelled after a moment; what it was when nothing else.
template <class F>
std::string end_of(F future) {
    rouse::paused_clock clock;
    rouse::cancellation_source stop;
    std::string said = "a value";
    auto const cancels = [](rouse::cancellation_source& s) -> task<> {
        co_await rouse::sleep_for(1ms);
        s.cancel();
    };
    auto const looks = [](F f, rouse::cancellation_token token, std::string& says) -> task<> {
        try {
            static_cast<void>(co_await rouse::with_cancellation(std::move(f), token));
        } catch (boost::system::system_error const& e) {
            says = e.code() == boost::asio::error::operation_aborted ? "cancelled" : e.code().message();
        } catch (std::exception const& e) {
            says = e.what();
        }
    };
    rouse::block_on(rouse::join(looks(std::move(future), stop.token(), said), cancels(stop)), clock);
    BOOST_TEST((clock.now() - rouse::paused_clock().now() < 1h));
    return said;
}

template <class... F>
std::vector<any_future<>> several(F&&... futures) {
    std::vector<any_future<>> all;
    (all.emplace_back(std::forward<F>(futures)), ...);
    return all;
}

// Ends when that is told it: as an operation does, a poll after the request, whatever is masked by then.
class follows_late {
public:
    rouse::poll_result<void> poll(rouse::context& cx) {
        if (told_) rouse::detail::throw_cancelled();
        told_ = cx.cancellation().requested() != rouse::cancellation_type::none;
        if (told_) cx.yield();
        return rouse::pending;
    }

private:
    bool told_ = false;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_clean_up_runs_to_its_end_beside_what_ends_at_once) {
    for (bool const shielded : {false, true}) {
        int goodbyes = 0;
        int expected = 0;
        auto const busy = [&] { return session(goodbyes, shielded); };
        auto const at_once = [] { return rouse::sleep_for(1h); };
        auto const try_it = [&](auto future) {
            BOOST_TEST(end_of(std::move(future)) == "cancelled");
            BOOST_TEST(goodbyes == ++expected);
        };
        for (int n = 0; n < 20; ++n) try_it(rouse::select(busy(), at_once()));  // by chance
        try_it(rouse::select_biased(at_once(), busy()));
        try_it(rouse::select_biased(busy(), at_once()));
        try_it(rouse::select_biased(at_once(), follows_late(), busy()));
        try_it(rouse::select_biased(rouse::select_biased(at_once(), busy()), at_once()));
        try_it(rouse::try_join(at_once(), busy()));
        try_it(rouse::try_join(busy(), at_once()));
        try_it(rouse::try_join(busy(), follows_late()));
        try_it(rouse::join(at_once(), busy()));
        try_it(rouse::race(at_once(), busy()));
        try_it(rouse::try_join_all(several(at_once(), busy())));
        try_it(rouse::join_all(several(at_once(), busy())));
        try_it(rouse::select_all(several(at_once(), busy())));
        try_it(rouse::race_all(several(at_once(), busy())));
        try_it(rouse::timeout(rouse::select_biased(at_once(), busy()), 30min));
        try_it(rouse::with_group([&](rouse::task_group& g) {
            g.spawn(at_once());
            return busy();
        }));
    }
}

BOOST_AUTO_TEST_CASE(what_says_more_decides) {
    auto const has_a_value = []() -> task<int> {
        try {
            co_await rouse::sleep_for(1h);
        } catch (boost::system::system_error const&) {
        }
        co_return 3;
    };
    auto const fails = []() -> task<int> {
        try {
            co_await rouse::sleep_for(1h);
        } catch (boost::system::system_error const&) {
        }
        throw std::runtime_error("the disk is full");
    };
    auto const at_once = [] { return rouse::map(rouse::sleep_for(1h), [] { return 0; }); };
    int losers = 0;
    BOOST_TEST(end_of(rouse::map(rouse::select_biased(at_once(), has_a_value()), [&](auto first) {
                   BOOST_TEST(first.index() == 1U);
                   BOOST_TEST(std::get<1>(first) == 3);
                   losers += std::get<0>(first.losers).has_error();
               })) == "a value");
    BOOST_TEST(losers == 1);
    BOOST_TEST(end_of(rouse::select_biased(at_once(), fails())) == "the disk is full");
    BOOST_TEST(end_of(rouse::try_join(at_once(), fails())) == "the disk is full");
    BOOST_TEST(end_of(rouse::try_join(at_once(), has_a_value())) == "cancelled");

    // And has the others aborted, as it always does.
    int goodbyes = 0;
    BOOST_TEST(end_of(rouse::select_biased(session(goodbyes, true), fails())) == "the disk is full");
    BOOST_TEST(end_of(rouse::try_join(session(goodbyes, true), fails())) == "the disk is full");
    BOOST_TEST(goodbyes == 0);
}

// Operations that give their errors as values say that they were cancelled by a value.
BOOST_AUTO_TEST_CASE(a_value_may_say_no_more_than_that_it_was_cancelled) {
    using boost::system::error_code;
    using result_of_pointer = boost::system::result<int, std::exception_ptr>;
    error_code const aborted = boost::asio::error::operation_aborted;
    auto const with = [](auto value) -> task<decltype(value)> {
        try {
            co_await rouse::sleep_for(1h);
        } catch (boost::system::system_error const&) {
        }
        co_return value;
    };
    int goodbyes = 0;
    int expected = 0;
    auto const busy = [&] { return session(goodbyes, true); };
    auto const waits_for_the_session = [&](auto value) {
        BOOST_TEST(end_of(rouse::map(rouse::select_biased(with(value), busy()),
                                     [](auto first) { BOOST_TEST(first.index() == 0U); })) == "a value");
        BOOST_TEST(goodbyes == ++expected);
    };
    waits_for_the_session(aborted);
    waits_for_the_session(std::tuple<error_code, int>(aborted, 0));
    waits_for_the_session(std::tuple<error_code>(aborted));
    waits_for_the_session(boost::system::result<int>(aborted));
    waits_for_the_session(boost::system::result<void>(aborted));
    std::exception_ptr told;
    try {
        rouse::detail::throw_cancelled();
    } catch (...) {
        told = std::current_exception();
    }
    waits_for_the_session(told);
    waits_for_the_session(std::tuple<std::exception_ptr, int>(told, 0));
    waits_for_the_session(result_of_pointer(boost::system::in_place_error, told));
    // Everything else decides.
    auto const decides = [&](auto value) {
        BOOST_TEST(end_of(rouse::select_biased(with(value), busy())) == "a value");
        BOOST_TEST(goodbyes == expected);
    };
    decides(std::exception_ptr());
    decides(result_of_pointer(boost::system::in_place_error, std::exception_ptr()));
    decides(std::tuple<std::exception_ptr>(std::make_exception_ptr(std::runtime_error("the disk is full"))));
    decides(error_code());
    decides(std::tuple<error_code, int>(boost::asio::error::eof, 0));
    decides(boost::system::result<int>(7));
    decides(boost::system::result<int>(error_code(boost::asio::error::eof)));
    decides(std::tuple<int, error_code>(0, aborted));
}

// Whoever has heard of it in the middle of his poll, before another one masks it, ends as he was told.
BOOST_AUTO_TEST_CASE(a_request_that_comes_during_a_poll) {
    class asks_itself {
    public:
        rouse::poll_result<void> poll(rouse::context& cx) {
            if (polls_++ == 0) cx.cancellation().request(rouse::cancellation_type::all);
            cx.yield();
            if (polls_ < 4) return rouse::pending;
            rouse::detail::throw_cancelled();
        }

    private:
        int polls_ = 0;
    };
    int goodbyes = 0;
    rouse::paused_clock clock;
    auto const is_told = [&](auto future) {
        BOOST_CHECK_THROW(rouse::block_on([](auto f) -> task<> { co_await std::move(f); }(std::move(future)), clock),
                          boost::system::system_error);
    };
    is_told(rouse::select_biased(asks_itself(), session(goodbyes, false)));
    is_told(rouse::try_join(asks_itself(), session(goodbyes, false)));
    is_told(rouse::select_all(several(asks_itself(), session(goodbyes, false))));
    is_told(rouse::try_join_all(several(asks_itself(), session(goodbyes, false))));
    BOOST_TEST(goodbyes == 4);
}

// Those hear of it later whose turn comes when somebody else has masked it, here for the rest of more than are polled at
// once.
BOOST_AUTO_TEST_CASE(a_neighbour_masks_what_not_all_have_heard_of) {
    auto const masks = []() -> task<> {
        try {
            co_await rouse::sleep_for(1h);
        } catch (boost::system::system_error const&) {
        }
        rouse::this_task::cancellation_mask const mask;
        co_await rouse::sleep_for(50ms);
    };
    for (bool const first : {false, true}) {
        int goodbyes = 0;
        std::vector<any_future<>> all;
        for (int n = 0; n < 100; ++n) all.emplace_back(session(goodbyes, true));
        auto many = first ? any_future<>(rouse::map(rouse::select_all(std::move(all)), [](auto&&) {}))
                          : any_future<>(rouse::map(rouse::try_join_all(std::move(all)), [](auto&&) {}));
        BOOST_TEST(end_of(rouse::join(std::move(many), masks())) == "cancelled");
        BOOST_TEST(goodbyes == 100);
    }
}

// Nor is anybody waited for who will never hear, since another one has cleared it meanwhile.
BOOST_AUTO_TEST_CASE(a_neighbour_clears_what_not_all_have_heard_of) {
    class asks_itself {
    public:
        rouse::poll_result<void> poll(rouse::context& cx) {
            if (polls_++ == 0) cx.cancellation().request(rouse::cancellation_type::all);
            cx.yield();
            if (polls_ < 3) return rouse::pending;
            rouse::detail::throw_cancelled();
        }

    private:
        int polls_ = 0;
    };
    auto const clears = []() -> task<> {
        try {
            co_await rouse::sleep_for(1h);
        } catch (boost::system::system_error const&) {
        }
        rouse::this_task::cancellation_mask const mask;
        co_await rouse::sleep_for(5ms);
        rouse::this_task::cancellation().clear();
        co_await rouse::sleep_for(5ms);
    };
    rouse::paused_clock clock;
    auto const is_told = [&](auto future) {
        auto const begin = clock.now();
        auto end = begin;
        BOOST_CHECK_THROW(
            rouse::block_on(rouse::join(rouse::finally(std::move(future), [&] { end = clock.now(); }), clears()), clock),
            boost::system::system_error);
        BOOST_TEST((end - begin == 5ms));
    };
    is_told(rouse::select_biased(rouse::sleep_for(10h), asks_itself()));
    is_told(rouse::try_join(rouse::sleep_for(10h), asks_itself()));
    is_told(rouse::select_all(several(rouse::sleep_for(10h), asks_itself())));
    is_told(rouse::try_join_all(several(rouse::sleep_for(10h), asks_itself())));
}

// Nor who could have heard only behind his own look, in the poll in which it came.
BOOST_AUTO_TEST_CASE(a_neighbour_clears_what_has_come_after_a_look) {
    auto const sees = [](rouse::context& cx) {
        return cx.cancellation().requested() != rouse::cancellation_type::none;
    };
    auto const asks = [polls = 0](rouse::context& cx) mutable -> rouse::poll_result<void> {
        if (polls++ != 0) return rouse::ready();
        cx.cancellation().request(rouse::cancellation_type::all);
        return rouse::pending;
    };
    auto const follows = [&](rouse::context& cx) -> rouse::poll_result<void> {
        if (sees(cx)) rouse::detail::throw_cancelled();
        return rouse::pending;
    };
    auto const clears = [&](rouse::context& cx) -> rouse::poll_result<void> {
        if (!sees(cx)) return rouse::pending;
        cx.cancellation().clear();
        return rouse::ready();
    };
    rouse::paused_clock clock;
    auto const both = [&] {
        return rouse::map(rouse::join(rouse::sleep_for(10h), rouse::poll_fn(asks)), [](auto&&) {});
    };
    auto const is_told = [&](auto future) {
        auto const begin = clock.now();
        auto end = begin;
        BOOST_CHECK_THROW(rouse::block_on(rouse::join(rouse::finally(std::move(future), [&] { end = clock.now(); }),
                                                      rouse::poll_fn(clears)),
                                          clock),
                          boost::system::system_error);
        BOOST_TEST((end == begin));
    };
    is_told(rouse::select_biased(both(), rouse::poll_fn(follows)));
    is_told(rouse::try_join(both(), rouse::poll_fn(follows)));
    is_told(rouse::select_all(several(both(), rouse::poll_fn(follows))));
    is_told(rouse::try_join_all(several(both(), rouse::poll_fn(follows))));
}

// In an abort a value that says more comes before one that does not.
BOOST_AUTO_TEST_CASE(an_abort_finds_the_value_that_says_more) {
    using boost::system::error_code;
    using value = std::tuple<error_code, int>;
    class ends_when_told {
    public:
        explicit ends_when_told(error_code code) : code_(code) {}
        rouse::poll_result<value> poll(rouse::context&) { return rouse::pending; }
        rouse::cancel_result<value> poll_cancel(rouse::context&) { return std::optional<value>({code_, 42}); }

    private:
        error_code code_;
    };
    error_code const aborted = boost::asio::error::operation_aborted;
    auto raced = rouse::race(ends_when_told(aborted), ends_when_told({}));
    BOOST_TEST(poll_once(raced).is_pending());
    auto one = cancel_once(raced);
    BOOST_REQUIRE(one.is_ready());
    BOOST_TEST(one.value()->index() == 1U);
    std::vector<ends_when_told> both{ends_when_told(aborted), ends_when_told({})};
    auto selected = rouse::select_all(std::move(both));
    BOOST_TEST(poll_once(selected).is_pending());
    auto other = cancel_once(selected);
    BOOST_REQUIRE(other.is_ready());
    BOOST_TEST(other.value()->index == 1U);
}

// An exception, too, and not only in an abort: otherwise the echo of a request would hide what has gone wrong.
BOOST_AUTO_TEST_CASE(the_exception_that_says_more_comes_first) {
    auto const full_when_aborted = [] {
        struct cleans_up {
            rouse::poll_result<void> poll(rouse::context&) { return rouse::pending; }
            rouse::cancel_result<void> poll_cancel(rouse::context&) { throw std::runtime_error("the disk is full"); }
        };
        return cleans_up();
    };
    auto const full_when_cancelled = []() -> task<> {
        try {
            co_await rouse::sleep_for(1h);
        } catch (boost::system::system_error const&) {
        }
        throw std::runtime_error("the disk is full");
    };
    auto const follows = [] { return rouse::sleep_for(1h); };
    auto const aborted = [](auto future) {
        return end_of(rouse::map(rouse::timeout(std::move(future), 1min), [](auto&&) {}));
    };
    std::string const full = "the disk is full";
    BOOST_TEST(aborted(rouse::select_biased(follows(), full_when_aborted())) == full);
    BOOST_TEST(aborted(rouse::select_biased(full_when_aborted(), follows())) == full);
    BOOST_TEST(aborted(rouse::try_join(follows(), full_when_aborted())) == full);
    BOOST_TEST(aborted(rouse::join(follows(), full_when_aborted())) == full);
    BOOST_TEST(aborted(rouse::race(follows(), full_when_aborted())) == full);
    BOOST_TEST(aborted(rouse::select_all(several(follows(), full_when_aborted()))) == full);
    BOOST_TEST(aborted(rouse::try_join_all(several(follows(), full_when_aborted()))) == full);
    BOOST_TEST(aborted(rouse::join_all(several(follows(), full_when_aborted()))) == full);
    BOOST_TEST(aborted(rouse::race_all(several(follows(), full_when_aborted()))) == full);
    BOOST_TEST(end_of(rouse::join(follows(), full_when_cancelled())) == full);
    BOOST_TEST(end_of(rouse::race(follows(), full_when_cancelled())) == full);
    BOOST_TEST(end_of(rouse::join_all(several(follows(), full_when_cancelled()))) == full);
    BOOST_TEST(end_of(rouse::race_all(several(follows(), full_when_cancelled()))) == full);
    // Without any, the first.
    BOOST_TEST(end_of(rouse::join(follows(), follows())) == "cancelled");
    BOOST_TEST(end_of(rouse::race_all(several(follows(), follows()))) == "cancelled");
}

// A request that was cleared is none, for those who have not heard of it before.
BOOST_AUTO_TEST_CASE(what_fails_after_a_request_was_cleared) {
    auto const clears = [](bool goes_on) -> task<> {
        try {
            co_await rouse::sleep_for(1h);
        } catch (boost::system::system_error const&) {
            rouse::this_task::cancellation().clear();
            if (!goes_on) throw;
        }
        co_await rouse::sleep_for(10h);
    };
    auto const closed = []() -> task<> {
        co_await rouse::sleep_for(30min);
        rouse::detail::throw_cancelled();
    };
    BOOST_TEST(end_of(rouse::select_biased(clears(false), rouse::sleep_for(10h))) == "cancelled");
    BOOST_TEST(end_of(rouse::select_biased(clears(true), closed())) == "cancelled");
    BOOST_TEST(end_of(rouse::try_join(clears(true), closed())) == "cancelled");
    BOOST_TEST(end_of(rouse::select_all(several(clears(true), closed()))) == "cancelled");
    BOOST_TEST(end_of(rouse::select_all(several(clears(false), rouse::sleep_for(10h)))) == "cancelled");
    // Also if nobody is left who has heard, since another one has cleared it for all.
    BOOST_TEST(end_of(rouse::join(rouse::select_biased(rouse::sleep_for(1h), rouse::shielded(rouse::sleep_for(5min))),
                                  clears(false))) == "cancelled");
}

// Where nobody has asked for it, that an operation was cancelled is a failure like others.
BOOST_AUTO_TEST_CASE(without_a_request_it_is_a_failure) {
    auto const fails = []() -> task<> {
        co_await rouse::this_task::yield_now();
        rouse::detail::throw_cancelled();
    };
    rouse::paused_clock clock;
    BOOST_CHECK_THROW(rouse::block_on(rouse::select(fails(), rouse::sleep_for(1h)), clock),
                      boost::system::system_error);
    BOOST_CHECK_THROW(rouse::block_on(rouse::try_join(rouse::sleep_for(1h), fails()), clock),
                      boost::system::system_error);
    BOOST_TEST(clock.jumps() == 0U);
}

// Nor where the request is masked since before: nobody here has heard of it.
BOOST_AUTO_TEST_CASE(under_an_older_mask_it_is_a_failure) {
    rouse::paused_clock clock;
    auto const fails = []() -> task<> {
        co_await rouse::sleep_for(5ms);
        rouse::detail::throw_cancelled();
    };
    rouse::cancellation_source stop;
    stop.cancel();
    auto const begin = clock.now();
    auto const in_clean_up = [&](auto make) {
        auto const cleans_up = [&]() -> task<> {
            rouse::this_task::cancellation_mask const mask;
            co_await make();
        };
        BOOST_CHECK_THROW(rouse::block_on(rouse::with_cancellation(cleans_up(), stop.token()), clock),
                          boost::system::system_error);
    };
    in_clean_up([&] { return rouse::select(fails(), rouse::sleep_for(1h)); });
    in_clean_up([&] { return rouse::select(rouse::sleep_for(1h), fails()); });
    in_clean_up([&] { return rouse::try_join(rouse::sleep_for(1h), fails()); });
    in_clean_up([&] { return rouse::select_all(several(rouse::sleep_for(1h), fails())); });
    in_clean_up([&] { return rouse::try_join_all(several(rouse::sleep_for(1h), fails())); });
    BOOST_TEST((clock.now() - begin == 25ms));
}

// What hears of no request is not waited for.
BOOST_AUTO_TEST_CASE(beside_a_task_of_its_own) {
    rouse::thread_pool pool(1);
    auto const other = [&] { return rouse::spawn(pool, rouse::pending_future<>()); };
    auto named = other();
    auto const at_once = [] { return rouse::sleep_for(1h); };
    BOOST_TEST(end_of(rouse::select_biased(at_once(), other())) == "cancelled");
    BOOST_TEST(end_of(rouse::try_join(other(), at_once())) == "cancelled");
    BOOST_TEST(end_of(rouse::select_biased(at_once(), rouse::pending_future<>())) == "cancelled");
    // Nor what is made of nothing else.
    BOOST_TEST(end_of(rouse::select_biased(at_once(), rouse::join(other(), other()))) == "cancelled");
    BOOST_TEST(end_of(rouse::try_join(at_once(), rouse::timeout(other(), 2h))) == "cancelled");
    BOOST_TEST(end_of(rouse::select_biased(at_once(), rouse::map(rouse::select(other(), rouse::pending_future<>()),
                                                                 [](auto&&) {}))) == "cancelled");
    std::vector<rouse::join_handle<void>> others;
    others.push_back(other());
    BOOST_TEST(end_of(rouse::select_biased(at_once(), rouse::join_all(std::move(others)))) == "cancelled");
    rouse::futures_unordered<rouse::join_handle<void>> unordered;
    unordered.push(other());
    BOOST_TEST(end_of([&]() -> task<> { co_await rouse::select_biased(rouse::sleep_for(1h), unordered.next()); }()) ==
               "cancelled");
    BOOST_TEST(unordered.size() == 1U);
    // Also if the last one that was waited for decides nothing.
    auto const ignores = []() -> task<> {
        try {
            co_await rouse::sleep_for(1h);
        } catch (boost::system::system_error const&) {
        }
        co_await rouse::shielded(rouse::sleep_for(5ms));
    };
    BOOST_TEST(end_of(rouse::try_join(at_once(), ignores(), other())) == "cancelled");
    BOOST_TEST(end_of(rouse::try_join(ignores(), at_once(), rouse::pending_future<>())) == "cancelled");
    BOOST_TEST(end_of([&]() -> task<> { co_await rouse::select(named, rouse::sleep_for(1h)); }()) == "cancelled");
    int goodbyes = 0;
    BOOST_TEST(end_of(rouse::select_biased(at_once(), session(goodbyes, true), other())) == "cancelled");
    BOOST_TEST(goodbyes == 1);
}

// Who has something of that name that is not this has said nothing.
struct with_a_member {
    bool hears_requests = false;
    rouse::poll_result<void> poll(rouse::context&) noexcept { return rouse::ready(); }
};
struct with_a_variable {
    inline static bool hears_requests = false;
    rouse::poll_result<void> poll(rouse::context&) noexcept { return rouse::ready(); }
};
BOOST_AUTO_TEST_CASE(names_of_users_say_nothing) {
    static_assert(rouse::detail::may_hear_requests<with_a_member>);
    static_assert(rouse::detail::may_hear_requests<with_a_variable>);
    static_assert(!rouse::detail::may_hear_requests<rouse::pending_future<>>);
    static_assert(!rouse::detail::may_hear_requests<decltype(rouse::shared(rouse::pending_future<>()))>);
    static_assert(rouse::detail::may_hear_requests<decltype(rouse::shared(rouse::sleep_for(1h)))>);
    auto both = rouse::select(with_a_member(), with_a_variable());
    BOOST_TEST(poll_once(both).is_ready());
}

// A group that is stopped before its tasks have ended has not done what it was for, although its body has returned.
BOOST_AUTO_TEST_CASE(a_group_whose_tasks_are_stopped_has_no_value) {
    rouse::paused_clock clock;
    int done = 0;
    auto const uploads = [](int& n) -> task<> {
        co_await rouse::sleep_for(1h);
        ++n;
    };
    auto const all = [&](rouse::on_error policy = rouse::on_error::abort_others) {
        return rouse::with_group(policy, [&](rouse::task_group& g) {
            for (int n = 0; n < 3; ++n) g.spawn(uploads(done));
            return rouse::ready_future<std::string>("all uploaded");
        });
    };
    for (auto const policy : {rouse::on_error::abort_others, rouse::on_error::collect, rouse::on_error::report}) {
        BOOST_CHECK_EXCEPTION(rouse::block_on(rouse::timeout(all(policy), 1s), clock), boost::system::system_error,
                              [](auto const& e) { return e.code() == rouse::errc::timed_out; });
        auto const first = rouse::block_on(rouse::select(all(policy), rouse::sleep_for(1s)), clock);
        BOOST_TEST(first.index() == 1U);
        BOOST_TEST(std::get<0>(first.losers).is_stopped());
    }
    BOOST_TEST(done == 0);
    BOOST_TEST(rouse::block_on(rouse::timeout(all(), 2h), clock) == "all uploaded");
    BOOST_TEST(done == 3);
}

BOOST_AUTO_TEST_CASE(a_group_whose_tasks_have_ended_after_all_has_its_value) {
    wake_counter parent;
    rouse::waker const waker = parent.make();
    for (bool const completed : {false, true}) {
        loan task_of_it;
        auto group = rouse::with_group([&](rouse::task_group& g) {
            g.spawn(lending(task_of_it));
            return rouse::ready_future<int>(5);
        });
        BOOST_TEST(poll_once(group, waker).is_pending());
        task_of_it.done = completed;
        auto stopped = cancel_once(group);
        BOOST_REQUIRE(stopped.is_ready());
        BOOST_TEST(stopped.value().value_or(0) == (completed ? 5 : 0));
    }
    // One that ends its tasks itself has done what it was for.
    loan slow;
    slow.cancels_needed = 2;
    auto group = rouse::with_group([&](rouse::task_group& g) -> task<int> {
        g.spawn(lending(slow));
        co_await rouse::this_task::yield_now();
        g.abort();
        co_return 5;
    });
    for (int n = 0; n < 3; ++n) BOOST_TEST(poll_once(group, waker).is_pending());
    BOOST_TEST(slow.cancels == 1);
    BOOST_TEST(cancel_once(group).is_pending());
    slow.wake();
    auto stopped = cancel_once(group);
    BOOST_REQUIRE(stopped.is_ready());
    BOOST_TEST(stopped.value().value_or(0) == 5);
}

// A body that throws as it is told to let go has done so, whatever the policy.
BOOST_AUTO_TEST_CASE(a_body_that_follows_an_abort_by_an_exception) {
    struct throws_when_told {
        rouse::poll_result<int> poll(rouse::context&) { return rouse::pending; }
        rouse::cancel_result<int> poll_cancel(rouse::context&) { rouse::detail::throw_cancelled(); }
    };
    for (auto const policy : {rouse::on_error::abort_others, rouse::on_error::collect, rouse::on_error::report}) {
        auto group = rouse::with_group(policy, [](rouse::task_group&) { return throws_when_told(); });
        BOOST_TEST(poll_once(group).is_pending());
        BOOST_CHECK_THROW(static_cast<void>(cancel_once(group)), boost::system::system_error);
    }
}

BOOST_AUTO_TEST_SUITE_END()
