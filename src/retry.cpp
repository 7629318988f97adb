// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 7
#include <algorithm>
#include <rouse/detail/random.hpp>
#include <rouse/error.hpp>
#include <rouse/retry.hpp>

namespace rouse {

namespace {
using in_double = std::chrono::duration<double, backoff::duration::period>;
}

backoff::duration backoff::checked(duration d) {
    if (d < duration::zero()) detail::throw_misuse("a pause of a backoff is not below zero");
    return d;
}

// Written so that what is no number is refused, too.
backoff& backoff::times(double factor) {
    if (!(factor >= 1)) detail::throw_misuse("the factor of a backoff is at least 1");
    factor_ = factor;
    return *this;
}

backoff& backoff::attempts(unsigned most) {
    if (most == 0) detail::throw_misuse("a backoff allows one attempt at least");
    left_ = most;
    return *this;
}

backoff& backoff::jitter(double fraction) {
    if (!(fraction >= 0 && fraction <= 1))
        detail::throw_misuse("the jitter of a backoff is a fraction, from 0 to 1");
    jitter_ = fraction;
    return *this;
}

std::optional<backoff::duration> backoff::next() noexcept {
    if (left_ <= 1) return std::nullopt;
    --left_;
    duration const whole = std::min(next_, longest_);
    next_ = std::min(detail::saturated(in_double(whole) * factor_), longest_);
    constexpr double range = 1.0 + std::numeric_limits<std::uint32_t>::max();
    double const shortened = jitter_ * (detail::random() / range);
    return std::min(whole, detail::saturated(in_double(whole) * (1 - shortened)));
}

}  // namespace rouse
