// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#ifndef ROUSE_DELAY_QUEUE_HPP
#define ROUSE_DELAY_QUEUE_HPP

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <rouse/detail/slab_allocator.hpp>
#include <rouse/detail/timer.hpp>
#include <rouse/future.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

// Values that come out when their time has come.
//
//     rouse::delay_queue<std::string> sessions;
//     auto key = sessions.insert("alice", 30min);
//     while (auto expired = co_await sessions.next()) forget(*expired);
//
// One timer of the runtime stands for all values. The clock is that of the task in which a value is
// inserted or reset; outside of a task it is the steady clock. One thread at a time. It does not move.
// Inserting, removing and resetting take logarithmic time; two allocations for each value,
// recycled.
template <class T>
class delay_queue {
    static_assert(std::is_object_v<T> && std::is_nothrow_destructible_v<T>,
                  "rouse: delay_queue<T>: T is an object type whose destructor does not throw");
    struct item;
    using time_point = std::chrono::steady_clock::time_point;
    template <class U>
    using allocator = detail::slab_allocator<U>;
    using items = std::multimap<time_point, std::shared_ptr<item>, std::less<time_point>,
                                allocator<std::pair<time_point const, std::shared_ptr<item>>>>;
    struct item {
        item(T v, delay_queue const& q) : value(std::move(v)), queue(&q) {}
        T value;
        delay_queue const* queue;  // null: it is in none any more
        typename items::iterator place{};
    };

public:
    // Says which value. It may outlive the value and the queue. A default-constructed one says none.
    class key {
    public:
        key() noexcept = default;

    private:
        friend class delay_queue;
        explicit key(std::weak_ptr<item> i) noexcept : item_(std::move(i)) {}
        std::weak_ptr<item> item_{};
    };

    delay_queue() noexcept {}
    delay_queue(delay_queue&&) = delete;
    delay_queue& operator=(delay_queue&&) = delete;
    ~delay_queue() {
        for (auto& [when, i] : items_) i->queue = nullptr;
    }

    std::size_t size() const noexcept { return items_.size(); }
    bool empty() const noexcept { return items_.empty(); }

    // The value comes out after so long: zero or less, with the next look. Who awaits `next` hears of
    // it. Throws std::bad_alloc; the value is lost then.
    template <class Rep, class Period>
    key insert(T value, std::chrono::duration<Rep, Period> delay) {
        return insert_at(std::move(value), detail::later(detail::time_here(), detail::saturated(delay)));
    }
    // The same, with a moment of the runtime's clock, or of another one. The latter becomes one of the runtime's here:
    // equal ones may differ by what passes between two looks at two clocks.
    template <class Clock, class Duration>
    key insert_at(T value, std::chrono::time_point<Clock, Duration> moment) {
        time_point const when = detail::at_runtime(moment);
        auto made = std::allocate_shared<item>(allocator<item>(), std::move(value), *this);
        made->place = items_.emplace(when, made);
        tell();
        return key(made);
    }

    // Takes a value out before its time. None, if it has come out, or was never in this queue.
    std::optional<T> remove(key const& k) {
        auto const found = find(k);
        if (!found) return std::nullopt;
        std::optional<T> taken(take(found->place));
        tell();  // there may be nothing left to wait for
        return taken;
    }

    // Another time for a value. False: it has come out, or was never in this queue.
    template <class Rep, class Period>
    bool reset(key const& k, std::chrono::duration<Rep, Period> delay) {
        auto const found = find(k);
        if (!found) return false;
        auto node = items_.extract(found->place);
        node.key() = detail::later(detail::time_here(), detail::saturated(delay));
        found->place = items_.insert(std::move(node));
        tell();
        return true;
    }

    // What `next` returns: a view of the queue, which must outlive it.
    class [[nodiscard]] next_future {
    public:
        explicit next_future(delay_queue& of) noexcept : of_(&of) {}
        next_future(next_future&& other) noexcept
            : of_(other.of_), waits_(std::exchange(other.waits_, false)) {}
        next_future& operator=(next_future&&) = delete;
        // Nobody is woken for it any more.
        ~next_future() {
            if (waits_) of_->leave();
        }

        poll_result<std::optional<T>> poll(context& cx) {
            waits_ = true;
            try {
                auto polled = of_->poll_next(cx);
                waits_ = polled.is_pending();
                return polled;
            } catch (...) {
                of_->leave();
                waits_ = false;
                throw;
            }
        }

    private:
        delay_queue* of_;
        bool waits_ = false;  // who is woken is its own
    };

    // The next value whose time has come, in the order of their times, and of those with the same
    // time in the order in which they were inserted; none if the queue is empty. Dropped while
    // pending, or lost in a select, nothing is lost. Throws system_error with operation_aborted if
    // the task is cancelled. For one waiter at a time.
    next_future next() noexcept { return next_future(*this); }

private:
    std::shared_ptr<item> find(key const& k) const noexcept {
        auto found = k.item_.lock();
        if (found && found->queue != this) found.reset();
        return found;
    }

    T take(typename items::iterator place) {
        auto const taken = std::move(place->second);
        items_.erase(place);
        taken->queue = nullptr;
        return std::move(taken->value);
    }

    // The earliest value is another one, perhaps.
    void tell() noexcept { std::exchange(waiting_, {}).wake(); }

    poll_result<std::optional<T>> poll_next(context& cx) {
        if (!detail::may_begin(cx)) return pending;
        if (items_.empty()) {
            if (!cx.spend()) return pending;
            leave();
            return std::optional<T>();
        }
        auto const first = items_.begin();
        if (first->first > detail::time_driver_of(cx).now()) {
            if (!timer_.has_begun() || timer_.when() != first->first) {
                timer_.stop();  // it is this one that waits
                timer_.reset(first->first);
            }
            waiting_ = cx.waker();
            if (!timer_.poll(cx)) return pending;
        }
        if (!cx.spend()) return pending;
        leave();
        return std::optional<T>(take(first));
    }

    // Nobody waits any more.
    void leave() noexcept {
        timer_.stop();
        waiting_ = {};
    }

    items items_;
    detail::timer timer_ = detail::timer::at({});
    waker waiting_;  // who awaits `next`
};

}  // namespace rouse

#endif
