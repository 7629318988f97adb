// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_HTTP_SERVER_CONNECTIONS_HPP
#define ROUSE_EXAMPLE_HTTP_SERVER_CONNECTIONS_HPP

#include <cstddef>
#include <list>
#include <mutex>
#include <rouse.hpp>
#include <utility>
#include <vector>

// The tasks of a server's connections: not more than a limit, and all can be asked to end, which
// they see as a cancellation. A task masks that while it must not be disturbed.
class connections {
    struct entry {
        rouse::waker waker;
        rouse::cancellation_state* cancellation = nullptr;  // kept alive by the waker
    };

public:
    explicit connections(std::size_t limit) : limit_(limit) {}

    // One of the places that there are. It is given back when it is destroyed.
    class place {
    public:
        place(connections& all, std::list<entry>::iterator self) : all_(&all), self_(self) {}
        place(place&& other) noexcept
            : all_(std::exchange(other.all_, nullptr)), self_(other.self_) {}
        ~place() {
            if (all_) all_->leave(self_);
        }

        // Awaited by the task that has the place: gives the task's cancellation state.
        auto take() {
            return rouse::poll_fn([this](rouse::context& cx) {
                all_->enter(*self_, cx);
                return rouse::poll_result<rouse::cancellation_state*>(&cx.cancellation());
            });
        }

    private:
        connections* all_;
        std::list<entry>::iterator self_;
    };

    // A place, as soon as there is one; and the moment when all are free. One task at a time may
    // wait for either.
    auto free_place() {
        return rouse::poll_fn([this](rouse::context& cx) -> rouse::poll_result<place> {
            left_.register_waker(cx.waker());  // first this, then the look
            std::lock_guard lock(mutex_);
            if (entries_.size() == limit_) return rouse::pending;
            return place(*this, entries_.emplace(entries_.end()));
        });
    }
    auto all_gone() {
        return rouse::poll_fn([this](rouse::context& cx) -> rouse::poll_result<void> {
            left_.register_waker(cx.waker());
            std::lock_guard lock(mutex_);
            if (!entries_.empty()) return rouse::pending;
            return rouse::ready();
        });
    }

    // Asks all to end, also those that come later.
    void close() {
        std::vector<rouse::waker> asked;
        {
            std::lock_guard lock(mutex_);
            closing_ = true;
            for (auto const& each : entries_) {
                if (!each.cancellation) continue;  // it has not begun
                each.cancellation->request(rouse::cancellation_type::terminal);
                asked.push_back(each.waker);
            }
        }
        for (auto& each : asked) std::move(each).wake();
    }
    bool closing() const {
        std::lock_guard lock(mutex_);
        return closing_;
    }

private:
    void enter(entry& self, rouse::context& cx) {
        std::lock_guard lock(mutex_);
        self.waker = cx.waker();
        self.cancellation = &cx.cancellation();
        if (closing_) cx.cancellation().request(rouse::cancellation_type::terminal);
    }

    void leave(std::list<entry>::iterator self) {
        {
            std::lock_guard lock(mutex_);
            entries_.erase(self);
        }
        left_.wake();
    }

    std::size_t const limit_;
    mutable std::mutex mutex_;
    std::list<entry> entries_;
    bool closing_ = false;
    rouse::atomic_waker left_;
};

#endif
