// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 3
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <rouse/detail/thread.hpp>
#include <system_error>
#include <thread>
#include <utility>

namespace rouse::detail {

namespace {

struct beginning {
    std::string name;
    std::function<void()> body;
};

void* enter(void* data) {
    std::unique_ptr<beginning> begin(static_cast<beginning*>(data));
    constexpr std::size_t longest = 15;
    ::pthread_setname_np(::pthread_self(), begin->name.substr(0, longest).c_str());
    begin->body();
    return nullptr;
}

void check(int error, char const* what) {
    if (error) throw std::system_error(error, std::generic_category(), what);
}

// Blocks asynchronous signals for the thread that is started meanwhile, which inherits the mask.
class signals_blocked {
public:
    signals_blocked() noexcept {
        sigset_t all;
        ::sigfillset(&all);
        for (int error : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
            ::sigdelset(&all, error);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    signals_blocked(signals_blocked const&) = delete;
    signals_blocked& operator=(signals_blocked const&) = delete;
    ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_;
};

constexpr double no_quota = std::numeric_limits<double>::infinity();

double quota_of(std::string const& cgroup) {
    // "QUOTA PERIOD" in microseconds, or "max PERIOD".
    std::ifstream file(cgroup + "/cpu.max");
    double quota = 0;
    double period = 0;
    bool const limited = file >> quota >> period && quota > 0 && period > 0;
    return limited ? quota / period : no_quota;
}

}  // namespace

void thread::start(std::string name, std::size_t stack, std::function<void()> body) {
    struct attributes {
        attributes() { check(::pthread_attr_init(&value), "rouse: thread attributes"); }
        ~attributes() { ::pthread_attr_destroy(&value); }
        pthread_attr_t value;
    } attributes;
    if (stack != 0)
        check(::pthread_attr_setstacksize(&attributes.value, stack),
              "rouse: the stack size of a worker is below the system's minimum");
    auto begin = std::make_unique<beginning>(beginning{std::move(name), std::move(body)});
    signals_blocked blocked;
    check(::pthread_create(&handle_, &attributes.value, &enter, begin.get()),
          "rouse: a worker's thread could not be started");
    static_cast<void>(begin.release());
    started_ = true;
}

void thread::join() noexcept {
    if (std::exchange(started_, false)) ::pthread_join(handle_, nullptr);
}

unsigned available_parallelism() noexcept {
    unsigned count = std::max(1U, std::thread::hardware_concurrency());
    cpu_set_t mask;
    if (::sched_getaffinity(0, sizeof mask, &mask) == 0)
        count = std::clamp(static_cast<unsigned>(CPU_COUNT(&mask)), 1U, count);
    try {
        count = std::min(count, processors_by_quota().value_or(count));
    } catch (...) {
        return count;  // no memory to read the files with
    }
    return count;
}

std::optional<unsigned> processors_by_quota(std::string const& root) {
    std::string cgroup;  // as this process sees it, "/one/in/another"
    std::ifstream list(root + "/proc/self/cgroup");
    for (std::string line; std::getline(list, line);) {
        if (line.starts_with("0::/")) cgroup = line.substr(3);
    }
    // Outside of its namespace: then only that one's root is to be seen. The folders may be missing,
    // too, where just a part of the tree is mounted.
    if ((cgroup + '/').find("/../") != std::string::npos) cgroup.clear();

    double least = no_quota;
    for (;;) {
        least = std::min(least, quota_of(root + "/sys/fs/cgroup" + cgroup));
        if (cgroup.empty()) break;
        cgroup.resize(cgroup.rfind('/'));
    }
    if (least == no_quota) return std::nullopt;
    constexpr double most = std::numeric_limits<unsigned>::max();
    return static_cast<unsigned>(std::clamp(std::ceil(least), 1.0, most));
}

}  // namespace rouse::detail
