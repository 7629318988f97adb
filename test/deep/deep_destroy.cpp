// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <rouse/any_future.hpp>
#include <rouse/block_on.hpp>
#include <rouse/cancellation_source.hpp>
#include <rouse/detail/deep_destroy.hpp>
#include <rouse/futures_unordered.hpp>
#include <rouse/join.hpp>
#include <rouse/select.hpp>
#include <rouse/shared.hpp>
#include <rouse/shielded.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <rouse/with_cancellation.hpp>
#include <string>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_deep_destroy)

using rouse::any_future;
using rouse::context;
using rouse::poll_result;
using rouse::detail::recursion_limit;
using namespace rouse_test;

namespace {

int const chain_length = rouse_test::sanitized ? rouse_test::scaled(1'000'000) : 1'000'000;

// Owns the next of the chain; notes when its destruction begins and ends.
struct chain_link {
    chain_link(any_future<> n, ledger& b) : next(std::move(n)), held(b) {}
    chain_link(any_future<> n, ledger& b, int i, std::vector<int>& l)
        : next(std::move(n)), held(b), index(i), log(&l) {}
    chain_link(chain_link&& other) noexcept
        : next(std::move(other.next)),
          held(std::move(other.held)),
          index(other.index),
          log(std::exchange(other.log, nullptr)) {}
    ~chain_link() {
        if (log) log->push_back(index);
        next = {};
        if (log) log->push_back(-index);
    }
    poll_result<void> poll(context& cx) { return next ? next.poll(cx) : rouse::pending; }

    any_future<> next;
    token held;
    int index = 0;
    std::vector<int>* log = nullptr;
};

rouse::task<> owns(any_future<> next, token held) {
    co_await next;
    static_cast<void>(held);
}

}  // namespace

BOOST_AUTO_TEST_CASE(b92_a_chain_of_a_million_any_futures_is_destroyed) {
    ledger book;
    {
        any_future<> chain;
        for (int i = 0; i < chain_length; ++i) chain = chain_link(std::move(chain), book);
        BOOST_TEST(book.live() == chain_length);
    }
    BOOST_TEST(book.live() == 0);
}

BOOST_AUTO_TEST_CASE(b92_a_chain_of_a_million_tasks_and_any_futures_is_destroyed) {
    ledger book;
    {
        any_future<> chain;
        for (int i = 0; i < chain_length / 2; ++i) chain = owns(std::move(chain), token(book));
        BOOST_TEST(book.live() == chain_length / 2);
    }
    BOOST_TEST(book.live() == 0);
}

namespace {

any_future<> numbered(int length, ledger& book, std::vector<int>& log) {
    any_future<> chain;
    for (int i = length; i >= 1; --i) chain = chain_link(std::move(chain), book, i, log);
    return chain;
}

}  // namespace

BOOST_AUTO_TEST_CASE(up_to_the_limit_what_is_owned_dies_inside_its_owners_destructor) {
    ledger book;
    std::vector<int> log;
    int const length = static_cast<int>(recursion_limit);
    { auto chain = numbered(length, book, log); }
    std::vector<int> expected;
    for (int i = 1; i <= length; ++i) expected.push_back(i);
    for (int i = length; i >= 1; --i) expected.push_back(-i);
    BOOST_TEST(log == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(below_the_limit_it_dies_before_the_outermost_destruction_returns) {
    ledger book;
    std::vector<int> log;
    int const length = static_cast<int>(recursion_limit) + 50;
    {
        auto chain = numbered(length, book, log);
        chain = {};
        BOOST_TEST(book.live() == 0);
    }
    BOOST_TEST(log.size() == 2U * static_cast<unsigned>(length));
    BOOST_TEST(log.back() == -1);
    // The first below the limit begins when the one at the limit has ended.
    int const limit = static_cast<int>(recursion_limit);
    auto const at = [&](int what) { return std::find(log.begin(), log.end(), what) - log.begin(); };
    BOOST_TEST(at(-limit) < at(limit + 1));
    BOOST_TEST(at(-(limit + 1)) < at(limit + 2));
}

BOOST_AUTO_TEST_CASE(a_tree_is_destroyed_whole) {
    struct node {
        node(std::vector<any_future<>> c, ledger& b) : children(std::move(c)), held(b) {}
        poll_result<void> poll(context&) { return rouse::pending; }
        std::vector<any_future<>> children;
        token held;
    };
    ledger book;
    {
        any_future<> tree;
        for (int depth = 0; depth < 300; ++depth) {
            std::vector<any_future<>> children;
            children.push_back(std::move(tree));
            for (int i = 0; i < 5; ++i)
                children.emplace_back(node(std::vector<any_future<>>(), book));
            tree = node(std::move(children), book);
        }
    }
    BOOST_TEST(book.made == 300 * 6);
    BOOST_TEST(book.live() == 0);
}

BOOST_AUTO_TEST_CASE(two_threads_destroy_chains_of_their_own) {
    ledger book;
    auto const work = [&] {
        for (int i = 0; i < 20; ++i) {
            any_future<> chain;
            for (int n = 0; n < 1000; ++n) chain = chain_link(std::move(chain), book);
        }
    };
    std::thread a(work);
    std::thread b(work);
    a.join();
    b.join();
    BOOST_TEST(book.made == 40'000);
    BOOST_TEST(book.live() == 0);
}

namespace {

struct place {
    explicit place(std::atomic<int>& a) noexcept : alive(&a) { ++*alive; }
    place(place const&) = delete;
    place& operator=(place const&) = delete;
    ~place() { there = false, --*alive; }
    std::atomic<int>* alive;
    bool there = true;
};

struct refers {
    refers(place const& p, int& l) noexcept : to(&p), late(&l) {}
    refers(refers&& other) noexcept : to(std::exchange(other.to, nullptr)), late(other.late) {}
    refers& operator=(refers&&) = delete;
    ~refers() { *late += to && !to->there; }
    place const* to;
    int* late;
};

rouse::task<> later(refers) { co_return; }

// Each level refers to what is in the frame of the one around it, which owns it by way of a combinator or of an
// any_future; and has a future for later, as with a lock that it hands on.
rouse::task<> nested(int levels, place const& around, std::atomic<int>& alive, int& late) {
    refers const to_what_is_around(around, late);
    place const mine(alive);
    any_future<> const not_begun = later(refers(mine, late));
    if (levels == 0) {
        co_await rouse::pending_future<>();
    } else if (levels % 3 == 0) {
        co_await rouse::select(nested(levels - 1, mine, alive, late), rouse::pending_future<>());
    } else {
        co_await rouse::any_future<>(nested(levels - 1, mine, alive, late));
    }
}

}  // namespace

// What was polled dies where it is: everything from the inside to the outside.
BOOST_AUTO_TEST_CASE(what_was_polled_dies_before_what_is_around_it_at_any_depth) {
    for (int const levels : {10, 99, 101, 300, 1000}) {
        std::atomic<int> alive{0};
        int late = 0;
        place const outermost(alive);
        {
            auto all = nested(levels, outermost, alive, late);
            rouse::waker const nobody;
            rouse::context cx(nobody);
            BOOST_TEST(all.poll(cx).is_pending());
            BOOST_TEST(alive == levels + 2);
        }
        BOOST_TEST(alive == 1);
        BOOST_TEST(late == 0);
    }
}

namespace {

rouse::task<> refers_to(place const& around, int& late) {
    refers const to_what_is_around(around, late);
    co_await rouse::pending_future<>();
}

rouse::task<> masked() {
    rouse::this_task::cancellation_mask const mask;
    co_await rouse::pending_future<>();
}

// The links of a chain that grows: each owns the chain so far, and what refers to its frame.
struct links {
    std::atomic<int> alive{0};
    int late = 0;
    rouse::cancellation_source stop{};

    // One that it awaits, and one that has not begun.
    rouse::task<> one_after_the_other(any_future<> before) {
        place const mine(alive);
        any_future<> const not_begun = later(refers(mine, late));
        co_await refers_to(mine, late);
        co_await before;
    }
    rouse::task<> beside(any_future<> before) {
        place const mine(alive);
        co_await rouse::join(std::move(before), any_future<>(refers_to(mine, late)));
    }
    // These refer to what the library has there.
    rouse::task<> beside_a_shield(any_future<> before) {
        place const mine(alive);
        co_await rouse::join(std::move(before), rouse::shielded(any_future<>(masked())));
    }
    rouse::task<> beside_a_shared(any_future<> before) {
        place const mine(alive);
        auto value = rouse::shared(any_future<>(masked()));
        co_await rouse::join(std::move(before), value);
    }
    rouse::task<> beside_a_token(any_future<> before) {
        place const mine(alive);
        co_await rouse::join(std::move(before), rouse::with_cancellation(any_future<>(masked()), stop.token()));
    }
    rouse::task<> which_polls_by_hand(any_future<> before) {
        place const mine(alive);
        any_future<> inner(refers_to(mine, late));
        rouse::waker const nobody;
        rouse::context cx(nobody);
        static_cast<void>(inner.poll(cx));
        co_await before;
    }
};

}  // namespace

// Such a chain is polled again and again while it grows, and a poll reaches only what was woken: how deep the last poll
// of something was says nothing about what it refers to.
BOOST_AUTO_TEST_CASE(the_links_of_a_chain_that_grows_die_from_the_inside_to_the_outside) {
    for (auto const link : {&links::one_after_the_other, &links::beside, &links::beside_a_shield, &links::beside_a_shared,
                            &links::beside_a_token, &links::which_polls_by_hand}) {
        for (int const length : {20, 40, 120, 300}) {
            links made;
            {
                rouse::waker const nobody;
                rouse::context cx(nobody);
                any_future<> chain(rouse::pending_future<>{});
                for (int n = 0; n < length; ++n) {
                    chain = any_future<>((made.*link)(std::move(chain)));
                    BOOST_TEST_REQUIRE(chain.poll(cx).is_pending());
                    BOOST_TEST_REQUIRE(chain.poll(cx).is_pending());
                }
                BOOST_TEST(made.alive == length);
            }
            BOOST_TEST(made.alive == 0);
            BOOST_TEST(made.late == 0);
        }
    }
}

namespace {

rouse::task<> waits(any_future<> before, token) {
    co_await rouse::pending_future<>();
    co_await before;
}

struct many {
    std::vector<any_future<>> all;
    poll_result<void> poll(context&) { return rouse::pending; }
};

// Never polled, but it was given one that was.
struct with_another {
    any_future<> before, begun;
    poll_result<void> poll(context& cx) { return before.poll(cx); }
};

}  // namespace

// What was polled, in a chain or tree of what was not, does not end the bound.
BOOST_AUTO_TEST_CASE(b92_mixed_chains_and_wide_trees_are_destroyed) {
    ledger book;
    rouse::waker const nobody;
    rouse::context cx(nobody);
    auto const begun = [&] {
        any_future<> one(waits(any_future<>(rouse::ready_future<>{}), token(book)));
        BOOST_TEST_REQUIRE(one.poll(cx).is_pending());
        return one;
    };
    {
        any_future<> chain = begun();
        for (int n = 0; n < chain_length / 2; ++n) chain = with_another{std::move(chain), begun()};
        // And the destruction begins in one that was polled.
        chain = waits(std::move(chain), token(book));
        BOOST_TEST(chain.poll(cx).is_pending());
    }
    BOOST_TEST(book.live() == 0);
    {
        many wide;
        for (int n = 0; n < chain_length / 10; ++n)
            wide.all.emplace_back(waits(waits(n % 2 == 0 ? begun() : any_future<>(), token(book)), token(book)));
        any_future<> tree(std::move(wide));
        for (int n = 0; n < 300; ++n) {
            tree = waits(std::move(tree), token(book));
            BOOST_TEST_REQUIRE(tree.poll(cx).is_pending());
        }
    }
    BOOST_TEST(book.live() == 0);
}

namespace {

// A recursion through any_futures which ends in what `last` makes, polled once and dropped.
rouse::task<> leads_to(int levels, std::function<any_future<>()> last) {
    any_future<> next = levels > 0 ? any_future<>(leads_to(levels - 1, last)) : last();
    co_await next;
}
void drop_at(int levels, std::function<any_future<>()> last) {
    rouse::waker const nobody;
    rouse::context cx(nobody);
    any_future<> all(leads_to(levels, std::move(last)));
    BOOST_TEST(all.poll(cx).is_pending());
}

struct scene {
    std::atomic<int> alive{0};
    int late = 0;

    rouse::task<> refers_to(place const& p) {
        refers const to_it(p, late);
        co_await rouse::pending_future<>();
    }
    // What it polls refers to its own variable.
    rouse::task<> owner() {
        place const mine(alive);
        any_future<> inner(refers_to(mine));
        co_await inner;
    }
    rouse::task<> keeps(any_future<> handed) {
        co_await rouse::pending_future<>();
        co_await handed;
    }
    rouse::task<> polls_by_hand() {
        place const mine(alive);
        any_future<> inner(refers_to(mine));
        rouse::waker const nobody;
        rouse::context cx(nobody);
        static_cast<void>(inner.poll(cx));
        co_await rouse::pending_future<>();
    }
    // Its child moves to another place after its poll, where it refers to the same.
    rouse::task<> moves(int levels, place const& around) {
        refers const to_what_is_around(around, late);
        place const mine(alive);
        std::vector<any_future<>> children;
        if (levels > 0) {
            children.emplace_back(moves(levels - 1, mine));
            co_await rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                static_cast<void>(children[0].poll(cx));
                return rouse::ready();
            });
            children.reserve(children.capacity() + 1);
        }
        co_await rouse::pending_future<>();
    }
    rouse::task<> runs_a_program_after(any_future<> before) {
        at_exit const program([this] {
            place const mine(alive);
            any_future<> f(refers_to(mine));
            rouse::block_on(rouse::select_biased(f, rouse::ready_future<>()));
        });
        co_await rouse::pending_future<>();
        co_await before;
    }
    rouse::task<> runs_a_program() {
        at_exit const program([this] {
            place const mine(alive);
            any_future<> const inner(later(refers(mine, late)));
            rouse::block_on([](scene& s) -> rouse::task<> {
                place const its(s.alive);
                any_future<> f(s.refers_to(its));
                static_cast<void>(co_await rouse::select_biased(f, rouse::ready_future<>()));
                any_future<> const not_begun = later(refers(its, s.late));
            }(*this));
        });
        co_await rouse::pending_future<>();
    }
};

}  // namespace

// However it came to a deep place.
BOOST_AUTO_TEST_CASE(what_comes_to_a_deep_place_in_another_way_dies_before_what_it_refers_to) {
    for (int const levels : {10, 31, 60, 150}) {
        scene s;
        rouse::waker const nobody;
        rouse::context cx(nobody);
        any_future<> begun(s.owner());
        BOOST_TEST(begun.poll(cx).is_pending());
        drop_at(levels, [&] { return any_future<>(s.keeps(std::move(begun))); });
        drop_at(levels, [&] { return any_future<>(s.polls_by_hand()); });
        drop_at(levels, [&] { return any_future<>(s.runs_a_program()); });
        {
            any_future<> chain(rouse::pending_future<>{});
            for (int n = 0; n < levels; ++n) {
                chain = any_future<>(s.runs_a_program_after(std::move(chain)));
                BOOST_TEST(chain.poll(cx).is_pending());
            }
        }
        {
            place const outermost(s.alive);
            any_future<> all(s.moves(levels, outermost));
            BOOST_TEST(all.poll(cx).is_pending());
        }
        BOOST_TEST(s.alive == 0);
        BOOST_TEST(s.late == 0);
    }
}

namespace {

struct at_the_end {
    explicit at_the_end(std::function<void()> f) : function(std::move(f)) {}
    at_the_end(at_the_end&& other) noexcept : function(std::exchange(other.function, nullptr)) {}
    ~at_the_end() {
        if (function) function();
    }
    std::function<void()> function;
};

rouse::task<> link(at_the_end, rouse::futures_unordered<rouse::task<>>, rouse::task<> rest) { co_await rest; }

}  // namespace

// A chain of what was never polled, whose links own what was, and run programs of their own.
BOOST_AUTO_TEST_CASE(b92_a_chain_that_was_never_polled_of_what_was) {
    std::atomic<int> alive{0};
    int late = 0;
    {
        rouse::waker const nobody;
        rouse::context cx(nobody);
        rouse::task<> chain = []() -> rouse::task<> { co_return; }();
        for (int n = 0; n < 150; ++n) {
            rouse::futures_unordered<rouse::task<>> set;
            set.push([](std::atomic<int>& a, int& l) -> rouse::task<> {
                place const mine(a);
                rouse::task<> const not_begun = later(refers(mine, l));
                co_await rouse::pending_future<>();
            }(alive, late));
            auto next = set.next();
            BOOST_TEST(next.poll(cx).is_pending());
            at_the_end program([&] {
                rouse::block_on([](std::atomic<int>& a, int& l) -> rouse::task<> {
                    auto mine = std::make_unique<place>(a);
                    co_await later(refers(*mine, l));
                    mine.reset();
                }(alive, late));
            });
            chain = link(std::move(program), std::move(set), std::move(chain));
        }
    }
    BOOST_TEST(alive == 0);
    BOOST_TEST(late == 0);
}

BOOST_AUTO_TEST_SUITE_END()
