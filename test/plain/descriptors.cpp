// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// No descriptors left, and no room in epoll: the operation or the constructor says so, nothing is
// left behind, and it works again when there is room. In a process of its own, since the limit of
// descriptors is lowered in forked children, and since epoll_ctl and accept are replaced.

#include <support/asio_loopback.hpp>
#include <support/pool_kit.hpp>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <optional>
#include <rouse.hpp>
#include <string>
#include <vector>

namespace {

// Registrations until one fails with this error; negative: none does.
std::atomic<int> additions_until_failure{-1};
std::atomic<int> failing_additions{0};
std::atomic<int> failure{0};
std::atomic<int> accepts{0};

}  // namespace

extern "C" int epoll_ctl(int epoll, int what, int descriptor, epoll_event* event) noexcept {
    using function = int (*)(int, int, int, epoll_event*);
    static auto const real = reinterpret_cast<function>(::dlsym(RTLD_NEXT, "epoll_ctl"));
    if (what == EPOLL_CTL_ADD && additions_until_failure >= 0 && additions_until_failure-- == 0) {
        ++failing_additions;
        errno = failure;
        return -1;
    }
    return real(epoll, what, descriptor, event);
}

extern "C" int accept(int listening, sockaddr* from, socklen_t* size) {
    using function = int (*)(int, sockaddr*, socklen_t*);
    static auto const real = reinterpret_cast<function>(::dlsym(RTLD_NEXT, "accept"));
    ++accepts;
    return real(listening, from, size);
}

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using boost::system::error_code;
using rouse::as_result;
using rouse::block_on;
using rouse::spawn;
using rouse::task;
using rouse::use_poll;

auto const is_full = [](boost::system::system_error const& e) {
    return e.code() == boost::system::errc::too_many_files_open;
};

std::size_t open_descriptors() {
    using std::filesystem::directory_iterator;
    return static_cast<std::size_t>(
               std::distance(directory_iterator("/proc/self/fd"), directory_iterator())) -
           1;  // the one that looks
}

// Takes every descriptor that there is, but for so many.
class scarcity {
public:
    explicit scarcity(std::size_t left) {
        for (int fd; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken_.push_back(fd);
        give_back(left);
    }
    scarcity(scarcity const&) = delete;
    scarcity& operator=(scarcity const&) = delete;
    ~scarcity() { give_back(taken_.size()); }

    void give_back(std::size_t count) {
        for (; count-- > 0 && !taken_.empty(); taken_.pop_back()) ::close(taken_.back());
    }

private:
    std::vector<int> taken_{};
};

// Runs the function in a child that may have 64 descriptors; it writes what it finds wrong. What it
// leaves open when it returns is wrong too.
template <class F>
void in_a_small_process(F f) {
    std::fflush(nullptr);
    pid_t const child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
        rlimit const small{64, 64};
        ::setrlimit(RLIMIT_NOFILE, &small);
        int wrong = 0;
        std::size_t const before = open_descriptors();
        try {
            f([&](bool right, char const* what) {
                if (right) return;
                ++wrong;
                std::fprintf(stderr, "in the child: %s\n", what);
            });
            if (open_descriptors() != before) {
                ++wrong;
                std::fprintf(stderr, "in the child: %zu descriptors are left, not %zu\n",
                             open_descriptors(), before);
            }
        } catch (std::exception const& e) {
            ++wrong;
            std::fprintf(stderr, "in the child: %s\n", e.what());
        }
        ::_exit(wrong == 0 ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    BOOST_TEST(WIFEXITED(status));
    BOOST_TEST(WEXITSTATUS(status) == 0);
}

// True if the function throws that there are no descriptors.
template <class F>
bool finds_none(F f) {
    try {
        f();
    } catch (boost::system::system_error const& e) {
        return is_full(e);
    }
    return false;
}

task<int> waits(rouse::thread_pool& pool) {
    asio::steady_timer timer(pool, 1ms);
    co_await timer.async_wait(use_poll);
    co_return 7;
}

task<> serve(tcp::socket socket) {
    std::array<char, 16> data{};
    for (;;) {
        auto const n = co_await socket.async_read_some(asio::buffer(data), as_result(use_poll));
        if (!n) co_return;
        co_await asio::async_write(socket, asio::buffer(data, *n), use_poll);
    }
}

}  // namespace

// A pool needs no descriptor before there is an object that does, and each that is missing to the
// event loop (its own three) is an error of that object's constructor.
BOOST_AUTO_TEST_CASE(b74_pools_and_event_loops_without_descriptors) {
    in_a_small_process([](auto expect) {
        for (std::size_t left = 0; left < 8; ++left) {
            for (bool const own : {true, false}) {
                std::optional<scarcity> scarce(std::in_place, left);
                asio::io_context io;
                auto const pool = own ? std::make_unique<rouse::thread_pool>(2U)
                                      : std::make_unique<rouse::thread_pool>(io, 2U);
                std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
                std::thread running;
                if (!own) {
                    work.emplace(io.get_executor());
                    running = std::thread([&] { io.run(); });
                }
                expect(block_on(spawn(*pool, rouse::ready_future(5))) == 5,
                       "a pool runs tasks without descriptors");
                bool enough = true;
                try {
                    expect(block_on(spawn(*pool, waits(*pool))) == 7, "a timer fires");
                } catch (boost::system::system_error const& e) {
                    enough = false;
                    expect(is_full(e), "the error is that there are no descriptors");
                }
                // A wake-up descriptor, epoll, and one for timers that it can do without.
                expect(left >= 2 || !enough, "two descriptors are needed");
                expect(left < 3 || enough, "three are enough");
                // The pool is as good as before, and better with descriptors.
                expect(block_on(spawn(*pool, rouse::ready_future(6))) == 6,
                       "a pool runs tasks after the failure");
                scarce.reset();
                expect(block_on(spawn(*pool, waits(*pool))) == 7, "a timer fires now");
                tcp_pair sockets(pool->get_executor());
                auto echo = spawn(*pool, serve(std::move(sockets.there)));
                std::array<char, 3> data{};
                asio::write(sockets.here, asio::buffer("abc", 3));
                expect(block_on(spawn(*pool, asio::async_read(sockets.here, asio::buffer(data),
                                                              use_poll))) == 3,
                       "sockets work now");
                sockets.here.close();
                block_on(std::move(echo));
                pool->join();
                if (running.joinable()) {
                    work.reset();
                    running.join();
                }
            }
        }
    });
}

BOOST_AUTO_TEST_CASE(b74_sockets_without_descriptors) {
    in_a_small_process([](auto expect) {
        rouse::thread_pool pool(2);
        expect(block_on(spawn(pool, waits(pool))) == 7, "the event loop is there");
        tcp::acceptor acceptor = listening(pool.get_executor());
        auto const to = acceptor.local_endpoint();
        scarcity scarce(0);
        // Opened by hand, by the constructor, and by the first operation.
        expect(finds_none([&] { tcp::socket(pool).open(tcp::v4()); }), "open() fails");
        expect(finds_none([&] { udp::socket(pool, udp::v4()); }), "a constructor fails");
        expect(finds_none([&] {
                   block_on(spawn(pool, [&]() -> task<> {
                       tcp::socket socket(pool);
                       co_await socket.async_connect(to, use_poll);
                   }));
               }),
               "async_connect fails");
        auto const result = block_on(spawn(pool, [&]() -> task<boost::system::result<void>> {
            tcp::socket socket(pool);
            co_return co_await socket.async_connect(to, as_result(use_poll));
        }));
        expect(result.has_error() && result.error() == boost::system::errc::too_many_files_open,
               "async_connect as_result fails");
        // With one the same works.
        scarce.give_back(1);
        block_on(spawn(pool, [&]() -> task<> {
            tcp::socket socket(pool);
            co_await socket.async_connect(to, use_poll);
        }));
        acceptor.close();
        pool.stop();
        pool.join();
        // The event loop of the pool has its own descriptors until the pool is destroyed.
    });
}

// The error is told to whoever awaits, at each attempt, once.
BOOST_AUTO_TEST_CASE(b74_accept_without_descriptors) {
    in_a_small_process([](auto expect) {
        for (bool const own : {true, false}) {
            asio::io_context io;
            auto const pool = own ? std::make_unique<rouse::thread_pool>(2U)
                                  : std::make_unique<rouse::thread_pool>(io, 2U);
            std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
            std::thread running;
            if (!own) {
                work.emplace(io.get_executor());
                running = std::thread([&] { io.run(); });
            }
            {
                tcp::acceptor acceptor = listening(pool->get_executor());
                tcp::socket client(pool->get_executor());
                client.open(tcp::v4());
                scarcity scarce(0);
                client.connect(acceptor.local_endpoint());
                expect(finds_none([&] { block_on(spawn(*pool, acceptor.async_accept(use_poll))); }),
                       "async_accept fails");
                auto const result =
                    block_on(spawn(*pool, acceptor.async_accept(as_result(use_poll))));
                expect(result.has_error() &&
                           result.error() == boost::system::errc::too_many_files_open,
                       "async_accept as_result fails");
                // Nobody awaits: nobody tries.
                int const quiet = accepts;
                block_on(spawn(*pool, rouse::ready_future()));
                std::this_thread::sleep_for(20ms);
                expect(accepts == quiet, "an accept that has failed is not tried again");
                // The connection is still there.
                scarce.give_back(1);
                auto socket = block_on(spawn(*pool, acceptor.async_accept(use_poll)));
                expect(socket.remote_endpoint() == client.local_endpoint(), "it is accepted now");
            }
            pool->join();
            if (running.joinable()) {
                work.reset();
                running.join();
            }
        }
    });
}

// What the guide says to do: a server that waits a moment when it cannot accept. It serves
// everybody in the end, and does not try more often than it waits.
BOOST_AUTO_TEST_CASE(b74_a_server_that_waits_recovers) {
    in_a_small_process([](auto expect) {
        rouse::thread_pool pool(2);
        {
            tcp::acceptor acceptor = listening(pool.get_executor());
            auto const to = acceptor.local_endpoint();
            constexpr int clients = 8;
            std::deque<tcp::socket> sockets;
            for (int i = 0; i < clients; ++i)
                sockets.emplace_back(pool.get_executor()).open(tcp::v4());
            std::optional<scarcity> scarce(std::in_place, 3U);
            std::atomic<int> failures{0};
            std::atomic<int> served{0};
            auto server = spawn(pool, [&]() -> task<> {
                asio::steady_timer timer(pool);
                while (served != clients) {
                    auto accepted = co_await acceptor.async_accept(as_result(use_poll));
                    if (accepted.has_error()) {
                        if (accepted.error() != boost::system::errc::too_many_files_open) co_return;
                        ++failures;
                        timer.expires_after(2ms);
                        co_await timer.async_wait(use_poll);
                        continue;
                    }
                    ++served;
                    rouse::this_task::spawn_ok(serve(std::move(*accepted)));
                }
            });
            for (auto& socket : sockets) socket.connect(to);
            wait_until([&] { return served == 3 && failures >= 3; }, "failures");
            // Clients that go make room for others: two descriptors each, theirs and the server's.
            sockets[0].close();
            sockets[1].close();
            wait_until([&] { return served == 7; }, "four more");
            expect(!server.is_finished(), "the server goes on");
            scarce.reset();
            block_on(std::move(server));
            expect(served == clients, "everybody is served");
            for (std::size_t i = 2; i < clients; ++i) {
                std::array<char, 3> data{};
                asio::write(sockets[i], asio::buffer("abc", 3));
                expect(asio::read(sockets[i], asio::buffer(data)) == 3, "an echo");
            }
        }
        pool.stop();
        pool.join();
    });
}

// ---- epoll
// ---------------------------------------------------------------------------------------

// A registration that fails is the error of what opens the socket, or of the first operation of one
// that was assigned; the descriptor is closed or stays the caller's, and the next attempt works.
BOOST_AUTO_TEST_CASE(b74_epoll_has_no_room) {
    for (int const error : {ENOSPC, ENOMEM}) {
        for (bool const own : {true, false}) {
            BOOST_TEST_CONTEXT(error << (own ? ", own io_context" : ", application's")) {
                failure = error;
                auto const says_so = [error](boost::system::system_error const& e) {
                    return e.code().value() == error;
                };
                pool_home pool(own ? mode::own : mode::applications, 2);
                BOOST_TEST(block_on(spawn(*pool, waits(*pool))) == 7);
                tcp::acceptor acceptor = listening(pool->get_executor());
                auto const to = acceptor.local_endpoint();
                std::size_t const before = open_descriptors();

                additions_until_failure = 0;
                BOOST_CHECK_EXCEPTION(tcp::socket(*pool).open(tcp::v4()),
                                      boost::system::system_error, says_so);
                additions_until_failure = 0;
                BOOST_CHECK_EXCEPTION(block_on(spawn(*pool,
                                                     [&]() -> task<> {
                                                         tcp::socket socket(*pool);
                                                         co_await socket.async_connect(to,
                                                                                       use_poll);
                                                     })),
                                      boost::system::system_error, says_so);
                BOOST_TEST(open_descriptors() == before);

                // The next one works, on the same object too.
                tcp::socket client(pool->get_executor());
                additions_until_failure = 0;
                auto const refused =
                    block_on(spawn(*pool, client.async_connect(to, as_result(use_poll))));
                BOOST_TEST_REQUIRE(refused.has_error());
                BOOST_TEST(refused.error().value() == error);
                block_on(spawn(*pool, client.async_connect(to, use_poll)));

                // A connection that was accepted and cannot be registered is closed.
                additions_until_failure = 0;
                BOOST_CHECK_EXCEPTION(
                    static_cast<void>(block_on(spawn(*pool, acceptor.async_accept(use_poll)))),
                    boost::system::system_error, says_so);
                std::array<char, 3> data{};
                auto const end = block_on(
                    spawn(*pool, client.async_read_some(asio::buffer(data), as_result(use_poll))));
                BOOST_TEST_REQUIRE(end.has_error());
                BOOST_TEST((end.error() == asio::error::eof));
                client.close();
                BOOST_TEST(open_descriptors() == before);

                // And the next one is served.
                tcp::socket again(pool->get_executor());
                block_on(spawn(*pool, again.async_connect(to, use_poll)));
                auto peer = block_on(spawn(*pool, acceptor.async_accept(use_poll)));
                asio::write(peer, asio::buffer("abc", 3));
                BOOST_TEST(block_on(spawn(*pool, asio::async_read(again, asio::buffer(data),
                                                                  use_poll))) == 3U);
            }
        }
    }
    BOOST_TEST(failing_additions == 2 * 2 * 4);
}

// While tasks wait: theirs are not touched by the failure of others.
BOOST_AUTO_TEST_CASE(b74_epoll_has_no_room_for_one_among_many) {
    failure = ENOSPC;
    pool_home pool(mode::own, 2);
    BOOST_TEST(block_on(spawn(*pool, waits(*pool))) == 7);
    constexpr int pairs = 20;
    std::deque<tcp_pair> sockets;
    std::vector<rouse::join_handle<std::size_t>> reads;
    std::deque<std::array<char, 3>> data(pairs);
    int failed = 0;
    for (int i = 0; i < pairs; ++i) {
        auto& pair = sockets.emplace_back(pool->get_executor());
        reads.push_back(spawn(
            *pool, asio::async_read(pair.here, asio::buffer(data[static_cast<std::size_t>(i)]),
                                    use_poll)));
        additions_until_failure = 0;
        try {
            tcp::socket(*pool).open(tcp::v4());
        } catch (boost::system::system_error const&) {
            ++failed;
        }
    }
    BOOST_TEST(failed == pairs);
    for (auto& pair : sockets) asio::write(pair.there, asio::buffer("abc", 3));
    for (auto& read : reads) BOOST_TEST(block_on(std::move(read)) == 3U);
}
