// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_POOL_ITEMS_HPP
#define ROUSE_TEST_SUPPORT_POOL_ITEMS_HPP

#include <atomic>
#include <cstdint>
#include <deque>
#include <rouse/detail/local_queue.hpp>
#include <rouse/detail/work_item.hpp>
#include <vector>

// What the tests of the pool's queues put into them.

namespace rouse_test {

// An item with a number, that counts what became of it.
struct numbered final : rouse::detail::work_item {
    explicit numbered(unsigned n) noexcept : work_item(&act_on), number(n) {}

    unsigned const number;
    std::atomic<unsigned> ran{0};
    std::atomic<unsigned> destroyed{0};

private:
    static void act_on(work_item* item, bool run) {
        auto& self = static_cast<numbered&>(*item);
        ++(run ? self.ran : self.destroyed);
    }
};

inline unsigned number_of(rouse::detail::work_item const* item) {
    return static_cast<numbered const*>(item)->number;
}

// Items numbered from 0; they must outlive the queues they are in.
class item_set {
public:
    explicit item_set(unsigned count) {
        for (unsigned i = 0; i < count; ++i) items_.emplace_back(i);
    }
    numbered& operator[](unsigned n) { return items_[n]; }
    unsigned size() const { return static_cast<unsigned>(items_.size()); }

    bool each_ran_once() const {
        for (auto const& item : items_) {
            if (item.ran != 1 || item.destroyed != 0) return false;
        }
        return true;
    }
    bool each_ended_once() const {
        for (auto const& item : items_) {
            if (item.ran + item.destroyed != 1) return false;
        }
        return true;
    }

private:
    std::deque<numbered> items_{};
};

inline std::vector<unsigned> numbers_of(rouse::detail::work_list list) {
    std::vector<unsigned> numbers;
    while (auto const* item = list.pop()) numbers.push_back(number_of(item));
    return numbers;
}

inline std::vector<unsigned> pop_all(rouse::detail::local_queue& queue) {
    std::vector<unsigned> numbers;
    while (auto const* item = queue.pop()) numbers.push_back(number_of(item));
    return numbers;
}

// first, first + 1 ... last
inline std::vector<unsigned> from_to(unsigned first, unsigned last) {
    std::vector<unsigned> numbers;
    for (unsigned n = first; n <= last; ++n) numbers.push_back(n);
    return numbers;
}

// Puts the positions of a queue where a test wants them: an explicit instantiation may name
// private members.
void set_positions(rouse::detail::local_queue& queue, std::uint32_t steal, std::uint32_t real,
                   std::uint32_t tail);

template <auto Head, auto Tail>
struct positions_of_a_queue {
    friend void set_positions(rouse::detail::local_queue& queue, std::uint32_t steal,
                              std::uint32_t real, std::uint32_t tail) {
        queue.*Head = std::uint64_t{steal} << 32 | real;
        queue.*Tail = tail;
    }
};
template struct positions_of_a_queue<&rouse::detail::local_queue::head_,
                                     &rouse::detail::local_queue::tail_>;

}  // namespace rouse_test

#endif
