// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#include <rouse/detail/fatal.hpp>
#include <rouse/task_group.hpp>
#include <string>
#include <utility>

namespace rouse {

group_error::group_error(std::vector<std::exception_ptr> all)
    : std::runtime_error("rouse::with_group: " + std::to_string(all.size()) +
                         " of its tasks have failed"),
      errors_(std::make_shared<std::vector<std::exception_ptr>>(std::move(all))) {}

void task_group::limit(std::size_t most) { state_->limit(most); }

namespace detail {

group_room::group_room(group_room&& other) noexcept : group_(std::exchange(other.group_, nullptr)) {
    if (other.waiter_.linked())
        fatal("a has_room was moved after its first poll: a future stays where it is");
}

group_room::~group_room() {
    if (!group_) return;
    group_->left().remove(waiter_);
    group_->release();
}

poll_result<void> group_room::poll(context& cx) {
    if (!group_->has_room() && !group_->is_aborting()) {
        group_->left().add(waiter_, cx.waker());
        if (!group_->has_room() && !group_->is_aborting()) return pending;
    }
    if (!cx.spend()) return pending;
    return ready();
}

}  // namespace detail

}  // namespace rouse
