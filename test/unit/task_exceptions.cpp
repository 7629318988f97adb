// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What a spawned future throws, in its polls, its destructor, and with its value: who gets it, or
// hears of it. On an executor that the test drives by hand.

#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <rouse/make_task.hpp>
#include <rouse/scheduler.hpp>
#include <rouse/unhandled.hpp>
#include <source_location>
#include <stdexcept>
#include <string>
#include <support/unit_kit.hpp>
#include <support/unit_task.hpp>
#include <system_error>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_task_exceptions)

using rouse::context;
using rouse::pending;
using rouse::poll_fn;
using rouse::poll_result;
using rouse::schedule_reason;
using namespace rouse_test;

namespace {

class throws_at_poll {
public:
    throws_at_poll(int n, ledger& book) : left_(n), token_(book) {}
    poll_result<int> poll(context& cx) {
        if (--left_ == 0) throw not_an_exception{1};
        cx.waker().wake_by_ref();
        return pending;
    }

private:
    int left_;
    token token_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b23_an_exception_from_the_first_or_nth_poll_goes_to_the_joiner) {
    for (int n : {1, 2, 4, 5, 9}) {
        hand_executor ex;
        ledger book;
        auto handle = ex.spawn(throws_at_poll(n, book));
        ex.run_all();
        BOOST_TEST(book.exactly_one_died());  // at completion, not when the handle dies
        BOOST_CHECK_EXCEPTION((void)poll_once(handle), not_an_exception,
                              [](auto const& e) { return e.value == 1; });
        BOOST_TEST(ex.unhandled.empty());
        BOOST_TEST(ex.done == 1);
    }
}

BOOST_AUTO_TEST_CASE(b25_an_exception_that_nobody_waits_for_is_reported_once_with_the_place) {
    hand_executor ex;
    ledger book;
    auto const line = std::source_location::current().line() + 1;
    ex.spawn_detached(throws_at_poll(1, book));
    ex.run_all();
    BOOST_TEST(ex.unhandled.size() == 1U);
    BOOST_TEST(ex.unhandled_from.at(0).line() == line);
    BOOST_CHECK_THROW(std::rethrow_exception(ex.unhandled.at(0)), not_an_exception);
    BOOST_TEST(book.exactly_one_died());
}

namespace {

std::vector<std::string> reported;
std::vector<unsigned> reported_from;

struct reports {
    reports() {
        reported.clear();
        reported_from.clear();
        before = rouse::set_unhandled_handler([](std::exception_ptr e, std::source_location where) {
            reported.emplace_back(what_of(e));
            reported_from.push_back(where.line());
        });
    }
    ~reports() { rouse::set_unhandled_handler(before); }
    rouse::unhandled_handler before;
};

// An executor that does not say what becomes of exceptions.
class plain_executor final : public rouse::scheduler {
public:
    void schedule(rouse::runnable task, rouse::schedule_reason) noexcept override {
        queue.push_back(std::move(task));
    }
    std::deque<rouse::runnable> queue{};
};

}  // namespace

BOOST_AUTO_TEST_CASE(b25_an_executor_that_says_nothing_reports_to_the_handler_of_the_process) {
    reports heard;
    plain_executor ex;
    ex.schedule(rouse::make_detached_task(ex, poll_fn([](context&) -> poll_result<void> {
                                              throw std::runtime_error("alone");
                                          })),
                schedule_reason::spawned);
    rouse::runnable r = std::move(ex.queue.front());
    std::move(r).run();
    BOOST_TEST(reported.size() == 1U);
    BOOST_TEST(reported.at(0) == "alone");
    BOOST_TEST(ex.offered() == nullptr);
}

BOOST_AUTO_TEST_CASE(b25_an_exception_whose_handle_is_dropped_or_detached_is_reported) {
    for (bool detach : {false, true}) {
        for (bool before : {false, true}) {
            reports heard;
            hand_executor ex;
            auto handle = std::make_unique<rouse::join_handle<void>>(ex.spawn(poll_fn(
                [](context&) -> poll_result<void> { throw std::runtime_error("nobody"); })));
            auto const let_go = [&] {
                if (detach) handle->detach();
                handle.reset();
            };
            if (before) let_go();
            ex.run_all();
            if (!before) let_go();
            // Dropped before, it is aborted, and never polled.
            std::size_t const expected = before && !detach ? 0 : 1;
            BOOST_TEST(ex.unhandled.size() + reported.size() == expected);
            BOOST_TEST(ex.done == 1);
        }
    }
}

BOOST_AUTO_TEST_CASE(b25_the_echo_of_an_abort_is_not_reported_but_anything_else_is) {
    struct case_of {
        boost::system::error_code error;
        bool cancel;
        bool abort;
        std::size_t reports;
    };
    boost::system::error_code const ended = boost::asio::error::operation_aborted;
    boost::system::error_code const other = boost::asio::error::connection_reset;
    boost::system::error_code const aborted = rouse::errc::aborted;
    for (case_of c : {case_of{ended, false, false, 1}, case_of{ended, true, false, 0},
                      case_of{ended, false, true, 0}, case_of{aborted, false, true, 0},
                      case_of{aborted, false, false, 1}, case_of{other, true, true, 1}}) {
        hand_executor ex;
        auto r = rouse::make_detached_task(ex, poll_fn([c](context&) -> poll_result<void> {
                                               auto* self = rouse::detail::current_task();
                                               if (c.abort) self->request_abort();
                                               throw boost::system::system_error(c.error);
                                           }));
        auto* header = r.release();
        if (c.cancel) header->cancellation.request(rouse::cancellation_type::terminal);
        ex.schedule(rouse::runnable(header), schedule_reason::spawned);
        ex.run_all();
        BOOST_TEST(ex.unhandled.size() == c.reports);
    }
}

BOOST_AUTO_TEST_CASE(b24_a_futures_destructor_that_throws_is_reported_and_the_value_stands) {
    struct bomb {
        explicit bomb(ledger& b) : token_(b) {}
        bomb(bomb&&) noexcept = default;
        ~bomb() noexcept(false) {
            if (token_) throw std::runtime_error("destructor");
        }
        poll_result<int> poll(context&) { return 6; }
        token token_;
    };
    hand_executor ex;
    ledger book;
    auto handle = ex.spawn(bomb(book));
    ex.run_all();
    BOOST_TEST(ex.unhandled.size() == 1U);
    BOOST_TEST(std::string(what_of(ex.unhandled.at(0))) == "destructor");
    BOOST_TEST(poll_once(handle).value() == 6);
    BOOST_TEST(book.exactly_one_died());

    auto dropped = ex.spawn(bomb(book));
    ex.drop_all();
    BOOST_TEST(ex.unhandled.size() == 2U);
    BOOST_TEST(is_aborted(dropped));
    BOOST_TEST(ex.done == 2);
    BOOST_TEST(book.live() == 0);
}

namespace {

// Its nth move throws.
struct fragile {
    fragile(ledger& b, int* moves_left) : held(b), left(moves_left) {}
    fragile(fragile&& other) : held(check(other)), left(other.left) {}
    static token check(fragile& other) {
        if (--*other.left == 0) throw std::runtime_error("moved once too often");
        return std::move(other.held);
    }
    token held;
    int* left;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b24_a_value_whose_move_throws_gives_that_exception_and_loses_nothing) {
    for (int good_moves = 1; good_moves <= 12; ++good_moves) {
        hand_executor ex;
        ledger book;
        ledger future_book;
        bool threw = false;
        {
            int left = good_moves;
            auto handle =
                ex.spawn(poll_fn([&, t = token(future_book)](context&) -> poll_result<fragile> {
                    return fragile(book, &left);
                }));
            ex.run_all();
            BOOST_TEST(future_book.exactly_one_died());
            try {
                auto r = poll_once(handle);
                BOOST_TEST(r.is_ready());
            } catch (std::runtime_error const&) {
                threw = true;
            }
            if (good_moves == 1) BOOST_TEST(threw);
            if (good_moves == 12) BOOST_TEST(!threw);
            BOOST_TEST(!handle);  // one outcome, whichever it was
        }
        BOOST_TEST(book.live() == 0);
        BOOST_TEST(ex.unhandled.empty());
        BOOST_TEST(ex.done == 1);
    }
}

namespace {

struct bad_value {
    explicit bad_value(ledger& b) : held(b) {}
    bad_value(bad_value&&) noexcept = default;
    ~bad_value() noexcept(false) {
        if (held) throw std::runtime_error("value's destructor");
    }
    token held;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b24_a_values_destructor_that_throws_when_nobody_takes_it_is_reported) {
    reports heard;
    ledger book;
    hand_executor ex;
    auto make = [&] {
        return poll_fn([&](context&) -> poll_result<bad_value> { return bad_value(book); });
    };
    ex.spawn_detached(make());
    ex.run_all();
    BOOST_TEST(reported.size() == 1U);
    {
        auto handle = ex.spawn(make());
        ex.run_all();
    }
    BOOST_TEST(reported.size() == 2U);
    BOOST_TEST(reported.at(1) == "value's destructor");
    BOOST_TEST(book.made == 2);
    BOOST_TEST(book.live() == 0);
    BOOST_TEST(ex.done == 2);
}

// For conditions of users, such as those of retry.
BOOST_AUTO_TEST_CASE(what_only_says_that_it_was_cancelled) {
    using boost::system::error_code;
    auto const as_exception = [](error_code code) { return std::make_exception_ptr(boost::system::system_error(code)); };
    error_code const cancelled[] = {boost::asio::error::operation_aborted, rouse::errc::aborted,
                                    make_error_code(boost::system::errc::operation_canceled)};
    for (auto const& code : cancelled) {
        BOOST_TEST(rouse::is_cancellation(code));
        BOOST_TEST(rouse::is_cancellation(as_exception(code)));
    }
    BOOST_TEST(rouse::is_cancellation(
        std::make_exception_ptr(std::system_error(std::make_error_code(std::errc::operation_canceled)))));
    error_code const others[] = {{}, rouse::errc::timed_out, rouse::errc::closed, boost::asio::error::eof};
    for (auto const& code : others) {
        BOOST_TEST(!rouse::is_cancellation(code));
        BOOST_TEST(!rouse::is_cancellation(as_exception(code)));
    }
    BOOST_TEST(!rouse::is_cancellation(std::exception_ptr()));
    BOOST_TEST(!rouse::is_cancellation(std::make_exception_ptr(std::runtime_error("cancelled"))));
    BOOST_TEST(!rouse::is_cancellation(std::make_exception_ptr(not_an_exception{1})));
}

BOOST_AUTO_TEST_SUITE_END()
