// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_UNIT_KIT_HPP
#define ROUSE_TEST_SUPPORT_UNIT_KIT_HPP

#include <atomic>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <rouse/detail/work_item.hpp>
#include <rouse/make_task.hpp>
#include <rouse/scheduler.hpp>
#include <rouse/waker.hpp>
#include <source_location>
#include <stdexcept>
#include <utility>
#include <vector>

// What the unit tests poll with: wakers that count, objects that count, futures that are told what
// to do, and an executor that runs nothing until the test says so.

namespace rouse_test {

// Makes wakers and counts what is done with them. It must outlive them.
struct wake_counter {
    std::atomic<int> wakes{0};
    std::atomic<int> clones{0};
    std::atomic<int> live{0};         // wakers that exist
    std::atomic<bool> refuse{false};  // while true, a clone throws

    inline rouse::waker make();
};

inline constexpr rouse::waker_vtable wake_counter_table{
    [](void* data) -> void* {
        auto& self = *static_cast<wake_counter*>(data);
        if (self.refuse) throw std::bad_alloc();
        ++self.clones;
        ++self.live;
        return data;
    },
    [](void* data) {
        auto& self = *static_cast<wake_counter*>(data);
        ++self.wakes;
        --self.live;
    },
    [](void* data) { ++static_cast<wake_counter*>(data)->wakes; },
    [](void* data) { --static_cast<wake_counter*>(data)->live; },
    "wake_counter",
};

inline rouse::waker wake_counter::make() {
    ++live;
    return rouse::waker(this, wake_counter_table);
}

// A waker that does something when it is copied, or woken; once.
struct acting_waker {
    std::function<void()> when_copied{};
    std::function<void()> when_woken{};

    static void act(std::function<void()>& what) {
        if (auto const now = std::exchange(what, nullptr)) now();
    }
    inline rouse::waker make();
};

inline constexpr rouse::waker_vtable acting_waker_table{
    [](void* data) -> void* {
        acting_waker::act(static_cast<acting_waker*>(data)->when_copied);
        return data;
    },
    [](void* data) { acting_waker::act(static_cast<acting_waker*>(data)->when_woken); },
    [](void* data) { acting_waker::act(static_cast<acting_waker*>(data)->when_woken); },
    [](void*) {},
    "acting",
};

inline rouse::waker acting_waker::make() { return rouse::waker(this, acting_waker_table); }

// Counts the wakes by wakers whose copies have other data than what they were copied from.
struct mailbox {
    int wakes = 0;
    int live = 0;  // copies that exist
};

// What such a waker refers to, which an executor keeps somewhere and lends to its polls.
class lent_waker {
public:
    explicit lent_waker(mailbox& to) noexcept : to_(&to) {}

    inline rouse::waker_ref borrowed() noexcept;

    lent_waker* copy() const {
        ++to_->live;
        return new lent_waker(*this);
    }
    void wake() const noexcept { ++to_->wakes; }
    void drop() const noexcept {
        --to_->live;
        delete this;
    }

private:
    mailbox* to_;
};

inline constexpr rouse::waker_vtable lent_waker_table{
    [](void* data) -> void* { return static_cast<lent_waker*>(data)->copy(); },
    [](void* data) {
        static_cast<lent_waker*>(data)->wake();
        static_cast<lent_waker*>(data)->drop();
    },
    [](void* data) { static_cast<lent_waker*>(data)->wake(); },
    [](void* data) { static_cast<lent_waker*>(data)->drop(); },
    "lent",
};

inline rouse::waker_ref lent_waker::borrowed() noexcept {
    return rouse::waker_ref(this, lent_waker_table);
}

// How many tokens were made and how many have died. A token that was moved from is nobody.
struct ledger {
    std::atomic<int> made{0};
    std::atomic<int> died{0};

    int live() const { return made - died; }
    bool exactly_one_died() const { return made == 1 && died == 1; }
};

// Move-only.
class token {
public:
    explicit token(ledger& book) : book_(&book) { ++book.made; }
    token(token&& other) noexcept : book_(std::exchange(other.book_, nullptr)) {}
    token& operator=(token&& other) noexcept {
        std::swap(book_, other.book_);
        return *this;
    }
    ~token() {
        if (book_) ++book_->died;
    }

    explicit operator bool() const noexcept { return book_ != nullptr; }

private:
    ledger* book_;
};

// Runs a function when it dies.
template <class F>
class at_exit {
public:
    explicit at_exit(F f) : function_(std::move(f)) {}
    at_exit(at_exit const&) = delete;
    at_exit& operator=(at_exit const&) = delete;
    ~at_exit() noexcept(noexcept(function_())) { function_(); }

private:
    F function_;
};

// An event that futures wait for. It must outlive them. For one thread.
struct gate {
    bool open = false;
    int polls = 0;
    rouse::waker waiting{};

    void set() {
        open = true;
        std::exchange(waiting, {}).wake();
    }
};

class gate_future {
public:
    explicit gate_future(gate& g) : gate_(&g) {}
    rouse::poll_result<void> poll(rouse::context& cx) {
        ++gate_->polls;
        if (gate_->open) return rouse::ready();
        gate_->waiting = cx.waker();
        return rouse::pending;
    }

private:
    gate* gate_;
};

// Something in flight, as a lending future sees it. It must outlive its futures.
struct loan {
    int polls = 0;
    int cancels = 0;
    bool done = false;       // `poll` and `poll_cancel` find it completed, with `value`
    bool throws = false;     // ... with an exception
    int cancels_needed = 1;  // it lets go at that call of poll_cancel
    int value = 7;
    bool released = false;
    int dropped_in_flight = 0;
    rouse::waker waiting{};
    ledger book{};

    void finish() {
        done = true;
        wake();
    }
    void wake() { std::exchange(waiting, {}).wake(); }
};

class lending {
public:
    explicit lending(loan& l) : loan_(&l), token_(l.book) {}
    lending(lending&&) noexcept = default;
    ~lending() {
        if (token_ && loan_->polls > 0 && !loan_->released) ++loan_->dropped_in_flight;
    }

    rouse::poll_result<int> poll(rouse::context& cx) {
        ++loan_->polls;
        if (loan_->done) return finish();
        loan_->waiting = cx.waker();
        return rouse::pending;
    }
    rouse::cancel_result<int> poll_cancel(rouse::context& cx) {
        ++loan_->cancels;
        if (loan_->polls == 0) return std::optional<int>();  // it was never in flight
        if (loan_->done) return std::optional<int>(finish());
        if (loan_->cancels < loan_->cancels_needed) {
            loan_->waiting = cx.waker();
            return rouse::pending;
        }
        loan_->released = true;
        loan_->waiting = {};
        return std::optional<int>();
    }

private:
    int finish() {
        loan_->released = true;
        if (loan_->throws) throw std::runtime_error("lent");
        return loan_->value;
    }

    loan* loan_;
    token token_;
};

// First in, first out; runs what it is told to run. Any thread may schedule.
class hand_executor final : public rouse::scheduler {
public:
    hand_executor() = default;
    ~hand_executor() { drop_all(); }

    void schedule(rouse::runnable task, rouse::schedule_reason why) noexcept override {
        if (drops) return;  // which destroys it, here and now
        std::lock_guard guard(lock_);
        queue_.push_back(std::move(task));
        reasons_.push_back(why);
    }
    void task_done(rouse::task_header&) noexcept override { ++done; }
    void unhandled_exception(std::exception_ptr error,
                             std::source_location where) noexcept override {
        std::lock_guard guard(lock_);
        unhandled.push_back(std::move(error));
        unhandled_from.push_back(where);
    }
    rouse::services* offered() noexcept override { return services; }

    template <rouse::spawnable X>
    auto spawn(X&& x, std::source_location where = std::source_location::current()) {
        auto halves = rouse::make_task(*this, std::forward<X>(x), where);
        schedule(std::move(halves.runnable), rouse::schedule_reason::spawned);
        return std::move(halves.handle);
    }
    template <rouse::spawnable X>
    void spawn_detached(X&& x, std::source_location where = std::source_location::current()) {
        schedule(rouse::make_detached_task(*this, std::forward<X>(x), where),
                 rouse::schedule_reason::spawned);
    }

    // False: there is nothing to run.
    bool run_one() {
        std::unique_lock guard(lock_);
        if (queue_.empty()) return false;
        rouse::runnable next = std::move(queue_.front());
        queue_.pop_front();
        guard.unlock();
        std::move(next).run();
        return true;
    }
    // How many runs it took until nothing was left; it gives up after `limit`.
    int run_all(int limit = 1000) {
        int runs = 0;
        while (runs < limit && run_one()) ++runs;
        return runs;
    }
    // As an executor that ends.
    void drop_all() {
        for (;;) {
            std::unique_lock guard(lock_);
            if (queue_.empty()) return;
            rouse::runnable next = std::move(queue_.front());
            queue_.pop_front();
            guard.unlock();
        }
    }
    rouse::runnable take_one() {
        std::lock_guard guard(lock_);
        rouse::runnable next = std::move(queue_.front());
        queue_.pop_front();
        return next;
    }

    std::size_t queued() {
        std::lock_guard guard(lock_);
        return queue_.size();
    }
    std::vector<rouse::schedule_reason> reasons() {
        std::lock_guard guard(lock_);
        return reasons_;
    }

    std::atomic<int> done{0};
    std::atomic<bool> drops{false};
    std::vector<std::exception_ptr> unhandled{};
    std::vector<std::source_location> unhandled_from{};
    rouse::services* services = nullptr;

private:
    std::mutex lock_{};
    std::deque<rouse::runnable> queue_{};
    std::vector<rouse::schedule_reason> reasons_{};
};

// A function as what inboxes hold.
template <class F>
class function_item final : public rouse::detail::work_item {
public:
    explicit function_item(F f) : work_item(&function_item::run_or_destroy), function_(std::move(f)) {}

private:
    static void run_or_destroy(work_item* self, bool run) {
        std::unique_ptr<function_item> mine(static_cast<function_item*>(self));
        if (run) mine->function_();
    }

    F function_;
};
template <class F>
rouse::detail::work_item* make_work(F f) {
    return new function_item<F>(std::move(f));
}

// One poll by hand, and what it gave.
template <rouse::future F>
auto poll_once(F& f, rouse::waker const& w = {}) {
    rouse::context cx(w);
    return f.poll(cx);
}
template <rouse::future F>
auto cancel_once(F& f, rouse::waker const& w = {}) {
    rouse::context cx(w);
    return f.poll_cancel(cx);
}

// What an exception says; "not a std::exception" if it is none.
inline char const* what_of(std::exception_ptr const& error) {
    try {
        std::rethrow_exception(error);
    } catch (std::exception const& e) {
        return e.what();  // `error` keeps it alive
    } catch (...) {
        return "not a std::exception";
    }
}

}  // namespace rouse_test

#endif
