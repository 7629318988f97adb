// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_DETAIL_OP_HPP
#define ROUSE_DETAIL_OP_HPP

#include <boost/asio/ip/basic_resolver_results.hpp>
#include <optional>
#include <rouse/detail/fatal.hpp>
#include <rouse/detail/op_block.hpp>
#include <rouse/detail/op_result.hpp>
#include <rouse/future.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

namespace rouse::detail {

// The block together with the place for the result.
template <class Signature>
class op_state final : public op_block {
public:
    static op_state& make() {
        static_assert(alignof(op_state) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                      "rouse: the results of an operation cannot be over-aligned");
        void* memory = slab_allocate(sizeof(op_state));
        return *::new (memory) op_state;
    }

    op_result<Signature> result;

private:
    void destroy() noexcept override {
        this->~op_state();
        slab_deallocate(this, sizeof(op_state));
    }
};

// What Asio gets as completion handler: one pointer. It is safe to invoke on any thread, for tokens
// that were bound to another executor.
template <class Signature>
class op_handler {
public:
    explicit op_handler(op_state<Signature>& state) noexcept : state_(&state) { state.retain(); }
    op_handler(op_handler&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    op_handler& operator=(op_handler&& other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~op_handler() {
        if (state_) leave(op_block::outcome::abandoned);
    }

    template <class... Args>
    void operator()(Args&&... args) {
        state_->result.store(std::forward<Args>(args)...);
        leave(op_block::outcome::invoked);
    }

    using executor_type = op_executor;
    executor_type get_executor() const noexcept { return op_executor(*state_); }

    using allocator_type = slab_allocator<void>;
    allocator_type get_allocator() const noexcept { return {}; }

    using cancellation_slot_type = op_slot;
    cancellation_slot_type get_cancellation_slot() const noexcept { return op_slot(*state_); }

#if BOOST_ASIO_VERSION >= 102700
    // What completes inside the initiation goes straight into the inbox of the poll that initiates.
    struct immediate_executor_type {
        template <class F>
        void execute(F&& f) const {
            std::decay_t<F> function(std::forward<F>(f));
            function();
        }
        bool operator==(immediate_executor_type const&) const noexcept = default;
        static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
            return asio::execution::blocking.always;
        }
    };
    immediate_executor_type get_immediate_executor() const noexcept { return {}; }
#endif

private:
    void leave(op_block::outcome how) noexcept {
        auto* state = std::exchange(state_, nullptr);
        state->settle(how);
        state->release();
    }

    op_state<Signature>* state_;
};

// Operations that lend nothing and cannot be interrupted: nobody waits for them. Built in:
// resolvers, whose getaddrinfo runs to its end in a thread of Asio's. They are known by what they
// give, also where an adaptor has put it into a tuple or a result.
template <class T>
inline constexpr bool is_resolved = false;
template <class Protocol>
inline constexpr bool is_resolved<boost::asio::ip::basic_resolver_results<Protocol>> = true;
template <class... T>
inline constexpr bool is_resolved<std::tuple<T...>> = (is_resolved<T> || ...);
template <class T, class E>
inline constexpr bool is_resolved<boost::system::result<T, E>> = is_resolved<T>;

template <class Signature>
inline constexpr bool is_abandonable = false;
template <class R, class... Args>
inline constexpr bool is_abandonable<R(Args...)> = (is_resolved<std::decay_t<Args>> || ...);

// What starts an operation of Asio's: the initiation, and what hands it the handler and its arguments.
template <class Initiation, class Run>
struct op_start {
    Initiation initiation;
    Run run;

    template <class Handler>
    void operator()(Handler&& handler) && {
        run(initiation, std::move(handler));
    }
    auto get_executor() const noexcept
        requires requires { initiation.get_executor(); }
    {
        return initiation.get_executor();
    }
};

// Something to be used once. A program has a type of its own for each operation that it starts; with an
// optional tuple in the place of this and op_start, each of them would take a third longer to compile.
template <class T>
class used_once {
public:
    template <class... A>
    explicit used_once(std::in_place_t, A&&... a) : value_{std::forward<A>(a)...}, there_(true) {}
    used_once(used_once&& other) : there_(other.there_) {
        if (there_) ::new (static_cast<void*>(&value_)) T(std::move(other.value_));
    }
    used_once& operator=(used_once&&) = delete;
    ~used_once() { reset(); }

    explicit operator bool() const noexcept { return there_; }
    T& operator*() noexcept { return value_; }
    void reset() noexcept {
        if (std::exchange(there_, false)) value_.~T();
    }

private:
    union {
        T value_;
    };
    bool there_;
};

// One Asio operation as a future: what `use_poll` returns.
//
// Nothing starts before the first poll. It completes when the operation does, with its result; an
// error_code or exception_ptr that is set is thrown. If the io_context is destroyed meanwhile, it
// completes with operation_aborted. Each success spends one unit of the poll's budget.
// Cancelled (the task's cancellation state): the request is passed to the operation, which then
// completes by itself. Before the first poll, it completes with operation_aborted and does not begin, if its
// result has an error_code for that; otherwise, as with post and co_spawn, it begins all the same. Aborted: the
// operation is told to stop and waited for; a result other than operation_aborted is kept. Destroyed while pending:
// told to stop, not waited for; its result is lost. That is safe for buffers and memory (on epoll, kqueue and select),
// but the stream of a composed operation (TLS, Beast) must then be destroyed too; and an I/O object must not be moved
// or destroyed before the operation that it has in flight is.
template <class Signature, class Start>
class [[nodiscard]] op {
    using state_type = op_state<Signature>;
    using value_type = typename op_result<Signature>::type;

public:
    static constexpr bool hears_requests = !is_abandonable<Signature>;  // getaddrinfo is not interrupted

    template <class... A>
    explicit op(std::in_place_t, A&&... a) : start_(std::in_place, std::forward<A>(a)...) {}

    op(op&& other) : start_(std::move(other.start_)) {
        if (other.state_)
            fatal("an operation was moved after its first poll: a future stays where it is");
        other.start_.reset();
    }
    op& operator=(op&&) = delete;

    ~op() {
        if (!state_) return;
        state_->drop();
        state_->release();
    }

    poll_result<value_type> poll(context& cx) {
        if (!state_) {
            // Asio looks for data before it looks for a cancellation: begun, it might succeed again and again.
            if constexpr (op_result<Signature>::can_say_aborted) {
                if (start_ && cx.cancellation().requested() != cancellation_type::none) return refused(cx);
            }
            initiate(cx);
        }
        if (!guarded(cx, &op_block::advance)) return pending;
        ended end{*this, cx};
        if (state_->settled() == op_block::outcome::abandoned) return abandoned();
        if constexpr (std::is_void_v<value_type>) {
            state_->result.take();
            return ready();
        } else {
            return state_->result.take();
        }
    }

    cancel_result<value_type> poll_cancel(context& cx) {
        start_.reset();
        if (!state_) return stopped();
        if (!guarded(cx, &op_block::drain)) {
            if constexpr (!is_abandonable<Signature>) return pending;
            give_up();
            return stopped();
        }
        ended end{*this, cx};
        if (state_->settled() == op_block::outcome::abandoned || state_->result.aborted())
            return stopped();
        if constexpr (std::is_void_v<value_type>) {
            state_->result.take();
            return true;
        } else {
            return std::optional<value_type>(state_->result.take());
        }
    }

private:
    // The operation is over: the block goes when nobody else needs it.
    struct ended {
        op& self;
        context& cx;

        ~ended() {
            self.state_->finish(cx);
            std::exchange(self.state_, nullptr)->release();
        }
    };

    static typename cancel_value<value_type>::type stopped() noexcept { return {}; }

    static poll_result<value_type> abandoned() {
        if constexpr (!std::is_void_v<value_type>) {
            if (auto value = abandoned_value<value_type>::make()) return *std::move(value);
        }
        throw_error(boost::asio::error::operation_aborted);
    }

    poll_result<value_type> refused(context& cx) {
        if (!cx.spend()) return pending;
        start_.reset();
        return abandoned();
    }

    void initiate(context& cx) {
        if (!start_) throw_misuse("an operation was polled after it was ready or moved from");
        Start start = std::move(*start_);
        start_.reset();
        state_ = &state_type::make();
        state_->begin_flight(cx);
        state_->io_context = cx.service<asio::execution_context>();
        if (!state_->io_context) find_context(start);
        try {
            std::move(start)(op_handler<Signature>(*state_));
        } catch (...) {
            give_up();
            throw;
        }
    }

    void find_context(Start const& start) {
        if constexpr (requires { asio::query(start.get_executor(), asio::execution::context); })
            state_->io_context = &asio::query(start.get_executor(), asio::execution::context);
    }

    // A function of the operation has thrown: that is the result, and the operation is dropped.
    bool guarded(context& cx, bool (op_block::*run)(context&)) {
        try {
            return (state_->*run)(cx);
        } catch (...) {
            give_up();
            throw;
        }
    }

    void give_up() noexcept {
        state_->drop();
        std::exchange(state_, nullptr)->release();
    }

    used_once<Start> start_;
    state_type* state_ = nullptr;
};

}  // namespace rouse::detail

#endif
