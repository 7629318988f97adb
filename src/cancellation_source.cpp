// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#include <optional>
#include <rouse/cancellation_source.hpp>
#include <rouse/detail/fatal.hpp>
#include <rouse/detail/slab.hpp>
#include <rouse/error.hpp>

namespace rouse::detail {

// One source, and the root of those below it. Counted: by sources, tokens, futures, and the nodes
// below; the list of those does not count.
//
// A request sets the bits, wakes who waits, and goes on to the nodes below. The race that this
// survives: a node is made below another one while that is cancelled. The new one enters the list and
// then looks at the bits; the request sets the bits and then goes through the list. One of the two
// sees the other.
class cancellation_node : public list_hook {
public:
    explicit cancellation_node(cancellation_node* parent) : parent_(parent) {
        if (!parent) return;
        parent->retain();
        {
            lock_guard const guard(parent->lock_);
            parent->below_.push_back(*this);
            ++parent->below_count_;
        }
        // Beside what may have come by way of the list. acquire: pairs with cancel()
        requested_.fetch_or(parent->requested_.load(acquire), acq_rel);
    }
    cancellation_node(cancellation_node const&) = delete;
    cancellation_node& operator=(cancellation_node const&) = delete;

    static void* operator new(std::size_t bytes) { return slab_allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept {
        slab_deallocate(memory, bytes);
    }

    void follow(std::stop_token token) { followed_.emplace(std::move(token), on_stop{this}); }

    void retain() noexcept { references_.fetch_add(1, relaxed); }  // the caller has a reference
    // For those who find the node in a list: false if it is about to go.
    bool try_retain() noexcept {
        std::uint32_t seen = references_.load(relaxed);
        while (seen != 0) {
            if (references_.compare_exchange_weak(seen, seen + 1, relaxed, relaxed)) return true;
        }
        return false;
    }
    // With this one may go the one above it, and so on: a loop, however long the chain.
    void release() noexcept {
        for (cancellation_node* node = this; node;) {
            // release: what was done with the node is done; acquire: for whoever destroys it
            if (node->references_.fetch_sub(1, acq_rel) != 1) return;
            cancellation_node* const above = node->parent_;
            if (above) {
                lock_guard const guard(above->lock_);
                intrusive_list<cancellation_node>::erase(*node);
                --above->below_count_;
            }
            delete node;
            node = above;
        }
    }

    unsigned requested() const noexcept { return requested_.load(acquire); }  // pairs with cancel()

    // A walk over the tree below, however deep, that needs no memory: down to a node that was not told
    // yet, and up again where there is none. The caller has a reference to this node, the walk has one
    // to each of those below on its way.
    void cancel(unsigned type) noexcept {
        if (!tell(type)) return;
        for (cancellation_node* at = this;;) {
            if (cancellation_node* const next = at->first_without(type)) {
                if (next->tell(type)) {
                    at = next;
                } else {
                    next->release();  // somebody else tells it, and those below
                }
            } else if (at == this) {
                return;
            } else {
                cancellation_node* const above = at->parent_;
                at->release();
                at = above;
            }
        }
    }

    std::stop_token stop_token() {
        std::optional<std::stop_source> fresh;
        fresh.emplace();  // outside of the lock
        {
            lock_guard const guard(lock_);
            if (!standard_) standard_ = *fresh;
            fresh = standard_;
        }
        // Either cancel() has found it in the lock, or it is found here that there was a request.
        if (requested() != 0) fresh->request_stop();
        return fresh->get_token();
    }

    waiter_list waiters;

private:
    struct on_stop {
        cancellation_node* node;
        // The callback may be the last that knows of the node.
        void operator()() const noexcept {
            cancellation_node* const mine = node;
            if (!mine->try_retain()) return;
            mine->cancel(static_cast<unsigned>(cancellation_type::terminal));
            mine->release();
        }
    };

    ~cancellation_node() = default;

    // This node alone. False: it knew already.
    bool tell(unsigned type) noexcept {
        // release: whoever sees the request sees what was done before it
        unsigned const before = requested_.fetch_or(type, acq_rel);
        if ((before | type) == before) return false;
        waiters.wake_all();
        std::optional<std::stop_source> standard;
        {
            lock_guard const guard(lock_);
            standard = standard_;
        }
        if (standard) standard->request_stop();
        return true;
    }

    // One of the nodes just below that does not know of it, with a reference; null if there is none.
    cancellation_node* first_without(unsigned type) noexcept {
        lock_guard const guard(lock_);
        for (std::size_t left = below_count_; left != 0; --left) {
            // To the back, so that the next look finds those who were not told yet in front.
            cancellation_node* const one = below_.pop_front();
            below_.push_back(*one);
            if ((one->requested_.load(relaxed) & type) != type && one->try_retain()) return one;
        }
        return nullptr;
    }

    atomic<std::uint32_t> references_{1};
    atomic<unsigned> requested_{0};
    cancellation_node* const parent_;  // a reference, or null
    std::optional<std::stop_callback<on_stop>> followed_;
    mutex lock_;
    // Under the lock:
    intrusive_list<cancellation_node> below_;
    std::size_t below_count_ = 0;
    std::optional<std::stop_source> standard_;
};

node_ref::node_ref(node_ref const& other) noexcept : node_(other.node_) {
    if (node_) node_->retain();
}
node_ref::~node_ref() {
    if (node_) node_->release();
}

}  // namespace rouse::detail

namespace rouse {

cancellation_type cancellation_token::requested() const noexcept {
    auto* const node = node_.get();
    return node ? static_cast<cancellation_type>(node->requested()) : cancellation_type::none;
}

std::stop_token cancellation_token::stop_token() const {
    return node_.get() ? node_.get()->stop_token() : std::stop_token();
}

cancellation_token::cancelled_future::cancelled_future(cancelled_future&& other) noexcept
    : node_(std::move(other.node_)) {
    if (other.polled_)
        detail::fatal("a cancelled_future was moved after its first poll: a future stays where it is");
}

cancellation_token::cancelled_future::~cancelled_future() {
    if (polled_) node_.get()->waiters.remove(waiter_);
}

cancellation_type cancellation_token::cancelled_future::look(context& cx) {
    auto* const node = node_.get();
    if (!node) return cancellation_type::none;
    auto const all = static_cast<unsigned>(cancellation_type::all);
    if (node->requested() != all) {
        polled_ = true;
        node->waiters.add(waiter_, cx.waker());
    }
    return static_cast<cancellation_type>(node->requested());
}

poll_result<void> cancellation_token::cancelled_future::poll(context& cx) {
    if (look(cx) != cancellation_type::none) {
        if (!cx.spend()) return pending;
        return ready();
    }
    bool const requested = cx.cancellation().requested() != cancellation_type::none;
    if (requested && polled_) node_.get()->waiters.remove(waiter_);
    static_cast<void>(detail::may_begin(cx));
    return pending;
}

cancellation_source::cancellation_source() : node_(new detail::cancellation_node(nullptr)) {}
cancellation_source::cancellation_source(cancellation_token const& parent)
    : node_(new detail::cancellation_node(parent.node_.get())) {}
cancellation_source::cancellation_source(std::stop_token parent) : cancellation_source() {
    node_.get()->follow(std::move(parent));
}

void cancellation_source::cancel(cancellation_type type) const noexcept {
    auto const keep = node_;  // whoever hears of it may destroy the source
    if (auto* const node = keep.get())
        node->cancel(static_cast<unsigned>(type & cancellation_type::all));
}

}  // namespace rouse
