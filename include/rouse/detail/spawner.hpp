// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_DETAIL_SPAWNER_HPP
#define ROUSE_DETAIL_SPAWNER_HPP

#include <cstdint>
#include <exception>
#include <rouse/any_future.hpp>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <source_location>

namespace rouse::detail {

class spawner;

// How others refer to a spawner that may end before them. Counted: by the spawner and by them.
class ROUSE_DECL spawner_link {
public:
    explicit spawner_link(spawner& to) noexcept : to_(&to) {}
    spawner_link(spawner_link const&) = delete;
    spawner_link& operator=(spawner_link const&) = delete;

    void retain() noexcept { references_.fetch_add(1, relaxed); }  // the caller has a reference
    void release() noexcept;

    // The spawner, retained; null if it has ended.
    spawner* take() noexcept;
    // By the spawner, before it ends.
    void cut() noexcept;

private:
    ~spawner_link() = default;

    atomic<std::uint32_t> references_{1};
    mutex lock_;
    spawner* to_;  // under the lock
};

// How a future has others run by themselves: a service of the contexts of an executor's polls. It may be
// used by any thread in the polls in which it was found, and while it is retained.
class ROUSE_DECL spawner {
public:
    spawner() noexcept = default;
    spawner(spawner const&) = delete;
    spawner& operator=(spawner const&) = delete;

    // Runs it as a detached task. If the executor takes no more tasks, it is destroyed. Throws
    // std::bad_alloc; the future is where it was then.
    virtual void spawn(any_future<>&& f, std::source_location where) = 0;

    // What a task has thrown that was spawned there, and nobody waits for; unless that says only that the
    // executor stops.
    virtual void report(std::exception_ptr error, std::source_location where) noexcept = 0;

    // For those who may outlive it; made on first use. Null: there is no memory.
    spawner_link* link() noexcept;

    // Under the link's lock. False: it is ending.
    virtual bool try_retain() noexcept = 0;
    virtual void release() noexcept = 0;

protected:
    ~spawner() { cut_link(); }

    // By whoever ends it, before it begins to.
    void cut_link() noexcept;

private:
    atomic<spawner_link*> link_{nullptr};
};

}  // namespace rouse::detail

#endif
