// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_PROXY_COUNTERS_HPP
#define ROUSE_EXAMPLE_PROXY_COUNTERS_HPP

#include <atomic>
#include <cstdint>
#include <ostream>

namespace proxy {

// What has been done. Any thread may count.
class counters {
public:
    using counter = std::atomic<std::uint64_t>;

    counter complete{0};     // both sides have said that they send no more
    counter idle{0};         // nothing came from either side for too long
    counter unreachable{0};  // the target did not answer
    counter broken{0};       // one side has gone in the middle
    counter to_target{0}, to_client{0};

    // A connection, as long as it lives.
    class one {
    public:
        explicit one(counters& all) : all_(all) {
            ++all_.accepted_;
            std::uint64_t const now = ++all_.open_;
            std::uint64_t most = all_.most_;
            while (most < now && !all_.most_.compare_exchange_weak(most, now)) {
            }
        }
        one(one const&) = delete;
        one& operator=(one const&) = delete;
        ~one() { --all_.open_; }

    private:
        counters& all_;
    };

    // When all have ended. Those that are not counted otherwise were cut off by the end.
    void print(std::ostream& out) const {
        out << "connections  " << accepted_ << " accepted, at most " << most_ << " at once\n"
            << "of these     " << complete << " complete, " << idle << " idle, " << unreachable
            << " without target, " << broken << " broken, "
            << accepted_ - complete - idle - unreachable - broken << " cut off\n"
            << "bytes        " << to_target << " to the target, " << to_client
            << " to the clients\n"
            << std::flush;
    }

private:
    counter accepted_{0}, open_{0}, most_{0};
};

}  // namespace proxy

#endif
