// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Groups whose owner and tasks are polled by hand, with what a runtime offers: who may go in the middle of what,
// and whose turn it is.

#include <support/pool_kit.hpp>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <algorithm>
#include <array>
#include <barrier>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <rouse.hpp>
#include <rouse/task_group.hpp>
#include <source_location>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_groups_by_hand)

using namespace rouse_test;
using rouse::block_on;
using rouse::on_error;
using rouse::task;
using rouse::task_group;
using rouse::with_group;

namespace {

// Where the tasks of a group go that the test polls: it keeps them.
struct keeping_spawner final : rouse::services, rouse::detail::spawner {
    void spawn(rouse::any_future<>&& f, std::source_location) override {
        if (refusals > 0) {
            --refusals;
            throw std::bad_alloc();
        }
        kept.push_back(std::move(f));
    }
    void report(std::exception_ptr, std::source_location) noexcept override { ++reports; }
    bool try_retain() noexcept override { return true; }
    void release() noexcept override {}
    void* find(std::type_info const& type) noexcept override {
        return type == typeid(spawner) ? static_cast<spawner*>(this) : nullptr;
    }

    std::deque<rouse::any_future<>> kept{};
    int refusals = 0;  // so many of the following find no memory
    int reports = 0;
};

// Polls whatever is to be polled, with what a runtime offers, and by a task with that state.
template <class F>
bool ready_in(F& f, rouse::services* offered, rouse::waker const& waker, rouse::cancellation_state& cancellation) {
    rouse::poll_root root;
    root.waker = &waker;
    root.cancellation = &cancellation;
    root.offered = offered;
    root.by_hand = true;
    rouse::context cx(root);
    return f.poll(cx).is_ready();
}
template <class F>
bool ready_by_hand(F& f, rouse::services* offered, rouse::waker const& waker) {
    rouse::cancellation_state cancellation;
    return ready_in(f, offered, waker, cancellation);
}

// Never ends by itself.
task<> waits(std::atomic<long>& alive) {
    counted const lives(alive);
    co_await rouse::pending_future<>();
}

bool says_closed(boost::system::system_error const& e) { return e.code() == rouse::errc::closed; }

// Owns nothing but a count, and does something when it is moved.
class moved_future {
public:
    moved_future(std::atomic<long>& alive, std::function<void()> const& when_moved)
        : lives_(alive), when_moved_(&when_moved) {}
    moved_future(moved_future&& other) : lives_(other.lives_), when_moved_(other.when_moved_) {
        (*when_moved_)();
    }
    rouse::poll_result<void> poll(rouse::context&) noexcept { return rouse::pending; }

private:
    counted lives_;
    std::function<void()> const* when_moved_;
};

// A waker that calls a function.
constexpr rouse::waker_vtable calling_table{
    [](void* data) { return data; },
    [](void* data) { (*static_cast<std::function<void()>*>(data))(); },
    [](void* data) { (*static_cast<std::function<void()>*>(data))(); },
    [](void*) {}, "calling"};
rouse::waker calls(std::function<void()>& f) { return rouse::waker(&f, calling_table); }

using made = std::function<task<>(task_group&)>;
using owner = decltype(with_group(std::declval<made>()));

}  // namespace

BOOST_AUTO_TEST_CASE(a_task_that_outlives_a_dropped_group_may_still_use_it) {
    rouse::waker const nobody;
    std::atomic<long> alive{0};
    keeping_spawner spawner;
    std::vector<std::string> story;
    event go;
    auto const late = [&](task_group& g) -> task<> {
        g.spawn(waits(alive));
        co_await go.happened();
        story.emplace_back("not told");
    };
    // Has let go of nothing when it is told, and uses the group then.
    struct stubborn {
        stubborn(task_group& group, std::atomic<long>& count, std::vector<std::string>& to)
            : g(&group), lives(&count), story(&to) {}
        rouse::poll_result<void> poll(rouse::context&) noexcept { return rouse::pending; }
        rouse::cancel_result<void> poll_cancel(rouse::context&) {
            try {
                g->spawn(waits(*lives));
            } catch (boost::system::system_error const& e) {
                story->emplace_back(says_closed(e) ? "closed" : "something else");
            }
            story->push_back(std::to_string(g->size()) + " left");
            g->abort();
            g->limit(1);
            return false;
        }
        task_group* g;
        std::atomic<long>* lives;
        std::vector<std::string>* story;
    };
    // On the heap, where the use of what is gone is seen.
    auto group = std::make_unique<owner>(with_group(made([&](task_group& g) -> task<> {
        g.spawn(late(g));
        g.spawn(stubborn(g, alive, story));
        co_await go.happened();
    })));
    BOOST_TEST(!ready_by_hand(*group, &spawner, nobody));
    BOOST_TEST(spawner.kept.size() == 2U);
    for (std::size_t n = 0; n < spawner.kept.size(); ++n)
        BOOST_TEST(!ready_by_hand(spawner.kept[n], &spawner, nobody));
    BOOST_TEST(spawner.kept.size() == 3U);
    group.reset();
    go.set();
    for (std::size_t n = 0; n < spawner.kept.size(); ++n)
        BOOST_TEST(ready_by_hand(spawner.kept[n], &spawner, nobody));
    BOOST_TEST(spawner.kept.size() == 3U);
    BOOST_TEST(story == (std::vector<std::string>{"closed", "2 left"}));
    spawner.kept.clear();
    BOOST_TEST(alive == 0);
}

// What is spawned while the owner goes is destroyed, at whatever move of it the owner goes; with
// somebody who runs the tasks, and without.
BOOST_AUTO_TEST_CASE(a_spawn_in_which_the_owner_goes_leaves_nothing_behind) {
    rouse::waker const nobody;
    for (int const fatal_move : {1, 2}) {
        for (bool const runs : {false, true}) {
            std::atomic<long> alive{0};
            keeping_spawner spawner;
            task_group* group = nullptr;
            std::optional<owner> mine(with_group(made([&](task_group& g) -> task<> {
                group = &g;
                g.spawn(waits(alive));
                co_await rouse::pending_future<>();
            })));
            BOOST_TEST(!ready_by_hand(*mine, runs ? &spawner : nullptr, nobody));
            if (runs) BOOST_TEST(spawner.kept.size() == 1U);
            // At the first move only a task that is kept elsewhere keeps the group.
            if (fatal_move == 1 && !runs) continue;
            int moves = 0;
            std::function<void()> const when_moved = [&] {
                if (++moves == fatal_move) mine.reset();
            };
            try {
                group->spawn(moved_future(alive, when_moved));
            } catch (boost::system::system_error const& e) {
                BOOST_TEST(says_closed(e));
                BOOST_TEST(fatal_move == 1);
            }
            BOOST_TEST(!mine.has_value());
            BOOST_TEST(spawner.kept.size() == (runs ? 1U : 0U));
            spawner.kept.clear();
            BOOST_TEST(alive == 0);
        }
    }
}

// The same with two threads, which meet at any point of the spawn.
BOOST_AUTO_TEST_CASE(b96_spawns_race_the_drop_of_the_owner) {
    unsigned const rounds = scaled(40'000U);
    std::atomic<long> alive{0};
    long left = 0;
    for (unsigned round = 0; round < rounds; ++round) {
        // A task of the group that is on its way keeps the group for the thread that spawns.
        task_group* group = nullptr;
        std::optional<owner> mine(with_group(made([&](task_group& g) -> task<> {
            group = &g;
            co_await rouse::pending_future<>();
        })));
        rouse::waker const nobody;
        if (ready_by_hand(*mine, nullptr, nobody)) ++left;
        std::barrier both_in(2);
        std::function<void()> const when_moved = [&, moves = 0]() mutable {
            if (++moves == 2) both_in.arrive_and_wait();  // it is counted, and holds the group
        };
        run_threads(2, [&](unsigned who) {
            if (who == 0) {
                group->spawn(moved_future(alive, when_moved));
            } else {
                both_in.arrive_and_wait();
                stress_random(round).delay();
                mine.reset();
            }
        });
        left += alive;
    }
    BOOST_TEST(left == 0);
}

// Whoever aborts a group, or spawns the task that ends it, may be the last who knows of it.
BOOST_AUTO_TEST_CASE(a_group_that_ends_in_the_middle_of_its_abort) {
    struct use {
        std::size_t limit;
        void (*function)(task_group&, std::atomic<long>&);
    };
    for (use const how : {
             use{1, [](task_group& g, std::atomic<long>&) { g.abort(); }},
             use{9, [](task_group& g, std::atomic<long>&) { g.abort(); }},
             use{9, [](task_group& g, std::atomic<long>& alive) { g.spawn(waits(alive)); }},
             use{1, [](task_group& g, std::atomic<long>&) { g.limit(3); }},
         }) {
        std::atomic<long> alive{0};
        task_group* group = nullptr;
        std::optional<owner> mine(with_group(made([&](task_group& g) -> task<> {
            group = &g;
            g.limit(how.limit);
            for (int n = 0; n < 3; ++n) g.spawn(waits(alive));
            co_await rouse::pending_future<>();
        })));
        std::function<void()> when_woken = [] {};
        rouse::waker const waker = calls(when_woken);
        for (int n = 0; n < 3; ++n) BOOST_TEST(!ready_by_hand(*mine, nullptr, waker));
        BOOST_TEST(alive == (how.limit == 1 ? 1 : 3));
        when_woken = [&] { mine.reset(); };
        how.function(*group, alive);
        BOOST_TEST(!mine.has_value());
        BOOST_TEST(alive == 0);
    }
}

// Whoever spawns a task that has to wait, and finds that it need not after all, may end the group by that.
// AddressSanitizer sees who uses it then.
BOOST_AUTO_TEST_CASE(a_group_that_ends_in_the_middle_of_a_spawn) {
    rouse::waker const nobody;
    int ended = 0;
    // Does something as it is moved for the second time: the group knows of it then.
    struct ends {
        ends(int& n, std::function<void()> f) : count(&n), at_second_move(std::move(f)) {}
        ends(ends&& other)
            : count(other.count), at_second_move(std::move(other.at_second_move)), moves(other.moves + 1) {
            if (at_second_move && moves == 2) std::exchange(at_second_move, nullptr)();
        }
        rouse::poll_result<void> poll(rouse::context&) {
            ++*count;
            return rouse::ready();
        }
        int* count;
        std::function<void()> at_second_move;
        int moves = 0;
    };
    task_group* group = nullptr;
    std::optional<owner> mine(with_group(made([&](task_group& g) -> task<> {
        group = &g;
        g.limit(1);
        co_await rouse::poll_fn([&](rouse::context&) -> rouse::poll_result<void> {
            if (ended == 2) return rouse::ready();
            return rouse::pending;
        });
    })));
    bool polling = false;
    bool again = false;
    std::function<void()> when_woken = [] {};
    rouse::waker const waker = calls(when_woken);
    BOOST_TEST(!ready_by_hand(*mine, nullptr, waker));
    when_woken = [&] {
        again = true;
        if (std::exchange(polling, true)) return;
        while (std::exchange(again, false)) {
            if (ready_by_hand(*mine, nullptr, waker)) {
                mine.reset();
                break;
            }
        }
        polling = false;
    };
    // While the first is on its way the second comes and waits behind it, so that it waits behind the second.
    group->spawn(ends(ended, [&] { group->spawn(ends(ended, {})); }));
    BOOST_TEST(ended == 2);
    BOOST_TEST(!mine.has_value());
}

// Also one that has come since the owner looked: the body has seen it, and ends as it was asked to. The tasks are
// told then, and not aborted.
BOOST_AUTO_TEST_CASE(a_request_that_comes_while_the_body_is_polled_is_no_error) {
    rouse::waker const nobody;
    for (on_error const policy : {on_error::abort_others, on_error::collect, on_error::report}) {
        keeping_spawner spawner;
        rouse::cancellation_state outside;
        bool ends_by_itself = false;
        auto f = with_group(policy, [&](task_group& g) -> task<> {
            g.spawn([](bool& by_itself) -> task<> {
                co_await rouse::poll_fn([](rouse::context& cx) -> rouse::poll_result<void> {
                    if (cx.cancellation().requested() != rouse::cancellation_type::none) return rouse::ready();
                    return rouse::pending;
                });
                by_itself = true;
            }(ends_by_itself));
            co_await rouse::poll_fn([&, polls = 0](rouse::context&) mutable -> rouse::poll_result<void> {
                if (++polls == 1) return rouse::pending;
                outside.request(rouse::cancellation_type::terminal);
                throw boost::system::system_error(asio::error::operation_aborted);
            });
        });
        BOOST_TEST(!ready_in(f, &spawner, nobody, outside));
        BOOST_REQUIRE(spawner.kept.size() == 1U);
        BOOST_TEST(!ready_by_hand(spawner.kept.at(0), &spawner, nobody));
        BOOST_TEST(!ready_in(f, &spawner, nobody, outside));
        BOOST_TEST(ready_by_hand(spawner.kept.at(0), &spawner, nobody));
        BOOST_TEST(ends_by_itself);
        BOOST_CHECK_EXCEPTION(ready_in(f, &spawner, nobody, outside), boost::system::system_error,
                              [](auto const& e) { return e.code() == asio::error::operation_aborted; });
    }
}

// The owner polls its tasks, and a request comes in the middle: each hears of it once.
BOOST_AUTO_TEST_CASE(tasks_that_the_owner_polls_hear_of_a_request_once) {
    rouse::waker const nobody;
    rouse::cancellation_state outside;
    std::array<int, 3> told{};
    bool requests = false;
    auto f = with_group([&](task_group& g) -> task<> {
        for (int& count : told) {
            g.spawn(rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                if (cx.cancellation().requested() != rouse::cancellation_type::none) {
                    ++count;
                    cx.cancellation().clear();
                }
                if (std::exchange(requests, false)) outside.request(rouse::cancellation_type::terminal);
                cx.waker().wake_by_ref();
                return rouse::pending;
            }));
        }
        co_await rouse::pending_future<>();
    });
    for (int n = 0; n < 8; ++n) {
        requests = n == 2;
        BOOST_TEST(!ready_in(f, nullptr, nobody, outside));
    }
    for (int const count : told) BOOST_TEST(count == 1);
}

// An executor may have its reasons to tell a task of a group to let go, of which the group knows nothing. What the
// task throws then is reported, unless it says only that.
BOOST_AUTO_TEST_CASE(the_echo_of_what_an_executor_tells_is_not_reported) {
    struct throws {
        std::exception_ptr error;
        rouse::poll_result<void> poll(rouse::context&) noexcept { return rouse::pending; }
        rouse::cancel_result<void> poll_cancel(rouse::context&) { std::rethrow_exception(error); }
    };
    using boost::system::system_error;
    for (auto const& [error, reports] : {std::pair(std::make_exception_ptr(std::runtime_error("news")), 1),
                                         std::pair(std::make_exception_ptr(system_error(rouse::errc::aborted)), 0),
                                         std::pair(std::make_exception_ptr(
                                                       system_error(asio::error::operation_aborted)),
                                                   0)}) {
        rouse::waker const nobody;
        keeping_spawner spawner;
        auto f = with_group(on_error::report, [&, e = error](task_group& g) {
            g.spawn(throws{e});
            return rouse::ready_future<int>(1);
        });
        BOOST_TEST(!ready_by_hand(f, &spawner, nobody));
        rouse::cancellation_state cancellation;
        rouse::poll_root root;
        root.waker = &nobody;
        root.cancellation = &cancellation;
        root.offered = &spawner;
        rouse::context cx(root);
        BOOST_TEST(!spawner.kept.at(0).poll(cx).is_ready());
        BOOST_TEST(spawner.kept.at(0).poll_cancel(cx).is_ready());
        BOOST_TEST(spawner.reports == reports);
        BOOST_TEST(ready_by_hand(f, &spawner, nobody));
    }
}

// Values that nobody takes and exceptions that were thrown are gone when the group is over, whoever still refers to
// the group or has its future.
BOOST_AUTO_TEST_CASE(what_a_group_was_given_is_gone_when_it_is_over) {
    rouse::waker const nobody;
    std::atomic<long> alive{0};
    {
        keeping_spawner spawner;
        rouse::task_group_of<counted>* group = nullptr;
        auto f = rouse::with_group_of<counted>([&](rouse::task_group_of<counted>& g) -> task<> {
            group = &g;
            for (int n = 0; n < 3; ++n) g.spawn(rouse::ready_future<counted>(counted(alive)));
            co_return;
        });
        BOOST_TEST(!ready_by_hand(f, &spawner, nobody));
        auto const next = group->next();
        for (auto& child : spawner.kept) BOOST_TEST(ready_by_hand(child, &spawner, nobody));
        spawner.kept.clear();
        BOOST_TEST(alive == 3);
        BOOST_TEST(ready_by_hand(f, &spawner, nobody));
        BOOST_TEST(alive == 0);
    }
    // Or when its owner has gone.
    {
        keeping_spawner spawner;
        rouse::task_group_of<counted>* group = nullptr;
        std::optional f(rouse::with_group_of<counted>([&](rouse::task_group_of<counted>& g) -> task<> {
            group = &g;
            g.spawn(rouse::ready_future<counted>(counted(alive)));
            co_await rouse::pending_future<>();
        }));
        BOOST_TEST(!ready_by_hand(*f, &spawner, nobody));
        auto const next = group->next();
        for (auto& child : spawner.kept) BOOST_TEST(ready_by_hand(child, &spawner, nobody));
        BOOST_TEST(alive == 1);
        f.reset();
        BOOST_TEST(alive == 0);
    }
    for (on_error const policy : {on_error::abort_others, on_error::collect}) {
        keeping_spawner spawner;
        auto f = with_group(policy, [&](task_group& g) -> task<> {
            for (int n = 0; n < 3; ++n)
                g.spawn(rouse::poll_fn([&](rouse::context&) -> rouse::poll_result<void> { throw counted(alive); }));
            co_return;
        });
        BOOST_TEST(!ready_by_hand(f, &spawner, nobody));
        for (auto& child : spawner.kept) BOOST_TEST(ready_by_hand(child, &spawner, nobody));
        spawner.kept.clear();
        BOOST_TEST(alive == (policy == on_error::collect ? 3 : 1));
        try {
            ready_by_hand(f, &spawner, nobody);
            BOOST_ERROR("it has not failed");
        } catch (counted const&) {
            BOOST_TEST((policy == on_error::abort_others));
        } catch (rouse::group_error const& e) {
            BOOST_TEST(e.errors().size() == 3U);
        }
        BOOST_TEST(alive == 0);
    }
}

// A body that spawns as long as there is room lets others have their turn.
BOOST_AUTO_TEST_CASE(room_that_is_there_at_once_spends_the_budget) {
    rouse::waker const nobody;
    task_group* group = nullptr;
    auto f = with_group([&](task_group& g) -> task<> {
        group = &g;
        co_await rouse::pending_future<>();
    });
    BOOST_TEST(!ready_by_hand(f, nullptr, nobody));
    rouse::cancellation_state cancellation;
    rouse::poll_root root;
    root.waker = &nobody;
    root.cancellation = &cancellation;
    root.budget = 5;
    rouse::context cx(root);
    int ready = 0;
    for (int n = 0; n < 10; ++n) {
        auto room = group->has_room();
        ready += room.poll(cx).is_ready();
    }
    BOOST_TEST(ready == 5);
}

BOOST_AUTO_TEST_CASE(tasks_that_are_all_ready_do_not_end_in_one_poll_of_the_owner) {
    constexpr int count = 1000;
    int ended = 0;
    auto f = with_group([&](task_group& g) -> task<> {
        for (int n = 0; n < count; ++n) {
            g.spawn(rouse::poll_fn([&](rouse::context&) -> rouse::poll_result<void> {
                ++ended;
                return rouse::ready();
            }));
        }
        co_return;
    });
    int wakes = 0;
    std::function<void()> count_wake = [&] { ++wakes; };
    rouse::waker const waker = calls(count_wake);
    int polls = 0;
    for (bool over = false; !over; ++polls) {
        int const ended_before = ended;
        int const wakes_before = wakes;
        over = ready_by_hand(f, nullptr, waker);
        BOOST_REQUIRE(ended - ended_before <= 64);
        BOOST_REQUIRE((over || wakes > wakes_before));
    }
    BOOST_TEST(ended == count);
    BOOST_TEST(polls == 16);

    // In block_on others have their turn in between: here, the body.
    std::atomic<long> done{0};
    long seen = count;
    block_on(with_group([&](task_group& g) -> task<> {
        for (int n = 0; n < count; ++n) {
            g.spawn([](std::atomic<long>& d) -> task<> {
                ++d;
                co_return;
            }(done));
        }
        co_await rouse::this_task::yield_now();
        seen = done;
    }));
    BOOST_TEST(done == count);
    BOOST_TEST(seen < count);
}

namespace {

// Does something as it is moved for the second time: into its task, when the group knows of it.
struct moved_slowly {
    moved_slowly(std::string& b, char n, std::function<void()> w = {})
        : begun(&b), name(n), at_second_move(std::move(w)) {}
    moved_slowly(moved_slowly&& other)
        : begun(other.begun),
          name(other.name),
          at_second_move(std::exchange(other.at_second_move, nullptr)),
          moves(other.moves + 1) {
        if (at_second_move && moves == 2) std::exchange(at_second_move, nullptr)();
    }
    rouse::poll_result<void> poll(rouse::context&) {
        *begun += name;
        return rouse::ready();
    }
    std::string* begun;
    char name;
    std::function<void()> at_second_move;
    int moves = 0;
};

}  // namespace

// One that is on its way into the group when a place becomes free does not come before those that wait.
BOOST_AUTO_TEST_CASE(b97_those_that_wait_have_their_turn_in_the_order_in_which_they_came) {
    keeping_spawner spawner;
    task_group* group = nullptr;
    auto f = with_group([&](task_group& g) -> task<> {
        group = &g;
        co_await rouse::pending_future<>();
    });
    rouse::waker const nobody;
    BOOST_TEST(!ready_by_hand(f, &spawner, nobody));
    std::string begun;
    bool over = false;
    group->limit(1);
    group->spawn(rouse::poll_fn([&](rouse::context&) -> rouse::poll_result<void> {
        if (over) return rouse::ready();
        return rouse::pending;
    }));
    group->spawn(moved_slowly(begun, 'a'));
    BOOST_REQUIRE(spawner.kept.size() == 1U);
    group->spawn(moved_slowly(begun, 'b', [&] {
        over = true;
        BOOST_TEST(ready_by_hand(spawner.kept[0], &spawner, nobody));
    }));
    for (std::size_t n = 1; n < spawner.kept.size(); ++n)
        BOOST_TEST(ready_by_hand(spawner.kept[n], &spawner, nobody));
    BOOST_TEST(begun == "ab");
}

// There is no memory when its turn has come: it has failed, and the next one has its turn.
BOOST_AUTO_TEST_CASE(b94_who_cannot_begin_passes_its_turn_on) {
    rouse::waker const nobody;
    std::atomic<long> alive{0};
    keeping_spawner spawner;
    task_group* group = nullptr;
    event first;
    auto f = with_group(on_error::collect, [&](task_group& g) -> task<> {
        group = &g;
        g.limit(1);
        g.spawn(first.happened());
        for (int n = 0; n < 3; ++n) g.spawn(waits(alive));
        co_return;
    });
    BOOST_TEST(!ready_by_hand(f, &spawner, nobody));
    BOOST_REQUIRE(spawner.kept.size() == 1U);
    BOOST_TEST(group->size() == 4U);
    spawner.refusals = 2;
    first.set();
    BOOST_TEST(ready_by_hand(spawner.kept.at(0), &spawner, nobody));
    BOOST_TEST(group->size() == 1U);
    BOOST_REQUIRE(spawner.kept.size() == 2U);
    BOOST_TEST(!ready_by_hand(spawner.kept.at(1), &spawner, nobody));
    BOOST_TEST(alive == 1);
    group->abort();
    BOOST_TEST(ready_by_hand(spawner.kept.at(1), &spawner, nobody));
    try {
        ready_by_hand(f, &spawner, nobody);
        BOOST_ERROR("it has not failed");
    } catch (rouse::group_error const& e) {
        BOOST_TEST(e.errors().size() == 2U);
        for (auto const& error : e.errors()) BOOST_CHECK_THROW(std::rethrow_exception(error), std::bad_alloc);
    }
    BOOST_TEST(alive == 0);
}

BOOST_AUTO_TEST_CASE(b97_limits_of_every_size) {
    constexpr std::size_t largest = std::numeric_limits<std::size_t>::max();
    rouse::waker const nobody;
    for (std::size_t const limit : {std::size_t{1}, std::size_t{2}, std::size_t{5}, largest}) {
        BOOST_TEST_INFO("a limit of " << limit);
        std::atomic<long> alive{0};
        keeping_spawner spawner;
        task_group* group = nullptr;
        auto f = with_group([&](task_group& g) -> task<> {
            group = &g;
            g.limit(limit);
            for (int n = 0; n < 5; ++n) g.spawn(waits(alive));
            co_await rouse::pending_future<>();
        });
        BOOST_TEST(!ready_by_hand(f, &spawner, nobody));
        BOOST_TEST(group->size() == 5U);
        BOOST_TEST(spawner.kept.size() == std::min<std::size_t>(limit, 5));
        auto room = group->has_room();
        BOOST_TEST(ready_by_hand(room, &spawner, nobody) == (limit > 5));

        BOOST_CHECK_THROW(group->limit(0), std::logic_error);
        BOOST_TEST(spawner.kept.size() == std::min<std::size_t>(limit, 5));

        // Less: nobody is stopped. More: at once.
        group->limit(1);
        BOOST_TEST(spawner.kept.size() == std::min<std::size_t>(limit, 5));
        group->limit(3);
        BOOST_TEST(spawner.kept.size() == std::max<std::size_t>(std::min<std::size_t>(limit, 5), 3));
        group->limit(largest);
        BOOST_TEST(spawner.kept.size() == 5U);
        auto plenty = group->has_room();
        BOOST_TEST(ready_by_hand(plenty, &spawner, nobody));
        spawner.kept.clear();
    }
}

// Another task's waker may stand where an old one stood, which only the copy outlives.
BOOST_AUTO_TEST_CASE(a_task_of_a_group_is_told_by_its_latest_waker) {
    std::atomic<long> alive{0};
    keeping_spawner spawner;
    task_group* group = nullptr;
    auto f = with_group([&](task_group& g) -> task<> {
        group = &g;
        g.spawn(waits(alive));
        co_await rouse::pending_future<>();
    });
    rouse::waker const nobody;
    BOOST_TEST(!ready_by_hand(f, &spawner, nobody));
    mailbox first;
    mailbox second;
    std::optional<lent_waker> place(first);
    BOOST_TEST(!ready_by_hand(spawner.kept.at(0), &spawner, place->borrowed().get()));
    place.emplace(second);
    BOOST_TEST(!ready_by_hand(spawner.kept.at(0), &spawner, place->borrowed().get()));
    place.reset();
    group->abort();
    BOOST_TEST(first.wakes == 0);
    BOOST_TEST(second.wakes == 1);
    spawner.kept.clear();
    BOOST_TEST(first.live == 0);
    BOOST_TEST(second.live == 0);
}

// What was lost before, and was no error of the group's, costs no value when the group is aborted: but a task does that
// is stopped by the abort.
BOOST_AUTO_TEST_CASE(a_task_that_was_lost_before_an_abort_costs_no_value) {
    for (bool const completes : {false, true}) {
        rouse::waker const nobody;
        keeping_spawner spawner;
        loan other;
        auto group = with_group(on_error::report, [&](task_group& g) {
            g.spawn(rouse::pending_future<>());
            g.spawn(lending(other));
            return rouse::ready_future<int>(5);
        });
        BOOST_TEST(!ready_by_hand(group, &spawner, nobody));
        BOOST_TEST(spawner.kept.size() == 2U);
        spawner.kept.pop_front();
        BOOST_TEST(!ready_by_hand(spawner.kept.front(), &spawner, nobody));
        other.done = completes;
        BOOST_TEST(cancel_once(group).is_pending());
        BOOST_TEST(ready_by_hand(spawner.kept.front(), &spawner, nobody));
        auto stopped = cancel_once(group);
        BOOST_REQUIRE(stopped.is_ready());
        BOOST_TEST(stopped.value().value_or(0) == (completes ? 5 : 0));
        spawner.kept.clear();
    }
}

// A pool that ends tells its tasks to end, those of a group before their owner, perhaps: the group has no value in the
// one order as in the other.
BOOST_AUTO_TEST_CASE(a_task_that_its_executor_has_told_to_end_costs_the_value) {
    rouse::waker const nobody;
    keeping_spawner spawner;
    auto group = with_group(on_error::report, [&](task_group& g) {
        g.spawn(rouse::pending_future<>());
        return rouse::ready_future<int>(5);
    });
    BOOST_TEST(!ready_by_hand(group, &spawner, nobody));
    BOOST_TEST(cancel_once(spawner.kept.front()).is_ready());
    auto stopped = cancel_once(group);
    BOOST_REQUIRE(stopped.is_ready());
    BOOST_TEST(!stopped.value().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
