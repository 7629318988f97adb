// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#include <new>
#include <rouse/detail/inbox.hpp>
#include <rouse/detail/slab.hpp>

namespace rouse::detail {

inbox::~inbox() { close(); }

constinit work_item inbox::closed_{nullptr};

work_list inbox::take() noexcept {
    if (empty()) return {};
    // Only the owner takes and closes, so the list cannot be closed now.
    return work_list::from_newest(newest_.exchange(nullptr, acq_rel));  // acquire pairs with push()
}

work_list inbox::close() noexcept {
    // acquire pairs with push(); release with the load in push() that finds the inbox closed
    work_item* newest = newest_.exchange(&closed_, acq_rel);
    return newest == &closed_ ? work_list{} : work_list::from_newest(newest);
}

void shared_inbox::drop() noexcept {
    // release: what this owner did happens before the destruction; acquire: see the others
    if (references_.fetch_sub(1, acq_rel) == 1) {
        this->~shared_inbox();
        slab_deallocate(this, sizeof(shared_inbox));
    }
}

shared_inbox* inbox_owner::acquire_inbox() {
    if (!inbox_) inbox_ = ::new (slab_allocate(sizeof(shared_inbox))) shared_inbox;
    inbox_->retain();
    return inbox_;
}

void inbox_owner::run() {
    if (!inbox_) return;
    inbox_->taken.append(inbox_->items.take());
    // A function may close this inbox.
    while (work_item* item = inbox_ ? inbox_->taken.pop() : nullptr) item->act(item, true);
}

void inbox_owner::close() noexcept {
    auto* const inbox = std::exchange(inbox_, nullptr);
    if (!inbox) return;
    work_list rest = std::move(inbox->taken);
    rest.append(inbox->items.close());
    inbox->drop();
    // Functions are user code, and their destruction may come back here.
}

}  // namespace rouse::detail
