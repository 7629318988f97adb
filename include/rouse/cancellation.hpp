// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 1
#ifndef ROUSE_CANCELLATION_HPP
#define ROUSE_CANCELLATION_HPP

#include <array>
#include <chrono>
#include <cstdint>
#include <rouse/config.hpp>
#include <rouse/detail/atomic.hpp>
#include <utility>

namespace rouse {

// How far a cancelled operation must have kept its promises, in the words and with the values of
// Asio's cancellation_type: a set of bits.
enum class cancellation_type : unsigned {
    none = 0,
    terminal = 1,  // may leave things half done; the only safe use afterwards is to destroy
    partial = 2,   // side effects are reported
    total = 4,     // no side effects
    all = 7,
};

constexpr cancellation_type operator|(cancellation_type a, cancellation_type b) noexcept {
    return static_cast<cancellation_type>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr cancellation_type operator&(cancellation_type a, cancellation_type b) noexcept {
    return static_cast<cancellation_type>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}

constexpr cancellation_type operator~(cancellation_type a) noexcept {
    return static_cast<cancellation_type>(~static_cast<unsigned>(a) & 7U);
}

class cancellation_state;

namespace detail {

// One who masks for as long as it lives, or the state does.
class mask_holder {
public:
    inline mask_holder(cancellation_state& state, cancellation_type types) noexcept;
    mask_holder(mask_holder const&) = delete;
    mask_holder& operator=(mask_holder const&) = delete;
    inline ~mask_holder();

private:
    friend cancellation_state;

    cancellation_state* state_;  // null: it is gone
    cancellation_type types_;
    mask_holder* next_;  // in the state's list
    mask_holder** at_;   // what refers to this one there
};

}  // namespace detail

// The cooperative cancellation of one task: sticky, so that an operation that starts after the
// request is cancelled too.
//
// `request` may be called by any thread at any time; the task must be woken afterwards by whoever
// requested. Everything else is called in the polls of the task only. That of a spawned task lives as
// long as there is a waker or a handle of it.
class cancellation_state {
public:
    cancellation_state() noexcept : changes_(begin_changes()) {}
    cancellation_state(cancellation_state const&) = delete;
    cancellation_state& operator=(cancellation_state const&) = delete;
    ~cancellation_state() {
        for (; holders_; holders_ = holders_->next_) holders_->state_ = nullptr;
    }

    void request(cancellation_type type) noexcept {
        auto old = word_.load(detail::relaxed);  // a hint for the exchange below
        auto const bits = static_cast<std::uint32_t>(type) & type_bits;  // Asio's `all` has more
        // release: pairs with the acquire in requested(), epoch() and look()
        while (!word_.compare_exchange_weak(old, (old | bits) + epoch_one, detail::acq_rel,
                                            detail::relaxed)) {
        }
    }

    // What was requested and is not masked.
    cancellation_type requested() const noexcept { return requested_in(word_.load(detail::acquire)); }

    // Whether anything was requested and not cleared, masked or not.
    bool any_stands() const noexcept { return (word_.load(detail::acquire) & type_bits) != 0; }

    // Another one after every request, mask, unmask and clear: whoever polls several children polls all of them
    // when it has changed. 0 until there was one; from then on two states have different ones, but for rare
    // accidents, so that a future which is polled by somebody else now sees the requests there.
    std::uint32_t epoch() const noexcept { return epoch_in(word_.load(detail::acquire)); }

    // The same of one moment, with how many requests there were, for whoever passes them on.
    struct snapshot {
        cancellation_type requested = cancellation_type::none;
        std::uint32_t epoch = 0;
        std::uint32_t requests = 0;
        std::uint32_t changes = 0;

        // False: this was taken of another state than the earlier one, or many changes later.
        bool is_of_the_same(snapshot const& earlier) const noexcept {
            return changes - earlier.changes < changes_apart;
        }
    };
    snapshot look() const noexcept {
        auto const word = word_.load(detail::acquire);
        return {requested_in(word), epoch_in(word), word / epoch_one, changes_};
    }

    // Those types are not seen until each `mask` of them was followed by an `unmask`; a masked request
    // is kept. At most 65,535 masks of a type at a time.
    void mask(cancellation_type types) noexcept { change_masks(types, 1); }
    void unmask(cancellation_type types) noexcept {
        change_masks(types, -1);
        auto const now = look();
        if (now.requested == cancellation_type::none) return;
        // Others were polled under a mask that is older than this poll. Under one that is not, too, perhaps; but a
        // mask around each poll of something must not have all polled again and again: once for each request.
        if ((static_cast<unsigned>(now.requested) & masked_before_) == 0) {
            if (answered_ == now.requests % answers) return;
            answered_ = now.requests % answers;
        }
        unmasked_ = true;
    }
    cancellation_type masked() const noexcept {
        unsigned types = 0;
        for (unsigned n = 0; n < masks_.size(); ++n) types |= (masks_[n] != 0 ? 1U : 0U) << n;
        return static_cast<cancellation_type>(types);
    }

    // By whoever polls with this state, after each poll. True: a request was unmasked in the poll, or cleared, which
    // those who were polled before that have not seen; another poll is due.
    [[nodiscard]] bool take_unmasked() noexcept {
        masked_before_ = static_cast<unsigned>(masked()) & type_bits;
        bool const was = unmasked_;
        unmasked_ = false;
        return was;
    }

    // When whoever polls with this state must be done: a request comes then. `max` if never. Of the
    // runtime's clock. Set before the first poll; a deadline that is further away than an outer one
    // is as good as that.
    std::chrono::steady_clock::time_point deadline() const noexcept { return deadline_; }
    void limit(std::chrono::steady_clock::time_point deadline) noexcept {
        if (deadline < deadline_) deadline_ = deadline;
    }

    // Forgets what was requested so far, for all that is polled with this state afterwards.
    void clear() noexcept {
        auto const before = word_.fetch_and(~type_bits, detail::acq_rel);  // pairs with request()
        ++changes_;
        if ((before & type_bits) != 0) unmasked_ = true;  // who waits for others to hear of it looks again
    }

private:
    friend detail::mask_holder;

    static constexpr std::uint32_t changes_apart = 1U << 12;
    ROUSE_DECL static std::uint32_t begin_changes() noexcept;  // a multiple of that

    cancellation_type requested_in(std::uint32_t word) const noexcept {
        if ((word & type_bits) == 0) return cancellation_type::none;
        return static_cast<cancellation_type>(word & type_bits) & ~masked();
    }
    std::uint32_t epoch_in(std::uint32_t word) const noexcept {
        std::uint32_t const requests = word / epoch_one;
        bool const untouched = requests == 0 && changes_ % changes_apart == 0;
        return untouched ? 0 : (requests + changes_) & 0x7fffffffU;
    }

    void change_masks(cancellation_type types, int by) noexcept {
        for (unsigned n = 0; n < masks_.size(); ++n) {
            if ((static_cast<unsigned>(types) >> n & 1) != 0)
                masks_[n] = static_cast<std::uint16_t>(masks_[n] + by);
        }
        ++changes_;
    }

    static constexpr std::uint32_t type_bits = 7;
    static constexpr std::uint32_t epoch_one = 8;
    static constexpr std::uint32_t answers = 1U << 12;  // as many as the bits of answered_ tell apart

    detail::atomic<std::uint32_t> word_{0};  // requested types, and above them how many requests
    std::uint32_t changes_;  // made by the polls, on top of where it began
    std::array<std::uint16_t, 3> masks_{};  // of each type: how many there are
    std::uint16_t unmasked_ : 1 = 0;
    std::uint16_t masked_before_ : 3 = 0;  // the types that were when this poll began
    std::uint16_t answered_ : 12 = 0;      // for how many requests there was another poll
    std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
    detail::mask_holder* holders_ = nullptr;
};

inline detail::mask_holder::mask_holder(cancellation_state& state, cancellation_type types) noexcept
    : state_(&state), types_(types), next_(state.holders_), at_(&state.holders_) {
    state.mask(types);
    if (next_) next_->at_ = &next_;
    state.holders_ = this;
}

inline detail::mask_holder::~mask_holder() {
    if (!state_) return;
    *at_ = next_;
    if (next_) next_->at_ = at_;
    state_->unmask(types_);
}

}  // namespace rouse

#endif
