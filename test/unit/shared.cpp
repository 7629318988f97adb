// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// shared: one future that many wait for.

#include <support/unit_kit.hpp>

#include <rouse/any_future.hpp>
#include <rouse/block_on.hpp>
#include <rouse/cancellation_source.hpp>
#include <rouse/join.hpp>
#include <rouse/paused_clock.hpp>
#include <rouse/select.hpp>
#include <rouse/shared.hpp>
#include <rouse/sleep.hpp>
#include <rouse/task.hpp>
#include <rouse/then.hpp>
#include <rouse/this_task.hpp>
#include <rouse/with_cancellation.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>

#include <barrier>
#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_shared)

using rouse::shared;
using rouse::shared_future;
using rouse::task;
using namespace rouse_test;
using namespace std::chrono_literals;

namespace {

task<std::string> word(gate& g, int& runs) {
    ++runs;
    co_await gate_future(g);
    co_return "word";
}

// Counts the polls that see a request.
class watchful {
public:
    watchful(gate& g, int& seen) : gate_(g), seen_(&seen) {}
    rouse::poll_result<int> poll(rouse::context& cx) {
        *seen_ += cx.cancellation().requested() != rouse::cancellation_type::none;
        if (gate_.poll(cx).is_pending()) return rouse::pending;
        return 7;
    }

private:
    gate_future gate_;
    int* seen_;
};

// A poll by a task of which something was requested.
template <class F>
auto poll_when_cancelled(F& f, rouse::waker const& waker) {
    rouse::cancellation_state cancellation;
    cancellation.request(rouse::cancellation_type::terminal);
    rouse::poll_root root;
    root.waker = &waker;
    root.cancellation = &cancellation;
    rouse::context cx(root);
    return f.poll(cx);
}

bool is_aborted(boost::system::system_error const& e) { return e.code() == rouse::errc::aborted; }
bool is_cancelled(boost::system::system_error const& e) {
    return e.code() == boost::asio::error::operation_aborted;
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_copy_gives_the_value_and_the_future_runs_once) {
    gate g;
    int runs = 0;
    std::vector<shared_future<task<std::string>>> copies;
    copies.reserve(4);
    copies.push_back(shared(word(g, runs)));
    for (int n = 0; n < 3; ++n) copies.push_back(copies.front());
    std::vector<wake_counter> counters(4);
    for (std::size_t n = 0; n < 4; ++n)
        BOOST_TEST(poll_once(copies[n], counters[n].make()).is_pending());
    g.set();
    for (auto& c : counters) BOOST_TEST(c.wakes == 1);
    for (auto& c : copies) BOOST_TEST(poll_once(c).value() == "word");
    BOOST_TEST(runs == 1);
    for (auto& c : counters) BOOST_TEST(c.live == 0);
}

BOOST_AUTO_TEST_CASE(it_is_polled_by_whoever_is_there) {
    gate g;
    int runs = 0;
    std::optional<shared_future<task<std::string>>> first(shared(word(g, runs)));
    shared_future second = *first;
    wake_counter one;
    wake_counter two;
    BOOST_TEST(poll_once(*first, one.make()).is_pending());
    BOOST_TEST(poll_once(second, two.make()).is_pending());
    g.open = true;
    first.reset();  // who had polled it goes: the other is told, since it may be its turn
    BOOST_TEST(two.wakes == 1);
    BOOST_TEST(poll_once(second, two.make()).value() == "word");
    BOOST_TEST(one.live == 0);
}

// The future is woken while one copy polls it, and that copy is never polled again.
BOOST_AUTO_TEST_CASE(who_found_it_being_polled_is_woken_at_the_end_of_that_poll) {
    wake_counter other;
    std::optional<shared_future<rouse::any_future<int>>> second;
    int polls = 0;
    auto first = rouse::shared(rouse::any_future<int>(
        rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<int> {
            if (++polls == 2) return 7;
            cx.waker().wake_by_ref();
            BOOST_TEST(poll_once(*second, other.make()).is_pending());
            return rouse::pending;
        })));
    second.emplace(first);
    BOOST_TEST(poll_once(first).is_pending());
    BOOST_TEST(other.wakes == 1);
    BOOST_TEST(poll_once(*second, other.make()).value() == 7);
}

namespace {

// One thread polls, slowly; another polls meanwhile, and finds it polling.
struct two_who_poll {
    enum class woken { never, before_the_poll, early_in_it, late_in_it };

    explicit two_who_poll(woken when) {
        int const slow = when == woken::before_the_poll ? 2 : 1;  // the number of the slow poll
        int polls = 0;
        std::barrier together(2);
        auto first = shared(rouse::any_future<int>(
            rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<int> {
                if (++polls > slow) return 7;
                kept = cx.waker();
                if (polls < slow) return rouse::pending;
                if (when == woken::early_in_it) kept.wake_by_ref();
                together.arrive_and_wait();  // the other polls after this
                together.arrive_and_wait();  // and before this
                if (when == woken::late_in_it) kept.wake_by_ref();
                return rouse::pending;
            })));
        auto second = first;
        if (when == woken::before_the_poll) {
            (void)poll_once(first);
            kept.wake_by_ref();
        }
        std::thread poller([&] { is_pending = poll_once(first).is_pending(); });
        together.arrive_and_wait();
        found_it_polling = poll_once(second, other.make()).is_pending();
        together.arrive_and_wait();
        poller.join();
        wakes = other.wakes;
        kept.wake_by_ref();  // whom this has not reached already, it reaches now
        wakes_in_the_end = other.wakes;
        value = poll_once(second, other.make()).value();
        kept = {};
    }

    wake_counter other;
    rouse::waker kept;
    bool is_pending = false;
    bool found_it_polling = false;
    int wakes = 0;
    int wakes_in_the_end = 0;
    int value = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b19_who_found_it_being_polled_is_woken_only_if_the_future_was) {
    using woken = two_who_poll::woken;
    for (woken when : {woken::never, woken::before_the_poll, woken::early_in_it, woken::late_in_it}) {
        BOOST_TEST_CONTEXT("case " << static_cast<int>(when)) {
            two_who_poll const seen(when);
            bool const meanwhile = when == woken::early_in_it || when == woken::late_in_it;
            BOOST_TEST(seen.is_pending);
            BOOST_TEST(seen.found_it_polling);
            BOOST_TEST(seen.wakes == (meanwhile ? 1 : 0));
            BOOST_TEST(seen.wakes_in_the_end == 1);
            BOOST_TEST(seen.value == 7);
            BOOST_TEST(seen.other.live == 0);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_failure_is_thrown_by_each_copy) {
    auto first = shared([]() -> task<> {
        throw std::runtime_error("one");
        co_return;
    }());
    auto second = first;
    BOOST_CHECK_THROW((void)poll_once(first), std::runtime_error);
    BOOST_CHECK_THROW((void)poll_once(second), std::runtime_error);
    auto third = second;
    BOOST_CHECK_THROW((void)poll_once(third), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(aborted_a_copy_only_stops_waiting) {
    loan l;
    auto first = shared(lending(l));
    auto second = first;
    BOOST_TEST(poll_once(first).is_pending());
    BOOST_TEST(!cancel_once(first).value());
    BOOST_TEST(l.cancels == 0);
    l.finish();
    BOOST_TEST(poll_once(second).value() == 7);
}

BOOST_AUTO_TEST_CASE(the_last_copy_that_is_aborted_has_the_future_let_go) {
    loan l;
    l.cancels_needed = 2;
    wake_counter parent;
    {
        auto first = shared(lending(l));
        auto second = first;
        BOOST_TEST(poll_once(first).is_pending());
        BOOST_TEST(!cancel_once(first).value());
        BOOST_TEST(cancel_once(second, parent.make()).is_pending());
        BOOST_TEST(l.cancels == 1);
        l.wake();
        BOOST_TEST(parent.wakes == 1);

        // Who comes too late waits until it has ended, and hears that it was stopped.
        auto late = second;
        wake_counter waiting;
        BOOST_TEST(poll_once(late, waiting.make()).is_pending());
        BOOST_TEST(!cancel_once(second, parent.make()).value());
        BOOST_TEST(waiting.wakes == 1);
        BOOST_CHECK_EXCEPTION((void)poll_once(late), boost::system::system_error, is_aborted);
    }
    BOOST_TEST(l.book.exactly_one_died());
    BOOST_TEST(l.dropped_in_flight == 0);
    BOOST_TEST(parent.live == 0);
}

BOOST_AUTO_TEST_CASE(a_copy_of_one_that_lets_the_future_go_comes_and_goes) {
    loan l;
    l.cancels_needed = 3;
    {
        auto first = shared(lending(l));
        BOOST_TEST(poll_once(first).is_pending());
        BOOST_TEST(cancel_once(first).is_pending());
        {
            auto late = first;
        }
        BOOST_TEST(l.dropped_in_flight == 0);
        {
            auto late = first;
            BOOST_TEST(poll_once(late).is_pending());
        }
        {
            auto late = first;
            BOOST_TEST(!cancel_once(late).value());
        }
        BOOST_TEST(l.cancels == 1);  // it is no turn of theirs
        BOOST_TEST(l.book.died == 0);
        BOOST_TEST(cancel_once(first).is_pending());
        BOOST_TEST(!cancel_once(first).value());
    }
    BOOST_TEST(l.dropped_in_flight == 0);
    BOOST_TEST(l.book.exactly_one_died());
}

BOOST_AUTO_TEST_CASE(one_that_is_cancelled_says_so_and_the_others_go_on) {
    hand_executor executor;
    gate g;
    int seen = 0;
    auto const first = shared(watchful(g, seen));
    rouse::cancellation_state* mine = nullptr;
    rouse::waker waker;
    auto const get = [](shared_future<watchful> copy) -> task<int> { co_return co_await copy; };
    auto const tells = [&](shared_future<watchful> copy) -> task<int> {
        mine = &rouse::this_task::cancellation();
        co_await rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
            waker = cx.waker();
            return rouse::ready();
        });
        co_return co_await copy;
    };
    auto cancelled = executor.spawn(tells(first));
    auto other = executor.spawn(get(first));
    executor.run_all();
    mine->request(rouse::cancellation_type::terminal);
    std::move(waker).wake();
    executor.run_all();
    BOOST_REQUIRE(cancelled.is_finished());
    BOOST_CHECK_EXCEPTION((void)poll_once(cancelled), boost::system::system_error, is_cancelled);
    BOOST_TEST(!other.is_finished());

    // Also one that was cancelled before its first poll.
    auto late = executor.spawn([&]() -> task<int> {
        rouse::this_task::cancellation().request(rouse::cancellation_type::total);
        co_return co_await shared_future(first);
    });
    executor.run_all();
    BOOST_CHECK_EXCEPTION((void)poll_once(late), boost::system::system_error, is_cancelled);

    g.set();
    executor.run_all();
    BOOST_REQUIRE(other.is_finished());
    BOOST_TEST(poll_once(other).value() == 7);
    BOOST_TEST(seen == 0);

    // Now that there is an outcome, also one that is cancelled gets it.
    auto last = executor.spawn([&]() -> task<int> {
        rouse::this_task::cancellation().request(rouse::cancellation_type::total);
        co_return co_await shared_future(first);
    });
    executor.run_all();
    BOOST_TEST(poll_once(last).value() == 7);
}

// As if it were not shared: it may clean up, and is waited for.
BOOST_AUTO_TEST_CASE(the_last_one_that_is_cancelled_passes_the_request_on) {
    rouse::paused_clock clock;
    int cleaned = 0;
    int began = 0;
    auto const cleans = [&]() -> task<int> {
        ++began;
        std::exception_ptr told;
        try {
            co_await rouse::sleep_for(1h);
        } catch (boost::system::system_error const&) {
            told = std::current_exception();
        }
        rouse::this_task::cancellation_mask const mask;
        co_await rouse::sleep_for(5ms);
        ++cleaned;
        if (told) std::rethrow_exception(told);
        co_return 7;
    };
    using copy = shared_future<task<int>>;
    auto const awaits = [](copy mine) -> task<int> { co_return co_await mine; };
    // One that goes on for a while without waiting any more.
    auto const goes_on = [&](copy mine) -> task<int> {
        try {
            co_await mine;
        } catch (boost::system::system_error const&) {
        }
        rouse::this_task::cancellation_mask const mask;
        co_await rouse::sleep_for(1s);
        co_return 8;
    };
    auto const cancelled = [&](auto future) {
        rouse::cancellation_source stop;
        auto const request = [](rouse::cancellation_source& s) -> task<> {
            co_await rouse::sleep_for(1ms);
            s.cancel();
        };
        int const before = cleaned;
        BOOST_CHECK_EXCEPTION(
            rouse::block_on(rouse::join(rouse::with_cancellation(std::move(future), stop.token()), request(stop)),
                            clock),
            boost::system::system_error, is_cancelled);
        BOOST_TEST(cleaned == before + 1);
    };
    cancelled(awaits(shared(cleans())));
    {
        auto both = shared(cleans());
        auto first = awaits(both);
        cancelled(rouse::join(std::move(first), awaits(std::move(both))));
    }
    {
        auto both = shared(cleans());
        auto first = goes_on(both);
        cancelled(rouse::join(std::move(first), awaits(std::move(both))));
    }
    {
        auto both = shared(cleans());
        auto first = awaits(both);
        cancelled(rouse::join(std::move(first), goes_on(std::move(both))));
    }
    BOOST_TEST(began == cleaned);
}

// Who was cancelled, and goes on nevertheless, waits again.
BOOST_AUTO_TEST_CASE(one_that_was_cancelled_is_awaited_again_under_a_mask) {
    rouse::paused_clock clock;
    auto kept = shared(rouse::map(rouse::sleep_for(1s), [] { return 7; }));
    auto mine = kept;
    auto const twice = [](auto& copy) -> task<int> {
        rouse::this_task::cancellation().request(rouse::cancellation_type::terminal);
        bool told = false;
        try {
            co_await copy;
        } catch (boost::system::system_error const&) {
            told = true;
        }
        rouse::this_task::cancellation_mask const mask;
        co_return co_await copy + told;
    };
    BOOST_TEST(rouse::block_on(twice(mine), clock) == 8);
}

// It need not stay where it is meanwhile.
BOOST_AUTO_TEST_CASE(one_that_was_cancelled_is_moved_and_awaited_again) {
    loan l;
    l.cancels_needed = 2;
    rouse::waker const nobody;
    {
        auto first = shared(lending(l));
        auto second = first;
        BOOST_TEST(poll_once(second).is_pending());
        BOOST_CHECK_EXCEPTION((void)poll_when_cancelled(first, nobody), boost::system::system_error, is_cancelled);
        {
            auto moved = std::move(first);  // counts no more, and does not when it is dropped
        }
        BOOST_TEST(l.dropped_in_flight == 0);
        auto third = second;
        BOOST_CHECK_EXCEPTION((void)poll_when_cancelled(third, nobody), boost::system::system_error, is_cancelled);
        auto moved = std::move(third);
        BOOST_TEST(poll_once(moved).is_pending());  // counts again
        BOOST_TEST(!cancel_once(second).value());
        BOOST_TEST(l.cancels == 0);
        BOOST_TEST(cancel_once(moved).is_pending());
        BOOST_TEST(!cancel_once(moved).value());
    }
    BOOST_TEST(l.dropped_in_flight == 0);
    BOOST_TEST(l.book.exactly_one_died());
}

// While an aborted one lets the future go, one that is cancelled does not wait for that.
BOOST_AUTO_TEST_CASE(a_copy_of_one_that_lets_the_future_go_is_cancelled) {
    loan l;
    l.cancels_needed = 2;
    wake_counter mine;
    auto const waker = mine.make();
    auto first = shared(lending(l));
    BOOST_TEST(poll_once(first).is_pending());
    BOOST_TEST(cancel_once(first).is_pending());
    auto late = first;
    BOOST_CHECK_EXCEPTION((void)poll_when_cancelled(late, waker), boost::system::system_error, is_cancelled);
    BOOST_TEST(mine.wakes == 0);
    BOOST_TEST(!cancel_once(first).value());
}

// A mask that it makes in the poll of one copy may end in that of another.
BOOST_AUTO_TEST_CASE(the_future_has_the_same_cancellation_whoever_polls_it) {
    std::vector<rouse::cancellation_state*> seen;
    auto first = shared(rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<int> {
        if (seen.empty()) cx.cancellation().mask(rouse::cancellation_type::all);
        seen.push_back(&cx.cancellation());
        if (seen.size() < 3) return rouse::pending;
        cx.cancellation().unmask(rouse::cancellation_type::all);
        return 7;
    }));
    auto second = first;
    rouse::waker const nobody;
    for (auto* const copy : {&first, &second, &first}) {
        rouse::cancellation_state mine;  // of a task that ends before the future
        rouse::poll_root root;
        root.waker = &nobody;
        root.cancellation = &mine;
        rouse::context cx(root);
        bool const over = copy->poll(cx).is_ready();
        BOOST_TEST(over == (seen.size() == 3U));
        BOOST_TEST((mine.masked() == rouse::cancellation_type::none));
        BOOST_TEST((seen.back() != &mine));
    }
    BOOST_TEST(seen[0] == seen[1]);
    BOOST_TEST(seen[0] == seen[2]);
    BOOST_TEST((seen[0]->masked() == rouse::cancellation_type::none));
}

// The future sees no request also while the last copy has it let go.
BOOST_AUTO_TEST_CASE(a_request_does_not_reach_a_future_that_lets_go) {
    struct lets_go {
        explicit lets_go(int& seen) : requests(&seen) {}
        rouse::poll_result<int> poll(rouse::context& cx) {
            look(cx);
            return rouse::pending;
        }
        rouse::cancel_result<int> poll_cancel(rouse::context& cx) {
            look(cx);
            return std::optional<int>();
        }
        void look(rouse::context& cx) {
            *requests += cx.cancellation().requested() != rouse::cancellation_type::none;
        }
        int* requests;
    };
    int seen = 0;
    auto only = shared(lets_go(seen));
    rouse::cancellation_state cancellation;
    rouse::waker const nobody;
    rouse::poll_root root;
    root.waker = &nobody;
    root.cancellation = &cancellation;
    rouse::context cx(root);
    BOOST_TEST(only.poll(cx).is_pending());
    cancellation.request(rouse::cancellation_type::terminal);
    BOOST_TEST(!only.poll_cancel(cx).value());
    BOOST_TEST(seen == 0);
}

BOOST_AUTO_TEST_CASE(what_had_completed_after_all_is_kept) {
    loan l;
    auto only = shared(lending(l));
    BOOST_TEST(poll_once(only).is_pending());
    l.done = true;
    BOOST_TEST(cancel_once(only).value().value() == 7);

    loan other;
    auto first = shared(lending(other));
    auto second = first;
    BOOST_TEST(poll_once(first).is_pending());
    other.finish();
    BOOST_TEST(poll_once(first).value() == 7);
    BOOST_TEST(cancel_once(second).value().value() == 7);
}

BOOST_AUTO_TEST_CASE(the_last_copy_that_is_dropped_drops_the_future) {
    loan l;
    std::optional<shared_future<lending>> late;
    {
        auto first = shared(lending(l));
        auto second = first;
        BOOST_TEST(poll_once(second).is_pending());
        BOOST_TEST(l.book.died == 0);
    }
    BOOST_TEST(l.dropped_in_flight == 1);
    BOOST_TEST(l.book.exactly_one_died());
    l.wake();  // for nobody
}

BOOST_AUTO_TEST_CASE(wakers_outlive_all_copies) {
    gate g;
    int runs = 0;
    {
        auto first = shared(word(g, runs));
        BOOST_TEST(poll_once(first).is_pending());
    }
    g.set();
}

BOOST_AUTO_TEST_CASE(it_loses_a_select) {
    gate g;
    int runs = 0;
    auto first = shared(word(g, runs));
    {
        auto one = rouse::select_biased(shared_future(first), rouse::ready_future());
        BOOST_TEST(poll_once(one).value().index() == 1U);
    }
    g.set();
    BOOST_TEST(poll_once(first).value() == "word");
}

BOOST_AUTO_TEST_CASE(more_waiters_than_are_woken_at_once) {
    gate g;
    int runs = 0;
    std::vector<shared_future<task<std::string>>> copies;
    copies.reserve(100);
    copies.push_back(shared(word(g, runs)));
    while (copies.size() < 100) copies.push_back(copies.front());
    wake_counter counter;
    for (auto& c : copies) BOOST_TEST(poll_once(c, counter.make()).is_pending());
    g.set();
    BOOST_TEST(counter.wakes == 100);
    for (auto& c : copies) BOOST_TEST(poll_once(c).is_ready());
}

BOOST_AUTO_TEST_CASE(an_empty_one_says_so) {
    auto first = shared(rouse::ready_future(1));
    auto moved = std::move(first);
    BOOST_CHECK_THROW((void)poll_once(first), std::logic_error);
    auto copy = first;
    BOOST_CHECK_THROW((void)poll_once(copy), std::logic_error);
    BOOST_TEST(poll_once(moved).value() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
