// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_DETAIL_GROUP_REF_HPP
#define ROUSE_DETAIL_GROUP_REF_HPP

namespace rouse::detail {

// How a task_group refers to its state, of type Group. The one that is a part of the state does not keep it, or the
// state would keep itself; all copies do.
template <class Group>
class group_ref {
public:
    explicit group_ref(Group& inside) noexcept : group_(&inside) {}
    group_ref(group_ref const& other) noexcept : group_(other.group_), keeps_(true) { group_->retain(); }
    group_ref& operator=(group_ref const&) = delete;  // of the one inside: it would keep itself
    ~group_ref() {
        if (keeps_) group_->release();
    }

    Group& operator*() const noexcept { return *group_; }
    Group* operator->() const noexcept { return group_; }

private:
    Group* const group_;
    bool const keeps_ = false;
};

}  // namespace rouse::detail

#endif
