// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 0
#ifndef ROUSE_DETAIL_SATURATED_HPP
#define ROUSE_DETAIL_SATURATED_HPP

#include <chrono>
#include <cstdint>
#include <limits>
#include <ratio>
#include <type_traits>

namespace rouse::detail {

// Any duration in the library's unit, rounded up, or the longest or shortest that there is.
template <class Rep, class Period>
constexpr std::chrono::steady_clock::duration saturated(
    std::chrono::duration<Rep, Period> d) noexcept {
    using ours = std::chrono::steady_clock::duration;
    // As long double every value of every representation is near enough to be compared.
    using wide = std::chrono::duration<long double, ours::period>;
    using ratio = std::ratio_divide<Period, ours::period>;
    wide const w(d);
    if (!(w.count() == w.count())) return ours::zero();  // not a number
    constexpr auto most = static_cast<long double>(ours::max().count());
    if (w.count() >= most) return ours::max();
    if (w.count() <= -most) return ours::min();
    if constexpr (std::chrono::treat_as_floating_point_v<Rep>) {
        auto const whole = static_cast<ours::rep>(w.count());
        return ours(static_cast<long double>(whole) < w.count() ? whole + 1 : whole);
    } else if constexpr (ratio::num == 1 || ratio::den == 1) {
        return std::chrono::ceil<ours>(d);
    } else {
        // That would multiply before it divides: half of what can be expressed overflows for 1/60 of a second.
        static_assert(ratio::num <= std::numeric_limits<std::intmax_t>::max() / ratio::den,
                      "rouse: this unit of time is too odd");
        using wide_count = std::common_type_t<Rep, std::intmax_t>;  // which the count may need, though the result does not
        wide_count const count = d.count();
        wide_count const rest = count % ratio::den * ratio::num;
        return ours(static_cast<ours::rep>(count / ratio::den * ratio::num + rest / ratio::den) +
                    (rest > 0 && rest % ratio::den != 0 ? 1 : 0));
    }
}

}  // namespace rouse::detail

#endif
