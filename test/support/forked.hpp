// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_FORKED_HPP
#define ROUSE_TEST_SUPPORT_FORKED_HPP

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <string>

// Children of fork, and what becomes of them.

namespace rouse_test {

// A child that hangs is killed by this, in seconds.
inline constexpr unsigned limit_of_a_child = 30;

struct fate {
    int status = 0;
    std::string said{};

    bool exited_with(int code) const { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
    bool was_aborted() const { return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT; }
    bool hung() const { return WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM; }
};

// Forks at once, without anything else that might be in the way. In the child: its end of a pipe
// for what it says. Only functions that may be called between fork and exec.
class forked {
public:
    forked() {
        if (::pipe(ends_.data()) != 0) std::abort();
        child_ = ::fork();
        if (child_ < 0) std::abort();
        if (child_ == 0) {
            ::signal(SIGABRT, SIG_DFL);  // the test framework catches it
            sigset_t none;
            ::sigemptyset(&none);
            ::pthread_sigmask(SIG_SETMASK, &none, nullptr);  // that of a worker, perhaps
            rlimit const no_core{0, 0};
            ::setrlimit(RLIMIT_CORE, &no_core);
            ::alarm(limit_of_a_child);
            ::dup2(ends_[1], STDERR_FILENO);
        }
        ::close(ends_[1]);
    }
    forked(forked const&) = delete;
    forked& operator=(forked const&) = delete;

    bool in_child() const noexcept { return child_ == 0; }

    // In the parent, once.
    fate wait() const {
        fate f;
        std::array<char, 512> buffer{};
        for (ssize_t n; (n = ::read(ends_[0], buffer.data(), buffer.size())) > 0;)
            f.said.append(buffer.data(), static_cast<std::size_t>(n));
        ::close(ends_[0]);
        ::waitpid(child_, &f.status, 0);
        return f;
    }

private:
    std::array<int, 2> ends_{};
    pid_t child_ = 0;
};

}  // namespace rouse_test

#endif
