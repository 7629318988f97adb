// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_WAKER_HPP
#define ROUSE_WAKER_HPP

#include <rouse/config.hpp>
#include <utility>

namespace rouse {

// How a waker does what it does: one table per kind of executor, so that executors can be written
// outside this library. `data` is whatever the executor likes.
struct waker_vtable {
    void* (*clone)(void* data);        // the data of one more waker for the same task; may throw
    void (*wake)(void* data);          // wakes, and consumes `data`; must not throw
    void (*wake_by_ref)(void* data);   // wakes, and leaves `data` as it is; must not throw
    void (*drop)(void* data);          // consumes `data`; must not throw
    char const* name;                  // for people who look at a waker in a debugger
};

// A handle that asks for one more poll of a task.
//
// Any thread may wake, copy and destroy wakers of the same task, at any time and any number of
// times, also after the task has completed and after its executor is gone (the wake then does
// nothing). A wake makes everything that the waking thread did before it visible to the poll that
// follows. One waker object, like any object, is changed by one thread at a time.
// A waker that was moved from, or default-constructed, is empty: its wake does nothing.
class ROUSE_DECL waker {
public:
    waker() noexcept = default;

    // Takes over `data`; `vtable` must live as long as any clone.
    waker(void* data, waker_vtable const& vtable) noexcept : data_(data), vtable_(&vtable) {}

    waker(waker const& other)
        : data_(other.vtable_ ? other.vtable_->clone(other.data_) : nullptr),
          vtable_(other.vtable_) {}
    waker(waker&& other) noexcept { swap(other); }

    // A copy that throws leaves the old waker in its place.
    waker& operator=(waker const& other) {
        if (!will_wake(other)) waker(other).swap(*this);
        return *this;
    }
    waker& operator=(waker&& other) noexcept {
        waker(std::move(other)).swap(*this);
        return *this;
    }
    ~waker() {
        if (vtable_) vtable_->drop(data_);
    }

    // Asks for one more poll, and leaves this waker empty: cheaper than wake_by_ref and a drop.
    void wake() && noexcept;

    // Asks for one more poll.
    void wake_by_ref() const noexcept;

    // True if both wake the same task. False may also be said of two that do.
    bool will_wake(waker const& other) const noexcept {
        return data_ == other.data_ && vtable_ == other.vtable_;
    }

    bool empty() const noexcept { return vtable_ == nullptr; }
    void* data() const noexcept { return data_; }
    waker_vtable const* vtable() const noexcept { return vtable_; }

    // Gives up the data without dropping it; this waker is empty afterwards.
    void* release() noexcept {
        vtable_ = nullptr;
        return std::exchange(data_, nullptr);
    }

    void swap(waker& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(vtable_, other.vtable_);
    }

private:
    void* data_ = nullptr;
    waker_vtable const* vtable_ = nullptr;
};

// A waker that borrows its data: what an executor passes to a poll. It costs no reference; a
// future that keeps a copy clones it.
class waker_ref {
public:
    waker_ref(void* data, waker_vtable const& vtable) noexcept : waker_(data, vtable) {}
    waker_ref(waker_ref const&) = delete;
    waker_ref& operator=(waker_ref const&) = delete;
    ~waker_ref() { waker_.release(); }

    waker const& get() const noexcept { return waker_; }

private:
    waker waker_;
};

}  // namespace rouse

#endif
