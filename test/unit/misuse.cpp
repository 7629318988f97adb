// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What throws std::logic_error says which rule was broken: the sentences of doc/guarantees.md,
// those of operations excepted (asio/op_*.cpp) and those that end the program (deaths.cpp,
// pool_deaths.cpp).

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <rouse/abandonable.hpp>
#include <rouse/any_future.hpp>
#include <rouse/catch_all.hpp>
#include <rouse/finally.hpp>
#include <rouse/join.hpp>
#include <rouse/join_handle.hpp>
#include <rouse/retry.hpp>
#include <rouse/select.hpp>
#include <rouse/shared.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <support/unit_kit.hpp>

BOOST_AUTO_TEST_SUITE(test_misuse)

using rouse::task;
namespace this_task = rouse::this_task;
using namespace rouse_test;

namespace {

// True if the call throws std::logic_error with this text, and no other.
template <class F>
bool is_refused(std::string_view sentence, F call) {
    try {
        call();
    } catch (std::logic_error const& e) {
        if (e.what() == "rouse: " + std::string(sentence)) return true;
        BOOST_TEST_MESSAGE("it says: " << e.what());
        return false;
    }
    BOOST_TEST_MESSAGE("nothing was thrown");
    return false;
}
template <rouse::future F>
bool poll_is_refused(std::string_view sentence, F& f) {
    return is_refused(sentence, [&] { (void)poll_once(f); });
}

task<int> seven() { co_return 7; }

constexpr std::string_view empty_handle = "an empty join_handle was polled";

}  // namespace

BOOST_AUTO_TEST_CASE(b21_the_sentence_of_a_task) {
    constexpr std::string_view polled = "a task was polled after it was ready or moved from";
    auto t = seven();
    BOOST_TEST(poll_once(t).value() == 7);
    BOOST_TEST(poll_is_refused(polled, t));

    auto moved_from = seven();
    auto const taken = std::move(moved_from);
    BOOST_TEST(poll_is_refused(polled, moved_from));

    auto failing = []() -> task<> {
        throw std::runtime_error("from the body");
        co_return;
    }();
    BOOST_CHECK_THROW((void)poll_once(failing), std::runtime_error);
    BOOST_TEST(poll_is_refused(polled, failing));
}

BOOST_AUTO_TEST_CASE(b21_the_sentences_of_what_goes_through_stages) {
    auto const fails = [](std::exception_ptr) -> int { throw std::runtime_error("again"); };
    auto failing = [] { return rouse::poll_fn([](rouse::context&) -> rouse::poll_result<int> {
        throw std::runtime_error("failing");
    }); };
    int cleaned = 0;
    auto f = rouse::finally(rouse::ready_future(7), [&] { ++cleaned; });
    BOOST_TEST(poll_once(f).value() == 7);
    BOOST_TEST(poll_is_refused("a finally was polled after it was ready", f));
    BOOST_TEST(!cancel_once(f).value().has_value());
    auto g = rouse::finally(rouse::ready_future(7), [&] { ++cleaned, throw std::runtime_error("of the clean-up"); });
    BOOST_CHECK_THROW((void)poll_once(g), std::runtime_error);
    BOOST_TEST(poll_is_refused("a finally was polled after it was ready", g));
    BOOST_TEST(!cancel_once(g).value().has_value());
    BOOST_TEST(cleaned == 2);
    auto c = rouse::catch_all(failing(), fails);
    BOOST_CHECK_THROW((void)poll_once(c), std::runtime_error);
    BOOST_TEST(poll_is_refused("a catch_all was polled after it was ready", c));
    BOOST_TEST(!cancel_once(c).value().has_value());
    int calls = 0;
    auto r = rouse::retry(rouse::backoff(std::chrono::hours(1)).attempts(1), [&] { return ++calls, failing(); });
    BOOST_CHECK_THROW((void)poll_once(r), std::runtime_error);
    BOOST_TEST(poll_is_refused("a retry was polled after it was ready", r));
    BOOST_TEST(!cancel_once(r).value().has_value());
    BOOST_TEST(calls == 1);
}

// Polled in two places, one of them would never be woken.
BOOST_AUTO_TEST_CASE(b21_the_sentence_of_a_combinator_that_is_given_one_future_twice) {
    constexpr std::string_view sentence = "a combinator was given one future twice, by name";
    auto sh = rouse::shared(seven());
    auto other = sh;
    auto of_another_type = seven();
    BOOST_TEST(is_refused(sentence, [&] { (void)rouse::join(sh, sh); }));
    BOOST_TEST(is_refused(sentence, [&] { (void)rouse::try_join(other, of_another_type, seven(), of_another_type); }));
    BOOST_TEST(is_refused(sentence, [&] { (void)rouse::select(sh, other, sh); }));
    // Copies, and what is moved in, are futures of their own.
    auto both = rouse::join(sh, other, rouse::shared_future(sh), of_another_type);
    BOOST_TEST(poll_once(both).is_ready());
}

BOOST_AUTO_TEST_CASE(b21_the_sentence_of_a_task_that_is_awaited_twice) {
    auto twice = []() -> task<int> {
        task<int> child = seven();
        int sum = co_await child;
        sum += co_await child;
        co_return sum;
    }();
    BOOST_TEST(poll_is_refused("co_await of a task that has returned or was moved from", twice));

    auto moved_from = []() -> task<int> {
        task<int> child = seven();
        task<int> taken = std::move(child);
        co_return co_await child;
    }();
    BOOST_TEST(
        poll_is_refused("co_await of a task that has returned or was moved from", moved_from));
}

BOOST_AUTO_TEST_CASE(b21_the_sentence_of_a_ready_future) {
    constexpr std::string_view polled = "a ready_future was polled after it was ready";
    rouse::ready_future number(5);
    BOOST_TEST(poll_once(number).value() == 5);
    BOOST_TEST(poll_is_refused(polled, number));
    BOOST_TEST(poll_is_refused(polled, number));

    // One without a value has nothing to give away: documented as ready at each poll.
    rouse::ready_future none;
    BOOST_TEST(poll_once(none).is_ready());
    BOOST_TEST(poll_once(none).is_ready());
}

BOOST_AUTO_TEST_CASE(b21_the_sentence_of_an_any_future) {
    constexpr std::string_view polled = "an empty any_future was polled";
    rouse::any_future<int> empty;
    BOOST_TEST(poll_is_refused(polled, empty));

    rouse::any_future<int> moved_from = rouse::ready_future(1);
    auto const taken = std::move(moved_from);
    BOOST_TEST(poll_is_refused(polled, moved_from));

    // It is what it holds that is polled too often.
    rouse::any_future<int> full = rouse::ready_future(1);
    BOOST_TEST(poll_once(full).value() == 1);
    BOOST_TEST(poll_is_refused("a ready_future was polled after it was ready", full));
}

BOOST_AUTO_TEST_CASE(b21_the_sentence_of_a_join_handle) {
    hand_executor ex;
    auto taken_from = ex.spawn(rouse::ready_future(1));
    auto detached = ex.spawn(rouse::ready_future(1));
    auto moved_from = ex.spawn(rouse::ready_future(1));
    auto const moved_to = std::move(moved_from);
    BOOST_TEST(poll_is_refused(empty_handle, moved_from));
    detached.detach();
    BOOST_TEST(poll_is_refused(empty_handle, detached));
    ex.run_all();
    BOOST_TEST(poll_once(taken_from).value() == 1);
    BOOST_TEST(poll_is_refused(empty_handle, taken_from));
}

BOOST_AUTO_TEST_CASE(b21_the_sentence_of_a_join_handle_that_is_awaited_when_empty) {
    hand_executor ex;
    auto body = [](rouse::join_handle<int>& none) -> task<int> { co_return co_await none; };
    auto empty = ex.spawn(rouse::ready_future(1));
    empty.detach();
    auto handle = ex.spawn(body(empty));
    ex.run_all();
    BOOST_TEST(poll_is_refused(empty_handle, handle));  // passed on by the task
}

BOOST_AUTO_TEST_CASE(b21_the_sentence_of_an_abandonable) {
    loan l;
    rouse::abandonable f{lending(l)};
    BOOST_TEST(cancel_once(f).is_ready());
    BOOST_TEST(poll_is_refused("an abandonable was polled after it was abandoned", f));

    rouse::abandonable done{rouse::ready_future(1)};
    BOOST_TEST(poll_once(done).value() == 1);
    BOOST_TEST(poll_is_refused("a ready_future was polled after it was ready", done));
}

BOOST_AUTO_TEST_CASE(the_sentences_of_what_needs_a_task) {
    BOOST_TEST(is_refused("this_task::spawn was called outside of a task",
                          [] { (void)this_task::spawn(rouse::ready_future(1)); }));
    BOOST_TEST(is_refused("this_task::spawn_ok was called outside of a task",
                          [] { this_task::spawn_ok(rouse::ready_future(1)); }));
    BOOST_TEST(is_refused("this_task::cancellation was called outside of a task",
                          [] { (void)this_task::cancellation(); }));
}

// No misuse: it is empty, and says nothing.
BOOST_AUTO_TEST_CASE(a_waker_that_was_moved_from_wakes_nobody) {
    wake_counter counter;
    {
        rouse::waker source = counter.make();
        rouse::waker const taken = std::move(source);
        BOOST_TEST(source.empty());
        source.wake_by_ref();
        rouse::waker const copy = source;
        BOOST_TEST(copy.empty());
        std::move(source).wake();
        BOOST_TEST(counter.wakes == 0);
        BOOST_TEST(counter.live == 1);
        taken.wake_by_ref();
        BOOST_TEST(counter.wakes == 1);

        rouse::waker used = counter.make();
        std::move(used).wake();
        BOOST_TEST(counter.wakes == 2);
        std::move(used).wake();
        BOOST_TEST(counter.wakes == 2);
    }
    BOOST_TEST(counter.live == 0);
}

BOOST_AUTO_TEST_SUITE_END()
