// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_DETAIL_GROUP_ROOM_HPP
#define ROUSE_DETAIL_GROUP_ROOM_HPP

#include <rouse/config.hpp>
#include <rouse/detail/group_state.hpp>
#include <rouse/future.hpp>

namespace rouse::detail {

// Waits until fewer tasks than the limit are in the group, or it is being aborted.
class [[nodiscard]] ROUSE_DECL group_room {
public:
    explicit group_room(group_state& group) noexcept : group_(&group) { group.retain(); }
    group_room(group_room&& other) noexcept;
    group_room& operator=(group_room&&) = delete;
    ~group_room();

    poll_result<void> poll(context& cx);

private:
    group_state* group_;
    waiter waiter_;
};

}  // namespace rouse::detail

#endif
