// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The timer wheel by itself: what fires when, against a sorted list as the model.

#include <support/scale.hpp>
#include <support/stress_threads.hpp>
#include <support/unit_kit.hpp>

#include <rouse/detail/timer_wheel.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

BOOST_TEST_DONT_PRINT_LOG_VALUE(rouse::detail::timer_entry::state)

BOOST_AUTO_TEST_SUITE(test_timer_wheel)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::detail::deadline_tick;
using rouse::detail::make_wheel;
using rouse::detail::no_tick;
using rouse::detail::present_tick;
using rouse::detail::tick;
using rouse::detail::time_of;
using rouse::detail::time_point;
using rouse::detail::timer_entry;
using rouse::detail::timer_wheel;
using rouse::detail::wheel_ptr;
using state = timer_entry::state;

// ---- ticks --------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(b80_b81_ticks_round_so_that_nothing_is_early_and_nothing_overflows) {
    for (auto const t : {1ns, 65535ns, 65536ns, 65537ns, 1'000'000'007ns}) {
        time_point const when{t};
        BOOST_TEST(time_of(deadline_tick(when)).time_since_epoch().count() >= t.count());
        BOOST_TEST(time_of(present_tick(when)).time_since_epoch().count() <= t.count());
        BOOST_TEST(deadline_tick(when) - present_tick(when) <= 1U);
    }
    BOOST_TEST(deadline_tick(time_point::max()) == no_tick);
    BOOST_TEST((time_of(no_tick) == time_point::max()));
    BOOST_TEST(deadline_tick(time_point::min()) == 0U);
    BOOST_TEST(deadline_tick(time_point(-5s)) == 0U);
    BOOST_TEST(present_tick(time_point::max()) < no_tick);
    BOOST_TEST((time_of(present_tick(time_point::max())) <= time_point::max()));
    BOOST_TEST((time_of(deadline_tick(time_point::max() - 1ns)) > time_point::max() - 1s));
}

// ---- one entry ----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_entry_fires_at_its_tick_and_not_before) {
    // Across the borders of all levels, from positions at their beginning and end.
    for (tick const start : {tick{0}, tick{63}, tick{64}, tick{4095}, tick{1} << 30, (tick{1} << 36) - 1}) {
        for (unsigned bit = 0; bit < 40; ++bit) {
            for (int const by : {-1, 0, 1}) {
                tick const distance = (tick{1} << bit) + static_cast<tick>(by);
                wake_counter counter;
                timer_wheel wheel(start);
                timer_entry entry;
                BOOST_TEST(wheel.enter(entry, start + distance, counter.make()));
                BOOST_TEST(wheel.next() <= start + distance);
                BOOST_TEST(wheel.earliest() == start + distance);
                if (distance > 0) {
                    BOOST_TEST(wheel.advance(start + distance - 1) == 0U);
                    BOOST_TEST(entry.now() == state::waiting);
                    BOOST_TEST(wheel.next() <= start + distance);
                }
                BOOST_TEST(wheel.advance(start + distance) == 1U);
                BOOST_TEST(entry.now() == state::fired);
                BOOST_TEST(counter.wakes == 1);
                BOOST_TEST(counter.live == 0);
                BOOST_TEST(wheel.next() == no_tick);
                BOOST_TEST(wheel.size() == 0U);
            }
        }
    }
}

// The lowest level is a ring: what it holds may lie beyond the beginning of a slot of the next level.
BOOST_AUTO_TEST_CASE(b86_the_ring_and_the_levels_above_it_fire_in_order) {
    wake_counter counter;
    timer_wheel wheel(1000);
    timer_entry in_ring;   // slot 2000 % 1024, beyond 1024
    timer_entry above;     // in the slot that begins at 1024
    timer_entry soon;
    wheel.enter(in_ring, 2010, counter.make());
    wheel.enter(above, 2040, counter.make());
    wheel.enter(soon, 1003, counter.make());
    BOOST_TEST(wheel.earliest() == 1003U);
    BOOST_TEST(wheel.advance(1003) == 1U);
    BOOST_TEST(soon.now() == state::fired);
    BOOST_TEST(wheel.earliest() == 2010U);
    BOOST_TEST(wheel.next() <= 2010U);
    BOOST_TEST(wheel.advance(2009) == 0U);
    timer_entry between;
    wheel.enter(between, 2030, counter.make());
    BOOST_TEST(wheel.advance(2010) == 1U);
    BOOST_TEST(in_ring.now() == state::fired);
    BOOST_TEST(wheel.advance(2039) == 1U);
    BOOST_TEST(between.now() == state::fired);
    BOOST_TEST(wheel.earliest() == 2040U);
    BOOST_TEST(wheel.advance(2040) == 1U);
    BOOST_TEST(wheel.next() == no_tick);
}

// However many are due, one call fires no more than it is told; but it does not end while some are on their way
// down, since nobody fires before them.
BOOST_AUTO_TEST_CASE(b86_a_step_fires_no_more_than_it_may) {
    wake_counter counter;
    rouse::waker const waker = counter.make();
    timer_wheel wheel(0);
    std::deque<timer_entry> entries(5000);
    tick const begin = tick{3} << 18;  // a slot of the third level, from where they move down twice
    for (std::size_t n = 0; n < entries.size(); ++n) wheel.enter(entries[n], begin + n, waker);
    tick const now = begin + entries.size();
    std::size_t fired = 0;
    std::size_t calls = 0;
    while (fired < entries.size()) {
        std::size_t const one = wheel.advance(now, 10);
        BOOST_TEST(one <= 10U);
        fired += one;
        BOOST_REQUIRE(++calls < 10 * entries.size());
        BOOST_TEST(wheel.size() == entries.size() - fired);
        if (fired < entries.size()) {
            BOOST_TEST(wheel.next() <= now);
            // In order, also while some of them are on their way.
            BOOST_TEST(wheel.earliest() == begin + fired);
        }
        // Somebody leaves from wherever it is.
        if (calls == 20) {
            std::size_t gone = 0;
            for (std::size_t n = entries.size() - 500; n < entries.size(); ++n) gone += entries[n].leave();
            BOOST_TEST(gone == 500U);
            entries.resize(entries.size() - 500);
        }
    }
    BOOST_TEST(calls == entries.size() / 10);
    BOOST_TEST(wheel.next() == no_tick);
}

BOOST_AUTO_TEST_CASE(b80_what_is_due_already_fires_at_the_next_step) {
    wake_counter counter;
    timer_wheel wheel(1000);
    timer_entry past;
    timer_entry present;
    wheel.enter(past, 0, counter.make());
    wheel.enter(present, 1000, counter.make());
    BOOST_TEST(wheel.next() <= 1000U);
    BOOST_TEST(wheel.advance(1000) == 2U);
    // A present that runs backwards does no harm.
    timer_entry later;
    wheel.enter(later, 1001, counter.make());
    BOOST_TEST(wheel.advance(5) == 0U);
    BOOST_TEST(wheel.advance(1001) == 1U);
}

BOOST_AUTO_TEST_CASE(b81_never_is_never) {
    wake_counter counter;
    timer_wheel wheel(5);
    timer_entry entry;
    wheel.enter(entry, no_tick, counter.make());
    for (tick now = 1; now < (tick{1} << 60); now *= 8) BOOST_TEST(wheel.advance(now) == 0U);
    BOOST_TEST(wheel.next() == no_tick);
    BOOST_TEST(wheel.size() == 1U);
    entry.leave();
    BOOST_TEST(wheel.size() == 0U);
    BOOST_TEST(counter.live == 0);
}

// A clock for tests jumps by years. In between nobody is looked at whose time is not near: that would take hours here.
BOOST_AUTO_TEST_CASE(b86_a_long_step_looks_at_those_far_away_where_one_of_them_is_due) {
    wake_counter counter;
    timer_wheel wheel(5);
    std::deque<timer_entry> never(10'000);
    for (auto& e : never) wheel.enter(e, no_tick, counter.make());
    std::deque<timer_entry> some(3);
    tick const far = tick{1} << 60;
    wheel.enter(some[0], far + 7, counter.make());
    wheel.enter(some[1], far, counter.make());
    wheel.enter(some[2], far + (tick{1} << 50), counter.make());
    BOOST_TEST(wheel.advance(far - 1) == 0U);
    BOOST_TEST(wheel.advance(far) == 1U);
    BOOST_TEST(wheel.advance(far + 7) == 1U);
    // One that has gone is no reason to stop.
    some[2].leave();
    wheel.enter(some[0], far + (tick{1} << 51), counter.make());
    BOOST_TEST(wheel.advance(far + (tick{1} << 51) - 1) == 0U);
    BOOST_TEST(wheel.advance(far + (tick{1} << 51)) == 1U);
    BOOST_TEST(wheel.size() == never.size());
}

BOOST_AUTO_TEST_CASE(an_entry_that_leaves_does_not_fire) {
    wake_counter counter;
    timer_wheel wheel(0);
    {
        timer_entry gone;
        timer_entry left;
        wheel.enter(gone, 10, counter.make());
        wheel.enter(left, 10, counter.make());
        BOOST_TEST(left.leave());
        BOOST_TEST(!left.leave());
        BOOST_TEST(left.now() == state::idle);
        BOOST_TEST(wheel.size() == 1U);
    }
    BOOST_TEST(wheel.size() == 0U);
    BOOST_TEST(counter.live == 0);
    BOOST_TEST(wheel.advance(1000) == 0U);
    BOOST_TEST(counter.wakes == 0);
    BOOST_TEST(wheel.next() == no_tick);
}

BOOST_AUTO_TEST_CASE(an_entry_moves_within_its_wheel_and_to_another) {
    wake_counter counter;
    timer_wheel first(0);
    timer_wheel second(0);
    timer_entry entry;
    BOOST_TEST(first.enter(entry, 100, counter.make()));
    BOOST_TEST(first.enter(entry, 50, counter.make()));
    BOOST_TEST(!first.enter(entry, 70, counter.make()));
    BOOST_TEST(first.size() == 1U);
    BOOST_TEST(counter.live == 1);
    BOOST_TEST(first.advance(69) == 0U);
    BOOST_TEST(second.enter(entry, 80, counter.make()));
    BOOST_TEST(first.size() == 0U);
    BOOST_TEST(first.advance(1000) == 0U);
    BOOST_TEST(second.advance(80) == 1U);
    // And once more after it has fired.
    BOOST_TEST(first.enter(entry, 2000, counter.make()));
    BOOST_TEST(entry.now() == state::waiting);
    BOOST_TEST(first.advance(2000) == 1U);
}

BOOST_AUTO_TEST_CASE(another_waker_takes_the_place_of_the_old_one) {
    wake_counter old_one;
    wake_counter new_one;
    timer_wheel wheel(0);
    timer_entry entry;
    wheel.enter(entry, 10, old_one.make());
    rouse::waker const first = old_one.make();
    timer_wheel::replace_waker(entry, first);
    BOOST_TEST(entry.has(first));
    timer_wheel::replace_waker(entry, new_one.make());
    BOOST_TEST(!entry.has(first));
    BOOST_TEST(old_one.live == 1);
    BOOST_TEST(wheel.advance(10) == 1U);
    BOOST_TEST(old_one.wakes == 0);
    BOOST_TEST(new_one.wakes == 1);
    timer_wheel::replace_waker(entry, new_one.make());  // too late
    BOOST_TEST(new_one.live == 0);
}

BOOST_AUTO_TEST_CASE(a_waker_that_cannot_be_copied_changes_nothing) {
    wake_counter counter;
    wake_counter refusing;
    timer_wheel wheel(0);
    timer_entry entry;
    wheel.enter(entry, 10, counter.make());
    rouse::waker const stubborn = refusing.make();
    refusing.refuse = true;
    BOOST_CHECK_THROW(wheel.enter(entry, 5, stubborn), std::bad_alloc);
    BOOST_CHECK_THROW(timer_wheel::replace_waker(entry, stubborn), std::bad_alloc);
    BOOST_TEST(wheel.advance(9) == 0U);
    BOOST_TEST(wheel.advance(10) == 1U);
    BOOST_TEST(counter.wakes == 1);
}

BOOST_AUTO_TEST_CASE(b82_a_wheel_that_ends_wakes_what_is_left) {
    wake_counter counter;
    wake_counter other;
    std::deque<timer_entry> entries(4);
    std::optional<timer_wheel> wheel(std::in_place, tick{0});
    tick when = 1;
    for (auto& e : entries) wheel->enter(e, when *= 100'000, counter.make());
    wheel.reset();
    BOOST_TEST(counter.wakes == 4);
    for (auto& e : entries) BOOST_TEST(e.now() == state::orphaned);
    timer_wheel next(0);
    next.enter(entries[0], 5, other.make());
    BOOST_TEST(next.advance(5) == 1U);
}

BOOST_AUTO_TEST_CASE(b82_a_wheel_that_is_used_again_knows_nothing_of_before) {
    wake_counter before;
    wake_counter counter;
    std::deque<timer_entry> old(4);
    std::deque<timer_entry> fresh(3);
    tick const now = 1'000'000;
    auto wheel = make_wheel(now);
    timer_wheel const* const address = wheel.get();
    tick when = now;
    for (auto& e : old) wheel->enter(e, when += 70'000, before.make());
    wheel->enter(old[3], no_tick - 1, before.make());  // in the list of those far away
    wheel.reset();
    BOOST_TEST(before.wakes == 4);
    for (auto& e : old) BOOST_TEST(e.now() == state::orphaned);

    // The last that was retired is the first to be used again: at an earlier time than that of its
    // life before, and then at a later one.
    for (tick const begin : {tick{5}, tick{1} << 40}) {
        wheel = make_wheel(begin);
        BOOST_REQUIRE(wheel.get() == address);
        BOOST_TEST(wheel->size() == 0U);
        BOOST_TEST(wheel->next() == no_tick);
        BOOST_TEST(wheel->earliest() == no_tick);
        counter.wakes = 0;
        BOOST_TEST(wheel->enter(fresh[0], begin + 3, counter.make()));
        BOOST_TEST(!wheel->enter(fresh[1], begin + 5000, counter.make()));
        BOOST_TEST(wheel->enter(fresh[2], begin, counter.make()));
        BOOST_TEST(!old[1].leave());
        BOOST_TEST(wheel->size() == 3U);
        BOOST_TEST(wheel->advance(begin) == 1U);
        BOOST_TEST(wheel->advance(begin + 2) == 0U);
        BOOST_TEST(wheel->advance(begin + 3) == 1U);
        BOOST_TEST(wheel->advance(begin + 4999) == 0U);
        BOOST_TEST(wheel->advance(begin + 5000) == 1U);
        BOOST_TEST(counter.wakes == 3);
        wheel.reset();
    }

    // An orphan may be entered into the very same one.
    wheel = make_wheel(7);
    wheel->enter(old[0], 8, counter.make());
    BOOST_TEST(wheel->advance(8) == 1U);
    BOOST_TEST(old[0].now() == state::fired);
    BOOST_TEST(before.live == 0);
    BOOST_TEST(counter.live == 0);
}

// ---- wakes that come back -----------------------------------------------------------------------

namespace {

// A waker that calls a function once.
struct calling {
    std::function<void()> call;
};
constexpr rouse::waker_vtable calling_table{
    [](void* data) -> void* { return new calling(*static_cast<calling*>(data)); },
    [](void* data) {
        std::unique_ptr<calling> const mine(static_cast<calling*>(data));
        mine->call();
    },
    [](void* data) { static_cast<calling*>(data)->call(); },
    [](void* data) { delete static_cast<calling*>(data); },
    "calling",
};
rouse::waker calls(std::function<void()> f) {
    return rouse::waker(new calling{std::move(f)}, calling_table);
}

}  // namespace

BOOST_AUTO_TEST_CASE(b82_a_wake_may_destroy_and_enter_whatever_it_likes) {
    timer_wheel wheel(0);
    std::vector<std::unique_ptr<timer_entry>> entries(100);
    int wakes = 0;
    for (std::size_t n = 0; n < entries.size(); ++n) {
        entries[n] = std::make_unique<timer_entry>();
        wheel.enter(*entries[n], 10 + n % 3, calls([&, n] {
            ++wakes;
            entries[n].reset();                            // itself
            if (n + 50 < entries.size()) entries[n + 50].reset();  // one that fires in the same step
            if (n % 10 == 0) {
                entries[n] = std::make_unique<timer_entry>();
                wheel.enter(*entries[n], 0, calls([&, n] { entries[n].reset(); }));
            }
        }));
    }
    wheel.advance(12);
    BOOST_TEST(wheel.next() <= 12U);  // entered by the last wakes
    wheel.advance(12);
    for (auto const& e : entries) BOOST_TEST(!e);
    BOOST_TEST(wheel.size() == 0U);
    BOOST_TEST(wakes >= 50);
}

// ---- many ---------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(b84_b86_random_steps_agree_with_a_sorted_list) {
    for (unsigned seed = 0; seed < scaled(200U); ++seed) {
        stress_random random(seed);
        auto const any = [&] { return tick{random.below(0xffffffffU)}; };
        tick now = any() << random.below(8);
        timer_wheel wheel(now);
        struct one {
            timer_entry entry{};
            std::optional<tick> when{};
        };
        wake_counter counter;
        rouse::waker const waker = counter.make();
        std::deque<one> all(64);
        std::multimap<tick, one*> model;
        auto const forget = [&](one& o) {
            if (!o.when) return;
            auto const [begin, end] = model.equal_range(*o.when);
            for (auto i = begin; i != end; ++i) {
                if (i->second == &o) {
                    model.erase(i);
                    break;
                }
            }
            o.when.reset();
        };
        for (int step = 0; step < 400; ++step) {
            one& o = all[random.below(64)];
            switch (random.below(4)) {
                case 0:
                case 1: {
                    forget(o);
                    tick const when = now + (any() >> random.below(32) << random.below(16));
                    wheel.enter(o.entry, when, waker);
                    o.when = when;
                    model.emplace(when, &o);
                    break;
                }
                case 2:
                    forget(o);
                    o.entry.leave();
                    break;
                default: {
                    // To the next one, past some, or a little.
                    tick to = now + random.below(200);
                    if (random.below(2) && !model.empty())
                        to = std::next(model.begin(), random.below(static_cast<unsigned>(model.size())))->first;
                    if (to < now) to = now;
                    // Now and then only some of those that are due.
                    std::size_t const most = random.below(4) ? timer_wheel::all : random.below(8);
                    std::size_t const fired = wheel.advance(to, most);
                    BOOST_REQUIRE_LE(fired, most);
                    std::size_t expected = 0;
                    for (; expected < fired; ++expected) {
                        // Those of the same tick in no order: the model finds out which it was.
                        BOOST_REQUIRE(!model.empty() && model.begin()->first <= to);
                        auto one = model.begin();
                        while (one->second->entry.now() != state::fired) BOOST_REQUIRE(++one != model.end());
                        BOOST_REQUIRE(one->first == model.begin()->first);
                        one->second->when.reset();
                        model.erase(one);
                    }
                    if (most == timer_wheel::all) BOOST_REQUIRE(model.empty() || model.begin()->first > to);
                    now = to;
                    break;
                }
            }
            BOOST_REQUIRE_EQUAL(wheel.size(), model.size());
            tick const soonest = model.empty() ? no_tick : model.begin()->first;
            BOOST_REQUIRE_EQUAL(wheel.earliest(), soonest);
            BOOST_REQUIRE_LE(wheel.next(), soonest);
            for (auto const& each : all) {
                if (each.when) BOOST_REQUIRE(each.entry.now() == state::waiting);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(b86_many_with_the_same_tick) {
    std::size_t const count = scaled(1'000'000U);
    wake_counter counter;
    rouse::waker const waker = counter.make();
    timer_wheel wheel(0);
    std::deque<timer_entry> entries(count);
    for (auto& e : entries) wheel.enter(e, 123'456'789, waker);
    BOOST_TEST(wheel.advance(123'456'788) == 0U);
    BOOST_TEST(wheel.advance(123'456'789) == count);
    BOOST_TEST(counter.wakes == static_cast<int>(count));
}

// ---- threads ------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(b84_entering_leaving_and_firing_race) {
    unsigned const rounds = scaled(20'000U);
    constexpr unsigned threads = 4;
    timer_wheel wheel(0);
    std::atomic<tick> now{0};
    std::atomic<unsigned> running{threads - 1};
    std::atomic<unsigned> fired{0};
    std::atomic<unsigned> left{0};
    wake_counter counter;
    run_threads(threads, [&](unsigned who) {
        if (who == 0) {
            while (running != 0) wheel.advance(++now);
            return;
        }
        stress_random random(who);
        rouse::waker const waker = counter.make();
        for (unsigned r = 0; r < rounds; ++r) {
            timer_entry entry;
            tick const begin = now;
            wheel.enter(entry, begin + random.below(80), waker);
            if (random.below(2)) random.delay();
            if (random.below(4) == 0) timer_wheel::replace_waker(entry, waker);
            if (random.below(2)) {
                (entry.leave() ? left : fired) += 1;
            } else {
                while (entry.now() != state::fired) std::this_thread::yield();
                ++fired;
            }
        }
        --running;
    });
    BOOST_TEST(wheel.size() == 0U);
    BOOST_TEST(fired + left == (threads - 1) * rounds);
    BOOST_TEST(static_cast<unsigned>(counter.wakes) == fired);
    BOOST_TEST(counter.live == 0);
}

// Its owner sees an entry wait, and asks for the wheel's lock, when the wheel is gone and maybe another
// runtime's.
// Their memory is never given back: threads that make and retire them at the same time use the same ones again.
BOOST_AUTO_TEST_CASE(b91_there_are_as_many_wheels_as_were_used_at_a_time) {
    constexpr unsigned makers = 4;
    std::array<std::set<timer_wheel const*>, makers> used;
    run_threads(makers, [&](unsigned who) {
        for (int n = 0; n < scaled(200'000); ++n) {
            wheel_ptr const wheel = make_wheel(0);
            used[who].insert(wheel.get());
        }
    });
    std::set<timer_wheel const*> all;
    for (auto const& mine : used) all.insert(mine.begin(), mine.end());
    BOOST_TEST(all.size() <= makers);
}

BOOST_AUTO_TEST_CASE(b82_b84_entries_leave_while_their_wheel_is_retired) {
    unsigned const rounds = scaled(20'000U);
    constexpr unsigned leavers = 2;
    constexpr std::size_t entries_each = 4;
    wake_counter counter;
    unsigned wrong = 0;
    for (unsigned r = 0; r < rounds; ++r) {
        wheel_ptr wheel = make_wheel(0);
        std::array<std::deque<timer_entry>, leavers> entries;
        for (auto& mine : entries) {
            mine.resize(entries_each);
            tick when = 1;
            for (auto& e : mine) wheel->enter(e, when *= 1000, counter.make());
        }
        int const wakes = counter.wakes;
        std::atomic<int> left{0};
        run_threads(leavers + 1, [&](unsigned who) {
            stress_random random(3 * r + who);
            random.delay();
            if (who == leavers) {
                wheel.reset();
                wheel = make_wheel(5);
                return;
            }
            for (auto& e : entries[who]) {
                if (random.below(4) == 0) timer_wheel::replace_waker(e, counter.make());
                if (random.below(4) == 0) random.delay();
                rouse::waker taken;
                left += e.leave(&taken);
            }
        });
        wrong += counter.wakes - wakes + left != static_cast<int>(leavers * entries_each);
        wrong += wheel->size() != 0;
    }
    BOOST_TEST(wrong == 0U);
    BOOST_TEST(counter.live == 0);
}

BOOST_AUTO_TEST_SUITE_END()
