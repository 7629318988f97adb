// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#include <boost/asio/post.hpp>
#include <rouse/detail/clock_watch.hpp>
#include <rouse/detail/parker.hpp>
#include <rouse/detail/task_registry.hpp>
#include <rouse/use_clock.hpp>

namespace rouse {

namespace asio = boost::asio;

namespace {

// Its thread sleeps in the event loop.
class io_sleeper final : public detail::clock_sleeper {
public:
    explicit io_sleeper(asio::io_context& io) noexcept : io_(io) {}
    void look_again() noexcept override {
        try {
            asio::post(io_, [] {});
        } catch (...) {  // no memory: it looks by itself, after a while
        }
    }

private:
    asio::io_context& io_;
};

}  // namespace

void use_clock(asio::execution_context& context, paused_clock& clock) {
    // release: pairs with the schedulers that ask for it
    detail::task_registry::of(context).clock.store(&clock, detail::release);
}

std::size_t run_with_clock(asio::io_context& io, paused_clock& clock) {
    io_sleeper sleeper(io);
    std::size_t handlers = 0;
    for (;;) {
        auto const ended = detail::clock_watch::ended(clock);
        handlers += io.poll();
        if (io.stopped()) return handlers;
        detail::clock_watch watch(clock, sleeper, ended);
        if (watch.jump()) continue;
        watch.count_sleep();
        handlers += io.run_one_for(detail::longest_sleep);
    }
}

}  // namespace rouse
