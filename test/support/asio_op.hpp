// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_ASIO_OP_HPP
#define ROUSE_TEST_SUPPORT_ASIO_OP_HPP

#include <support/asio_hand.hpp>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <memory>
#include <utility>

// What the tests of use_poll's future (test/asio/op_*.cpp) start, and what they expect of it.

namespace rouse_test {

// An operation without any I/O: its handler is kept until the test completes it, through the
// handler's executor.
template <class Signature>
class manual_operation {
public:
    template <class Token>
    auto async(Token&& token) {
        return asio::async_initiate<Token, Signature>(
            [this](auto handler) {
                ++started;
                using type = stored<decltype(handler)>;
                handler_ = std::make_unique<type>(std::move(handler));
            },
            token);
    }

    template <class... Args>
    void complete(Args... args) {
        std::exchange(handler_, nullptr)->complete(std::move(args)...);
    }
    void destroy() { handler_.reset(); }

    int started = 0;

private:
    template <class S>
    struct base_of;
    template <class... Args>
    struct base_of<void(Args...)> {
        struct type {
            virtual ~type() = default;
            virtual void complete(Args... args) = 0;
        };
    };
    using base = typename base_of<Signature>::type;

    template <class Handler, class S = Signature>
    struct stored;
    template <class Handler, class... Args>
    struct stored<Handler, void(Args...)> final : base {
        explicit stored(Handler h) : handler(std::move(h)) {}
        void complete(Args... args) override {
            auto const ex = asio::get_associated_executor(handler);
            ex.execute([h = std::move(handler), ... a = std::move(args)]() mutable {
                std::move(h)(std::move(a)...);
            });
        }
        Handler handler;
    };

    std::unique_ptr<base> handler_{};
};

// Neither copyable nor default-constructible.
struct cargo {
    explicit cargo(int n) : value(std::make_unique<int>(n)) {}
    std::unique_ptr<int> value;
};

inline auto const says_polled_too_often =
    with_sentence("an operation was polled after it was ready or moved from");

}  // namespace rouse_test

#endif
