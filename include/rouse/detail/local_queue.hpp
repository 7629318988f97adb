// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_LOCAL_QUEUE_HPP
#define ROUSE_DETAIL_LOCAL_QUEUE_HPP

#include <array>
#include <cstdint>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <rouse/detail/work_item.hpp>

namespace rouse::detail {

// A worker's queue: a ring of fixed size. Its owner pushes at the tail and pops at the head; thieves
// take half of it from the head. First in, first out.
//
// Positions count up for ever and wrap at 2^32; a position modulo the capacity is a place in the
// ring. The head is two positions in one word:
//
//     real    the first item that is there for the taking
//     steal   the first item that a thief has claimed and not yet copied away; equal to `real` when
//             no thief is at it
//
// so  steal <= real <= tail <= steal + capacity.  A thief first moves `real` forward, which claims
// the items, copies them, and then moves `steal` up to `real`, which gives their places back. One
// thief at a time: another that finds steal != real goes on to the next victim.
// (The shape is that of Go's and tokio's run queues.)
class ROUSE_DECL local_queue {
public:
    static constexpr std::uint32_t capacity = 256;

    local_queue() noexcept = default;
    local_queue(local_queue const&) = delete;
    local_queue& operator=(local_queue const&) = delete;

    // By the owner. False: full. `announced`: the caller looks for sleepers afterwards, so the push
    // must come before that look in everybody's eyes.
    [[nodiscard]] bool push(work_item& item, bool announced) noexcept;

    // By the owner: what was pushed comes before what the caller looks at next.
    void announce() noexcept { tail_.store(tail_.load(relaxed), seq_cst); }

    // By the owner: the oldest item, or null.
    work_item* pop() noexcept;

    // By the owner of `mine`: takes half of this queue, puts all but the newest of them into `mine`
    // and returns that one. Null: there was nothing, or another thief is at it.
    work_item* steal_into(local_queue& mine) noexcept;

    // By any thread: how many there were a moment ago.
    std::uint32_t size() const noexcept;

private:
    struct head {
        std::uint32_t steal;
        std::uint32_t real;
    };
    static constexpr std::uint64_t pack(head h) noexcept {
        return std::uint64_t{h.steal} << 32 | h.real;
    }
    static constexpr head unpack(std::uint64_t word) noexcept {
        return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint32_t>(word)};
    }
    atomic<work_item*>& place(std::uint32_t position) noexcept { return ring_[position % capacity]; }

    alignas(64) atomic<std::uint64_t> head_{0};
    alignas(64) atomic<std::uint32_t> tail_{0};
    std::array<atomic<work_item*>, capacity> ring_{};
};

}  // namespace rouse::detail

#endif
