// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_DETAIL_WORK_ITEM_HPP
#define ROUSE_DETAIL_WORK_ITEM_HPP

#include <rouse/config.hpp>
#include <utility>

namespace rouse::detail {

// Something that waits in a queue to be done once: a task that is to be polled, or a function.
// `act` does it or, with `run` false, destroys it undone; in both cases the item is gone afterwards.
// A function may throw, when it runs as when it is destroyed; a task does not.
struct work_item {
    using action = void (*)(work_item* self, bool run);

    explicit constexpr work_item(action a) noexcept : act(a) {}

    work_item* next = nullptr;
    action act;
};

// A first-in first-out list of items that it owns; what is left in it is destroyed undone, and must
// not throw.
class work_list {
public:
    work_list() noexcept = default;
    work_list(work_list&& other) noexcept
        : first_(std::exchange(other.first_, nullptr)),
          last_(std::exchange(other.last_, nullptr)) {}
    work_list& operator=(work_list&&) = delete;
    ~work_list() {
        while (work_item* item = pop()) item->act(item, false);
    }

    bool empty() const noexcept { return first_ == nullptr; }

    void push(work_item& item) noexcept {
        item.next = nullptr;
        (first_ ? last_->next : first_) = &item;
        last_ = &item;
    }

    // Null if there is none.
    work_item* pop() noexcept {
        work_item* item = first_;
        if (item) first_ = item->next;
        return item;
    }

    // Adds what came later.
    void append(work_list later) noexcept {
        if (later.empty()) return;
        (first_ ? last_->next : first_) = later.first_;
        last_ = later.last_;
        later.first_ = nullptr;
    }

    // Takes over a chain of items that is linked from the newest to the oldest.
    static work_list from_newest(work_item* newest) noexcept {
        work_list list;
        list.last_ = newest;
        while (newest) {
            work_item* older = std::exchange(newest->next, list.first_);
            list.first_ = std::exchange(newest, older);
        }
        return list;
    }

private:
    work_item* first_ = nullptr;
    work_item* last_ = nullptr;  // meaningless when first_ is null
};

}  // namespace rouse::detail

#endif
