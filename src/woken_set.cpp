// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#include <new>
#include <rouse/detail/slab.hpp>
#include <rouse/detail/woken_set.hpp>

namespace rouse::detail {

namespace {

queued_child& child(void* data) noexcept { return *static_cast<queued_child*>(data); }

constexpr waker_vtable queued_child_waker{
    [](void* data) -> void* {
        child(data).retain();
        return data;
    },
    [](void* data) {
        child(data).wake();
        child(data).release();
    },
    [](void* data) { child(data).wake(); },
    [](void* data) { child(data).release(); },
    "rouse queued child",
};

}  // namespace

// Nobody runs the items of the queue: they are taken out one by one, or destroyed with it.
queued_child::queued_child(woken_set& set, deleter d) noexcept
    : work_item([](work_item* self, bool) { static_cast<queued_child*>(self)->release(); }),
      set_(set),
      delete_(d) {
    set_.retain();
}

queued_child::~queued_child() { set_.release(); }

void queued_child::wake() noexcept {
    // release: the poll sees what was done before the wake, also if another wake has queued the
    // child; pairs with the exchange in next()
    if (queued_.exchange(true, acq_rel)) return;
    woken_set& set = set_;
    set.retain();  // the child may be polled, and the set be gone, before the parent is woken
    retain();
    if (set.woken_.push(*this)) {
        set.parent_.wake();
    } else {
        release();
    }
    set.release();
}

waker_ref queued_child::waker() noexcept { return waker_ref(this, queued_child_waker); }

woken_set& woken_set::make() { return *::new (slab_allocate(sizeof(woken_set))) woken_set; }

void woken_set::release() noexcept {
    // release: what was done with the set is done; acquire: for whoever destroys it
    if (references_.fetch_sub(1, acq_rel) != 1) return;
    this->~woken_set();
    slab_deallocate(this, sizeof(woken_set));
}

void woken_set::close() noexcept {
    {
        work_list const waiting = std::move(waiting_);
        work_list const woken = woken_.close();
        waker const parent = parent_.take();
    }
    release();
}

void woken_set::enter(queued_child& child) noexcept {
    all_.push_back(child);
    ++size_;
    if (child.queued_.exchange(true, acq_rel)) return;
    child.retain();
    waiting_.push(child);
    parent_.wake();  // somebody may wait already, and know nothing of this one
}

void woken_set::remove(queued_child& child) noexcept {
    intrusive_list<queued_child>::erase(child);
    --size_;
}

queued_child* woken_set::remove_first() noexcept {
    queued_child* const first = all_.pop_front();
    if (first) --size_;
    return first;
}

void woken_set::look(context& cx) {
    parent_.register_waker(cx.waker());
    waiting_.append(woken_.take());
    std::uint32_t const epoch = cx.cancellation().epoch();
    if (epoch == epoch_) return;
    epoch_ = epoch;
    queue_all();
}

queued_child* woken_set::next() noexcept {
    auto* const child = static_cast<queued_child*>(waiting_.pop());
    // acquire: pairs with wake(). From here on a wake queues it again.
    if (child) child->queued_.exchange(false, acq_rel);
    return child;
}

void woken_set::queue_all() noexcept {
    all_.for_each([this](queued_child& child) {
        if (child.queued_.exchange(true, acq_rel)) return;
        child.retain();
        waiting_.push(child);
    });
}

}  // namespace rouse::detail
