// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Signals in a program with a thread pool (behaviours 18 and 66). Storms of signals, and children:
// the sanitizers put signals off until it suits them, and do not bear forks.

#include <support/pool_kit.hpp>

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dlfcn.h>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <csignal>
#include <rouse.hpp>
#include <set>
#include <string>
#include <support/scale.hpp>
#include <vector>

namespace {
std::atomic<unsigned> interrupted{0};  // waits of event loops that a signal has ended
}

extern "C" int epoll_wait(int epoll, epoll_event* events, int most, int timeout) {
    using function = int (*)(int, epoll_event*, int, int);
    static auto const next = reinterpret_cast<function>(::dlsym(RTLD_NEXT, "epoll_wait"));
    int const n = next(epoll, events, most, timeout);
    if (n < 0 && errno == EINTR) interrupted.fetch_add(1, std::memory_order_relaxed);
    return n;
}

using namespace rouse_test;
using namespace std::chrono_literals;
using asio::ip::tcp;
using rouse::block_on;
using rouse::spawn;
using rouse::task;
using rouse::thread_pool;

namespace {

// The signals of an error in the thread itself.
std::set<int> const errors{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};

// Those that this thread has blocked, of all that can be.
std::set<int> blocked_here() {
    sigset_t mask;
    ::sigemptyset(&mask);
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    std::set<int> blocked;
    for (int s = 1; s <= SIGRTMAX; ++s) {
        if (s == SIGKILL || s == SIGSTOP || (s > 31 && s < SIGRTMIN)) continue;
        if (::sigismember(&mask, s) == 1) blocked.insert(s);
    }
    return blocked;
}

std::set<int> all_but_errors() {
    std::set<int> all;
    for (int s = 1; s <= SIGRTMAX; ++s) {
        if (s == SIGKILL || s == SIGSTOP || (s > 31 && s < SIGRTMIN) || errors.count(s)) continue;
        all.insert(s);
    }
    return all;
}

// Blocks or unblocks one signal in this thread.
void mask_here(int how, int signal) {
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, signal);
    ::pthread_sigmask(how, &one, nullptr);
}

// A handler that counts, without SA_RESTART: interrupted calls come back with EINTR.
class counted_signal {
public:
    explicit counted_signal(int signal) : signal_(signal) {
        count = 0;
        struct sigaction action {};
        action.sa_handler = [](int) { count.fetch_add(1, std::memory_order_relaxed); };
        ::sigaction(signal, &action, &before_);
    }
    counted_signal(counted_signal const&) = delete;
    counted_signal& operator=(counted_signal const&) = delete;
    ~counted_signal() { ::sigaction(signal_, &before_, nullptr); }

    static inline std::atomic<unsigned> count{0};

private:
    int const signal_;
    struct sigaction before_ {};
};

// A storm: SIGALRM to the process, ten thousand times a second if the system can.
class storm {
public:
    storm() {
        itimerval const often{{0, 100}, {0, 100}};
        ::setitimer(ITIMER_REAL, &often, nullptr);
    }
    storm(storm const&) = delete;
    storm& operator=(storm const&) = delete;
    ~storm() {
        itimerval const never{};
        ::setitimer(ITIMER_REAL, &never, nullptr);
    }

private:
    counted_signal handler_{SIGALRM};
};

task<> echo(tcp::socket socket) {
    std::array<char, 512> buffer{};
    for (;;) {
        auto const n = co_await socket.async_read_some(asio::buffer(buffer),
                                                       rouse::as_result(rouse::use_poll));
        if (!n) co_return;
        co_await asio::async_write(socket, asio::buffer(buffer, *n), rouse::use_poll);
    }
}
task<> serve(thread_pool& pool, tcp::acceptor acceptor, unsigned connections) {
    for (unsigned n = 0; n < connections; ++n) {
        rouse::spawn_ok(pool, echo(co_await acceptor.async_accept(rouse::use_poll)));
    }
}
task<unsigned> ask(tcp::socket socket, tcp::endpoint server, unsigned rounds) {
    co_await socket.async_connect(server, rouse::use_poll);
    asio::steady_timer timer(socket.get_executor());
    unsigned right = 0;
    for (unsigned r = 0; r < rounds; ++r) {
        if (r % 16 == 0) {
            timer.expires_after(200us);
            co_await timer.async_wait(rouse::use_poll);
        }
        std::string const sent(1 + r % 300, static_cast<char>('a' + r % 26));
        std::string received(sent.size(), ' ');
        co_await asio::async_write(socket, asio::buffer(sent), rouse::use_poll);
        co_await asio::async_read(socket, asio::buffer(received), rouse::use_poll);
        if (received == sent) ++right;
    }
    co_return right;
}

// I/O, timers, tasks, and this thread waiting for all of them.
void much_happens(thread_pool& pool) {
    constexpr unsigned connections = 8;
    unsigned const rounds = scaled(2000U);
    tcp::acceptor acceptor(pool, {asio::ip::address_v4::loopback(), 0});
    auto const endpoint = acceptor.local_endpoint();
    rouse::spawn_ok(pool, serve(pool, std::move(acceptor), connections));
    std::vector<rouse::join_handle<unsigned>> asking;
    for (unsigned c = 0; c < connections; ++c)
        asking.push_back(spawn(pool, ask(tcp::socket(pool), endpoint, rounds)));
    unsigned right = 0;
    for (auto& handle : asking) right += block_on(std::move(handle));
    BOOST_TEST(right == connections * rounds);
}

}  // namespace

BOOST_AUTO_TEST_CASE(b66_workers_block_all_signals_but_those_of_errors) {
    for (bool const blocked_before : {false, true}) {
        if (blocked_before) mask_here(SIG_BLOCK, SIGUSR2);
        auto const before = blocked_here();
        in_both_modes({1, 8}, [](mode m, unsigned workers) {
            std::mutex lock;
            std::vector<std::set<int>> seen;
            auto const look = [&] {
                std::lock_guard guard(lock);
                seen.push_back(blocked_here());
            };
            pool_home pool(
                m, thread_pool::builder().workers(workers).after_start([&](unsigned) { look(); }));
            for (int n = 0; n < 10; ++n) {
                asio::post(*pool, look);
                rouse::spawn_ok(*pool, [&]() -> task<> {
                    look();
                    co_return;
                });
            }
            pool->join();
            BOOST_TEST(seen.size() == workers + 20);
            for (auto const& blocked : seen)
                BOOST_TEST(blocked == all_but_errors(), boost::test_tools::per_element());
        });
        BOOST_TEST(blocked_here() == before, boost::test_tools::per_element());
        if (blocked_before) mask_here(SIG_UNBLOCK, SIGUSR2);
    }
}

// Only the application's own threads see the storm: this one, which waits, and in the second mode
// the one that runs the event loop.
BOOST_AUTO_TEST_CASE(b66_a_storm_of_signals_disturbs_nobody) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        {
            storm const s;
            much_happens(*pool);
            wait_until([] { return counted_signal::count > 100U; }, "a storm");
        }
        pool->join();
    });
}

// Workers that let a signal through, as an application may want them to, get it all the time: in
// the middle of waits, reads, writes and polls.
BOOST_AUTO_TEST_CASE(b66_a_storm_of_signals_in_the_workers_disturbs_nobody) {
    counted_signal const handler(SIGUSR1);
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        std::vector<pthread_t> threads(workers);
        std::atomic<unsigned> started{0};
        pool_home pool(m, thread_pool::builder().workers(workers).after_start([&](unsigned index) {
            mask_here(SIG_UNBLOCK, SIGUSR1);
            threads[index] = ::pthread_self();
            ++started;
        }));
        wait_until([&] { return started == workers; }, "the workers");
        interrupted = 0;
        counted_signal::count = 0;
        std::atomic<bool> over{false};
        std::thread sender([&] {
            mask_here(SIG_BLOCK, SIGUSR1);
            while (!over) {
                for (pthread_t const t : threads) ::pthread_kill(t, SIGUSR1);
                std::this_thread::sleep_for(50us);
            }
        });
        much_happens(*pool);
        if (m == mode::own) wait_until([] { return interrupted > 0U; }, "an interrupted wait");
        over = true;
        sender.join();
        BOOST_TEST(counted_signal::count > 0U);
        much_happens(*pool);
        pool->join();
    });
}

// The peer has gone: writes end with an error. SIGPIPE would end the program, or, where it is
// blocked, stay pending for the thread that has written.
BOOST_AUTO_TEST_CASE(b66_a_write_to_a_reset_connection_raises_no_sigpipe) {
    counted_signal const handler(SIGPIPE);
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        std::atomic<bool> pending{false};
        auto const look = [&] {
            sigset_t set;
            ::sigemptyset(&set);
            ::sigpending(&set);
            if (::sigismember(&set, SIGPIPE) == 1) pending = true;
        };
        auto const write_until_error = [&](auto& socket) -> task<boost::system::error_code> {
            std::array<char, 70'000> const data{};
            for (;;) {
                auto const n = co_await asio::async_write(socket, asio::buffer(data),
                                                          rouse::as_result(rouse::use_poll));
                look();
                if (!n) co_return n.error();
            }
        };
        for (int n = 0; n < scaled(50); ++n) {
            tcp::acceptor acceptor(*pool, {asio::ip::address_v4::loopback(), 0});
            tcp::socket here(*pool);
            tcp::socket there(*pool);
            there.connect(acceptor.local_endpoint());
            acceptor.accept(here);
            auto writes = spawn(*pool, write_until_error(here));
            if (n % 2) std::this_thread::yield();
            there.set_option(asio::socket_base::linger(n % 3 != 0, 0));  // a reset, or an end
            there.close();
            auto const error = block_on(std::move(writes));
            BOOST_TEST(
                (error == asio::error::broken_pipe || error == asio::error::connection_reset));
            // Once more, by hand and by Asio's plain function: no wait for an event that was had.
            boost::system::error_code again;
            here.non_blocking(true);
            here.write_some(asio::buffer("x", 1), again);
            BOOST_TEST((again == asio::error::broken_pipe));

            using local = asio::local::stream_protocol::socket;
            local one(*pool);
            local other(*pool);
            asio::local::connect_pair(one, other);
            other.close();
            BOOST_TEST(
                (block_on(spawn(*pool, write_until_error(one))) == asio::error::broken_pipe));
        }
        pool->join();
        BOOST_TEST(!pending);
        BOOST_TEST(counted_signal::count == 0U);
    });
}

// There is no such thing as a write to a pipe without that signal. In a pool with an event loop of
// its own all writes are made by workers, which have it blocked.
BOOST_AUTO_TEST_CASE(b66_a_write_to_a_pipe_without_a_reader_does_not_end_the_program) {
    for (unsigned const workers : {1U, 2U, 8U}) {
        pool_home pool(mode::own, workers);
        for (bool const waits : {false, true}) {
            std::array<int, 2> ends{};
            BOOST_TEST_REQUIRE(::pipe(ends.data()) == 0);
            asio::posix::stream_descriptor pipe(*pool, ends[1]);
            std::vector<char> const data(waits ? 1'000'000 : 1);  // a pipe takes less
            if (!waits) ::close(ends[0]);
            auto writes = spawn(*pool, asio::async_write(pipe, asio::buffer(data),
                                                         rouse::as_result(rouse::use_poll)));
            if (waits) {
                wait_until(
                    [&] {
                        int there = 0;
                        ::ioctl(ends[0], FIONREAD, &there);
                        return there > 60'000;
                    },
                    "a full pipe");
                ::close(ends[0]);
            }
            BOOST_TEST((block_on(std::move(writes)).error() == asio::error::broken_pipe));
        }
        pool->join();
    }
}

BOOST_AUTO_TEST_CASE(b66_sigint_by_a_signal_set_ends_a_pool_in_a_storm) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        for (int n = 0; n < scaled(30); ++n) {
            storm const s;
            pool_home pool(m, workers);
            tcp::acceptor acceptor(*pool, {asio::ip::address_v4::loopback(), 0});
            asio::signal_set signals(*pool, SIGINT, SIGTERM);
            std::atomic<int> came{0};
            signals.async_wait([&](auto, int number) {
                came = number;
                pool->stop();
            });
            auto serving = spawn(*pool, serve(*pool, std::move(acceptor), 1000));
            int const sent = n % 2 ? SIGINT : SIGTERM;
            ::kill(::getpid(), sent);
            pool->join();
            BOOST_TEST(came == sent);
            BOOST_CHECK_EXCEPTION(block_on(std::move(serving)), boost::system::system_error,
                                  says_aborted);
        }
    });
}

BOOST_AUTO_TEST_CASE(b66_every_child_that_ends_is_noticed_by_sigchld) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        storm const s;
        pool_home pool(m, workers);
        asio::signal_set signals(*pool, SIGCHLD);
        int const children = scaled(100);
        std::multiset<int> codes;
        auto reaper = spawn(*pool, [&]() -> task<> {
            while (codes.size() < static_cast<std::size_t>(children)) {
                co_await signals.async_wait(rouse::use_poll);
                // One signal may stand for several children.
                int status = 0;
                while (::waitpid(-1, &status, WNOHANG) > 0)
                    codes.insert(WIFEXITED(status) ? WEXITSTATUS(status) : -1);
            }
        });
        std::multiset<int> sent;
        for (int n = 0; n < children; ++n) {
            sent.insert(n % 100);
            pid_t const child = ::fork();
            if (child == 0) ::_exit(n % 100);
            BOOST_TEST_REQUIRE(child > 0);
        }
        block_on(std::move(reaper));
        BOOST_TEST(codes == sent, boost::test_tools::per_element());
        pool->join();
    });
}

// The way from a signal to a waker, and to a task: a signal_set, whose handler runs on a worker.
BOOST_AUTO_TEST_CASE(b18_a_signal_set_is_the_way_from_a_signal_to_a_waker) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        storm const s;
        pool_home pool(m, workers);
        asio::signal_set for_handler(*pool, SIGUSR1);
        asio::signal_set for_task(*pool, SIGUSR1, SIGUSR2);
        for (int n = 0; n < scaled(200); ++n) {
            event const happens;
            auto woken = spawn(*pool, [&]() -> task<> { co_await happens.happened(); });
            auto waits = spawn(*pool, for_task.async_wait(rouse::use_poll));
            wait_until([&] { return happens.polls() != 0; }, "a task that waits");
            for_handler.async_wait([&](boost::system::error_code e, int) {
                if (!e) happens.set();
            });
            ::kill(::getpid(), SIGUSR1);
            block_on(std::move(woken));
            BOOST_TEST(block_on(std::move(waits)) == SIGUSR1);
        }
        pool->join();
    });
}
