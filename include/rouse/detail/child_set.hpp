// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_DETAIL_CHILD_SET_HPP
#define ROUSE_DETAIL_CHILD_SET_HPP

#include <cstddef>
#include <memory>
#include <new>
#include <rouse/detail/child.hpp>
#include <rouse/detail/slab.hpp>
#include <rouse/detail/woken_set.hpp>
#include <utility>

namespace rouse::detail {

// The children of a combinator of any size, all of one type. It may be moved at any time: each child
// stands in memory of its own, recycled.
template <class Held>
class child_set {
public:
    struct node final : queued_child, child<Held> {
        template <class X>
        node(woken_set& set, std::size_t n, X&& x)
            : queued_child(set, [](queued_child* self) noexcept { delete static_cast<node*>(self); }),
              child<Held>(std::in_place, std::forward<X>(x)),
              index(n) {}

        static void* operator new(std::size_t bytes) { return slab_allocate(bytes); }
        static void* operator new(std::size_t bytes, std::align_val_t alignment) {
            return ::operator new(bytes, alignment);
        }
        static void operator delete(void* memory, std::size_t bytes) noexcept {
            slab_deallocate(memory, bytes);
        }
        static void operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
            ::operator delete(memory, alignment);
        }

        std::size_t const index;  // in the order of entering
        bool told = false;  // a request to cancel was there when it was polled
        bool met = false;   // or had come when it had been polled; perhaps behind its back
        bool may_follow() const noexcept { return told || met; }
    };
    struct release {
        void operator()(node* n) const noexcept { n->release(); }
    };
    using node_ptr = std::unique_ptr<node, release>;

    child_set() noexcept = default;
    child_set(child_set&& other) noexcept
        : set_(std::exchange(other.set_, nullptr)),
          entered_(std::exchange(other.entered_, 0)),
          running_(std::exchange(other.running_, 0)),
          draining_(std::exchange(other.draining_, false)),
          told_(std::exchange(other.told_, 0)) {}
    child_set& operator=(child_set&& other) noexcept {
        child_set old(std::move(*this));
        set_ = std::exchange(other.set_, nullptr);
        entered_ = std::exchange(other.entered_, 0);
        running_ = std::exchange(other.running_, 0);
        draining_ = std::exchange(other.draining_, false);
        told_ = std::exchange(other.told_, 0);
        return *this;
    }
    ~child_set() {
        if (!set_) return;
        // A child is destroyed when it is in no container any more.
        while (node_ptr const doomed = remove_first()) doomed->drop();
        set_->close();
    }

    std::size_t size() const noexcept { return set_ ? set_->size() : 0; }
    std::size_t running() const noexcept { return running_; }
    bool is_draining() const noexcept { return draining_; }

    // Throws std::bad_alloc, and what moving the future throws; nothing has changed then.
    template <class X>
    void enter(X&& x) {
        if (!set_) set_ = &woken_set::make();
        set_->enter(*new node(*set_, entered_, std::forward<X>(x)));
        ++entered_;
        ++running_;
    }

    node_ptr remove_first() noexcept { return node_ptr(static_cast<node*>(set_->remove_first())); }
    void remove(node& child) noexcept {
        set_->remove(child);
        child.drop();  // wakers may keep its memory
        child.release();
    }

    // Polls those that were woken, each once at most. `ended(child)` is called for each that ends;
    // true: that is enough, nobody else is polled. Returns true if it was enough, or if none is
    // running any more. After a bounded number of polls it asks for another turn.
    template <class Ended>
    bool poll(context& cx, Ended ended) {
        return each_woken(cx, [&](node& one, context& mine) {
            mark_told(one, mine);
            bool const over = one.poll(mine);
            one.met = one.met || sees_a_request(mine);
            if (!over) return false;
            --running_;
            told_ -= one.told;
            return ended(one);
        });
    }

    // One is running that has heard of a request to cancel, or will: of one that another has heard of, when nobody masks
    // it.
    bool any_hears(context& cx) const noexcept {
        return node::hears_requests && (cx.cancellation().any_stands() ? running_ : told_) != 0;
    }

    // Asks those that are running to let go. True: all have. Losers: another child has decided.
    bool drain_losers(context& cx) {
        losing_mark const mark(cx, true);
        return drain(cx);
    }
    bool drain(context& cx) {
        if (running_ == 0) return true;
        if (!draining_) set_->queue_all();
        draining_ = true;
        return each_woken(cx, [&](node& one, context& mine) {
            running_ -= one.cancel(mine);
            return false;
        });
    }

    // In the order of entering; `visit` must leave the set as it is.
    template <class Visit>
    void for_each(Visit visit) {
        if (set_) set_->for_each([&](queued_child& one) { visit(static_cast<node&>(one)); });
    }

private:
    void mark_told(node& one, context& cx) noexcept {
        if (one.told || !sees_a_request(cx)) return;
        one.told = true;
        ++told_;
    }

    static constexpr unsigned most_at_once = 64;

    template <class Visit>
    bool each_woken(context& cx, Visit visit) {
        if (running_ == 0) return true;
        set_->look(cx);
        for (unsigned polls = 0; set_->has_next();) {
            if (polls == most_at_once) {
                cx.yield();
                return false;
            }
            node_ptr const one(static_cast<node*>(set_->next()));
            if (!one->is_running()) continue;  // it had ended before it was woken
            ++polls;
            waker_ref const waker = one->waker();
            context mine(cx, waker.get());
            granted_one const grant(mine);
            if (visit(*one, mine)) return true;
            if (running_ == 0) return true;
        }
        return false;
    }

    woken_set* set_ = nullptr;
    std::size_t entered_ = 0;
    std::size_t running_ = 0;
    bool draining_ = false;
    std::size_t told_ = 0;  // how many that run
};

}  // namespace rouse::detail

#endif
