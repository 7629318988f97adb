// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_CANCEL_BENCH_HPP
#define ROUSE_TEST_SUPPORT_CANCEL_BENCH_HPP

#include <support/unit_kit.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <rouse/detail/spawner.hpp>
#include <rouse/detail/time_driver.hpp>
#include <rouse/error.hpp>
#include <rouse/future.hpp>
#include <rouse/task_group.hpp>
#include <rouse/unhandled.hpp>
#include <source_location>
#include <stdexcept>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

// What a row of the table of futures (cancel_table.hpp) works with: a runtime by hand, and futures that
// have something in flight and tell what became of it.

namespace rouse_test {

// How what is in flight lets go when it is asked to, by an abort or a cancellation.
enum class release { at_once, slowly, completed, failed };

// A value that somebody has produced. Copies are the same value.
class prize {
public:
    explicit prize(std::shared_ptr<token> mark) : mark_(std::move(mark)) {}

private:
    std::shared_ptr<token> mark_;
};

// The same as an exception.
class failure : public std::runtime_error {
public:
    explicit failure(std::shared_ptr<token> mark)
        : runtime_error("planned"), mark_(std::move(mark)) {}

private:
    std::shared_ptr<token> mark_;
};

inline bool is_failure(std::exception_ptr const& error) {
    try {
        std::rethrow_exception(error);
    } catch (failure const&) {
        return true;
    } catch (rouse::group_error const&) {
        return true;
    } catch (...) {
        return false;
    }
}

// Something in flight.
struct lent {
    int polls = 0;
    int told = 0;  // how often it was asked to let go
    bool fails = false;
    bool clean_up = false;  // the world finishes it also when everything ends
    bool done = false;
    bool letting_go = false;
    bool has_let_go = false;
    bool over = false;
    int dropped_in_flight = 0;
    rouse::waker waiting{};

    bool in_flight() const { return polls > 0 && !over; }
    void wake() { std::exchange(waiting, {}).wake(); }
};

class bench;

template <class T>
class part;

// One for each trial. It outlives all that it makes.
class bench final : public rouse::services,
                    private rouse::detail::time_driver,
                    private rouse::detail::spawner {
public:
    using duration = std::chrono::steady_clock::duration;
    using time_point = rouse::detail::time_point;

    explicit bench(enum release r) : how(r), others_(rouse::set_unhandled_handler(&count_unhandled)) {
        executor.services = this;
        unhandled = 0;
    }
    bench(bench const&) = delete;
    bench& operator=(bench const&) = delete;
    ~bench() {
        let_die();
        rouse::set_unhandled_handler(others_);
    }

    // A future that is in flight from its first poll until the world has it done. They are done one after
    // the other, in the order of their numbers, or in that in which they were made.
    inline part<prize> value(std::size_t number = next);
    inline part<prize> failing(std::size_t number = next);
    inline part<void> errand(std::size_t number = next);
    inline part<void> clean_up(std::size_t number = next);

    // The world goes on by one step: a part is done, a second has passed, a task runs.
    void step() {
        ++steps;
        for (auto& l : parts) {
            if (l.in_flight() && !l.done) {
                l.done = true;
                l.wake();
                break;
            }
        }
        if (each_step) each_step(steps);
        advance(std::chrono::milliseconds(1001));
        if (outside) outside();
        executor.run_one();
    }

    // What happens when nothing new comes in: who was asked to let go does, and tasks run.
    void settle() {
        for (int round = 0; round < 4; ++round) {
            for (auto& l : parts) {
                bool const helps = l.in_flight() && l.clean_up && !l.done;
                if (!helps && !(l.letting_go && !l.has_let_go)) continue;
                (helps ? l.done : l.has_let_go) = true;
                l.wake();
            }
            if (outside) outside();
            executor.run_all();
        }
    }

    // One poll by hand; `woken` says whether there has to be another.
    template <class Poll>
    auto with_context(Poll poll) {
        rouse::poll_root root;
        root.waker = &waker;
        root.cancellation = &cancellation;
        root.inbox = &late_functions;
        root.offered = this;
        root.budget = budget;
        rouse::context cx(root);
        late_functions.run();
        struct look {
            bench& b;
            rouse::poll_root& r;
            ~look() { b.again_ = b.again_ || r.requeue || b.cancellation.take_unmasked(); }
        } const look_afterwards{*this, root};
        return poll(cx);
    }
    bool woken() {
        bool const again = std::exchange(again_, false);
        return wakes.wakes.exchange(0) != 0 || again;
    }

    void advance(duration d) {
        now_ += d;
        wheel_.advance(rouse::detail::present_tick(now_));
    }
    std::size_t timers() const { return wheel_.size(); }
    time_point now() noexcept override { return now_; }

    // A product is lost when nobody has it any more.
    std::shared_ptr<token> produce() {
        auto mark = std::make_shared<token>(book);
        products_.push_back(mark);
        return mark;
    }
    unsigned lost() const {
        unsigned n = 0;
        for (auto const& p : products_) n += p.expired();
        return n;
    }
    std::size_t produced() const { return products_.size(); }

    int dropped_in_flight() const {
        int n = 0;
        for (auto const& l : parts) n += l.dropped_in_flight;
        return n;
    }
    // Of exceptions that nobody was there for any more.
    int reported() const { return unhandled + static_cast<int>(executor.unhandled.size()); }
    void forget_reports() { executor.unhandled.clear(); }

    // What the parts have, who are the world.
    void forget_wakers() {
        for (auto& l : parts) l.waiting = {};
        late_functions.close();
    }

    enum release const how;
    ledger book{};
    wake_counter wakes{};
    rouse::waker waker = wakes.make();
    rouse::cancellation_state cancellation{};
    rouse::detail::inbox_owner late_functions{};
    std::deque<lent> parts{};
    hand_executor executor{};
    bool spawns = false;                            // a spawner is offered
    unsigned budget = rouse::poll_root::unlimited;  // of each poll by hand
    int steps = 0;
    std::function<void(int)> each_step{};
    std::function<void()> outside{};                  // an event loop, perhaps
    std::vector<std::shared_ptr<void>> kept_alive{};  // what a row's future refers to

    // Keeps something until the future is gone.
    template <class X>
    X& keep(std::shared_ptr<X> x) {
        kept_alive.push_back(x);
        return *x;
    }
    // The last one first: a timer before its event loop.
    void let_die() {
        while (!kept_alive.empty()) kept_alive.pop_back();
    }

private:
    inline static int unhandled = 0;
    static void count_unhandled(std::exception_ptr, std::source_location) { ++unhandled; }

    static constexpr std::size_t next = static_cast<std::size_t>(-1);

    lent& lent_at(std::size_t number) {
        if (number == next) number = parts.size();
        while (parts.size() <= number) parts.emplace_back();
        return parts[number];
    }

    void enter(rouse::detail::timer_entry& entry, time_point when, rouse::waker w) override {
        wheel_.enter(entry, rouse::detail::deadline_tick(when), std::move(w));
    }
    bool try_retain() noexcept override { return true; }
    void release() noexcept override {}
    void report(std::exception_ptr error, std::source_location where) noexcept override {
        rouse::report_unhandled(std::move(error), where);
    }
    void spawn(rouse::any_future<>&& f, std::source_location where) override {
        executor.spawn_detached(std::move(f), where);
    }
    void* find(std::type_info const& type) noexcept override {
        if (type == typeid(time_driver)) return static_cast<time_driver*>(this);
        if (type == typeid(spawner) && spawns) return static_cast<spawner*>(this);
        return nullptr;
    }

    time_point now_{std::chrono::hours(1000)};
    rouse::detail::timer_wheel wheel_{rouse::detail::present_tick(now_)};
    bool again_ = false;
    rouse::unhandled_handler others_;
    std::vector<std::weak_ptr<token>> products_{};
};

// See bench::value. T is prize or void.
template <class T>
class [[nodiscard]] part {
public:
    part(bench& b, lent& l) : bench_(&b), lent_(&l), token_(b.book) {}
    part(part&&) noexcept = default;
    ~part() {
        if (token_ && lent_->in_flight()) ++lent_->dropped_in_flight;
    }

    rouse::poll_result<T> poll(rouse::context& cx) {
        ++lent_->polls;
        if (lent_->done) return complete<rouse::poll_result<T>>();
        if (cx.cancellation().requested() != rouse::cancellation_type::none) {
            switch (told(cx)) {
                case answer::wait: return rouse::pending;
                case answer::stopped: rouse::detail::throw_cancelled();
                case answer::completed: return complete<rouse::poll_result<T>>();
            }
        }
        lent_->waiting = cx.waker();
        return rouse::pending;
    }

    rouse::cancel_result<T> poll_cancel(rouse::context& cx) {
        if (lent_->polls == 0) {
            lent_->over = true;
            return typename rouse::cancel_value<T>::type{};
        }
        if (!lent_->done) {
            switch (told(cx)) {
                case answer::wait: return rouse::pending;
                case answer::stopped: return typename rouse::cancel_value<T>::type{};
                case answer::completed: break;
            }
        }
        if constexpr (std::is_void_v<T>) {
            static_cast<void>(complete<rouse::poll_result<void>>());
            return true;
        } else {
            return complete<std::optional<T>>();
        }
    }

private:
    enum class answer { wait, stopped, completed };

    answer told(rouse::context& cx) {
        ++lent_->told;
        switch (bench_->how) {
            case release::at_once: break;
            case release::slowly:
                if (lent_->has_let_go) break;
                lent_->letting_go = true;
                lent_->waiting = cx.waker();
                return answer::wait;
            case release::failed: lent_->fails = true; return answer::completed;
            case release::completed: return answer::completed;
        }
        lent_->over = true;
        return answer::stopped;
    }

    template <class Result>
    Result complete() {
        lent_->over = true;
        if (lent_->fails) throw failure(bench_->produce());
        if constexpr (std::is_void_v<T>) {
            return rouse::ready();
        } else {
            return prize(bench_->produce());
        }
    }

    bench* bench_;
    lent* lent_;
    token token_;
};

inline part<prize> bench::value(std::size_t number) { return {*this, lent_at(number)}; }
inline part<prize> bench::failing(std::size_t number) {
    auto& l = lent_at(number);
    l.fails = true;
    return {*this, l};
}
inline part<void> bench::errand(std::size_t number) { return {*this, lent_at(number)}; }
inline part<void> bench::clean_up(std::size_t number) {
    auto& l = lent_at(number);
    l.clean_up = true;
    return {*this, l};
}

}  // namespace rouse_test

#endif
