// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 5
#ifndef ROUSE_SHARED_HPP
#define ROUSE_SHARED_HPP

#include <concepts>
#include <cstddef>
#include <new>
#include <optional>
#include <rouse/context.hpp>
#include <rouse/detail/child.hpp>
#include <rouse/detail/fatal.hpp>
#include <rouse/detail/own_cancellation.hpp>
#include <rouse/detail/shared_state.hpp>
#include <rouse/detail/slab.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

namespace detail {

template <future F>
class shared_cell final : public shared_state {
public:
    template <class X>
    explicit shared_cell(X&& x) : future(std::in_place, std::forward<X>(x)) {}

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

    child<F> future;
};

}  // namespace detail

// A future that many wait for: each copy is a future of the same value, in whatever task.
//
//     rouse::shared_future config = rouse::shared(load_config());
//     rouse::spawn_ok(pool, serve(config));
//     rouse::spawn_ok(pool, report(config));
//
// The future is polled by those who wait for it, one at a time, and by nobody otherwise. Each copy gives a copy of its
// value, or throws its exception (the same object). A copy may be made and used by any thread; one copy is used by one
// thread at a time, waits in one place (of two branches that await the same one by name, one is never woken), and does
// not move after its first poll.
// Aborted, a copy only stops waiting, unless there is an outcome; but the last of them has the future let go, and waits
// for that. Cancelled, a copy throws operation_aborted, unless there is an outcome; the future, which is everybody's, is
// not cancelled. But the last one passes the request on, and ends as the future does. Destroyed, the last one drops the
// future. The last is the last that exists, not the last that waits: whoever keeps a copy that he does not await, drops
// the future with it when he is aborted or cancelled. But one that has thrown operation_aborted since it was cancelled
// counts no more, unless it is awaited again.
// The value lives on as long as somebody has a waker that the future was polled with. Who asks for the value of a future
// that was stopped gets system_error with errc::aborted. A long row of shared futures, each of which awaits the next, is
// polled one inside the other. One allocation, recycled.
template <future F>
class [[nodiscard]] shared_future {
    using output = output_t<F>;
    static_assert(std::is_void_v<output> || std::copy_constructible<output>,
                  "rouse: shared: each copy gives a copy of the value, which must be copyable");

public:
    static constexpr bool hears_requests = detail::may_hear_requests<F>;

    template <awaitable_value X>
        requires(!std::same_as<std::remove_cvref_t<X>, shared_future> &&
                 std::same_as<into_future_t<X>, F>)
    explicit shared_future(X&& x) : cell_(new detail::shared_cell<F>(std::forward<X>(x))) {}

    shared_future(shared_future const& other) noexcept : cell_(other.cell_) {
        if (!cell_) return;
        cell_->retain();
        cell_->join();
    }
    // Of one that waits for nothing, since it was cancelled or aborted, what it is goes along.
    shared_future(shared_future&& other) noexcept
        : cell_(std::exchange(other.cell_, nullptr)), left_(other.left_), last_(other.last_) {
        if (other.waiter_.linked())
            detail::fatal("a shared_future was moved after its first poll: a future stays where it is");
    }
    shared_future& operator=(shared_future const&) = delete;
    ~shared_future() {
        if (!cell_) return;
        if (!left_) last_ = cell_->leave(waiter_);
        cell_->waiting.remove(waiter_);
        if (last_ && !cell_->is_over()) {
            cell_->future.drop();
            cell_->end_turn(true);
        }
        cell_->release();
    }

    poll_result<output> poll(context& cx) {
        if (!cell_) detail::throw_misuse("an empty shared_future was polled");
        bool const told = !cell_->is_over() && detail::sees_a_request(cx);
        if (told && (left_ || cell_->leave_unless_last(waiter_))) {
            left_ = true;
            if (!detail::may_begin(cx)) return pending;
        } else if (std::exchange(left_, false)) {
            cell_->join();  // the request was cleared, or is masked now
        }
        switch (cell_->take_turn(cx, waiter_)) {
            case detail::shared_state::turn::wait:
                if (told) cx.yield();  // a copy has come since, so that this one is not the last
                return pending;
            case detail::shared_state::turn::over:
                if (!cx.spend()) return pending;
                return value();
            case detail::shared_state::turn::mine: break;
        }
        waker_ref const waker = cell_->waker();
        context mine(cx, waker.get());
        bool const over = [&] {
            if (told) cell_->pass_on(cx.cancellation());
            detail::own_cancellation const state(mine, cell_->cancellation);
            return cell_->future.poll(mine);
        }();
        if (over) cell_->waiting.remove(waiter_);  // it need not be woken
        cell_->end_turn(over);
        if (!over) return pending;
        return value();
    }

    cancel_result<output> poll_cancel(context& cx) {
        if (!cell_) return nothing();
        if (!left_) {
            left_ = true;
            last_ = cell_->leave(waiter_);
        }
        if (!cell_->is_over()) {
            if (!last_) return nothing();
            cell_->waiting.add(waiter_, cx.waker());
            waker_ref const waker = cell_->waker();
            context mine(cx, waker.get());
            detail::own_cancellation const state(mine, cell_->cancellation);
            if (!cell_->future.cancel(mine)) return pending;
            cell_->end_turn(true);
        }
        if (cell_->future.end().is_stopped()) return nothing();
        if constexpr (std::is_void_v<output>) {
            static_cast<void>(value());
            return true;
        } else {
            return std::optional<output>(value());
        }
    }

private:
    static auto nothing() noexcept { return typename cancel_value<output>::type{}; }

    // The outcome does not change any more: copies are made by many at once.
    auto value() const {
        auto& end = cell_->future.end();
        if (end.is_stopped())
            detail::throw_error(errc::aborted, "a shared_future that was stopped");
        if constexpr (std::is_void_v<output>) {
            static_cast<void>(end.value());
            return ready();
        } else {
            return output(std::as_const(end.value()));
        }
    }

    detail::shared_cell<F>* cell_;
    detail::waiter waiter_{};
    bool left_ = false;  // this copy asks no more
    bool last_ = false;  // and nobody else does: it lets the future go
};

template <class X>
shared_future(X&&) -> shared_future<into_future_t<X>>;

// The first copy. Throws std::bad_alloc.
template <awaitable_value X>
auto shared(X&& x) {
    return shared_future<into_future_t<X>>(std::forward<X>(x));
}

}  // namespace rouse

#endif
