// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Behaviour 87: whatever allocation fails, the caller (or who joins) gets std::bad_alloc, nothing
// leaks, nothing is stuck, and the same operation succeeds afterwards. Each scenario runs with its
// first allocation failing, then with its second, until it runs through.

#include <support/fault_new.hpp>

#include <rouse/any_future.hpp>
#include <rouse/atomic_waker.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>

#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>

#include <stdexcept>

namespace {

long live = 0;  // objects

class tracked {
public:
    explicit tracked(int value) noexcept : value_(value) { ++live; }
    tracked(tracked const& other) noexcept : value_(other.value_) { ++live; }
    tracked& operator=(tracked const&) noexcept = default;
    ~tracked() { --live; }

    int value() const noexcept { return value_; }

private:
    int value_;
};

// Ready at its second poll. `Padding` makes it as large, and `Alignment` as aligned, as wanted.
template <std::size_t Padding = 1, std::size_t Alignment = alignof(tracked)>
class alignas(Alignment) small_future {
public:
    explicit small_future(int value) noexcept : value_(value) {}

    rouse::poll_result<tracked> poll(rouse::context& cx) {
        if (!std::exchange(polled_, true)) {
            cx.yield();
            return rouse::pending;
        }
        return value_;
    }

private:
    tracked value_;
    bool polled_ = false;
    unsigned char padding_[Padding] = {};
};

// Keeps runnables in the order of their arrival, and allocates nothing for that.
class queue_scheduler final : public rouse::scheduler {
public:
    void schedule(rouse::runnable task, rouse::schedule_reason why) noexcept override {
        if (why == rouse::schedule_reason::spawned) ++live_tasks_;
        work_.push(*task.release());
    }
    void task_done(rouse::detail::task_header&) noexcept override { --live_tasks_; }
    void unhandled_exception(std::exception_ptr, std::source_location) noexcept override {
        ++unhandled_;
    }

    // Runs until nothing is queued.
    void run() {
        while (auto* const item = work_.pop()) item->act(item, true);
    }

    template <class X>
    auto spawn(X&& x) {
        auto [runnable, handle] = rouse::make_task(*this, std::forward<X>(x));
        schedule(std::move(runnable), rouse::schedule_reason::spawned);
        return std::move(handle);
    }

    long live_tasks() const noexcept { return live_tasks_; }
    unsigned unhandled() const noexcept { return unhandled_; }

private:
    rouse::detail::work_list work_;
    long live_tasks_ = 0;
    unsigned unhandled_ = 0;
};

// The value of a future that is ready.
template <rouse::future F>
rouse::output_t<F> ready_value(F& future) {
    rouse::waker const nobody;
    rouse::context cx(nobody);
    auto polled = future.poll(cx);
    if (polled.is_pending()) throw std::logic_error("pending");
    return std::move(polled).value();
}

// Runs the scenario until no allocation of it fails; returns how many did.
template <class Scenario>
unsigned failures_of(Scenario scenario) {
    for (unsigned nth = 1;; ++nth) {
        bool out_of_memory = false;
        bool reached = false;
        queue_scheduler scheduler;
        {
            rouse_test::empty_slab const cold;
            rouse_test::failing_allocation const fails(nth);
            try {
                scenario(scheduler);
            } catch (std::bad_alloc const&) {
                out_of_memory = true;
            }
            reached = fails.reached();
        }
        BOOST_TEST(live == 0);
        BOOST_TEST(scheduler.live_tasks() == 0);
        BOOST_TEST(out_of_memory == reached);
        if (!reached || nth == 100) return nth - 1;
    }
}

void expect(bool what) {
    if (!what) throw std::logic_error("a scenario went wrong");
}

}  // namespace

BOOST_AUTO_TEST_CASE(b87_make_task) {
    BOOST_TEST(failures_of([](queue_scheduler& scheduler) {
                   auto handle = scheduler.spawn(small_future(42));
                   scheduler.run();
                   expect(ready_value(handle).value() == 42);
               }) == 1U);
}

BOOST_AUTO_TEST_CASE(b87_make_task_of_a_large_future) {
    BOOST_TEST(failures_of([](queue_scheduler& scheduler) {
                   auto handle = scheduler.spawn(small_future<5000>(42));
                   scheduler.run();
                   expect(ready_value(handle).value() == 42);
               }) == 1U);
}

BOOST_AUTO_TEST_CASE(b87_make_task_of_an_over_aligned_future) {
    BOOST_TEST(failures_of([](queue_scheduler& scheduler) {
                   auto handle = scheduler.spawn(small_future<1, 128>(42));
                   scheduler.run();
                   expect(ready_value(handle).value() == 42);
               }) == 1U);
}

BOOST_AUTO_TEST_CASE(b87_make_detached_task) {
    BOOST_TEST(failures_of([](queue_scheduler& scheduler) {
                   scheduler.schedule(rouse::make_detached_task(scheduler, small_future(42)),
                                      rouse::schedule_reason::spawned);
                   scheduler.run();
               }) == 1U);
}

BOOST_AUTO_TEST_CASE(b87_a_future_that_could_not_be_moved_into_its_task) {
    // What is spawned throws while it moves in: the memory goes back.
    struct moves_badly {
        moves_badly() noexcept {}
        moves_badly(moves_badly&& other) : state(other.state) {
            if (throws) throw std::bad_alloc();
        }
        rouse::poll_result<int> poll(rouse::context&) { return state.value(); }

        tracked state{42};
        bool throws = true;
    };
    queue_scheduler scheduler;
    BOOST_CHECK_THROW(static_cast<void>(scheduler.spawn(moves_badly())), std::bad_alloc);
    BOOST_CHECK_THROW(rouse::any_future<int> erased{moves_badly()}, std::bad_alloc);
    BOOST_TEST(live == 0);
    BOOST_TEST(scheduler.live_tasks() == 0);
}

namespace {

rouse::task<int> add(tracked a, tracked b) {
    tracked const sum(a.value() + b.value());
    co_await rouse::this_task::yield_now();
    co_return sum.value();
}

rouse::task<int> add_nested(int depth) {
    tracked const here(depth);
    int const below = depth == 0 ? 0 : co_await add_nested(depth - 1);
    int const sum = co_await add(here, tracked(below));
    co_return sum;
}

}  // namespace

BOOST_AUTO_TEST_CASE(b87_calling_a_coroutine) {
    BOOST_TEST(failures_of([](queue_scheduler&) {
                   auto task = add(tracked(1), tracked(2));
                   expect(live == 2);  // the arguments, in the frame
               }) == 1U);
}

BOOST_AUTO_TEST_CASE(b87_awaiting_coroutines_from_coroutines) {
    unsigned const failed = failures_of([](queue_scheduler& scheduler) {
        auto handle = scheduler.spawn(add_nested(5));
        scheduler.run();
        expect(ready_value(handle) == 15);
    });
    BOOST_TEST(failed >= 7U);  // the cell, and a frame for each level at least
}

BOOST_AUTO_TEST_CASE(b87_spawning_a_callable) {
    unsigned const failed = failures_of([](queue_scheduler& scheduler) {
        auto handle = scheduler.spawn([a = tracked(1), b = tracked(2)] { return add(a, b); });
        scheduler.run();
        expect(ready_value(handle) == 3);
    });
    BOOST_TEST(failed == 2U);  // the cell; in the first poll the frame
}

namespace {

rouse::task<int> spawns_two(bool second_detached) {
    auto first = rouse::this_task::spawn(add(tracked(1), tracked(2)));
    if (second_detached) {
        rouse::this_task::spawn_ok(small_future(4));
    } else {
        auto second = rouse::this_task::spawn(small_future(4));
        tracked const four = co_await second;
        expect(four.value() == 4);
    }
    int const three = co_await std::move(first);
    co_return three;
}

}  // namespace

BOOST_AUTO_TEST_CASE(b87_spawning_from_a_task) {
    for (bool second_detached : {false, true}) {
        unsigned const failed = failures_of([&](queue_scheduler& scheduler) {
            auto handle = scheduler.spawn(spawns_two(second_detached));
            scheduler.run();
            expect(ready_value(handle) == 3);
        });
        BOOST_TEST(failed == 5U);  // two cells and two frames; the third cell
    }
}

namespace {

rouse::task<tracked> never() {
    tracked const local(1);
    co_await rouse::pending_future();
    co_return local;
}

rouse::task<tracked> spawns_and_waits() {
    auto child = rouse::this_task::spawn(never());
    tracked const value = co_await std::move(child);
    co_return value;
}

}  // namespace

BOOST_AUTO_TEST_CASE(b87_aborting_a_task_that_has_spawned) {
    unsigned const failed = failures_of([](queue_scheduler& scheduler) {
        auto handle = scheduler.spawn(spawns_and_waits());
        scheduler.run();
        handle.abort();
        scheduler.run();
        try {
            static_cast<void>(ready_value(handle));
        } catch (boost::system::system_error const& e) {
            expect(e.code() == rouse::errc::aborted);
        }
    });
    BOOST_TEST(failed >= 4U);  // two cells and two frames; what the error says
}

BOOST_AUTO_TEST_CASE(b87_any_future) {
    BOOST_TEST(failures_of([](queue_scheduler&) {
                   rouse::any_future<tracked> erased = small_future(42);
                   expect(live == 1);
               }) == 1U);
    // One that owns one that owns one.
    BOOST_TEST(failures_of([](queue_scheduler& scheduler) {
                   auto const wrap = [](rouse::any_future<tracked> inner) -> rouse::task<tracked> {
                       tracked const value = co_await std::move(inner);
                       co_return value;
                   };
                   rouse::any_future<tracked> erased = small_future(42);
                   for (int i = 0; i < 3; ++i)
                       erased = rouse::any_future<tracked>(wrap(std::move(erased)));
                   auto handle = scheduler.spawn(std::move(erased));
                   scheduler.run();
                   expect(ready_value(handle).value() == 42);
               }) == 8U);
}

namespace {

// Uses the task's inbox, and ends when a function in it has run.
struct inbox_user {
    struct function : rouse::detail::work_item {
        function(bool& r, bool& d) noexcept : work_item(&act_on), ran(&r), destroyed(&d) {}
        static void act_on(work_item* self, bool run) {
            auto* const mine = static_cast<function*>(self);
            (run ? *mine->ran : *mine->destroyed) = true;
        }
        bool* ran;
        bool* destroyed;
    };

    inbox_user() noexcept {}
    inbox_user(inbox_user&&) noexcept {}

    rouse::poll_result<int> poll(rouse::context& cx) {
        if (ran) return 42;
        auto* const inbox = cx.root().inbox->acquire_inbox();
        expect(inbox->items.push(late));
        inbox->drop();
        cx.yield();
        return rouse::pending;
    }

    tracked alive{0};
    bool ran = false;
    bool destroyed = false;
    function late{ran, destroyed};
};

}  // namespace

BOOST_AUTO_TEST_CASE(b87_the_inbox_of_a_task) {
    BOOST_TEST(failures_of([](queue_scheduler& scheduler) {
                   auto handle = scheduler.spawn(inbox_user());
                   scheduler.run();
                   expect(ready_value(handle) == 42);
               }) == 2U);
}

BOOST_AUTO_TEST_CASE(b87_an_inbox_that_could_not_be_made_is_made_by_the_next_call) {
    rouse::detail::inbox_owner owner;
    {
        rouse_test::empty_slab const cold;
        rouse_test::failing_allocation const fails(1);
        BOOST_CHECK_THROW(owner.acquire_inbox(), std::bad_alloc);
    }
    BOOST_TEST(owner.empty());
    auto* const inbox = owner.acquire_inbox();
    BOOST_TEST(inbox->items.empty());
    inbox->drop();
}

BOOST_AUTO_TEST_CASE(b87_telling_of_a_broken_rule) {
    // Without memory for the sentence, std::bad_alloc takes the place of std::logic_error.
    unsigned const failed = failures_of([](queue_scheduler&) {
        rouse::any_future<int> empty;
        try {
            ready_value(empty);
        } catch (std::logic_error const&) {
        }
    });
    BOOST_TEST(failed > 0U);
}

// --- a waker whose copying fails

namespace {

struct fragile {
    unsigned wakes = 0;
    long references = 0;
    bool clone_throws = false;
    rouse::atomic_waker* wake_in_clone = nullptr;

    rouse::waker make() {
        ++references;
        return {this, table};
    }

private:
    static fragile& of(void* data) noexcept { return *static_cast<fragile*>(data); }
    static rouse::waker_vtable const table;
};

constexpr rouse::waker_vtable fragile::table{
    [](void* data) -> void* {
        fragile& self = of(data);
        if (self.wake_in_clone) self.wake_in_clone->wake();
        if (self.clone_throws) throw std::bad_alloc();
        ++self.references;
        return data;
    },
    [](void* data) {
        ++of(data).wakes;
        --of(data).references;
    },
    [](void* data) { ++of(data).wakes; },
    [](void* data) { --of(data).references; },
    "fragile",
};

}  // namespace

BOOST_AUTO_TEST_CASE(b13_a_clone_that_fails_leaves_an_atomic_waker_as_it_was) {
    for (bool had_one : {false, true}) {
        fragile old;
        fragile fresh;
        {
            rouse::atomic_waker slot;
            rouse::waker const first = old.make();
            rouse::waker const second = fresh.make();
            if (had_one) slot.register_waker(first);
            fresh.clone_throws = true;
            BOOST_CHECK_THROW(slot.register_waker(second), std::bad_alloc);
            slot.wake();
            BOOST_TEST(old.wakes == (had_one ? 1U : 0U));

            fresh.clone_throws = false;
            slot.register_waker(second);
            slot.wake();
            slot.wake();
            BOOST_TEST(fresh.wakes == 1U);
        }
        BOOST_TEST(old.references == 0);
        BOOST_TEST(fresh.references == 0);
    }
}

BOOST_AUTO_TEST_CASE(b13_a_wake_that_meets_a_clone_that_fails_is_not_lost) {
    fragile old;
    fragile fresh;
    {
        rouse::atomic_waker slot;
        rouse::waker const first = old.make();
        rouse::waker const second = fresh.make();
        slot.register_waker(first);
        fresh.clone_throws = true;
        fresh.wake_in_clone = &slot;
        BOOST_CHECK_THROW(slot.register_waker(second), std::bad_alloc);
        BOOST_TEST(old.wakes == 1U);

        fresh.clone_throws = false;
        slot.register_waker(second);  // woken while it registers
        BOOST_TEST(fresh.wakes == 1U);
        fresh.wake_in_clone = nullptr;
        slot.register_waker(second);
        slot.wake();
        BOOST_TEST(fresh.wakes == 2U);
    }
    BOOST_TEST(old.references == 0);
    BOOST_TEST(fresh.references == 0);
}

BOOST_AUTO_TEST_CASE(b87_a_join_handle_polled_with_a_waker_that_cannot_be_copied) {
    for (bool had_one : {false, true}) {
        fragile old;
        fragile fresh;
        {
            queue_scheduler scheduler;
            auto handle = scheduler.spawn(small_future(42));
            rouse::waker const first = old.make();
            rouse::waker const second = fresh.make();
            rouse::context with_first(first);
            rouse::context with_second(second);
            if (had_one) BOOST_TEST(handle.poll(with_first).is_pending());
            fresh.clone_throws = true;
            BOOST_CHECK_THROW(static_cast<void>(handle.poll(with_second)), std::bad_alloc);
            BOOST_TEST(!handle.is_finished());
            fresh.clone_throws = false;
            BOOST_TEST(handle.poll(with_second).is_pending());
            scheduler.run();
            BOOST_TEST(old.wakes == 0U);
            BOOST_TEST(fresh.wakes == 1U);
            BOOST_TEST(handle.poll(with_second).value().value() == 42);
        }
        BOOST_TEST(old.references == 0);
        BOOST_TEST(fresh.references == 0);
        BOOST_TEST(live == 0);
    }
}

BOOST_AUTO_TEST_CASE(b87_a_join_handle_whose_waker_could_not_be_copied_is_dropped) {
    fragile old;
    fragile fresh;
    {
        queue_scheduler scheduler;
        {
            auto handle = scheduler.spawn(small_future(42));
            rouse::waker const first = old.make();
            rouse::waker const second = fresh.make();
            rouse::context with_first(first);
            rouse::context with_second(second);
            BOOST_TEST(handle.poll(with_first).is_pending());
            fresh.clone_throws = true;
            BOOST_CHECK_THROW(static_cast<void>(handle.poll(with_second)), std::bad_alloc);
        }
        scheduler.run();
        BOOST_TEST(scheduler.live_tasks() == 0);
    }
    BOOST_TEST(old.references == 0);
    BOOST_TEST(fresh.references == 0);
    BOOST_TEST(live == 0);
}
