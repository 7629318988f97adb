// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_SPAWNABLE_HPP
#define ROUSE_SPAWNABLE_HPP

#include <optional>
#include <rouse/into_future.hpp>
#include <type_traits>
#include <utility>

namespace rouse {

namespace detail {

template <class F>
concept future_factory =
    std::is_invocable_v<std::decay_t<F>&> && awaitable_value<std::invoke_result_t<std::decay_t<F>&>>;

// A callable and the future that it returns. The callable is called by the first poll, and lives
// as long as the future: a coroutine may use what the lambda that made it has captured.
template <class F>
class factory_future {
    using made = into_future_t<std::invoke_result_t<F&>>;

public:
    template <class X>
    explicit factory_future(X&& x) : factory_(std::forward<X>(x)) {}

    poll_result<output_t<made>> poll(context& cx) {
        if (!made_) made_.emplace(rouse::into_future(factory_()));
        return made_->poll(cx);
    }
    cancel_result<output_t<made>> poll_cancel(context& cx) {
        if (!made_) return typename cancel_value<output_t<made>>::type{};
        return detail::cancel(*made_, cx);
    }

private:
    F factory_;
    std::optional<made> made_;
};

}  // namespace detail

// What can be spawned: a future, what into_future_traits converts, or a callable without arguments
// that returns one of these. What spawns says so by an assertion, not by a constraint: a constraint
// that is not met has the compiler say only that there is no such function.
template <class X>
concept spawnable = awaitable_value<X> || detail::future_factory<X>;

namespace detail {
template <class X>
struct spawned_future {
    static_assert(spawnable<X>,
                  "rouse: what is spawned is a future (poll(context&) -> poll_result<T>), what "
                  "into_future_traits converts, or a callable without arguments that returns one "
                  "of these");
    using type = into_future_t<X>;
};
template <class X>
    requires(!awaitable_value<X> && future_factory<X>)
struct spawned_future<X> {
    using type = factory_future<std::decay_t<X>>;
};
}  // namespace detail

template <class X>
using spawned_output_t = output_t<typename detail::spawned_future<X>::type>;

}  // namespace rouse

#endif
