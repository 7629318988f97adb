// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_DETAIL_INTRUSIVE_LIST_HPP
#define ROUSE_DETAIL_INTRUSIVE_LIST_HPP

namespace rouse::detail {

// What an element of an intrusive_list derives from. An unlinked hook points to nothing.
struct list_hook {
    list_hook* list_prev = nullptr;
    list_hook* list_next = nullptr;

    bool linked() const noexcept { return list_next != nullptr; }
};

// A doubly linked list whose links live in its elements: no allocation, O(1) removal of any
// element. It owns nothing. Not thread-safe: its owner has a lock.
template <class T>
class intrusive_list {
public:
    intrusive_list() noexcept { head_.list_prev = head_.list_next = &head_; }
    intrusive_list(intrusive_list const&) = delete;
    intrusive_list& operator=(intrusive_list const&) = delete;

    bool empty() const noexcept { return head_.list_next == &head_; }

    void push_back(T& element) noexcept {
        list_hook& hook = element;
        hook.list_prev = head_.list_prev;
        hook.list_next = &head_;
        head_.list_prev->list_next = &hook;
        head_.list_prev = &hook;
    }

    // The first element, unlinked; null if there is none.
    T* pop_front() noexcept {
        if (empty()) return nullptr;
        T* first = static_cast<T*>(head_.list_next);
        erase(*first);
        return first;
    }

    // The last element, unlinked; null if there is none.
    T* pop_back() noexcept {
        if (empty()) return nullptr;
        T* last = static_cast<T*>(head_.list_prev);
        erase(*last);
        return last;
    }

    // Appends all that another list has.
    void splice(intrusive_list& other) noexcept {
        if (other.empty()) return;
        list_hook& first = *other.head_.list_next;
        list_hook& last = *other.head_.list_prev;
        first.list_prev = head_.list_prev;
        head_.list_prev->list_next = &first;
        last.list_next = &head_;
        head_.list_prev = &last;
        other.head_.list_prev = other.head_.list_next = &other.head_;
    }

    // `visit` must leave the list as it is.
    template <class Visit>
    void for_each(Visit visit) {
        for (list_hook* h = head_.list_next; h != &head_; h = h->list_next) visit(*static_cast<T*>(h));
    }
    template <class Visit>
    void for_each(Visit visit) const {
        for (list_hook const* h = head_.list_next; h != &head_; h = h->list_next)
            visit(*static_cast<T const*>(h));
    }

    // Unlinks an element of this list.
    static void erase(T& element) noexcept {
        list_hook& hook = element;
        hook.list_prev->list_next = hook.list_next;
        hook.list_next->list_prev = hook.list_prev;
        hook.list_prev = hook.list_next = nullptr;
    }

private:
    list_hook head_;
};

}  // namespace rouse::detail

#endif
