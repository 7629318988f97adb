// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_CANCELLATION_SOURCE_HPP
#define ROUSE_CANCELLATION_SOURCE_HPP

#include <rouse/cancellation.hpp>
#include <rouse/config.hpp>
#include <rouse/detail/waiter_list.hpp>
#include <rouse/future.hpp>
#include <stop_token>
#include <utility>

namespace rouse {

namespace detail {

class cancellation_node;

// A counted reference to a node of the tree.
class ROUSE_DECL node_ref {
public:
    node_ref() noexcept = default;
    explicit node_ref(cancellation_node* node) noexcept : node_(node) {}  // takes over a reference
    node_ref(node_ref const& other) noexcept;
    node_ref(node_ref&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    node_ref& operator=(node_ref other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }
    ~node_ref();

    cancellation_node* get() const noexcept { return node_; }

private:
    cancellation_node* node_ = nullptr;
};

}  // namespace detail

// Sees what its source was told, and what the sources above that were told.
//
// Any number of copies, which any thread may make, ask and drop; one copy, like any object, is changed
// by one thread at a time. They may outlive the source. A default-constructed one is never cancelled.
class ROUSE_DECL cancellation_token {
public:
    cancellation_token() noexcept = default;

    // What was requested so far; `none` if nothing was. Once requested it stays.
    cancellation_type requested() const noexcept;
    bool is_cancelled() const noexcept { return requested() != cancellation_type::none; }

    // False of a default-constructed one.
    bool can_be_cancelled() const noexcept { return node_.get() != nullptr; }

    // What `cancelled` returns.
    class [[nodiscard]] ROUSE_DECL cancelled_future {
    public:
        explicit cancelled_future(detail::node_ref node) noexcept : node_(std::move(node)) {}
        cancelled_future(cancelled_future&& other) noexcept;
        cancelled_future& operator=(cancelled_future&&) = delete;
        ~cancelled_future();

        poll_result<void> poll(context& cx);

        // What was requested so far; the context's waker will be woken when more is.
        cancellation_type look(context& cx);

    private:
        detail::node_ref node_;
        detail::waiter waiter_;
        bool polled_ = false;
    };

    // Completes once something was requested: at once, if it was before. Throws system_error with
    // operation_aborted if it is the task that is cancelled, and not the token. Dropped while pending it
    // leaves nothing behind. May outlive the token. Allocates nothing.
    cancelled_future cancelled() const noexcept { return cancelled_future(node_); }

    // A stop_token of the standard library that is stopped when this is cancelled. It does not count as a token: when this
    // and all its copies are gone, and their source, it hears of those above no more. Its callbacks run in the thread
    // that cancels. Throws std::bad_alloc.
    std::stop_token stop_token() const;

private:
    friend class cancellation_source;
    explicit cancellation_token(detail::node_ref node) noexcept : node_(std::move(node)) {}

    detail::node_ref node_;
};

// Cancels: itself, its tokens, and the sources below it; never those above.
//
//     rouse::cancellation_source everything;
//     rouse::cancellation_source one_part(everything.token());
//     auto server = rouse::spawn(pool, rouse::with_cancellation(serve(), one_part.token()));
//     ...
//     everything.cancel();
//     co_await std::move(server);  // whatever serve() makes of it; of a detached task that is reported
//
// A request is sticky: it stays, and reaches what begins later. Copies are the same source. Any thread
// may make, use and drop them. When the last one is gone its tokens live on, and are cancelled only from
// above. One allocation.
class ROUSE_DECL cancellation_source {
public:
    cancellation_source();
    // Below the source of that token.
    explicit cancellation_source(cancellation_token const& parent);
    // Below a stop_source of the standard library: its stop is a terminal request.
    explicit cancellation_source(std::stop_token parent);

    cancellation_token token() const noexcept { return cancellation_token(node_); }

    // Requests, from any thread, any number of times. Whoever waits is woken before it returns, or is
    // being woken by another thread that requests the same.
    void cancel(cancellation_type type = cancellation_type::terminal) const noexcept;

    cancellation_type requested() const noexcept { return token().requested(); }

private:
    detail::node_ref node_;
};

}  // namespace rouse

#endif
