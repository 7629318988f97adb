// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#include <cstddef>
#include <new>
#include <rouse/atomic_waker.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/child_wakers.hpp>
#include <rouse/detail/slab.hpp>

namespace rouse::detail {

// Behind it in the same memory stands one byte for each child, which says its number: the byte's
// address is the data of the child's wakers, and leads back to the block.
class child_block {
public:
    static child_block& make(unsigned n) {
        return *::new (slab_allocate(sizeof(child_block) + n)) child_block(n);
    }

    // The block in which the byte lies.
    static child_block& of(void const* number) noexcept {
        auto const* byte = static_cast<unsigned char const*>(number);
        auto const* end = reinterpret_cast<std::byte const*>(byte - *byte);
        return *std::launder(reinterpret_cast<child_block*>(
            const_cast<std::byte*>(end - sizeof(child_block))));
    }
    unsigned char* number(unsigned index) noexcept {
        return reinterpret_cast<unsigned char*>(this) + sizeof(child_block) + index;
    }

    void retain() noexcept { references_.fetch_add(1, relaxed); }  // the caller has a reference
    void release() noexcept {
        // release: what was done with the block is done; acquire: for whoever destroys it. The last
        // one needs no exchange: there is nobody who could make another reference.
        if (references_.load(acquire) != 1 && references_.fetch_sub(1, acq_rel) != 1) return;
        std::size_t const bytes = sizeof(child_block) + children_;
        this->~child_block();
        slab_deallocate(this, bytes);
    }

    void wake(unsigned index) noexcept {
        // release: the child's poll sees what was done before the wake; pairs with take()
        if (woken_.fetch_or(child_wakers::bits{1} << index, acq_rel) == 0) parent_.wake();
    }

    child_wakers::bits take(waker const& parent) {
        parent_.register_waker(parent);
        return woken_.exchange(0, acq_rel);  // pairs with wake()
    }

    // In two steps: the wakes so far are forgotten, and, when all were polled, those since are looked for.
    void forget() noexcept { woken_.exchange(0, acq_rel); }  // pairs with wake()
    bool await(waker const& parent) {
        parent_.register_waker(parent);
        return woken_.load(acquire) != 0;  // pairs with wake()
    }

private:
    explicit child_block(unsigned n) noexcept : children_(n) {
        for (unsigned i = 0; i < n; ++i) ::new (number(i)) unsigned char(static_cast<unsigned char>(i));
    }

    atomic_waker parent_;
    atomic<child_wakers::bits> woken_{0};
    atomic<std::uint32_t> references_{1};
    std::uint32_t const children_;
};

namespace {

unsigned number_of(void const* data) noexcept { return *static_cast<unsigned char const*>(data); }

constexpr waker_vtable child_waker{
    [](void* data) -> void* {
        child_block::of(data).retain();
        return data;
    },
    [](void* data) {
        child_block& block = child_block::of(data);
        block.wake(number_of(data));
        block.release();
    },
    [](void* data) { child_block::of(data).wake(number_of(data)); },
    [](void* data) { child_block::of(data).release(); },
    "rouse child",
};

constexpr child_wakers::bits first(unsigned n) noexcept {
    return n == child_wakers::most ? ~child_wakers::bits{0} : (child_wakers::bits{1} << n) - 1;
}

}  // namespace

child_wakers::~child_wakers() {
    if (block_) block_->release();
}

child_wakers::bits child_wakers::woken(context& cx, unsigned n) {
    if (all_due_ || cx.cancellation().epoch() != epoch_) return all(cx, n);
    return block_->take(cx.waker());
}

child_wakers::bits child_wakers::all(context& cx, unsigned n) {
    epoch_ = cx.cancellation().epoch();
    all_due_ = true;  // until they were
    if (block_) {
        block_->forget();
    } else {
        block_ = &child_block::make(n);
    }
    return first(n);
}

void child_wakers::await(context& cx) {
    if (!all_due_) return;
    bool const woken = block_->await(cx.waker());
    all_due_ = false;
    if (woken) cx.yield();
}

waker_ref child_wakers::at(unsigned index) const noexcept {
    return waker_ref(block_->number(index), child_waker);
}

}  // namespace rouse::detail
