// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_ANY_FUTURE_HPP
#define ROUSE_ANY_FUTURE_HPP

#include <concepts>
#include <new>
#include <rouse/detail/deep_destroy.hpp>
#include <rouse/detail/slab.hpp>
#include <rouse/into_future.hpp>
#include <utility>

namespace rouse {

// Owns any future whose value is a T. The future stands in memory of its own, so an any_future may
// be moved at any time. Polling an empty one (default-constructed or moved from) throws
// std::logic_error. One allocation, recycled.
//
// A chain of any_futures that own one another and were never polled is destroyed with bounded recursion: from
// the 101st on, each dies after the one that owned it, not inside its destructor. One that was polled always dies where
// it is, before what it may refer to; the destruction takes up to twice the stack that the polls took, and in a
// chain that grew in between, as much as it is long.
template <class T = void>
class [[nodiscard]] any_future {
public:
    any_future() noexcept = default;

    template <awaitable_value X>
        requires(!std::same_as<std::remove_cvref_t<X>, any_future> && std::same_as<output_t<into_future_t<X>>, T>)
    any_future(X&& x) : held_(new holder<into_future_t<X>>(std::forward<X>(x))) {}
    template <awaitable_value X>
        requires(!std::same_as<std::remove_cvref_t<X>, any_future> && !std::same_as<output_t<into_future_t<X>>, T>)
    explicit any_future(X&&) {
        static_assert(std::same_as<output_t<into_future_t<X>>, T>,
                      "rouse: any_future<T> holds a future whose value is a T");
    }

    any_future(any_future&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
    any_future& operator=(any_future&& other) noexcept {
        interface* const old = std::exchange(held_, std::exchange(other.held_, nullptr));
        if (old) detail::deep_destroy(*old);
        return *this;
    }
    ~any_future() {
        if (held_) detail::deep_destroy(*held_);
    }

    explicit operator bool() const noexcept { return held_ != nullptr; }

    poll_result<T> poll(context& cx) {
        if (!held_) detail::throw_misuse("an empty any_future was polled");
        held_->polled = true;
        return held_->poll(cx);
    }

    cancel_result<T> poll_cancel(context& cx) {
        if (!held_) return typename cancel_value<T>::type{};
        held_->polled = true;
        return held_->poll_cancel(cx);
    }

private:
    struct interface : detail::deeply_owned {
        using detail::deeply_owned::deeply_owned;
        virtual poll_result<T> poll(context& cx) = 0;
        virtual cancel_result<T> poll_cancel(context& cx) = 0;

    protected:
        ~interface() = default;
    };

    template <future F>
    struct holder final : interface {
        template <class X>
        explicit holder(X&& x)
            : interface([](detail::deeply_owned* self) noexcept {
                  delete static_cast<holder*>(self);
              }),
              future(rouse::into_future(std::forward<X>(x))) {}

        poll_result<T> poll(context& cx) override { return future.poll(cx); }
        cancel_result<T> poll_cancel(context& cx) override { return detail::cancel(future, cx); }

        static void* operator new(std::size_t bytes) { return detail::slab_allocate(bytes); }
        static void* operator new(std::size_t bytes, std::align_val_t alignment) {
            return ::operator new(bytes, alignment);
        }
        static void operator delete(void* memory, std::size_t bytes) {
            detail::slab_deallocate(memory, bytes);
        }
        static void operator delete(void* memory, std::size_t, std::align_val_t alignment) {
            ::operator delete(memory, alignment);
        }

        F future;
    };

    interface* held_ = nullptr;
};

}  // namespace rouse

#endif
