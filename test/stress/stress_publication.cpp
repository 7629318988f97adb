// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// What a thread did before its wake, its drop of a waker or the completion of its task is visible
// to whoever acts on that. Each case makes two threads touch a plain object one after the other,
// where nothing but the library orders the two (what else the threads tell each other is relaxed):
// ThreadSanitizer reports an order that is missing, without any luck in timing.

#include <support/stress_threads.hpp>

#include <rouse/atomic_waker.hpp>
#include <rouse/detail/inbox.hpp>
#include <rouse/make_task.hpp>

#include <boost/test/unit_test.hpp>

#include <deque>

BOOST_AUTO_TEST_SUITE(test_stress_publication)

namespace {

// Tells another thread to go on, and orders nothing.
class relaxed_flag {
public:
    void raise() noexcept { raised_.store(true, std::memory_order_relaxed); }
    void wait() const noexcept {
        while (!raised_.load(std::memory_order_relaxed)) std::this_thread::yield();
    }

private:
    std::atomic<bool> raised_{false};
};

// Has other threads do something, and waits for that without joining them, which would order
// everything. They are joined, and what the functions hold is destroyed, at the end of the test.
class helpers {
public:
    helpers() = default;
    ~helpers() { finish(); }
    void finish() {
        end_.raise();
        for (auto& thread : threads_) thread.join();
        threads_.clear();
    }
    template <class Function>
    void do_elsewhere(Function function) {
        relaxed_flag& done = start_elsewhere(std::move(function));
        done.wait();
    }
    // Does not wait: the flag is raised when it is done.
    template <class Function>
    relaxed_flag& start_elsewhere(Function function) {
        relaxed_flag& done = flags_.emplace_back();
        threads_.emplace_back([&done, &end = end_, function = std::move(function)]() mutable {
            function();
            done.raise();
            end.wait();
        });
        return done;
    }

private:
    relaxed_flag end_;
    std::deque<relaxed_flag> flags_;
    std::vector<std::thread> threads_;
};

// Keeps the runnable of one task until the test runs it.
class held_scheduler final : public rouse::scheduler {
public:
    void schedule(rouse::runnable task, rouse::schedule_reason) noexcept override {
        held_.store(task.release(), std::memory_order_relaxed);
    }
    // The completing thread lets the test go on, and stays here until the test allows it: so that
    // its next step, giving up its reference, does not order anything.
    void task_done(rouse::detail::task_header&) noexcept override {
        if (!pauses) return;
        done.raise();
        go_on.wait();
    }
    // Runs what was scheduled. False: nothing was.
    bool run() {
        auto* const task = held_.exchange(nullptr, std::memory_order_relaxed);
        if (task) rouse::runnable(task).run();
        return task != nullptr;
    }

    bool pauses = false;
    relaxed_flag done;
    relaxed_flag go_on;

private:
    std::atomic<rouse::detail::task_header*> held_{nullptr};
};

// A task that is pending until its second poll, which reads what the waking thread wrote.
struct reader {
    reader(int& what, rouse::waker& leave) noexcept : what_(&what), leave_(&leave) {}

    rouse::poll_result<int> poll(rouse::context& cx) {
        if (++polls_ > 1) return *what_;
        *leave_ = cx.waker();
        return rouse::pending;
    }

private:
    int* what_;
    rouse::waker* leave_;
    unsigned polls_ = 0;
};

int joined(rouse::join_handle<int>& handle) {
    rouse::waker const nobody;
    rouse::context cx(nobody);
    auto polled = handle.poll(cx);
    return polled.is_ready() ? polled.value() : -1;
}

// A task that was polled once; a thread of `others` writes and wakes.
struct reading_task {
    reading_task() : handle(start()) {}

    // What the second poll has read after the write and `wake` of another thread.
    template <class Wake>
    int read_after(Wake wake) {
        others.do_elsewhere([this, wake, mine = waker]() mutable {
            written = 42;
            wake(mine);
        });
        return scheduler.run() ? joined(handle) : -2;
    }

    helpers others;
    int written = 0;
    held_scheduler scheduler;
    rouse::waker waker;
    rouse::join_handle<int> handle;

private:
    rouse::join_handle<int> start() {
        auto [runnable, joiner] = rouse::make_task(scheduler, reader(written, waker));
        std::move(runnable).run();
        return std::move(joiner);
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(b5_a_wake_that_schedules_shows_its_poll_what_came_before) {
    {
        reading_task task;
        BOOST_TEST(task.read_after([](rouse::waker& w) { w.wake_by_ref(); }) == 42);
    }
    {
        reading_task task;
        BOOST_TEST(task.read_after([](rouse::waker& w) { std::move(w).wake(); }) == 42);
    }
}

BOOST_AUTO_TEST_CASE(b5_a_wake_of_a_queued_task_shows_its_poll_what_came_before) {
    {
        reading_task task;
        task.waker.wake_by_ref();  // queued already
        BOOST_TEST(task.read_after([](rouse::waker& w) { w.wake_by_ref(); }) == 42);
    }
    {
        reading_task task;
        task.waker.wake_by_ref();
        BOOST_TEST(task.read_after([](rouse::waker& w) { std::move(w).wake(); }) == 42);
    }
}

namespace {

// Counts its polls in a plain integer; ready at the third.
class third_time {
public:
    third_time(bool yields, rouse::waker& leave) noexcept : yields_(yields), leave_(&leave) {}

    rouse::poll_result<int> poll(rouse::context& cx) {
        if (++polls_ == 3) return polls_;
        if (yields_) {
            cx.yield();
        } else {
            *leave_ = cx.waker();
        }
        return rouse::pending;
    }

private:
    bool yields_;
    rouse::waker* leave_;
    int polls_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b4_a_poll_shows_the_next_poll_on_another_thread_what_it_did) {
    for (bool yields : {false, true}) {
        helpers others;
        rouse::waker waker;
        held_scheduler scheduler;
        auto [runnable, handle] = rouse::make_task(scheduler, third_time(yields, waker));
        scheduler.schedule(std::move(runnable), rouse::schedule_reason::spawned);
        for (int poll = 0; poll < 3; ++poll) {
            others.do_elsewhere([&, poll] {
                scheduler.run();
                if (!yields && poll < 2) waker.wake_by_ref();
            });
        }
        BOOST_TEST(joined(handle) == 3);
    }
}

namespace {

// Polled once, it has another thread write and wake, and waits for that, all within the poll.
class wakes_during_poll {
public:
    wakes_during_poll(helpers& h, bool twice) noexcept : helpers_(&h), twice_(twice) {}

    rouse::poll_result<int> poll(rouse::context& cx) {
        if (++polls_ > 1) return written_;
        helpers_->do_elsewhere([this, waker = cx.waker()]() mutable {
            if (twice_) waker.wake_by_ref();  // what follows finds the mark set
            written_ = 42;
            std::move(waker).wake();
        });
        return rouse::pending;
    }

private:
    helpers* helpers_;
    bool twice_;
    int written_ = 0;
    unsigned polls_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b2_a_wake_during_a_poll_shows_the_next_poll_what_came_before) {
    for (bool twice : {false, true}) {
        helpers others;
        held_scheduler scheduler;
        auto [runnable, handle] = rouse::make_task(scheduler, wakes_during_poll(others, twice));
        std::move(runnable).run();
        while (scheduler.run()) {
        }
        BOOST_TEST(joined(handle) == 42);
    }
}

namespace {

// Nobody can wake it when its poll is over; the thread that dropped the last waker had written
// into the future before.
class orphaned_by_another_thread {
public:
    orphaned_by_another_thread(helpers& h, int& sum) noexcept : helpers_(&h), sum_(&sum) {}
    orphaned_by_another_thread(orphaned_by_another_thread&& other) noexcept
        : helpers_(other.helpers_), sum_(std::exchange(other.sum_, nullptr)) {}
    ~orphaned_by_another_thread() {
        if (sum_) *sum_ += written_;
    }

    rouse::poll_result<void> poll(rouse::context& cx) {
        write_elsewhere(cx);
        return rouse::pending;
    }
    rouse::cancel_result<void> poll_cancel(rouse::context& cx) {
        write_elsewhere(cx);
        return rouse::pending;
    }

private:
    void write_elsewhere(rouse::context& cx) {
        helpers_->do_elsewhere([this, waker = cx.waker()]() mutable {
            written_ += 21;
            waker = {};
        });
    }

    helpers* helpers_;
    int* sum_;
    int written_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b8_the_drop_of_the_last_waker_shows_the_destructor_what_came_before) {
    held_scheduler scheduler;
    int sum = 0;
    helpers others;
    auto runnable = rouse::make_detached_task(scheduler, orphaned_by_another_thread(others, sum));
    std::move(runnable).run();
    BOOST_TEST(sum == 42);
}

namespace {

// Leaves its waker; its destructor adds what another thread has written.
class sums_up {
public:
    sums_up(int& sum, int& written, rouse::waker& leave) noexcept
        : sum_(&sum), written_(&written), leave_(&leave) {}
    sums_up(sums_up&& other) noexcept
        : sum_(std::exchange(other.sum_, nullptr)),
          written_(other.written_),
          leave_(other.leave_) {}
    ~sums_up() {
        if (sum_) *sum_ += *written_;
    }

    rouse::poll_result<void> poll(rouse::context& cx) {
        *leave_ = cx.waker();
        return rouse::pending;
    }

private:
    int* sum_;
    int* written_;
    rouse::waker* leave_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b8_a_waker_dropped_last_by_another_thread_shows_the_destructor_what_it_did) {
    helpers others;
    int sum = 0;
    int written = 0;
    rouse::waker kept;
    held_scheduler scheduler;
    auto runnable = rouse::make_detached_task(scheduler, sums_up(sum, written, kept));
    std::move(runnable).run();
    others.do_elsewhere([&written, waker = std::move(kept)]() mutable {
        written = 42;
        waker = {};
    });
    BOOST_TEST(scheduler.run());
    BOOST_TEST(sum == 42);
}

BOOST_AUTO_TEST_CASE(b32_an_abort_shows_the_destructor_what_came_before) {
    for (bool queued : {false, true}) {
        helpers others;
        int written = 0;
        int sum = 0;
        rouse::waker kept;
        held_scheduler scheduler;
        auto [runnable, handle] = rouse::make_task(scheduler, sums_up(sum, written, kept));
        std::move(runnable).run();
        if (queued) kept.wake_by_ref();
        others.do_elsewhere([&written, &joiner = handle] {
            written = 42;
            joiner.abort();
        });
        BOOST_TEST(scheduler.run());
        BOOST_TEST(sum == 42);
    }
}

namespace {

// An output whose destructor adds to a sum.
struct adding_output {
    adding_output(int& s, int o) noexcept : sum(&s), own(o) {}
    adding_output(adding_output&& other) noexcept
        : sum(std::exchange(other.sum, nullptr)), own(other.own) {}
    adding_output& operator=(adding_output&&) = delete;
    ~adding_output() {
        if (sum) *sum += own;
    }

    int* sum;
    int own;
};

// Completed by another thread, which stays between completion and its last step.
struct completed_elsewhere {
    completed_elsewhere() : handle(start()) {}
    ~completed_elsewhere() {
        scheduler.go_on.raise();
        others.finish();
    }

    helpers others;
    held_scheduler scheduler;
    int written = 0;
    int sum = 0;
    rouse::join_handle<adding_output> handle;

private:
    rouse::join_handle<adding_output> start() {
        scheduler.pauses = true;
        auto [runnable, joiner] =
            rouse::make_task(scheduler, rouse::poll_fn([this](rouse::context&) {
                                 written = 43;
                                 return rouse::poll_result<adding_output>(adding_output(sum, 42));
                             }));
        others.start_elsewhere([task = std::move(runnable)]() mutable { std::move(task).run(); });
        scheduler.done.wait();
        return std::move(joiner);
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(b29_the_joiner_sees_what_the_completing_thread_did) {
    completed_elsewhere task;
    rouse::waker const nobody;
    rouse::context cx(nobody);
    {
        auto const polled = task.handle.poll(cx);
        BOOST_TEST(polled.is_ready());
        BOOST_TEST(task.written == 43);
    }
    BOOST_TEST(task.sum == 42);
}

BOOST_AUTO_TEST_CASE(b29_who_asks_whether_it_is_finished_sees_what_the_completing_thread_did) {
    completed_elsewhere task;
    BOOST_TEST(task.handle.is_finished());
    BOOST_TEST(task.written == 43);
}

BOOST_AUTO_TEST_CASE(b29_who_drops_the_handle_destroys_an_output_that_it_sees) {
    completed_elsewhere task;
    task.handle.detach();
    BOOST_TEST(task.sum == 42);
}

BOOST_AUTO_TEST_CASE(b11_a_wake_of_an_atomic_waker_shows_its_registrant_what_came_before) {
    // The wake comes first; the registration that follows must see what it brought.
    rouse::atomic_waker slot;
    int written = 0;
    relaxed_flag woken;
    std::thread other([&] {
        written = 42;
        slot.wake();
        woken.raise();
    });
    woken.wait();
    slot.register_waker(rouse::waker());
    int const seen = written;
    other.join();
    BOOST_TEST(seen == 42);
}

BOOST_AUTO_TEST_CASE(b42_an_inbox_shows_the_taker_and_the_refused_what_came_before) {
    struct item : rouse::detail::work_item {
        explicit item(int& s) noexcept : work_item(&add), sum(&s) {}
        static void add(work_item* self, bool) {
            auto* const mine = static_cast<item*>(self);
            *mine->sum += mine->value;
            delete mine;
        }
        int* sum;
        int value = 21;
    };
    rouse::detail::inbox inbox;
    int sum = 0;
    relaxed_flag pushed;
    relaxed_flag refused;
    int written_before_close = 0;
    int seen_by_refused = 0;
    relaxed_flag closed;
    std::thread other([&] {
        for (int i = 0; i < 2; ++i) {
            if (!inbox.push(*new item(sum))) return;
        }
        pushed.raise();
        closed.wait();
        item late(sum);
        if (!inbox.push(late)) seen_by_refused = written_before_close;
        refused.raise();
    });
    pushed.wait();
    while (true) {
        auto batch = inbox.take();
        if (batch.empty()) break;
        while (auto* const next = batch.pop()) next->act(next, true);
    }
    int const taken = sum;
    written_before_close = 42;
    inbox.close();
    closed.raise();
    refused.wait();
    other.join();
    BOOST_TEST(taken == 42);
    BOOST_TEST(seen_by_refused == 42);
}

BOOST_AUTO_TEST_SUITE_END()
