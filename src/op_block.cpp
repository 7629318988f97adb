// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#include <boost/asio/system_context.hpp>
#include <boost/asio/system_executor.hpp>
#include <exception>
#include <rouse/detail/hooks.hpp>
#include <rouse/detail/op_block.hpp>
#include <rouse/scheduler.hpp>

namespace rouse::detail {

void op_block::release() noexcept {
    // release: what this owner did; acquire: what the others did, before the block goes
    if (references_.fetch_sub(1, acq_rel) == 1) {
        disarm();
        if (late_inbox_) late_inbox_->drop();
        destroy();
    }
}

// Thread A delivers while the poll P ends the operation. If A's push comes before P closes the
// inbox, P finds the function and passes it on. If it comes after, A sees that it is closed, and
// with that everything that P wrote before: where late functions go.
void op_block::deliver(work_item& item) noexcept {
    if (inbox_.push(item)) {
        ROUSE_AT(before_inbox_wake);
        waker_.wake();
    } else if (late_inbox_ && late_inbox_->items.push(item)) {
        late_waker_.wake_by_ref();
    } else {
        item.act(&item, false);
    }
}

void op_block::settle(outcome how) noexcept {
    // release: the stored result; pairs with settled()
    outcome_.store(how, detail::release);
    waker_.wake();
}

void op_block::begin_flight(context& cx) noexcept {
    poll_root const& root = cx.root();
    if (!root.offered || root.in_background) return;
    hears_ = root.offered->hears_of_operations();
    if (hears_) hears_->begin_flight();
}

void op_block::emit(cancellation_type type) {
    emitted_ = true;
    if (slot_) slot_->call(static_cast<asio::cancellation_type_t>(static_cast<unsigned>(type)));
}

// Runs everything that is there. An emission that meets a queued intermediate handler finds nothing
// to cancel, so while a cancellation is wanted it is emitted again after each function.
bool op_block::step(context& cx, cancellation_type wanted, std::uint32_t epoch) {
    bool const wants = wanted != cancellation_type::none;
    for (;;) {
        taken_.append(inbox_.take());
        while (!taken_.empty()) {
            if (!cx.spend()) return false;
            work_item* item = taken_.pop();
            item->act(item, true);
            if (settled() != outcome::none) return true;
            if (wants && emitted_) emit(wanted);
        }
        if (settled() != outcome::none) return true;
        if (wants && (!emitted_ || emitted_epoch_ != epoch)) {
            emitted_epoch_ = epoch;
            emit(wanted);
        }
        waker_.register_waker(cx.waker());
        if (inbox_.empty() && settled() == outcome::none) return false;
    }
}

bool op_block::advance(context& cx) {
    auto& cancellation = cx.cancellation();
    std::uint32_t const epoch = cancellation.epoch();  // first: what comes between is seen again
    return step(cx, cancellation.requested(), epoch);
}

bool op_block::drain(context& cx) {
    constexpr std::uint32_t beyond_all_epochs = ~std::uint32_t{0};
    return step(cx, cancellation_type::terminal, beyond_all_epochs);
}

void op_block::finish(context& cx) noexcept {
    end_flight();
    disarm();
    // Nobody else can get a copy of the executor when there is none: then nothing comes later.
    bool const late = references_.load(acquire) > 1 ||  // acquire: pairs with release()
                      !taken_.empty() || !inbox_.empty();
    if (late && cx.root().inbox) {
        try {
            late_waker_ = *cx.root().waker;
            late_inbox_ = cx.root().inbox->acquire_inbox();
        } catch (...) {
            late_inbox_ = nullptr;  // no memory: what comes later is destroyed, as by a drop
        }
    }
    taken_.append(inbox_.close());
    bool moved = false;
    while (work_item* item = taken_.pop()) {
        if (late_inbox_ && late_inbox_->items.push(*item)) {
            moved = true;
        } else {
            item->act(item, false);
        }
    }
    if (moved) late_waker_.wake_by_ref();
    static_cast<void>(waker_.take());
}

void op_block::drop() noexcept {
    try {
        // Not when it is over: the slot still leads into the I/O object, which may be gone.
        if (settled() == outcome::none) emit(cancellation_type::terminal);
    } catch (...) {
        report_unhandled(std::current_exception(), {});
    }
    {
        work_list doomed = std::move(taken_);
        doomed.append(inbox_.close());
    }
    disarm();
    static_cast<void>(waker_.take());
    end_flight();
}

void op_block::disarm() noexcept {
    if (slot_handler* handler = std::exchange(slot_, nullptr)) handler->destroy();
}

asio::cancellation_slot op_block::asio_slot() {
    struct disarming {
        explicit disarming(op_block& b) noexcept : block(b) {}
        disarming(disarming const&) = delete;
        disarming& operator=(disarming const&) = delete;
        ~disarming() { block.disarm(); }
        void operator()(asio::cancellation_type_t) const noexcept {}

        op_block& block;
    };
    asio::cancellation_slot slot = clearing_.slot();
    slot.emplace<disarming>(*this);
    return slot;
}

asio::execution_context& op_executor::query(asio::execution::context_t) const noexcept {
    if (block_->io_context) return *block_->io_context;
    return asio::query(asio::system_executor(), asio::execution::context);
}

}  // namespace rouse::detail
