// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The system's own means to sleep and to wake, when they do not do what they are asked for: a wake
// that comes late or not at all, calls that fail, sleeps that end for no reason (behaviour 46). The
// functions of the C library that lead to the system are replaced here, which the sanitizers do
// too.

#include <support/pool_kit.hpp>

#include <dlfcn.h>
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <deque>
#include <rouse.hpp>
#include <string_view>
#include <support/scale.hpp>
#include <vector>

namespace {

// What becomes of a call that wakes.
enum class wakes { arrive, are_lost, fail };

std::atomic<wakes> futex_wakes{wakes::arrive};
std::atomic<wakes> interrupts{wakes::arrive};  // of an event loop
std::atomic<unsigned> lost{0};
// Of so many calls one is interrupted; 0: none.
std::atomic<unsigned> interrupted_one_of{0};
std::atomic<unsigned> interrupted{0};

// The wakes that did not arrive, to be made up for.
constexpr std::size_t most_lost = 4096;
std::array<std::atomic<void*>, most_lost> lost_words{};

template <class Function>
Function real(char const* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

bool interrupt_this_one() {
    unsigned const one_of = interrupted_one_of.load(std::memory_order_relaxed);
    if (one_of == 0) return false;
    static std::atomic<unsigned> calls{0};
    if (calls.fetch_add(1, std::memory_order_relaxed) % one_of != 0) return false;
    interrupted.fetch_add(1, std::memory_order_relaxed);
    errno = EINTR;
    return true;
}

// The result of a wake that is not to arrive; 1: it is.
int what_becomes_of(wakes how, void* word) {
    if (how == wakes::arrive) return 1;
    unsigned const n = lost.fetch_add(1);
    if (n < most_lost) lost_words[n] = word;
    if (how == wakes::are_lost) return 0;
    errno = EPERM;
    return -1;
}

}  // namespace

extern "C" long syscall(long number, ...) noexcept {
    using function = long (*)(long, ...);
    static auto const next = real<function>("syscall");
    std::va_list arguments;
    va_start(arguments, number);
    std::array<long, 6> a{};
    for (long& x : a) x = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_futex) {
        long const what = a[1] & FUTEX_CMD_MASK;
        if (what == FUTEX_WAKE) {
            int const r = what_becomes_of(futex_wakes, reinterpret_cast<void*>(a[0]));
            if (r <= 0) return r;
        } else if (interrupt_this_one()) {
            return -1;
        }
    }
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

extern "C" int epoll_ctl(int epoll, int operation, int descriptor, epoll_event* event) noexcept {
    using function = int (*)(int, int, int, epoll_event*);
    static auto const next = real<function>("epoll_ctl");
    // Asio interrupts its event loop by this, for an eventfd that is always readable.
    if (operation == EPOLL_CTL_MOD && interrupts != wakes::arrive) {
        std::array<char, 64> name{};
        std::string const link = "/proc/self/fd/" + std::to_string(descriptor);
        if (::readlink(link.c_str(), name.data(), name.size() - 1) > 0 &&
            std::string_view(name.data()) == "anon_inode:[eventfd]") {
            int const r = what_becomes_of(interrupts, nullptr);
            if (r <= 0) return r;
        }
    }
    return next(epoll, operation, descriptor, event);
}

extern "C" int epoll_wait(int epoll, epoll_event* events, int most, int timeout) {
    using function = int (*)(int, epoll_event*, int, int);
    static auto const next = real<function>("epoll_wait");
    if (interrupt_this_one()) return -1;
    return next(epoll, events, most, timeout);
}

extern "C" ssize_t recv(int socket, void* data, size_t size, int flags) {
    using function = ssize_t (*)(int, void*, size_t, int);
    static auto const next = real<function>("recv");
    return interrupt_this_one() ? -1 : next(socket, data, size, flags);
}
extern "C" ssize_t send(int socket, void const* data, size_t size, int flags) {
    using function = ssize_t (*)(int, void const*, size_t, int);
    static auto const next = real<function>("send");
    return interrupt_this_one() ? -1 : next(socket, data, size, flags);
}
extern "C" ssize_t recvmsg(int socket, msghdr* message, int flags) {
    using function = ssize_t (*)(int, msghdr*, int);
    static auto const next = real<function>("recvmsg");
    return interrupt_this_one() ? -1 : next(socket, message, flags);
}
extern "C" ssize_t sendmsg(int socket, msghdr const* message, int flags) {
    using function = ssize_t (*)(int, msghdr const*, int);
    static auto const next = real<function>("sendmsg");
    return interrupt_this_one() ? -1 : next(socket, message, flags);
}
extern "C" int accept(int socket, sockaddr* address, socklen_t* size) {
    using function = int (*)(int, sockaddr*, socklen_t*);
    static auto const next = real<function>("accept");
    return interrupt_this_one() ? -1 : next(socket, address, size);
}

using namespace rouse_test;
using namespace std::chrono_literals;
using asio::ip::tcp;
using rouse::block_on;
using rouse::spawn;
using rouse::task;

namespace {

// For a while: wakes do not arrive. Makes up for them in the end, or not.
class bad_system {
public:
    bad_system(wakes of_futexes, wakes of_event_loops) {
        lost = 0;
        futex_wakes = of_futexes;
        interrupts = of_event_loops;
    }
    bad_system(bad_system const&) = delete;
    bad_system& operator=(bad_system const&) = delete;
    ~bad_system() { get_better(); }

    void get_better() {
        futex_wakes = wakes::arrive;
        interrupts = wakes::arrive;
    }
    // All lost wakes come late: at once.
    void make_up() {
        get_better();
        for (unsigned n = 0; n < std::min<unsigned>(lost, most_lost); ++n) {
            void* const word = lost_words[n];
            if (word) ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0L);
        }
    }
};

// Keeps one worker of a pool busy in one long poll: while anybody is awake, somebody watches.
class long_poll {
public:
    explicit long_poll(rouse::thread_pool& pool) {
        handle_.emplace(spawn(pool, [this]() -> task<> {
            begun_.open();
            over_.wait();
            co_return;
        }));
        begun_.wait();
    }
    void end() {
        over_.open();
        block_on(std::move(*handle_));
    }

private:
    door begun_{};
    door over_{};
    std::optional<rouse::join_handle<void>> handle_{};
};

// Work of every kind comes from outside, one piece after the other, each when the one before is
// done.
void work_comes(rouse::thread_pool& pool, int rounds) {
    for (int n = 0; n < rounds; ++n) {
        if (n % 2 == 0) std::this_thread::sleep_for(3ms);  // or nobody falls asleep in between
        countdown left(1);
        asio::post(pool, [&] { left.down(); });
        left.wait("a function");

        countdown ended(1);
        rouse::spawn_ok(pool, [&]() -> task<> {
            co_await rouse::this_task::yield_now();
            ended.down();
        });
        ended.wait("a task");

        event const e;
        countdown woken(1);
        rouse::spawn_ok(pool, [&]() -> task<> {
            co_await e.happened();
            woken.down();
        });
        wait_until([&] { return e.polls() != 0; }, "a task that waits");
        e.set();
        woken.wait("a task that was woken");
    }
}

}  // namespace

// Of the workers one is in a long poll: whoever else is asleep is not woken, and what it was to do
// is done by the one that watches.
BOOST_AUTO_TEST_CASE(b46_lost_wakes_cost_time_while_a_worker_is_awake) {
    for (wakes const how : {wakes::are_lost, wakes::fail}) {
        unsigned in_all = 0;
        in_both_modes({2, 3, 8}, [&](mode m, unsigned workers) {
            pool_home pool(m, workers);
            long_poll busy(*pool);
            bad_system system(how, wakes::arrive);
            work_comes(*pool, scaled(100));
            in_all += lost;
            system.make_up();  // or those that were woken in vain would sleep for ever
            busy.end();
            pool->join();
        });
        BOOST_TEST(in_all > 0U);
    }
}

// The same where those that do not hear sleep in the event loop.
BOOST_AUTO_TEST_CASE(b46_lost_interrupts_of_the_event_loop_cost_time_while_a_worker_is_awake) {
    for (wakes const how : {wakes::are_lost, wakes::fail}) {
        unsigned in_all = 0;
        for (unsigned const workers : {2U, 3U, 8U}) {
            BOOST_TEST_CONTEXT(workers << " workers") {
                pool_home pool(mode::own, workers);
                long_poll busy(*pool);
                bad_system system(how, how);
                work_comes(*pool, scaled(100));
                in_all += lost;
                system.make_up();
                asio::steady_timer timer(*pool, 1ms);  // an event of the event loop's own
                countdown fired(1);
                timer.async_wait([&](auto) { fired.down(); });
                fired.wait("a timer");
                busy.end();
                pool->join();
            }
        }
        BOOST_TEST(in_all > 0U);
    }
}

// A wake that was lost in a pool where everybody sleeps is made up for by the next event: here,
// something to read.
BOOST_AUTO_TEST_CASE(b46_what_an_idle_pool_has_not_heard_of_is_done_at_the_next_event) {
    using local = asio::local::stream_protocol::socket;
    unsigned in_all = 0;
    for (unsigned const workers : {1U, 2U, 8U}) {
        for (int n = 0; n < scaled(50); ++n) {
            BOOST_TEST_CONTEXT(workers << " workers") {
                pool_home pool(mode::own, workers);
                local here(*pool);
                local there(*pool);
                asio::local::connect_pair(here, there);
                std::atomic<bool> waits{false};
                auto reads = spawn(*pool, [&]() -> task<char> {
                    char c = 0;
                    waits = true;
                    co_await asio::async_read(here, asio::buffer(&c, 1), rouse::use_poll);
                    co_return c;
                });
                wait_until([&] { return waits.load(); }, "a task that reads");
                std::this_thread::sleep_for(50ms);  // everybody sleeps, also who has watched
                bad_system system(wakes::are_lost, wakes::are_lost);
                countdown left(10);
                for (int i = 0; i < 10; ++i) asio::post(*pool, [&] { left.down(); });
                there.write_some(asio::buffer("r", 1));
                left.wait("functions");
                in_all += lost;
                system.make_up();
                BOOST_TEST(block_on(std::move(reads)) == 'r');
                pool->join();
            }
        }
    }
    BOOST_TEST(in_all > 0U);
}

namespace {

task<> echo(tcp::socket socket) {
    std::array<char, 512> buffer{};
    for (;;) {
        auto const n = co_await socket.async_read_some(asio::buffer(buffer),
                                                       rouse::as_result(rouse::use_poll));
        if (!n) co_return;
        co_await asio::async_write(socket, asio::buffer(buffer, *n), rouse::use_poll);
    }
}
task<> serve(rouse::thread_pool& pool, tcp::acceptor acceptor, unsigned connections) {
    for (unsigned n = 0; n < connections; ++n) {
        rouse::spawn_ok(pool, echo(co_await acceptor.async_accept(rouse::use_poll)));
    }
}
task<unsigned> ask(tcp::socket socket, tcp::endpoint server, unsigned rounds) {
    co_await socket.async_connect(server, rouse::use_poll);
    unsigned right = 0;
    for (unsigned r = 0; r < rounds; ++r) {
        std::string const sent(1 + r % 300, static_cast<char>('a' + r % 26));
        std::string received(sent.size(), ' ');
        co_await asio::async_write(socket, asio::buffer(sent), rouse::use_poll);
        co_await asio::async_read(socket, asio::buffer(received), rouse::use_poll);
        if (received == sent) ++right;
    }
    co_return right;
}

}  // namespace

// Calls that wait, read, write and accept come back with EINTR again and again.
BOOST_AUTO_TEST_CASE(b46_b66_interrupted_calls_are_made_again) {
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        for (unsigned const one_of : {2U, 3U, 7U}) {
            constexpr unsigned connections = 8;
            unsigned const rounds = scaled(500U);
            interrupted = 0;
            interrupted_one_of = one_of;
            {
                pool_home pool(m, workers);
                tcp::acceptor acceptor(*pool, {asio::ip::address_v4::loopback(), 0});
                auto const endpoint = acceptor.local_endpoint();
                rouse::spawn_ok(*pool, serve(*pool, std::move(acceptor), connections));
                std::vector<rouse::join_handle<unsigned>> asking;
                for (unsigned c = 0; c < connections; ++c)
                    asking.push_back(spawn(*pool, ask(tcp::socket(*pool), endpoint, rounds)));
                unsigned right = 0;
                for (auto& handle : asking) right += block_on(std::move(handle));
                BOOST_TEST(right == connections * rounds);
                work_comes(*pool, 10);
                pool->join();
            }
            interrupted_one_of = 0;
            BOOST_TEST(interrupted > rounds);
        }
    });
}

// With nobody awake and no event to come, those that were woken in vain are woken once more, some
// seconds later; and so are those that wait for a pool's end.
BOOST_AUTO_TEST_CASE(b46_a_wake_that_an_idle_pool_does_not_hear_of_is_repeated) {
    struct sleeper {
        explicit sleeper(mode m, unsigned workers) : pool(m, workers) {}
        pool_home pool;
        countdown left{10};
    };
    std::deque<sleeper> pools;
    for (mode const m : {mode::own, mode::applications}) {
        for (unsigned const workers : {1U, 2U, 8U}) pools.emplace_back(m, workers);
    }
    std::this_thread::sleep_for(200ms);  // all are asleep, most probably
    {
        bad_system system(wakes::are_lost, wakes::are_lost);
        for (auto& s : pools) {
            for (int i = 0; i < 10; ++i) asio::post(*s.pool, [&s] { s.left.down(); });
        }
        BOOST_TEST(lost > 0U);
        system.get_better();
    }
    for (auto& s : pools) s.left.wait("functions");
    std::this_thread::sleep_for(200ms);
    std::vector<std::thread> ends;
    {
        bad_system system(wakes::are_lost, wakes::are_lost);
        unsigned const before = lost;
        for (auto& s : pools) ends.emplace_back([&s] { s.pool->join(); });
        wait_until([&] { return lost > before; }, "wakes that are lost");
        system.get_better();
    }
    for (auto& t : ends) t.join();
}
