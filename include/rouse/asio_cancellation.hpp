// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#ifndef ROUSE_ASIO_CANCELLATION_HPP
#define ROUSE_ASIO_CANCELLATION_HPP

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/execution_context.hpp>
#include <memory>
#include <rouse/cancellation_source.hpp>
#include <rouse/config.hpp>
#include <rouse/spawn.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

// Has a slot of Asio's cancel a source: what is emitted there is requested of everything below it, in the
// thread that emits, and as often as it emits. A slot of no signal never emits. The handler that the slot had
// before is gone. Throws std::bad_alloc.
inline void cancel_from(boost::asio::cancellation_slot slot, cancellation_source source) {
    if (!slot.is_connected()) return;
    slot.assign([source = std::move(source)](boost::asio::cancellation_type_t type) {
        auto const keep = source;  // whoever hears of it may clear the slot
        keep.cancel(static_cast<cancellation_type>(static_cast<unsigned>(type)) & cancellation_type::all);
    });
}

namespace detail {

// Passes requests on until it is told to end, or there is nothing more that could be requested.
class [[nodiscard]] ROUSE_DECL emits_requests {
public:
    struct shared {
        explicit shared(cancellation_token t) : token(std::move(t)) {}
        cancellation_token token;
        boost::asio::cancellation_signal signal{};
        cancellation_source ends{};
    };

    explicit emits_requests(std::shared_ptr<shared> s)
        : shared_(std::move(s)),
          requested_(shared_->token.cancelled()),
          ended_(shared_->ends.token().cancelled()) {}

    poll_result<void> poll(context& cx);

private:
    std::shared_ptr<shared> shared_;
    cancellation_token::cancelled_future requested_;
    cancellation_token::cancelled_future ended_;
    cancellation_type emitted_ = cancellation_type::none;
};

}  // namespace detail

// A slot for Asio's operations that is emitted to when a token is cancelled, on an executor: that of the
// operations, where their handlers run one at a time (a strand, if several threads run it).
//
//     rouse::asio_slot stop(strand, everything.token());
//     timer.async_wait(asio::bind_cancellation_slot(stop.get(), handler));
//
// A request that came before is emitted all the same, when the executor comes to it; each type once.
// Made, used and destroyed where the handlers run. While it lives it is work: an `io_context::run` does not
// return. Nothing is emitted after its end. Operations that have
// its slot must have ended before it does, as with any cancellation_signal. Throws std::bad_alloc, and what
// the executor throws. Not needed for operations that are futures: these have with_cancellation.
class asio_slot {
public:
    template <class Executor>
        requires(!std::is_convertible_v<Executor&, boost::asio::execution_context&>)
    asio_slot(Executor const& ex, cancellation_token token)
        : shared_(std::make_shared<detail::emits_requests::shared>(std::move(token))) {
        spawn_ok(ex, detail::emits_requests(shared_));
    }
    template <class Context>
        requires std::is_convertible_v<Context&, boost::asio::execution_context&>
    asio_slot(Context& context, cancellation_token token)
        : asio_slot(context.get_executor(), std::move(token)) {}
    asio_slot(asio_slot const&) = delete;
    asio_slot& operator=(asio_slot const&) = delete;
    ~asio_slot() { shared_->ends.cancel(); }

    boost::asio::cancellation_slot get() const noexcept { return shared_->signal.slot(); }

private:
    std::shared_ptr<detail::emits_requests::shared> shared_;
};

}  // namespace rouse

#endif
