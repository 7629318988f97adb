// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_FETCH_REPORT_HPP
#define ROUSE_EXAMPLE_FETCH_REPORT_HPP

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <map>
#include <mutex>
#include <rouse.hpp>
#include <sstream>
#include <string>

#include "address.hpp"
#include "failure.hpp"

namespace fetch {

// How often each latency was seen, in microseconds: exact below 64, then 32 steps for each
// doubling.
class latencies {
public:
    void add(std::uint64_t value) {
        seen_[index(value)].fetch_add(1, std::memory_order_relaxed);
        auto longest = longest_.load(std::memory_order_relaxed);
        while (longest < value && !longest_.compare_exchange_weak(longest, value)) {
        }
    }

    // The value that `percent` of all are not above, at most 1/32 too high.
    std::uint64_t percentile(unsigned percent) const {
        std::uint64_t all = 0;
        for (auto const& n : seen_) all += n.load(std::memory_order_relaxed);
        std::uint64_t const wanted = (all * percent + 99) / 100;
        std::uint64_t below = 0;
        for (std::size_t i = 0; i < seen_.size(); ++i) {
            below += seen_[i].load(std::memory_order_relaxed);
            if (below >= wanted) return std::min(highest(i), longest());
        }
        return longest();
    }
    std::uint64_t longest() const { return longest_.load(std::memory_order_relaxed); }

private:
    static std::size_t index(std::uint64_t value) {
        if (value < 64) return static_cast<std::size_t>(value);
        auto const shift = static_cast<std::size_t>(std::bit_width(value)) - 6;
        return shift * 32 + static_cast<std::size_t>(value >> shift);
    }
    static std::uint64_t highest(std::size_t i) {
        if (i < 64) return i;
        std::size_t const shift = i / 32 - 1;
        return ((std::uint64_t{i % 32} + 33) << shift) - 1;
    }

    std::array<std::atomic<std::uint64_t>, 59 * 32 + 32> seen_{};
    std::atomic<std::uint64_t> longest_{0};
};

// What has been done, on its way and at the end. Any thread may call anything.
class report {
public:
    explicit report(std::uint64_t requests) : requests_(requests) {}

    bool on_terminal() const { return on_terminal_; }
    std::uint64_t failed() const { return failed_; }

    void add(std::chrono::steady_clock::duration took, std::uint64_t bytes) {
        latencies_.add(static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
        bytes_ += bytes;
        ++done_;
    }

    void add(std::string const& url, failure const& why) {
        ++failed_;
        std::lock_guard const guard(printing_);
        ++errors_[why.kind];
        remove_bar();
        std::cerr << printable(url) << ": " << why.what() << std::endl;
    }

    // On a terminal a bar, which is drawn anew each time; else a line.
    void show_progress() {
        std::lock_guard const guard(printing_);
        std::uint64_t const ended = done_ + failed_;
        if (on_terminal_) {
            constexpr std::uint64_t width = 40;
            std::uint64_t const filled = requests_ == 0 ? width : ended * width / requests_;
            std::cout << "\r[" << std::string(filled, '#') << std::string(width - filled, ' ')
                      << "] ";
            bar_shown_ = true;
        }
        std::cout << ended << " of " << requests_ << ", " << failed_ << " failed, " << rate()
                  << " requests/s";
        std::cout << (on_terminal_ ? "\033[K" : "\n") << std::flush;
    }

    void print_table(rouse::pool_metrics const& pool) {
        std::lock_guard const guard(printing_);
        remove_bar();
        auto& out = std::cout;
        out << "requests   " << done_ << " done, " << failed_ << " failed, of " << requests_ << '\n'
            << "rate       " << rate() << " requests/s\n"
            << "latency    ";
        if (done_ == 0) {
            out << "-\n";
        } else {  // of those that are done, redirects and retries included
            out << "p50 " << milliseconds(latencies_.percentile(50)) << ", p99 "
                << milliseconds(latencies_.percentile(99)) << ", max "
                << milliseconds(latencies_.longest()) << '\n';
        }
        out << "bytes      " << bytes_ << '\n';
        for (auto const& [kind, count] : errors_)
            out << "error      " << kind << ": " << count << '\n';
        out << "worker         polls    steals     parks\n";
        for (std::size_t i = 0; i < pool.workers.size(); ++i) {
            auto const& w = pool.workers[i];
            out << std::setw(6) << i << std::setw(14) << w.polls << std::setw(10) << w.steals
                << std::setw(10) << w.parks << '\n';
        }
        out << std::flush;
    }

private:
    void remove_bar() {
        if (std::exchange(bar_shown_, false)) std::cout << "\r\033[K" << std::flush;
    }
    std::uint64_t rate() const {
        using seconds = std::chrono::duration<double>;
        double const passed = seconds(std::chrono::steady_clock::now() - begin_).count();
        return passed > 0 ? static_cast<std::uint64_t>(static_cast<double>(done_) / passed) : 0;
    }
    static std::string milliseconds(std::uint64_t microseconds) {
        std::ostringstream text;
        text << std::fixed << std::setprecision(microseconds < 10'000 ? 2 : 0)
             << static_cast<double>(microseconds) / 1000 << " ms";
        return text.str();
    }

    std::uint64_t const requests_;
    std::chrono::steady_clock::time_point const begin_ = std::chrono::steady_clock::now();
    bool const on_terminal_ = isatty(STDOUT_FILENO) == 1;
    latencies latencies_;
    std::atomic<std::uint64_t> done_{0}, failed_{0}, bytes_{0};

    std::mutex printing_;  // and what stands below
    std::map<std::string, std::uint64_t> errors_;
    bool bar_shown_ = false;
};

}  // namespace fetch

#endif
