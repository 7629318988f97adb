// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_DETAIL_POOL_EXECUTOR_HPP
#define ROUSE_DETAIL_POOL_EXECUTOR_HPP

#include <boost/asio/execution/allocator.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/mapping.hpp>
#include <boost/asio/execution/occupancy.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/execution/relationship.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <chrono>
#include <exception>
#include <memory>
#include <rouse/detail/abi.hpp>
#include <rouse/detail/parker.hpp>
#include <rouse/detail/pool_core.hpp>
#include <rouse/detail/slab_allocator.hpp>
#include <rouse/detail/work_item.hpp>
#include <type_traits>
#include <utility>

namespace rouse::detail {

namespace execution = boost::asio::execution;

// What an executor of a pool points to.
struct pool_parts {
    pool_core* core;
    boost::asio::io_context* io;
};

// A function that was given to a pool, in memory of its allocator's.
template <class F, class Allocator>
class queued_function final : public work_item {
    using allocator_type =
        typename std::allocator_traits<Allocator>::template rebind_alloc<queued_function>;

public:
    template <class X>
    static work_item& make(X&& function, Allocator const& a) {
        allocator_type allocator(a);
        queued_function* memory = std::allocator_traits<allocator_type>::allocate(allocator, 1);
        try {
            return *::new (static_cast<void*>(memory)) queued_function(std::forward<X>(function), a);
        } catch (...) {
            std::allocator_traits<allocator_type>::deallocate(allocator, memory, 1);
            throw;
        }
    }

private:
    template <class X>
    queued_function(X&& function, Allocator const& a)
        : work_item(&act_on), function_(std::forward<X>(function)), allocator_(a) {}

    static void act_on(work_item* item, bool run) {
        struct memory {
            queued_function* self;
            ~memory() {
                allocator_type allocator(self->allocator_);
                self->~queued_function();
                std::allocator_traits<allocator_type>::deallocate(allocator, self, 1);
            }
        };
        // The memory is free again before the function runs: it may queue the next one.
        F function = [&] {
            memory const freed{static_cast<queued_function*>(item)};
            return F(std::move(freed.self->function_));
        }();
        if (run) std::move(function)();
    }

    F function_;
    [[no_unique_address]] Allocator allocator_;
};

// Whose memory a function of this type is kept in, for an executor with this allocator. Asio passes on
// std::allocator where nobody has asked for one: that is the pool's own, too.
template <class F, class Allocator>
struct queue_memory {
    using type = Allocator;
    static Allocator const& of(Allocator const& a) noexcept { return a; }
};
template <class F>
struct own_queue_memory {
    static constexpr bool fits = alignof(F) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;
    using type = std::conditional_t<fits, slab_allocator<void>, std::allocator<void>>;
    template <class Allocator>
    static type of(Allocator const&) noexcept {
        return {};
    }
};
template <class F, class T>
struct queue_memory<F, slab_allocator<T>> : own_queue_memory<F> {};
template <class F, class T>
struct queue_memory<F, std::allocator<T>> : own_queue_memory<F> {};

// An Asio executor that runs functions on a pool's workers. One type; blocking, relationship and
// outstanding work are run-time properties, the allocator is part of the type.
template <class Allocator>
class pool_executor {
    enum : unsigned { never = 1, always = 2, continuation = 4, tracked = 8 };

public:
    pool_executor(pool_parts const& parts, Allocator const& a) noexcept
        : parts_(&parts), allocator_(a) {}

    pool_executor(pool_executor const& other) noexcept
        : parts_(other.parts_), bits_(other.bits_), allocator_(other.allocator_) {
        begin();
    }
    pool_executor(pool_executor&& other) noexcept
        : parts_(other.parts_),
          bits_(std::exchange(other.bits_, other.bits_ & ~unsigned{tracked})),
          allocator_(std::move(other.allocator_)) {}
    pool_executor& operator=(pool_executor const& other) noexcept {
        if (this != &other) {
            pool_executor copy(other);
            swap(copy);
        }
        return *this;
    }
    pool_executor& operator=(pool_executor&& other) noexcept {
        pool_executor moved(std::move(other));  // what this one held is given up now
        swap(moved);
        return *this;
    }
    ~pool_executor() {
        if (bits_ & tracked) parts_->core->work_finished();
    }

    friend bool operator==(pool_executor const& a, pool_executor const& b) noexcept {
        return a.parts_ == b.parts_ && a.bits_ == b.bits_ && a.allocator_ == b.allocator_;
    }

    // True in a worker of the pool.
    bool running_in_this_thread() const noexcept { return parts_->core->running_here(); }

    // Runs a function: at once if this is a worker and the executor may block, else by way of the
    // queues. Throws std::bad_alloc, and what the function throws if it is run at once.
    template <class F>
    void execute(F&& f) const {
        using function_type = std::decay_t<F>;
        // A worker inside the event loop passes on what need not run at once; it cannot wait.
        if (!(bits_ & never) && parts_->core->running_here() &&
            ((bits_ & always) || !parts_->core->in_driver_here())) {
            function_type function(std::forward<F>(f));
            std::move(function)();
        } else if (bits_ & always) {
            function_type function(std::forward<F>(f));
            wait_for(function);
        } else {
            using memory = queue_memory<function_type, Allocator>;
            parts_->core->submit(queued_function<function_type, typename memory::type>::make(
                                     std::forward<F>(f), memory::of(allocator_)),
                                 (bits_ & continuation) != 0);
        }
    }

    // The properties.
    pool_executor require(execution::blocking_t::possibly_t) const { return with(0, never | always); }
    pool_executor require(execution::blocking_t::never_t) const { return with(never, always); }
    pool_executor require(execution::blocking_t::always_t) const { return with(always, never); }
    pool_executor require(execution::relationship_t::fork_t) const { return with(0, continuation); }
    pool_executor require(execution::relationship_t::continuation_t) const {
        return with(continuation, 0);
    }
    pool_executor require(execution::outstanding_work_t::tracked_t) const { return with(tracked, 0); }
    pool_executor require(execution::outstanding_work_t::untracked_t) const {
        return with(0, tracked);
    }
    template <class Other>
    pool_executor<Other> require(execution::allocator_t<Other> a) const {
        return with_allocator(a.value());
    }
    pool_executor<slab_allocator<void>> require(execution::allocator_t<void>) const {
        return with_allocator(slab_allocator<void>());
    }

    boost::asio::execution_context& query(execution::context_t) const noexcept { return *parts_->io; }
    execution::blocking_t query(execution::blocking_t) const noexcept {
        if (bits_ & never) return execution::blocking.never;
        if (bits_ & always) return execution::blocking.always;
        return execution::blocking.possibly;
    }
    execution::relationship_t query(execution::relationship_t) const noexcept {
        if (bits_ & continuation) return execution::relationship.continuation;
        return execution::relationship.fork;
    }
    execution::outstanding_work_t query(execution::outstanding_work_t) const noexcept {
        if (bits_ & tracked) return execution::outstanding_work.tracked;
        return execution::outstanding_work.untracked;
    }
    template <class Other>
    Allocator query(execution::allocator_t<Other>) const noexcept {
        return allocator_;
    }
    std::size_t query(execution::occupancy_t) const noexcept { return parts_->core->size(); }
    static constexpr execution::mapping_t query(execution::mapping_t) noexcept {
        return execution::mapping.thread;
    }

    pool_parts const& parts() const noexcept { return *parts_; }

private:
    template <class Other>
    friend class pool_executor;

    pool_executor(pool_parts const& parts, unsigned bits, Allocator const& a) noexcept
        : parts_(&parts), bits_(bits), allocator_(a) {
        begin();
    }

    void begin() const noexcept {
        if (bits_ & tracked) parts_->core->work_started();
    }
    void swap(pool_executor& other) noexcept {
        std::swap(parts_, other.parts_);
        std::swap(bits_, other.bits_);
        std::swap(allocator_, other.allocator_);
    }
    pool_executor with(unsigned set, unsigned clear) const noexcept {
        return {*parts_, (bits_ & ~clear) | set, allocator_};
    }
    template <class Other>
    pool_executor<Other> with_allocator(Other const& a) const noexcept {
        return {*parts_, bits_, a};
    }

    // blocking.always, from a thread that is no worker: sleeps until a worker has run the function, or
    // has destroyed it unrun because the pool ends.
    template <class F>
    void wait_for(F& function) const {
        struct waiting {
            F& function;
            std::exception_ptr error;
            parker sleeper;
        } here{function, {}, {}};
        struct unpark_when_gone {
            explicit unpark_when_gone(waiting& w) noexcept : where(&w) {}
            unpark_when_gone(unpark_when_gone&& o) noexcept : where(std::exchange(o.where, nullptr)) {}
            ~unpark_when_gone() {
                if (where) where->sleeper.unpark();
            }
            void operator()() && {
                try {
                    where->function();
                } catch (...) {
                    where->error = std::current_exception();
                }
            }
            waiting* where;
        };
        parts_->core->submit(queued_function<unpark_when_gone, slab_allocator<void>>::make(
                                 unpark_when_gone(here), slab_allocator<void>()),
                             false);
        while (!here.sleeper.park_until(std::chrono::steady_clock::now() + longest_sleep)) {
        }
        if (here.error) std::rethrow_exception(here.error);
    }

    pool_parts const* parts_;
    unsigned bits_ = 0;
    [[no_unique_address]] Allocator allocator_;
};

}  // namespace rouse::detail

#endif
