// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_DETAIL_COROUTINE_HPP
#define ROUSE_DETAIL_COROUTINE_HPP

#include <coroutine>
#include <exception>
#include <rouse/config.hpp>
#include <rouse/detail/deep_destroy.hpp>
#include <rouse/detail/slab.hpp>
#include <rouse/future.hpp>
#include <source_location>
#include <utility>

// How coroutines are polled.
//
// A polled task is the root of a chain of frames: the outermost awaits the next, and so on to the
// innermost, which awaits a leaf, some future that is not a coroutine. The root remembers the
// innermost frame and the leaf, so a poll goes straight to the leaf, whatever the depth.
//
//   poll:  leaf pending                    -> pending
//          leaf ready                      -> resume the innermost frame, and then:
//            it awaits another coroutine   -> that one is the innermost now; resume it
//            it awaits a pending leaf      -> pending
//            it has returned               -> its awaiter is the innermost now; resume it
//          the outermost has returned      -> ready
//
// So frames never resume one another: each suspension returns to the loop in coroutine_root::run,
// and neither depth nor a long row of ready awaits uses stack. Frames are destroyed by the code
// that resumed them, never inside await_suspend.

namespace rouse::detail {

struct promise_base;

// The leaf: what the innermost frame waits for. It lives in that frame.
struct await_node {
    using function = bool (*)(await_node&, context&) noexcept;

    await_node(function p, function c, std::source_location place) noexcept
        : poll(p), cancel(c), where(place) {}
    await_node(await_node const&) = delete;
    await_node& operator=(await_node const&) = delete;

    function poll;    // true: the result, or the exception, is in the node
    function cancel;  // true: it has let go
    std::source_location where;
};

struct coroutine_root {
    promise_base* innermost = nullptr;
    await_node* leaf = nullptr;
    context* cx = nullptr;  // of the poll under way

    // Polls. True: the outermost frame has returned.
    bool run(context& current);

    // Asks the leaf to let go. True: it has.
    bool cancel(context& current) noexcept {
        if (leaf) {
            losing_mark const for_good(current, false);
            if (!leaf->cancel(*leaf, current)) {
                current.root().awaiting = leaf->where;
                return false;
            }
        }
        leaf = nullptr;
        return true;
    }

    // Destroys all frames, the innermost first.
    void unwind() noexcept;

    // Before a leaf is polled; and when it is pending: a coroutine inside the leaf has named the
    // place where it waits, which is further in than the leaf.
    static void before_leaf(context& current) noexcept { current.root().awaiting = {}; }
    void name_place(context& current) const noexcept {
        auto& place = current.root().awaiting;
        if (place.line() == 0) place = leaf->where;
    }
};

struct promise_base : deeply_owned {
    explicit promise_base(std::coroutine_handle<> self) noexcept
        : deeply_owned([](deeply_owned* base) noexcept {
              destroy_frame(static_cast<promise_base&>(*base));
          }),
          frame(self) {}

    struct final_awaiter {
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> finished) const noexcept {
            promise_base& p = finished.promise();
            p.root->innermost = p.parent;
        }
        void await_resume() const noexcept {}
    };

    std::suspend_always initial_suspend() const noexcept { return {}; }
    final_awaiter final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { error = std::current_exception(); }

    static void* operator new(std::size_t bytes) { return slab_allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept {
        slab_deallocate(memory, bytes);
    }

    // What a destructor throws is reported: there is nobody that could catch it.
    ROUSE_DECL static void destroy_frame(promise_base& promise) noexcept;

    std::coroutine_handle<> frame;
    coroutine_root* root = nullptr;
    promise_base* parent = nullptr;           // the frame that awaits this one
    promise_base** owner = nullptr;           // what owns this frame; nulled when it is unwound
    std::exception_ptr error;
};

inline bool coroutine_root::run(context& current) {
    cx = &current;
    if (leaf) {
        before_leaf(current);
        if (!leaf->poll(*leaf, current)) {
            name_place(current);
            return false;
        }
        leaf = nullptr;
    }
    do {
        innermost->frame.resume();
        if (leaf) {
            name_place(current);
            return false;
        }
    } while (innermost);
    return true;
}

inline void coroutine_root::unwind() noexcept {
    leaf = nullptr;
    if (!innermost) return;
    fresh_destruction const counted_anew;
    while (promise_base* doomed = innermost) {
        innermost = doomed->parent;
        *doomed->owner = nullptr;
        doomed->destroy(doomed);
    }
}

// Compilers give frames the alignment that operator new has, whatever lives in them.
template <class T>
inline constexpr bool fits_a_frame = alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;

// Awaits a future that is not a coroutine. `Held` is F& (the operand lives in the awaiting
// expression or is named) or F (the operand was converted).
template <class Held>
class future_awaiter : private await_node {
    using future_type = std::remove_reference_t<Held>;
    using value_type = output_t<future_type>;
    static_assert(fits_a_frame<future_type> && fits_a_frame<poll_result<value_type>>,
                  "rouse: co_await: the frame of a coroutine is aligned to 16 bytes; put an "
                  "over-aligned future into an any_future, and give its value by std::unique_ptr");

public:
    template <class X>
    future_awaiter(coroutine_root& root, X&& x, bool named, std::source_location place)
        : await_node(&poll_leaf, named ? &cancel_named : &cancel_owned, place),
          root_(root),
          future_(std::forward<X>(x)) {}

    bool await_ready() {
        coroutine_root::before_leaf(*root_.cx);
        result_ = future_.poll(*root_.cx);
        return result_.is_ready();
    }
    void await_suspend(std::coroutine_handle<>) noexcept { root_.leaf = this; }
    value_type await_resume() {
        if (error_) std::rethrow_exception(std::move(error_));
        return std::move(result_).value();
    }

private:
    static bool poll_leaf(await_node& node, context& cx) noexcept {
        auto& self = static_cast<future_awaiter&>(node);
        try {
            self.result_ = self.future_.poll(cx);
            return self.result_.is_ready();
        } catch (...) {
            self.error_ = std::current_exception();
            return true;
        }
    }

    // What the leaf had completed with is lost: the coroutine that would take it is being unwound.
    static bool cancel_owned(await_node& node, context& cx) noexcept {
        try {
            return detail::cancel(static_cast<future_awaiter&>(node).future_, cx).is_ready();
        } catch (...) {
            return true;
        }
    }
    static bool cancel_named(await_node& node, context& cx) noexcept {
        if constexpr (requires(future_type& f) { f.stop_waiting(); }) {
            static_cast<future_awaiter&>(node).future_.stop_waiting();
            return true;
        } else {
            return cancel_owned(node, cx);
        }
    }

    coroutine_root& root_;
    Held future_;
    poll_result<value_type> result_ = pending;
    std::exception_ptr error_;
};

}  // namespace rouse::detail

#endif
