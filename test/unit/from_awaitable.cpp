// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Awaitables of other libraries, awaited like futures by from_awaitable.

#include <support/scale.hpp>
#include <support/stress_threads.hpp>
#include <support/unit_kit.hpp>
#include <support/unit_task.hpp>

#include <atomic>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <concepts>
#include <coroutine>
#include <functional>
#include <memory>
#include <rouse/abandonable.hpp>
#include <rouse/block_on.hpp>
#include <rouse/from_awaitable.hpp>
#include <rouse/task.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_from_awaitable)

namespace {

using namespace rouse_test;
using rouse::from_awaitable;

// Keeps the handle of whoever awaits, for the test to resume.
struct station {
    std::coroutine_handle<> waiting{};
    int resumed = 0;

    void resume() { std::exchange(waiting, {}).resume(); }
};

// Gives what a function returns.
template <class F>
class stop {
public:
    stop(station& s, F f) : station_(&s), result_(std::move(f)) {}

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) const noexcept { station_->waiting = h; }
    decltype(auto) await_resume() {
        ++station_->resumed;
        return result_();
    }

private:
    station* station_;
    F result_;
};

class resumes_inside {
public:
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) const { h.resume(); }
    int await_resume() const noexcept { return 5; }
};

class does_not_suspend {
public:
    explicit does_not_suspend(bool ready) : ready_(ready) {}
    bool await_ready() const noexcept { return ready_; }
    bool await_suspend(std::coroutine_handle<>) const noexcept { return false; }
    int await_resume() const noexcept { return 6; }

private:
    bool ready_;
};

struct throws_in {
    explicit throws_in(char w) : where(w) {}
    bool await_ready() const {
        if (where == 'r') throw std::runtime_error("ready");
        return false;
    }
    bool await_suspend(std::coroutine_handle<>) const {
        if (where == 's') throw std::runtime_error("suspend");
        return false;
    }
    int await_resume() const { throw std::runtime_error("resume"); }

    char where;
};

// A lazy coroutine as others write it: starting and ending by symmetric transfer, the operator a member.
class lazy {
public:
    struct promise_type {
        struct last {
            bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(
                std::coroutine_handle<promise_type> h) const noexcept {
                return h.promise().then;
            }
            void await_resume() const noexcept {}
        };
        lazy get_return_object() {
            return lazy(std::coroutine_handle<promise_type>::from_promise(*this));
        }
        std::suspend_always initial_suspend() const noexcept { return {}; }
        last final_suspend() const noexcept { return {}; }
        void return_value(std::string v) { value = std::move(v); }
        void unhandled_exception() const { std::terminate(); }

        std::coroutine_handle<> then{};
        std::string value{};
    };

    explicit lazy(std::coroutine_handle<promise_type> h) : frame_(h) {}
    lazy(lazy&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
    lazy& operator=(lazy&&) = delete;
    ~lazy() {
        if (frame_) frame_.destroy();
    }

    auto operator co_await() && {
        struct awaiter {
            std::coroutine_handle<promise_type> frame;
            bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) const noexcept {
                frame.promise().then = h;
                return frame;
            }
            std::string&& await_resume() const { return std::move(frame.promise().value); }
        };
        return awaiter{frame_};
    }

private:
    std::coroutine_handle<promise_type> frame_;
};

lazy greeting(station& s) {
    int const n = co_await stop(s, [] { return 3; });
    co_return "a string that is too long for a small buffer " + std::to_string(n);
}

// With an operator that is no member.
struct number {
    explicit number(int v) : value(v) {}
    int value;
};
auto operator co_await(number n) {
    struct awaiter {
        int value;
        bool await_ready() const noexcept { return true; }
        void await_suspend(std::coroutine_handle<>) const noexcept {}
        int await_resume() const noexcept { return value; }
    };
    return awaiter{n.value};
}

auto const is_cancelled = [](boost::system::system_error const& e) {
    return e.code() == boost::asio::error::operation_aborted;
};

}  // namespace

BOOST_AUTO_TEST_CASE(what_does_not_suspend_is_ready_at_the_first_poll) {
    auto ready = from_awaitable(does_not_suspend(true));
    auto refuses = from_awaitable(does_not_suspend(false));
    auto inside = from_awaitable(resumes_inside());
    auto member = from_awaitable(number(8));
    auto nothing = from_awaitable(std::suspend_never());
    BOOST_TEST(poll_once(ready).value() == 6);
    BOOST_TEST(poll_once(refuses).value() == 6);
    BOOST_TEST(poll_once(inside).value() == 5);
    BOOST_TEST(poll_once(member).value() == 8);
    BOOST_TEST(poll_once(nothing).is_ready());
    BOOST_CHECK_THROW((void)poll_once(ready), std::logic_error);
}

BOOST_AUTO_TEST_CASE(what_resumes_later_wakes_the_task) {
    station s;
    wake_counter wakes;
    auto const waker = wakes.make();
    auto f = from_awaitable(stop(s, [] { return std::make_unique<int>(4); }));
    BOOST_TEST((!s.waiting));
    BOOST_TEST(poll_once(f, waker).is_pending());
    BOOST_TEST(poll_once(f, waker).is_pending());
    BOOST_TEST(wakes.wakes == 0);
    s.resume();
    BOOST_TEST(wakes.wakes == 1);
    auto const value = poll_once(f, waker).value();
    BOOST_TEST(*value == 4);
}

BOOST_AUTO_TEST_CASE(void_and_references) {
    station s;
    int number_of_mine = 1;
    auto nothing = from_awaitable(stop(s, [] {}));
    auto reference = from_awaitable(stop(s, [&]() -> int& { return number_of_mine; }));
    auto constant = from_awaitable(stop(s, [&]() -> int const& { return number_of_mine; }));
    auto moved = from_awaitable(stop(s, [&]() -> int&& { return std::move(number_of_mine); }));
    static_assert(std::is_void_v<rouse::output_t<decltype(nothing)>>);
    static_assert(
        std::same_as<rouse::output_t<decltype(reference)>, std::reference_wrapper<int>>);
    static_assert(
        std::same_as<rouse::output_t<decltype(constant)>, std::reference_wrapper<int const>>);
    static_assert(std::same_as<rouse::output_t<decltype(moved)>, int>);
    BOOST_TEST(poll_once(nothing).is_pending());
    s.resume();
    BOOST_TEST(poll_once(nothing).is_ready());
    BOOST_TEST(poll_once(reference).is_pending());
    s.resume();
    BOOST_TEST(&poll_once(reference).value().get() == &number_of_mine);
}

BOOST_AUTO_TEST_CASE(exceptions_of_each_part) {
    for (char const where : {'r', 's', 'e'}) {
        auto f = from_awaitable(throws_in(where));
        std::string const what = where == 'r' ? "ready" : where == 's' ? "suspend" : "resume";
        BOOST_CHECK_EXCEPTION((void)poll_once(f), std::runtime_error,
                              [&](auto const& e) { return e.what() == what; });
    }
}

BOOST_AUTO_TEST_CASE(coroutines_that_transfer_to_one_another) {
    station s;
    auto f = from_awaitable(greeting(s));
    BOOST_TEST(poll_once(f).is_pending());
    s.resume();
    BOOST_TEST(poll_once(f).value() == "a string that is too long for a small buffer 3");
}

// By reference: what it counts is seen.
BOOST_AUTO_TEST_CASE(a_named_awaitable_is_taken_by_reference) {
    station s;
    stop named(s, [n = 0]() mutable { return ++n; });
    for (int expected = 1; expected <= 2; ++expected) {
        auto f = from_awaitable(named);
        BOOST_TEST(poll_once(f).is_pending());
        s.resume();
        BOOST_TEST(poll_once(f).value() == expected);
    }
}

BOOST_AUTO_TEST_CASE(a_task_awaits_awaitables) {
    station s;
    auto t = [](station& at) -> rouse::task<int> {
        int const a = co_await from_awaitable(stop(at, [] { return 1; }));
        int const b = co_await from_awaitable(number(2));
        std::string const c = co_await from_awaitable(greeting(at));
        co_return a + b + static_cast<int>(c.back() - '0');
    }(s);
    BOOST_TEST(poll_once(t).is_pending());
    s.resume();
    BOOST_TEST(poll_once(t).is_pending());
    s.resume();
    BOOST_TEST(poll_once(t).value() == 6);
}

// It lets the others have their turn.
BOOST_AUTO_TEST_CASE(what_is_ready_spends_budget) {
    auto f = from_awaitable(number(2));
    wake_counter wakes;
    auto const waker = wakes.make();
    rouse::poll_root root;
    rouse::cancellation_state cancellation;
    root.waker = &waker;
    root.cancellation = &cancellation;
    root.budget = 0;
    rouse::context cx(root);
    BOOST_TEST(f.poll(cx).is_pending());
    BOOST_TEST(root.requeue);
    BOOST_TEST(f.poll(cx).value() == 2);
}

BOOST_AUTO_TEST_CASE(what_is_never_polled_is_only_destroyed) {
    station s;
    ledger book;
    auto const make = [&] { return from_awaitable(stop(s, [t = token(book)] {})); };
    {
        auto f = make();
        auto moved = std::move(f);
        auto cancelled = make();
        BOOST_TEST(cancel_once(cancelled).value() == false);
        BOOST_TEST(book.live() == 1);
    }
    BOOST_TEST(book.live() == 0);
    BOOST_TEST((!s.waiting));
}

// Nothing can ask a foreign awaitable to let go: the frame and the awaitable in it wait for it.
BOOST_AUTO_TEST_CASE(what_is_dropped_lives_until_it_is_resumed) {
    station s;
    ledger book;
    wake_counter wakes;
    auto const waker = wakes.make();
    {
        auto f = from_awaitable(stop(s, [t = token(book)] { return 1; }));
        BOOST_TEST(poll_once(f, waker).is_pending());
    }
    BOOST_TEST(wakes.live == 1);
    BOOST_TEST(book.live() == 1);
    s.resume();
    BOOST_TEST(s.resumed == 1);
    BOOST_TEST(wakes.wakes == 0);
    BOOST_TEST(book.exactly_one_died());
}

BOOST_AUTO_TEST_CASE(an_abort_waits_for_the_resumption_and_keeps_the_value) {
    station s;
    wake_counter wakes;
    auto const waker = wakes.make();
    auto f = from_awaitable(stop(s, [] { return 3; }));
    BOOST_TEST(poll_once(f).is_pending());
    BOOST_TEST(cancel_once(f, waker).is_pending());
    s.resume();
    BOOST_TEST(wakes.wakes == 1);
    auto const value = cancel_once(f, waker).value();
    BOOST_REQUIRE(value.has_value());
    BOOST_TEST(*value == 3);
    BOOST_TEST(!cancel_once(f, waker).value().has_value());
}

BOOST_AUTO_TEST_CASE(an_abandonable_awaitable_is_not_waited_for) {
    station s;
    rouse::abandonable f(from_awaitable(stop(s, [] { return 3; })));
    BOOST_TEST(poll_once(f).is_pending());
    BOOST_TEST(cancel_once(f).is_ready());
    s.resume();
    BOOST_TEST(s.resumed == 1);
}

BOOST_AUTO_TEST_CASE(a_frame_that_is_destroyed_by_others_is_an_aborted_operation) {
    station s;
    wake_counter wakes;
    auto const waker = wakes.make();
    auto f = from_awaitable(stop(s, [] { return 3; }));
    BOOST_TEST(poll_once(f, waker).is_pending());
    s.waiting.destroy();
    BOOST_TEST(wakes.wakes == 1);
    BOOST_CHECK_EXCEPTION((void)poll_once(f), boost::system::system_error, is_cancelled);
    auto g = from_awaitable(stop(s, [] {}));
    BOOST_TEST(poll_once(g).is_pending());
    s.waiting.destroy();
    BOOST_TEST(cancel_once(g).value() == false);
}

// The awaitable is gone when the result is there, so that what it refers to may go.
BOOST_AUTO_TEST_CASE(the_awaitable_is_destroyed_before_the_future_is_ready) {
    station s;
    ledger book;
    bool alive_when_woken = true;
    rouse::waker_vtable const table{[](void* d) { return d; },
                                    [](void* d) { (*static_cast<std::function<void()>*>(d))(); },
                                    [](void* d) { (*static_cast<std::function<void()>*>(d))(); },
                                    [](void*) {}, "looks"};
    std::function<void()> look = [&] { alive_when_woken = book.live() != 0; };
    rouse::waker const waker(&look, table);
    auto f = from_awaitable(stop(s, [t = token(book)] {}));
    BOOST_TEST(poll_once(f, waker).is_pending());
    s.resume();
    BOOST_TEST(!alive_when_woken);
    BOOST_TEST(poll_once(f, waker).is_ready());
}

// Threads resume while other threads poll and drop.
BOOST_AUTO_TEST_CASE(threads_resume_while_others_poll_and_drop) {
    int const rounds = scaled(20'000);
    ledger book;
    std::atomic<void*> handed{nullptr};
    std::atomic<bool> over{false};
    std::atomic<int> resumed{0};
    std::thread resumes([&] {
        while (!over) {
            if (void* p = handed.exchange(nullptr)) {
                std::coroutine_handle<>::from_address(p).resume();
                ++resumed;
            } else {
                std::this_thread::yield();
            }
        }
    });
    struct hands_over {
        explicit hands_over(std::atomic<void*>& h, ledger& b) : to(&h), held(b) {}
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> h) const noexcept {
            to->store(h.address());  // from here on *this may be gone
        }
        int await_resume() const noexcept { return 1; }
        std::atomic<void*>* to;
        token held;
    };
    int sum = 0;
    int dropped = 0;
    for (int i = 0; i < rounds; ++i) {
        if (i % 2 == 0) {
            sum += rouse::block_on(from_awaitable(hands_over(handed, book)));
        } else {
            auto f = from_awaitable(hands_over(handed, book));
            (void)poll_once(f);
            ++dropped;
        }
        while (resumed != i + 1) std::this_thread::yield();
    }
    over = true;
    resumes.join();
    BOOST_TEST(sum == rounds - dropped);
    BOOST_TEST(book.live() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
