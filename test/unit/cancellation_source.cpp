// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Sources, tokens and the tree of them; with_cancellation; shielded; the bridge to std::stop_token.

#include <support/scale.hpp>
#include <support/stress_threads.hpp>
#include <support/unit_kit.hpp>

#include <rouse/cancellation_source.hpp>
#include <rouse/finally.hpp>
#include <rouse/join.hpp>
#include <rouse/select.hpp>
#include <rouse/shielded.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <rouse/with_cancellation.hpp>

#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <tuple>
#include <vector>

BOOST_TEST_DONT_PRINT_LOG_VALUE(rouse::cancellation_type)

BOOST_AUTO_TEST_SUITE(test_cancellation_source)

using rouse::cancellation_source;
using rouse::cancellation_token;
using rouse::cancellation_type;
using rouse::with_cancellation;
using namespace rouse_test;

namespace {

// Ends when its context is cancelled, with what was requested; or when its gate is open, with 0.
class cancellable {
public:
    explicit cancellable(gate& g) : gate_(g) {}
    rouse::poll_result<unsigned> poll(rouse::context& cx) {
        auto const requested = cx.cancellation().requested();
        if (requested != cancellation_type::none) return static_cast<unsigned>(requested);
        if (gate_.poll(cx).is_pending()) return rouse::pending;
        return 0U;
    }

private:
    gate_future gate_;
};

// Polls with a cancellation of its own.
struct root {
    rouse::cancellation_state cancellation{};
    template <class F>
    auto poll(F& f, rouse::waker const& w = {}) {
        rouse::poll_root r;
        r.waker = &w;
        r.cancellation = &cancellation;
        rouse::context cx(r);
        return f.poll(cx);
    }
};

}  // namespace

// ---- the tree -----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_request_is_seen_and_stays) {
    cancellation_source source;
    cancellation_token const token = source.token();
    BOOST_TEST(!token.is_cancelled());
    BOOST_TEST(token.can_be_cancelled());
    source.cancel(cancellation_type::total);
    BOOST_TEST(token.requested() == cancellation_type::total);
    source.cancel(cancellation_type::partial);
    BOOST_TEST(token.requested() == (cancellation_type::total | cancellation_type::partial));
    source.cancel(cancellation_type::none);
    BOOST_TEST(source.token().requested() == token.requested());
}

BOOST_AUTO_TEST_CASE(a_token_of_nobody_is_never_cancelled) {
    cancellation_token const token;
    BOOST_TEST(!token.can_be_cancelled());
    BOOST_TEST(!token.is_cancelled());
    auto waiting = token.cancelled();
    BOOST_TEST(poll_once(waiting).is_pending());
    BOOST_TEST(!token.stop_token().stop_possible());
    cancellation_source below(token);
    below.cancel();
    BOOST_TEST(below.token().is_cancelled());
}

BOOST_AUTO_TEST_CASE(a_request_goes_down_and_not_up) {
    cancellation_source top;
    cancellation_source left(top.token());
    cancellation_source right(top.token());
    cancellation_source leaf(left.token());
    left.cancel();
    BOOST_TEST(!top.token().is_cancelled());
    BOOST_TEST(!right.token().is_cancelled());
    BOOST_TEST(leaf.token().is_cancelled());
    top.cancel(cancellation_type::total);
    BOOST_TEST(right.token().requested() == cancellation_type::total);
    BOOST_TEST(leaf.token().requested() ==
               (cancellation_type::total | cancellation_type::terminal));
    cancellation_source late(leaf.token());
    BOOST_TEST(late.token().requested() == leaf.token().requested());
}

BOOST_AUTO_TEST_CASE(tokens_and_sources_below_outlive_their_source) {
    cancellation_token token;
    std::optional<cancellation_source> top(std::in_place);
    cancellation_source below(cancellation_source(top->token()).token());  // one between has no handle
    token = top->token();
    top->cancel();
    top.reset();
    BOOST_TEST(token.is_cancelled());
    BOOST_TEST(below.token().is_cancelled());
    auto waiting = token.cancelled();
    token = {};
    BOOST_TEST(poll_once(waiting).is_ready());
}

BOOST_AUTO_TEST_CASE(a_wide_tree_and_a_deep_one) {
    cancellation_source top;
    std::vector<cancellation_source> many;
    for (int n = 0; n < 1000; ++n) many.emplace_back(top.token());
    many.erase(many.begin() + 100, many.begin() + 200);
    top.cancel();
    for (auto const& one : many) BOOST_TEST(one.token().is_cancelled());

    cancellation_source first;
    cancellation_source last = first;
    for (int n = 0; n < 1'000'000; ++n) last = cancellation_source(last.token());
    BOOST_TEST(!last.token().is_cancelled());
    last = cancellation_source();  // the whole chain goes
}

// A walk that recursed would need a frame of the stack for each.
BOOST_AUTO_TEST_CASE(a_chain_of_any_depth_is_cancelled) {
    constexpr int depth = 200'000;
    cancellation_source top;
    cancellation_source last = top;
    wake_counter counter;
    std::optional<cancellation_token::cancelled_future> half_way;
    cancellation_token thousandth;
    for (int n = 0; n < depth; ++n) {
        last = cancellation_source(last.token());
        if (n == 1000) thousandth = last.token();
        if (n == depth / 2) half_way.emplace(last.token().cancelled());
    }
    auto end = last.token().cancelled();
    BOOST_TEST(poll_once(*half_way, counter.make()).is_pending());
    BOOST_TEST(poll_once(end, counter.make()).is_pending());
    top.cancel(cancellation_type::total);
    BOOST_TEST(counter.wakes == 2);
    BOOST_TEST(last.requested() == cancellation_type::total);
    BOOST_TEST(thousandth.requested() == cancellation_type::total);
    top.cancel(cancellation_type::terminal);
    BOOST_TEST(last.requested() == (cancellation_type::total | cancellation_type::terminal));
    BOOST_TEST(poll_once(end).is_ready());
}

BOOST_AUTO_TEST_CASE(a_wide_tree_with_more_below_it) {
    constexpr std::size_t width = 10'000;
    cancellation_source top;
    std::vector<cancellation_source> children;
    std::vector<cancellation_source> below;
    std::deque<cancellation_token::cancelled_future> waiting;
    wake_counter counter;
    for (std::size_t n = 0; n < width; ++n) {
        children.emplace_back(top.token());
        for (int m = 0; m < 3; ++m) {
            below.emplace_back(children.back().token());
            waiting.emplace_back(below.back().token().cancelled());
            BOOST_REQUIRE(poll_once(waiting.back(), counter.make()).is_pending());
        }
    }
    for (std::size_t n = 0; n < width; n += 2) children[n].cancel();  // those know already
    BOOST_TEST(counter.wakes == static_cast<int>(3 * width / 2));
    for (std::size_t n = 0; n < width; n += 5) children[n] = top;  // and those are held from below only
    top.cancel();
    BOOST_TEST(counter.wakes == static_cast<int>(3 * width));
    std::size_t missed = 0;
    for (auto const& one : children) missed += !one.token().is_cancelled();
    for (auto const& one : below) missed += !one.token().is_cancelled();
    BOOST_TEST(missed == 0U);
}

// ---- waiting ------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(who_waits_is_woken) {
    cancellation_source top;
    cancellation_source below(top.token());
    wake_counter counter;
    {
        auto one = top.token().cancelled();
        auto other = below.token().cancelled();
        BOOST_TEST(poll_once(one, counter.make()).is_pending());
        BOOST_TEST(poll_once(other, counter.make()).is_pending());
        top.cancel();
        BOOST_TEST(counter.wakes == 2);
        BOOST_TEST(poll_once(one).is_ready());
        BOOST_TEST(poll_once(other).is_ready());
    }
    BOOST_TEST(counter.live == 0);
    auto late = below.token().cancelled();
    BOOST_TEST(poll_once(late).is_ready());
}

BOOST_AUTO_TEST_CASE(who_does_not_wait_any_more_is_not_woken) {
    cancellation_source source;
    wake_counter counter;
    wake_counter latest;
    {
        auto dropped = source.token().cancelled();
        BOOST_TEST(poll_once(dropped, counter.make()).is_pending());
    }
    auto moved_on = source.token().cancelled();
    BOOST_TEST(poll_once(moved_on, counter.make()).is_pending());
    BOOST_TEST(poll_once(moved_on, latest.make()).is_pending());
    BOOST_TEST(counter.live == 0);
    source.cancel();
    BOOST_TEST(counter.wakes == 0);
    BOOST_TEST(latest.wakes == 1);
}

// Another task's waker may stand where an old one stood, which only its copy outlives.
BOOST_AUTO_TEST_CASE(who_polled_last_is_woken_wherever_its_waker_stands) {
    cancellation_source source;
    mailbox first;
    mailbox second;
    auto waiting = source.token().cancelled();
    std::optional<lent_waker> place(first);
    BOOST_TEST(poll_once(waiting, place->borrowed().get()).is_pending());
    place.emplace(second);
    BOOST_TEST(poll_once(waiting, place->borrowed().get()).is_pending());
    place.reset();
    BOOST_TEST(first.live == 0);
    source.cancel();
    BOOST_TEST(first.wakes == 0);
    BOOST_TEST(second.wakes == 1);
    BOOST_TEST(second.live == 0);
}

BOOST_AUTO_TEST_CASE(b34_a_wake_may_do_whatever_it_likes) {
    struct scene {
        cancellation_source top{};
        std::vector<cancellation_source> below{};
        std::deque<std::optional<cancellation_token::cancelled_future>> waiting{};
        int wakes = 0;
    };
    static scene* now = nullptr;
    auto const mine = std::make_unique<scene>();
    now = mine.get();
    static constexpr rouse::waker_vtable table{
        [](void* data) -> void* { return data; },
        [](void*) {
            ++now->wakes;
            // Drops those that wait, itself among them, and the sources; asks, and cancels again.
            for (auto& w : now->waiting) w.reset();
            now->below.clear();
            now->top.cancel(cancellation_type::all);
        },
        [](void*) {}, [](void*) {}, "rude"};
    for (int n = 0; n < 50; ++n) now->below.emplace_back(now->top.token());
    for (int n = 0; n < 50; ++n) {
        auto& source = n % 2 ? now->below[static_cast<std::size_t>(n)] : now->top;
        now->waiting.emplace_back(source.token().cancelled());
        rouse::waker const w(nullptr, table);
        BOOST_TEST(poll_once(*now->waiting.back(), w).is_pending());
    }
    now->top.cancel();
    BOOST_TEST(now->wakes >= 1);
    BOOST_TEST(now->top.token().requested() == cancellation_type::all);
}

BOOST_AUTO_TEST_CASE(requests_registrations_and_ends_race) {
    unsigned const rounds = scaled(20'000U);
    unsigned missed = 0;
    for (unsigned r = 0; r < rounds; ++r) {
        cancellation_source top;
        std::array<bool, 3> seen{};
        run_threads(4, [&](unsigned who) {
            stress_random random(4 * r + who);
            random.delay();
            if (who == 0) {
                top.cancel();
                return;
            }
            cancellation_source below(top.token());
            cancellation_source leaf(below.token());
            thread_waker const wakes;
            rouse::waker const waker = wakes.make();
            auto waiting = leaf.token().cancelled();
            rouse::context cx(waker);
            while (waiting.poll(cx).is_pending()) wakes.wait();
            seen[who - 1] = leaf.token().is_cancelled();
        });
        for (bool const s : seen) missed += !s;
    }
    BOOST_TEST(missed == 0U);
}

// The walk goes up where its way down may have gone meanwhile.
BOOST_AUTO_TEST_CASE(a_tree_changes_while_it_is_cancelled) {
    unsigned const rounds = scaled(5000U);
    std::size_t missed = 0;
    for (unsigned r = 0; r < rounds; ++r) {
        cancellation_source const top;
        std::vector<cancellation_source> all{top};
        stress_random shape(3 * r);
        for (int n = 0; n < 30; ++n)
            all.emplace_back(all[shape.below(static_cast<unsigned>(all.size()))].token());
        std::vector<cancellation_source> added;
        run_threads(2, [&](unsigned who) {
            stress_random random(3 * r + 1 + who);
            random.delay();
            if (who == 0) {
                top.cancel(cancellation_type::partial);
                top.cancel(cancellation_type::total);
                return;
            }
            while (all.size() > 4) {
                auto const n = random.below(static_cast<unsigned>(all.size()) - 1) + 1;
                added.emplace_back(all[n].token());
                cancellation_source const leaf(added.back().token());
                std::swap(all[n], all.back());
                all.pop_back();
                if (random.below(3) == 0) added.pop_back();
            }
        });
        auto const both = cancellation_type::partial | cancellation_type::total;
        for (auto const& one : all) missed += one.requested() != both;
        for (auto const& one : added) missed += one.requested() != both;
    }
    BOOST_TEST(missed == 0U);
}

// ---- std::stop_token ----------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_stop_source_of_the_standard_library_above) {
    std::stop_source standard;
    cancellation_source source(standard.get_token());
    wake_counter counter;
    auto waiting = source.token().cancelled();
    BOOST_TEST(poll_once(waiting, counter.make()).is_pending());
    standard.request_stop();
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(source.requested() == cancellation_type::terminal);
    cancellation_source late(standard.get_token());
    BOOST_TEST(late.requested() == cancellation_type::terminal);
    {
        std::stop_source other;
        cancellation_source const gone(other.get_token());
    }
    cancellation_source const never{std::stop_token()};
    BOOST_TEST(never.requested() == cancellation_type::none);
}

BOOST_AUTO_TEST_CASE(a_stop_token_of_the_standard_library_below) {
    cancellation_source source;
    std::stop_token const before = source.token().stop_token();
    BOOST_TEST(before.stop_possible());
    int called = 0;
    std::stop_callback const callback(before, [&] { ++called; });
    source.cancel();
    BOOST_TEST(called == 1);
    BOOST_TEST(before.stop_requested());
    BOOST_TEST(source.token().stop_token().stop_requested());
    cancellation_source stopped;
    stopped.cancel();
    BOOST_TEST(stopped.token().stop_token().stop_requested());
}

// Whoever waits for another's request sees that of the task, too.
BOOST_AUTO_TEST_CASE(who_waits_for_a_token_in_a_task_that_is_cancelled_waits_no_longer) {
    cancellation_source source;
    wake_counter counter;
    root task;
    {
        auto of_the_source = source.token().cancelled();
        auto of_nobody = cancellation_token().cancelled();
        BOOST_TEST(task.poll(of_the_source, counter.make()).is_pending());
        BOOST_TEST(task.poll(of_nobody, counter.make()).is_pending());
        task.cancellation.request(cancellation_type::terminal);
        BOOST_CHECK_THROW((void)task.poll(of_the_source, counter.make()), boost::system::system_error);
        BOOST_CHECK_THROW((void)task.poll(of_nobody, counter.make()), boost::system::system_error);
        BOOST_TEST(counter.live == 0);
    }
    source.cancel();
    auto both = source.token().cancelled();
    BOOST_TEST(task.poll(both, counter.make()).is_ready());
}

// AddressSanitizer sees who uses it then.
BOOST_AUTO_TEST_CASE(b34_the_source_itself_goes_in_the_callback) {
    std::optional<rouse::cancellation_source> source(std::in_place);
    bool heard = false;
    auto const token = source->token().stop_token();
    std::stop_callback const callback(token, [&] {
        heard = true;
        source.reset();
    });
    source->cancel();
    BOOST_TEST(heard);
    BOOST_TEST(!source.has_value());
}

BOOST_AUTO_TEST_CASE(b34_the_last_reference_goes_in_the_callback) {
    std::stop_source standard;
    auto const source = std::make_shared<std::optional<cancellation_source>>(standard.get_token());
    std::stop_callback const callback((*source)->token().stop_token(), [&] { source->reset(); });
    standard.request_stop();
    BOOST_TEST(!source->has_value());
}

// ---- with_cancellation --------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_request_of_the_token_reaches_the_future) {
    cancellation_source source;
    wake_counter counter;
    gate g;
    root task;
    auto f = with_cancellation(cancellable(g), source.token());
    BOOST_TEST(task.poll(f, counter.make()).is_pending());
    source.cancel(cancellation_type::partial);
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(task.poll(f).value() == static_cast<unsigned>(cancellation_type::partial));
    BOOST_TEST(task.cancellation.requested() == cancellation_type::none);
}

BOOST_AUTO_TEST_CASE(b36_a_token_that_was_cancelled_before_the_start) {
    cancellation_source source;
    source.cancel();
    gate g;
    root task;
    auto f = with_cancellation(cancellable(g), source.token());
    BOOST_TEST(task.poll(f).value() == static_cast<unsigned>(cancellation_type::terminal));
    BOOST_TEST(g.polls == 0);
}

BOOST_AUTO_TEST_CASE(a_request_of_the_task_reaches_the_future_too) {
    cancellation_source source;
    gate g;
    root task;
    auto f = with_cancellation(with_cancellation(cancellable(g), source.token()), {});
    BOOST_TEST(task.poll(f).is_pending());
    task.cancellation.request(cancellation_type::total);
    BOOST_TEST(task.poll(f).value() == static_cast<unsigned>(cancellation_type::total));
    BOOST_TEST(!source.token().is_cancelled());
}

BOOST_AUTO_TEST_CASE(a_stronger_request_may_follow) {
    cancellation_source source;
    root task;
    wake_counter counter;
    std::vector<unsigned> seen;
    auto f = with_cancellation(rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<int> {
                                   seen.push_back(static_cast<unsigned>(cx.cancellation().requested()));
                                   return rouse::pending;
                               }),
                               source.token());
    BOOST_TEST(task.poll(f, counter.make()).is_pending());
    source.cancel(cancellation_type::total);
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(task.poll(f, counter.make()).is_pending());
    source.cancel(cancellation_type::terminal);
    BOOST_TEST(counter.wakes == 2);
    BOOST_TEST(task.poll(f, counter.make()).is_pending());
    BOOST_TEST(seen == (std::vector<unsigned>{0, 4, 5}));
}

BOOST_AUTO_TEST_CASE(only_the_future_inside_is_cancelled_and_every_child_of_it) {
    cancellation_source source;
    wake_counter counter;
    std::deque<gate> gates(4);
    root task;
    auto f = rouse::join(
        with_cancellation(rouse::join(cancellable(gates[0]), cancellable(gates[1])), source.token()),
        cancellable(gates[2]));
    BOOST_TEST(task.poll(f, counter.make()).is_pending());
    source.cancel();
    BOOST_TEST(counter.wakes == 1);
    BOOST_TEST(task.poll(f, counter.make()).is_pending());
    gates[2].set();
    auto polled = task.poll(f);
    BOOST_REQUIRE(polled.is_ready());
    auto const& [inner, outer] = polled.value();
    BOOST_TEST(std::get<0>(inner) == 1U);
    BOOST_TEST(std::get<1>(inner) == 1U);
    BOOST_TEST(outer == 0U);
}

BOOST_AUTO_TEST_CASE(aborted_it_is_its_future) {
    cancellation_source source;
    loan l;
    l.cancels_needed = 2;
    wake_counter counter;
    {
        auto f = with_cancellation(lending(l), source.token());
        BOOST_TEST(poll_once(f, counter.make()).is_pending());
        BOOST_TEST(cancel_once(f, counter.make()).is_pending());
        BOOST_TEST(!cancel_once(f, counter.make()).value());
    }
    BOOST_TEST(l.dropped_in_flight == 0);
    source.cancel();
    BOOST_TEST(counter.wakes == 0);
    BOOST_TEST(counter.live == 0);
}

// ---- shielded -----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_is_shielded_sees_no_request_before_or_meanwhile) {
    root task;
    gate g;
    task.cancellation.request(cancellation_type::terminal);
    auto f = rouse::shielded(cancellable(g));
    BOOST_TEST(task.poll(f).is_pending());
    task.cancellation.request(cancellation_type::total);
    BOOST_TEST(task.poll(f).is_pending());
    g.set();
    BOOST_TEST(task.poll(f).value() == 0U);

    // Not that of a token, either, but its own.
    cancellation_source outside;
    cancellation_source inside;
    outside.cancel();
    gate other;
    auto nested = with_cancellation(
        rouse::shielded(with_cancellation(cancellable(other), inside.token())), outside.token());
    BOOST_TEST(task.poll(nested).is_pending());
    inside.cancel(cancellation_type::partial);
    BOOST_TEST(task.poll(nested).value() == static_cast<unsigned>(cancellation_type::partial));
}

BOOST_AUTO_TEST_CASE(a_request_is_seen_after_what_was_shielded) {
    hand_executor executor;
    gate g;
    gate never;
    rouse::cancellation_state* mine = nullptr;
    auto handle = executor.spawn([&]() -> rouse::task<unsigned> {
        mine = &rouse::this_task::cancellation();
        unsigned const inside = co_await rouse::shielded(cancellable(g));
        unsigned const after = co_await cancellable(never);
        co_return 100 * inside + after;
    });
    executor.run_all();
    mine->request(cancellation_type::total);
    g.waiting.wake_by_ref();
    executor.run_all();
    BOOST_TEST(!handle.is_finished());
    g.set();
    executor.run_all();
    BOOST_REQUIRE(handle.is_finished());
    BOOST_TEST(poll_once(handle).value() == static_cast<unsigned>(cancellation_type::total));
    BOOST_TEST(never.polls == 0);
}

BOOST_AUTO_TEST_CASE(those_beside_what_is_shielded_are_cancelled) {
    root task;
    std::deque<gate> gates(3);
    auto f = rouse::join(cancellable(gates[0]), rouse::shielded(cancellable(gates[1])),
                         cancellable(gates[2]));
    BOOST_TEST(task.poll(f).is_pending());
    task.cancellation.request(cancellation_type::terminal);
    BOOST_TEST(task.poll(f).is_pending());
    gates[1].set();
    auto polled = task.poll(f);
    BOOST_REQUIRE(polled.is_ready());
    BOOST_TEST((polled.value() == std::tuple(1U, 0U, 1U)));
}

BOOST_AUTO_TEST_CASE(what_is_shielded_does_what_its_future_does) {
    loan l;
    l.cancels_needed = 2;
    {
        auto f = rouse::shielded(lending(l));
        BOOST_TEST(poll_once(f).is_pending());
        BOOST_TEST(cancel_once(f).is_pending());  // an abort does reach it
        BOOST_TEST(l.cancels == 1);
        BOOST_TEST(!cancel_once(f).value());
    }
    BOOST_TEST(l.dropped_in_flight == 0);
    loan completed;
    auto kept = rouse::shielded(lending(completed));
    BOOST_TEST(poll_once(kept).is_pending());
    completed.done = true;
    BOOST_TEST(cancel_once(kept).value().value() == 7);

    // A named one is its owner's, who may go on with it.
    loan named;
    lending owned(named);
    gate ready;
    {
        auto one = rouse::select(rouse::shielded(owned), gate_future(ready));
        BOOST_TEST(poll_once(one).is_pending());
        ready.set();
        BOOST_TEST(poll_once(one).value().index() == 1U);
    }
    BOOST_TEST(named.cancels == 0);
    named.done = true;
    BOOST_TEST(poll_once(owned).value() == 7);
}

// Both have states of their own, which the masks of a coroutine inside refer to until it is destroyed.
BOOST_AUTO_TEST_CASE(dropped_in_the_middle_of_a_mask) {
    std::deque<gate> gates(3);
    hand_executor executor;
    auto const masked = [](gate& g) -> rouse::task<> {
        rouse::this_task::cancellation_mask const mask;
        co_await gate_future(g);
    };
    cancellation_source source;
    auto one = executor.spawn(rouse::shielded(masked(gates[0])));
    auto two = executor.spawn(with_cancellation(masked(gates[1]), source.token()));
    auto three = executor.spawn(rouse::finally(rouse::ready_future(), [&] { return masked(gates[2]); }));
    executor.run_all();
    source.cancel();
    executor.drops = true;
    for (auto& g : gates) g.set();
    executor.drop_all();
    BOOST_TEST(one.is_finished());
    BOOST_TEST(two.is_finished());
    BOOST_TEST(three.is_finished());
}

BOOST_AUTO_TEST_CASE(a_clean_up_awaits_what_it_likes_in_a_cancelled_task) {
    hand_executor executor;
    gate g;
    gate cleaning;
    bool clean = false;
    rouse::cancellation_state* mine = nullptr;
    auto handle = executor.spawn([&]() -> rouse::task<unsigned> {
        mine = &rouse::this_task::cancellation();
        auto const clean_up = [&]() -> rouse::task<> {
            rouse::this_task::throw_if_cancelled();
            clean = co_await cancellable(cleaning) == 0;
        };
        co_return co_await rouse::finally(cancellable(g), clean_up);
    });
    executor.run_all();
    mine->request(cancellation_type::terminal);
    g.waiting.wake_by_ref();
    executor.run_all();
    BOOST_TEST(!handle.is_finished());  // the request is sticky, and the clean-up does not see it
    cleaning.waiting.wake_by_ref();
    executor.run_all();
    BOOST_TEST(!handle.is_finished());
    cleaning.set();
    executor.run_all();
    BOOST_REQUIRE(handle.is_finished());
    BOOST_TEST(clean);
    BOOST_TEST(poll_once(handle).value() == static_cast<unsigned>(cancellation_type::terminal));
}

BOOST_AUTO_TEST_SUITE_END()
