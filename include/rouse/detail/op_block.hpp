// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_DETAIL_OP_BLOCK_HPP
#define ROUSE_DETAIL_OP_BLOCK_HPP

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <rouse/atomic_waker.hpp>
#include <rouse/context.hpp>
#include <rouse/detail/abi.hpp>
#include <rouse/detail/slab_allocator.hpp>
#include <rouse/unhandled.hpp>
#include <type_traits>
#include <utility>

// What an Asio operation and the future that awaits it share.
//
// The completion handler's associated executor is the block: every function that Asio dispatches to
// it, the final handler and the intermediate ones of a composed operation alike, is pushed into the
// block's inbox, and the future's poll runs it. So the initiation, the intermediate steps, emitting
// a cancellation, disarming the slot and the completion all happen in the polls of one task, which
// never overlap: no strand is needed, on any number of threads.
//
// WHO MAY TOUCH WHAT
//   inbox, waker       any thread
//   outcome            written once by the handler: in a poll, or, if the token was bound to another
//                      executor, on that one's thread; read by polls
//   slot, draining...  the future's polls and its destructor
//   late_*             written by the poll that ends the operation, before it closes the inbox; read
//                      by threads that find the inbox closed
//
// REFERENCES  one each: the future, the handler, every copy of the executor. A queued function holds
// what Asio put into it, the handler or executors: closing the inbox breaks that cycle.

namespace rouse::detail {

namespace asio = boost::asio;

// A function that was given to an executor, waiting in an inbox.
template <class F>
struct inbox_function final : work_item {
    template <class X>
    explicit inbox_function(X&& x) : work_item(&act_on), function(std::forward<X>(x)) {}

    template <class X>
    static work_item& make(X&& x) {
        static_assert(alignof(F) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
        void* memory = slab_allocate(sizeof(inbox_function));
        try {
            return *::new (memory) inbox_function(std::forward<X>(x));
        } catch (...) {
            slab_deallocate(memory, sizeof(inbox_function));
            throw;
        }
    }

    static void act_on(work_item* item, bool run) {
        if (run) {
            F moved(take(item));
            moved();
            return;
        }
        try {
            static_cast<void>(take(item));
        } catch (...) {
            report_unhandled(std::current_exception(), {});
        }
    }

    // The item's memory is free again before the function runs: it may start the next step.
    static F take(work_item* item) {
        struct guard {
            inbox_function* self;
            ~guard() {
                self->~inbox_function();
                slab_deallocate(self, sizeof(inbox_function));
            }
        } const memory{static_cast<inbox_function*>(item)};
        return F(std::move(memory.self->function));
    }

    F function;
};

// The handler that an operation installs in our cancellation slot.
struct slot_handler {
    virtual void call(asio::cancellation_type_t type) = 0;
    virtual void destroy() noexcept = 0;  // and free

protected:
    ~slot_handler() = default;
};

class ROUSE_DECL op_block {
public:
    enum class outcome : unsigned char { none, invoked, abandoned };

    op_block() noexcept = default;
    op_block(op_block const&) = delete;
    op_block& operator=(op_block const&) = delete;

    void retain() noexcept { references_.fetch_add(1, relaxed); }  // the caller has a reference
    void release() noexcept;

    // By the executor's copies, any thread: queues a function, or passes it on if the operation has
    // ended, or destroys it.
    void deliver(work_item& item) noexcept;

    // By the handler: its result is stored, or it was destroyed uncalled.
    void settle(outcome how) noexcept;

    // By polls. Runs what is in the inbox, within the budget; emits what was requested. True when
    // the handler was invoked or destroyed. Throws what a function throws.
    bool advance(context& cx);
    bool drain(context& cx);

    outcome settled() const noexcept { return outcome_.load(acquire); }  // pairs with settle()

    // By the poll that has seen the end: functions that come later go to the task's inbox.
    void finish(context& cx) noexcept;

    // By the future's destructor, and where nobody waits for the end: the operation is told to stop,
    // and what is queued and what comes later is destroyed.
    void drop() noexcept;

    // Before the operation begins: whoever the poll says hears of it, and of its end.
    void begin_flight(context& cx) noexcept;

    // Where the operation's objects live; null: nobody knows.
    asio::execution_context* io_context = nullptr;

    // The slot.
    bool armed() const noexcept { return slot_ != nullptr; }
    void disarm() noexcept;
    template <class Handler, class... Args>
    Handler& arm(Args&&... args);
    // A slot of Asio's own type. Cleared, it disarms this one; what is emitted does not reach it.
    asio::cancellation_slot asio_slot();

protected:
    ~op_block() = default;

private:
    bool step(context& cx, cancellation_type wanted, std::uint32_t epoch);
    void emit(cancellation_type type);
    void end_flight() noexcept {
        if (in_flight* const hears = std::exchange(hears_, nullptr)) hears->end_flight();
    }
    virtual void destroy() noexcept = 0;

    atomic<std::uint32_t> references_{1};
    atomic<outcome> outcome_{outcome::none};
    bool emitted_ = false;
    std::uint32_t emitted_epoch_ = 0;
    inbox inbox_;
    work_list taken_;  // out of the inbox, not yet run: the budget was spent
    atomic_waker waker_;
    in_flight* hears_ = nullptr;
    slot_handler* slot_ = nullptr;
    shared_inbox* late_inbox_ = nullptr;
    rouse::waker late_waker_;

    static constexpr std::size_t slot_size = 64;
    alignas(std::max_align_t) unsigned char slot_memory_[slot_size];
    asio::cancellation_signal clearing_;  // behind asio_slot(); dies before slot_
};

// Asio's cancellation slot, with its storage in the block. One operation at a time uses it.
class op_slot {
public:
    explicit op_slot(op_block& block) noexcept : block_(&block) {}

    bool is_connected() const noexcept { return true; }
    bool has_handler() const noexcept { return block_->armed(); }
    void clear() noexcept { block_->disarm(); }

    template <class Handler, class... Args>
    Handler& emplace(Args&&... args) {
        return block_->arm<Handler>(std::forward<Args>(args)...);
    }
    template <class Handler>
    std::decay_t<Handler>& assign(Handler&& handler) {
        return emplace<std::decay_t<Handler>>(std::forward<Handler>(handler));
    }
    // For Beast's websocket, which keeps a slot of Asio's type beside a handler that it has put
    // aside, and clears it when the handler goes on; it installs its cancellation handler here.
    operator asio::cancellation_slot() const { return block_->asio_slot(); }

    friend bool operator==(op_slot const& a, op_slot const& b) noexcept {
        return a.block_ == b.block_;
    }

private:
    op_block* block_;
};

template <class Handler, class... Args>
Handler& op_block::arm(Args&&... args) {
    struct holder final : slot_handler {
        explicit holder(Args&&... a) : handler(std::forward<Args>(a)...) {}
        void call(asio::cancellation_type_t type) override { handler(type); }
        void destroy() noexcept override {
            constexpr bool inside = sizeof(holder) <= slot_size;
            void* memory = this;
            this->~holder();
            if constexpr (!inside) slab_deallocate(memory, sizeof(holder));
        }
        Handler handler;
    };
    static_assert(alignof(holder) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    disarm();
    constexpr bool inside = sizeof(holder) <= slot_size;
    void* memory = inside ? static_cast<void*>(slot_memory_) : slab_allocate(sizeof(holder));
    try {
        auto* made = ::new (memory) holder(std::forward<Args>(args)...);
        slot_ = made;
        return made->handler;
    } catch (...) {
        if constexpr (!inside) slab_deallocate(memory, sizeof(holder));
        throw;
    }
}

// The handler's associated executor: never runs a function itself, only queues it in the block.
class ROUSE_DECL op_executor {
public:
    explicit op_executor(op_block& block) noexcept : block_(&block) { block.retain(); }
    op_executor(op_executor const& other) noexcept : block_(other.block_) {
        if (block_) block_->retain();
    }
    // Leaves nothing behind: Asio's executor_work_guard does not destroy what it has moved from.
    op_executor(op_executor&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    op_executor& operator=(op_executor other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~op_executor() {
        if (block_) block_->release();
    }

    // Throws std::bad_alloc.
    template <class F>
    void execute(F&& f) const {
        auto& item = inbox_function<std::decay_t<F>>::make(std::forward<F>(f));
        op_executor const keep(*this);  // the function may own the last other reference
        keep.block_->deliver(item);
    }

    static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
        return asio::execution::blocking.never;
    }
    asio::execution_context& query(asio::execution::context_t) const noexcept;

    friend bool operator==(op_executor const& a, op_executor const& b) noexcept {
        return a.block_ == b.block_;
    }

private:
    op_block* block_;
};

}  // namespace rouse::detail

#endif
