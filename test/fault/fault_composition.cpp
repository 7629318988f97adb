// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Behaviour 87 for what composes futures: whatever allocation of this thread fails, bad_alloc comes out of
// the operation, all that was begun has ended, and nothing leaks.

#include <support/fault_new.hpp>

#include <rouse.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <source_location>
#include <stdexcept>
#include <vector>

namespace {

long live = 0;  // futures that are there

// Ready at its second poll.
class counted {
public:
    explicit counted(int value) noexcept : value_(value) { ++live; }
    counted(counted&& other) noexcept : value_(other.value_), polled_(other.polled_) { ++live; }
    ~counted() { --live; }

    rouse::poll_result<int> poll(rouse::context& cx) {
        if (!std::exchange(polled_, true)) {
            cx.yield();
            return rouse::pending;
        }
        return value_;
    }

private:
    int value_;
    bool polled_ = false;
};

void expect(bool what) {
    if (!what) throw std::logic_error("a scenario went wrong");
}

bool is_bad_alloc(std::exception_ptr const& error) {
    try {
        std::rethrow_exception(error);
    } catch (std::bad_alloc const&) {
        return true;
    } catch (...) {
        return false;
    }
}

// With the nth allocation failing, for each n, until none does. Returns how many there are.
template <class Scenario>
unsigned every_failure_of(Scenario scenario) {
    for (unsigned nth = 1;; ++nth) {
        bool out_of_memory = false;
        bool reached = false;
        {
            rouse_test::empty_slab const cold;
            rouse_test::failing_allocation const fails(nth);
            try {
                scenario();
            } catch (std::bad_alloc const&) {
                out_of_memory = true;
            } catch (rouse::group_error const& all) {
                for (auto const& one : all.errors()) out_of_memory = out_of_memory || is_bad_alloc(one);
            }
            reached = fails.reached();
        }
        BOOST_TEST_INFO("allocation " << nth);
        BOOST_TEST(live == 0);
        BOOST_TEST(out_of_memory == reached);
        if (!reached || nth == 200) return nth - 1;
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(b87_groups) {
    for (auto const policy : {rouse::on_error::abort_others, rouse::on_error::collect}) {
        BOOST_TEST(every_failure_of([policy] {
                       auto body = [](rouse::task_group& g) -> rouse::task<int> {
                           g.limit(2);
                           for (int n = 0; n < 5; ++n) g.spawn(counted(n));
                           co_await g.has_room();
                           g.spawn(counted(7));
                           co_return co_await counted(3);
                       };
                       expect(rouse::block_on(rouse::with_group(policy, body)) == 3);
                   }) > 10U);
    }
}

BOOST_AUTO_TEST_CASE(b87_groups_with_values) {
    BOOST_TEST(every_failure_of([] {
                   auto body = [](rouse::task_group_of<int>& g) -> rouse::task<int> {
                       for (int n = 0; n < 5; ++n) g.spawn(counted(n));
                       int sum = 0;
                       while (auto value = co_await g.next()) sum += *value;
                       co_return sum;
                   };
                   expect(rouse::block_on(rouse::with_group_of<int>(body)) == 10);
               }) > 10U);
}

// On an io_context each task needs memory for its way to it, too, and one for which there is none is destroyed.
// A spawn that throws is for whoever spawns; whatever else becomes of a task, the group says so.
BOOST_AUTO_TEST_CASE(b87_no_task_of_a_group_is_lost_unsaid) {
    auto const before = rouse::set_unhandled_handler([](std::exception_ptr, std::source_location) {});
    unsigned refusals = 0;
    unsigned losses = 0;
    for (auto const policy : {rouse::on_error::abort_others, rouse::on_error::collect}) {
        unsigned nth = 1;
        for (bool reached = true; reached && nth < 200; ++nth) {
            int ran = 0;
            int refused = 0;
            bool succeeded = false;
            auto one = [](int& n) -> rouse::task<> {
                ++n;
                co_return;
            };
            auto body = [&](rouse::task_group& g) -> rouse::task<> {
                for (int n = 0; n < 5; ++n) {
                    try {
                        g.spawn(one(ran));
                    } catch (std::bad_alloc const&) {
                        ++refused;
                    }
                }
                co_return;
            };
            boost::asio::io_context io;
            rouse_test::empty_slab const cold;
            rouse_test::failing_allocation const fails(nth);
            try {
                auto group = rouse::spawn(io, rouse::with_group(policy, body));
                io.run();
                rouse::block_on(std::move(group));
                succeeded = true;
            } catch (std::bad_alloc const&) {
            } catch (rouse::group_error const&) {
                ++losses;
            } catch (boost::system::system_error const& e) {
                expect(e.code() == rouse::errc::aborted);
                losses += ran + refused != 0;
            }
            reached = fails.reached();
            BOOST_TEST_INFO("allocation " << nth);
            BOOST_TEST((!succeeded || ran + refused == 5));
            BOOST_TEST((reached || succeeded));
            refusals += succeeded && refused != 0;
        }
        BOOST_TEST(nth > 10U);
    }
    BOOST_TEST(refusals > 4U);
    BOOST_TEST(losses > 2U);
    rouse::set_unhandled_handler(before);
}

// If there is no memory for the exception that has them all, they are reported.
BOOST_AUTO_TEST_CASE(b87_what_a_group_has_collected_is_not_lost) {
    static int reported = 0;
    auto const before = rouse::set_unhandled_handler([](std::exception_ptr e, std::source_location) {
        reported += !is_bad_alloc(e);
    });
    unsigned nth = 1;
    bool without_memory = false;
    for (bool reached = true; reached && nth < 100; ++nth) {
        reported = 0;
        int thrown = 0;
        int spawned = 0;
        bool collected = false;
        auto fails = [&]() -> rouse::task<> {
            ++thrown;
            throw std::runtime_error("of a task");
            co_return;
        };
        auto body = [&](rouse::task_group& g) -> rouse::task<> {
            for (int n = 0; n < 2; ++n) {
                g.spawn(fails());
                ++spawned;
            }
            co_return;
        };
        {
            rouse_test::empty_slab const cold;
            rouse_test::failing_allocation const fails_once(nth);
            try {
                rouse::block_on(rouse::with_group(rouse::on_error::collect, body));
            } catch (std::bad_alloc const&) {
            } catch (rouse::group_error const& all) {
                collected = true;
            }
            reached = fails_once.reached();
        }
        BOOST_TEST_INFO("allocation " << nth);
        BOOST_TEST((collected || thrown == 0 || reported == thrown || spawned < 2));
        without_memory = without_memory || reported == 2;
    }
    BOOST_TEST(nth > 5U);
    BOOST_TEST(without_memory);
    rouse::set_unhandled_handler(before);
}

// To abort needs no memory.
BOOST_AUTO_TEST_CASE(b87_a_group_is_aborted_without_memory) {
    bool reached = true;
    auto body = [&reached](rouse::task_group& g) -> rouse::task<> {
        g.limit(1);
        for (int n = 0; n < 100; ++n) g.spawn(rouse::pending_future<int>());
        rouse_test::empty_slab const cold;
        rouse_test::failing_allocation const fails(1);
        g.abort();
        reached = fails.reached();
        co_return;
    };
    rouse::block_on(rouse::with_group(body));
    BOOST_TEST(!reached);
}

BOOST_AUTO_TEST_CASE(b87_over_ranges) {
    BOOST_TEST(every_failure_of([] {
                   std::vector<counted> all;
                   all.reserve(4);
                   for (int n = 0; n < 4; ++n) all.emplace_back(n);
                   expect(rouse::block_on(rouse::join_all(std::move(all))).size() == 4);
               }) > 1U);
    BOOST_TEST(every_failure_of([] {
                   std::vector<counted> all;
                   all.reserve(4);
                   for (int n = 0; n < 4; ++n) all.emplace_back(n);
                   rouse::block_on(rouse::select_all(std::move(all)));
               }) > 1U);
    BOOST_TEST(every_failure_of([] {
                   rouse::futures_unordered<counted> all;
                   for (int n = 0; n < 4; ++n) all.push(counted(n));
                   int sum = 0;
                   while (auto value = rouse::block_on(all.next())) sum += *value;
                   expect(sum == 6);
               }) > 1U);
}

namespace {

struct lets_go_late {
    int* cancels;

    rouse::poll_result<void> poll(rouse::context&) { return rouse::pending; }
    rouse::cancel_result<void> poll_cancel(rouse::context& cx) {
        if (++*cancels == 3) return false;
        cx.waker().wake_by_ref();
        return rouse::pending;
    }
};

}  // namespace

// As a join handle, whose task runs already.
BOOST_AUTO_TEST_CASE(b87_without_wakers_for_the_children_all_let_go_before_it_is_said) {
    int cancels = 0;
    auto both = rouse::join(lets_go_late{&cancels}, rouse::pending_future<>());
    rouse::waker const nobody;
    rouse::context cx(nobody);
    {
        rouse_test::empty_slab const cold;
        rouse_test::failing_allocation const fails(1);
        BOOST_TEST(both.poll(cx).is_pending());
        BOOST_TEST(fails.reached());
    }
    BOOST_TEST(both.poll(cx).is_pending());
    BOOST_CHECK_THROW((void)both.poll(cx), std::bad_alloc);
    BOOST_TEST(cancels == 3);
}

// Their block of child wakers is made when a child first keeps its waker.
BOOST_AUTO_TEST_CASE(b87_of_a_fixed_number) {
    BOOST_TEST(every_failure_of([] {
                   auto both = rouse::join(rouse::timeout(counted(1), std::chrono::hours(1)),
                                           rouse::timeout(counted(2), std::chrono::hours(1)));
                   auto [a, b] = rouse::block_on(std::move(both));
                   expect(a + b == 3);
               }) > 0U);
    BOOST_TEST(every_failure_of([] {
                   auto first = rouse::select(rouse::timeout(counted(1), std::chrono::hours(1)),
                                              rouse::timeout(counted(1), std::chrono::hours(1)));
                   rouse::block_on(std::move(first));
               }) > 0U);
    BOOST_TEST(every_failure_of([] {
                   auto one = rouse::shared(counted(5));
                   auto other = one;
                   auto [a, b] = rouse::block_on(rouse::join(std::move(one), std::move(other)));
                   expect(a + b == 10);
               }) > 0U);
}
