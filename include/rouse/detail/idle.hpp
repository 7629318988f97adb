// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#ifndef ROUSE_DETAIL_IDLE_HPP
#define ROUSE_DETAIL_IDLE_HPP

#include <cstdint>
#include <optional>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <vector>

namespace rouse::detail {

// Who sleeps and who searches.
//
// THE INVARIANT  While there is work in a queue, some worker is awake that will find it or wake
// another: either a worker is searching, or nobody has parked since the work was pushed.
//
// Two counts in one word: `searching`, the workers that look for work in other queues than their
// own, and `awake`, the workers that are not parked. A searching worker is awake.
//
//   push, then look at the word    if nobody searches and somebody sleeps, one sleeper is woken; it
//                                  counts as awake and searching from that moment, so that the
//                                  pushes that follow wake nobody else
//   park: count down, then look    whoever parks leaves the word first and looks through all queues
//     through all queues           then. Push and park each write first and look second, in one
//                                  total order (seq_cst): one of the two sees the other
//   the last searcher has found    it wakes another one before it gets to work: there may be more,
//     work                         and those that pushed it relied on the search
//   a searcher gives up            as park: it looks again after it was counted down
class ROUSE_DECL idle {
public:
    // There will be no more than `most` workers.
    idle(std::uint32_t workers, std::uint32_t most);
    explicit idle(std::uint32_t workers) : idle(workers, workers) {}

    // One more worker, which is awake.
    void add_worker() noexcept;

    // After a push, or when the last searcher has found work: the worker to be woken, if any. It
    // counts as awake and searching already (one in the driver's seat as searching when it has left
    // that). One that sleeps by itself is preferred to the one in
    // the driver's seat; `but_not_seated`: that one is out of the question, it is calling.
    std::optional<std::uint32_t> worker_to_wake(bool but_not_seated) noexcept;

    // True if a look at the word shows nobody asleep; a hint.
    bool all_awake() const noexcept { return awake(word_.load(relaxed)) == workers_.load(relaxed); }
    // How many were awake a moment ago.
    std::uint32_t awake_count() const noexcept { return awake(word_.load(seq_cst)); }

    // A worker without work wants to search; at most half of them do at a time.
    [[nodiscard]] bool start_searching() noexcept;
    // True: it was the last one.
    [[nodiscard]] bool stop_searching() noexcept;

    // The worker parks. Its last look comes after this.
    void to_parked(std::uint32_t worker, bool searching) noexcept;
    // A parked worker has taken the driver's seat, or left it. False: it has been woken, and is in no
    // list any more.
    bool seat(std::uint32_t worker, bool seated) noexcept;
    // A parked worker gets up by itself. False: somebody has woken it already.
    [[nodiscard]] bool leave_parked(std::uint32_t worker) noexcept;

private:
    static constexpr std::uint32_t one_awake = 1U << 16;
    static std::uint32_t searching(std::uint32_t word) noexcept { return word & (one_awake - 1); }
    static std::uint32_t awake(std::uint32_t word) noexcept { return word / one_awake; }

    atomic<std::uint32_t> workers_;
    atomic<std::uint32_t> word_;
    mutex lock_;
    std::vector<std::uint32_t> asleep_;   // the last one to park is woken first: it is still warm
    std::optional<std::uint32_t> seated_;  // asleep, in the driver
    std::optional<std::uint32_t> called_;  // woken there, and not yet out of it
};

}  // namespace rouse::detail

#endif
