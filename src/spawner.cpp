// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#include <new>
#include <rouse/detail/slab.hpp>
#include <rouse/detail/spawner.hpp>

namespace rouse::detail {

void spawner_link::release() noexcept {
    // release: what this owner did; acquire: what the others did, before the memory goes
    if (references_.fetch_sub(1, acq_rel) != 1) return;
    this->~spawner_link();
    slab_deallocate(this, sizeof(spawner_link));
}

spawner* spawner_link::take() noexcept {
    lock_guard const guard(lock_);
    return to_ && to_->try_retain() ? to_ : nullptr;
}

void spawner_link::cut() noexcept {
    lock_guard const guard(lock_);
    to_ = nullptr;
}

spawner_link* spawner::link() noexcept {
    spawner_link* known = link_.load(acquire);  // pairs with the exchange
    if (known) return known;
    spawner_link* made = nullptr;
    try {
        made = ::new (slab_allocate(sizeof(spawner_link))) spawner_link(*this);
    } catch (...) {
        return nullptr;
    }
    if (link_.compare_exchange_strong(known, made, acq_rel, acquire)) return made;
    made->release();  // another thread was faster
    return known;
}

void spawner::cut_link() noexcept {
    auto* const link = link_.exchange(nullptr, acq_rel);  // pairs with link()
    if (!link) return;
    link->cut();
    link->release();
}

}  // namespace rouse::detail
