// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <rouse/detail/hooks.hpp>
#include <rouse/detail/local_queue.hpp>

// The places of the ring are read and written relaxed: the push of an item is published by the tail
// (release) and read after it (acquire); the place is given back by the head (release, in the
// exchanges) and reused after it was read (acquire, in push).

namespace rouse::detail {

bool local_queue::push(work_item& item, bool announced) noexcept {
    std::uint32_t const tail = tail_.load(relaxed);  // only the owner writes it
    head const h = unpack(head_.load(acquire));      // pairs with the exchanges that give back
    if (tail - h.steal >= capacity) return false;
    place(tail).store(&item, relaxed);
    // release: pairs with the acquire of the tail in steal_into(). seq_cst, when announced: the
    // other half is idle::to_parked(), which writes there first and looks here then.
    tail_.store(tail + 1, announced ? seq_cst : release);
    return true;
}

work_item* local_queue::pop() noexcept {
    std::uint64_t word = head_.load(relaxed);  // a hint for the exchange
    std::uint32_t const tail = tail_.load(relaxed);
    for (;;) {
        head const h = unpack(word);
        if (h.real == tail) return nullptr;
        std::uint32_t const next = h.real + 1;
        // While a thief is copying, `steal` is his to move.
        head const taken{h.steal == h.real ? next : h.steal, next};
        // acq_rel: against a thief that takes the same item; his claim and ours are one order
        if (head_.compare_exchange_weak(word, pack(taken), acq_rel, relaxed))
            return place(h.real).load(relaxed);
    }
}

work_item* local_queue::steal_into(local_queue& mine) noexcept {
    std::uint32_t const my_tail = mine.tail_.load(relaxed);
    // Half a ring of room, or it is not worth it; our own queue may be robbed meanwhile, which only
    // makes more room.
    if (my_tail - unpack(mine.head_.load(acquire)).steal > capacity / 2) return nullptr;

    std::uint64_t word = head_.load(acquire);
    head claimed{};
    std::uint32_t count = 0;
    for (;;) {
        head const h = unpack(word);
        if (h.steal != h.real) return nullptr;
        count = tail_.load(acquire) - h.real;  // pairs with push()
        if (count == 0 || count > capacity) return nullptr;  // the head that was read is an old one
        count -= count / 2;
        claimed = {h.steal, h.real + count};
        ROUSE_AT(thief_has_seen);
        if (head_.compare_exchange_weak(word, pack(claimed), acq_rel, acquire)) break;
    }
    for (std::uint32_t i = 0; i + 1 < count; ++i) {
        mine.place(my_tail + i).store(place(claimed.steal + i).load(relaxed), relaxed);
    }
    work_item* const newest = place(claimed.steal + count - 1).load(relaxed);
    ROUSE_AT(thief_has_copied);

    // Gives the places back. The owner may have popped meanwhile, which moves `real` alone.
    word = pack(claimed);
    for (;;) {
        head const h = unpack(word);
        // release: the places were read; pairs with the acquire in push()
        if (head_.compare_exchange_weak(word, pack({h.real, h.real}), acq_rel, acquire)) break;
    }
    if (count > 1) mine.tail_.store(my_tail + count - 1, seq_cst);  // as an announced push
    return newest;
}

std::uint32_t local_queue::size() const noexcept {
    // seq_cst: the last look of a worker that is about to park; the other half is push()
    head const h = unpack(head_.load(seq_cst));
    std::uint32_t const size = tail_.load(seq_cst) - h.real;
    return size <= capacity ? size : 0;
}

}  // namespace rouse::detail
