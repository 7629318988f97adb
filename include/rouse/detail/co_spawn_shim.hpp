// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#ifndef ROUSE_DETAIL_CO_SPAWN_SHIM_HPP
#define ROUSE_DETAIL_CO_SPAWN_SHIM_HPP

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <concepts>
#include <memory>
#include <rouse/detail/op_block.hpp>

// For Asio before 1.28.2 only. There, co_spawn passes a cancellation on by a function that is submitted
// to the coroutine's executor and holds a plain pointer to a signal in the handler's slot. When it runs,
// the operation may have ended, and ours has disarmed its slot then: the signal would be gone. So the
// function shares it, as in later versions.

namespace boost::asio::detail {

template <typename Handler, typename Executor, typename>
class co_spawn_cancellation_handler;

template <typename Handler, typename Executor>
    requires(std::same_as<associated_cancellation_slot_t<Handler>, rouse::detail::op_slot> &&
             !requires {
                 typename associated_executor<Handler,
                                              Executor>::asio_associated_executor_is_unspecialised;
             })
class co_spawn_cancellation_handler<Handler, Executor, void> {
public:
    co_spawn_cancellation_handler(Handler const&, Executor const& ex) : executor_(ex) {}

    cancellation_slot slot() { return signal_->slot(); }

    void operator()(cancellation_type_t type) {
        dispatch(executor_, [signal = signal_, type] { signal->emit(type); });
    }

private:
    std::shared_ptr<cancellation_signal> signal_ = std::make_shared<cancellation_signal>();
    Executor executor_;
};

}  // namespace boost::asio::detail

#endif
