// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Much I/O on a pool: an echo server under load, and thousands of reads that wait.

#include <support/pool_kit.hpp>

#include <sys/resource.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <numeric>
#include <rouse.hpp>

BOOST_AUTO_TEST_SUITE(test_io)

using namespace rouse_test;
using asio::ip::tcp;
using rouse::block_on;
using rouse::task;

namespace {

// The server of the guide.
rouse::task<> session(tcp::socket sock) {
    std::array<char, 4096> buf;
    for (;;) {
        auto n = co_await sock.async_read_some(asio::buffer(buf), rouse::as_result(rouse::use_poll));
        if (!n) co_return;                                       // the peer has closed, or an error
        co_await asio::async_write(sock, asio::buffer(buf, *n), rouse::use_poll);
    }
}
rouse::task<> listen(rouse::thread_pool& pool, tcp::acceptor acceptor) {
    for (;;) {
        tcp::socket sock = co_await acceptor.async_accept(rouse::use_poll);
        rouse::spawn(pool, session(std::move(sock)), asio::detached);
    }
}

// Fails if this process may not open so many descriptors, after asking for them: with fewer the test
// would not show what it says.
void require_descriptors(rlim_t needed) {
    rlimit limit{};
    BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur >= needed) return;
    limit.rlim_cur = std::min(limit.rlim_max, needed);
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    BOOST_REQUIRE_MESSAGE(limit.rlim_max >= needed,
                          "this test opens " << needed
                                             << " descriptors, and the hard limit (RLIMIT_NOFILE, "
                                                "ulimit -Hn) allows "
                                             << limit.rlim_max << ": raise it");
}

// What a client sends in one round: another pattern and length each time.
void fill(std::vector<char>& block, unsigned client, unsigned round) {
    stress_random random(client * 100'003U + round);
    block.resize(1 + random.below(200));
    for (char& c : block) c = static_cast<char>(random());
}

task<> chat(tcp::socket socket, tcp::endpoint server, unsigned client, unsigned rounds,
            std::atomic<std::uint64_t>& right) {
    co_await socket.async_connect(server, rouse::use_poll);
    std::vector<char> sent;
    std::vector<char> received;
    for (unsigned r = 0; r < rounds; ++r) {
        fill(sent, client, r);
        received.assign(sent.size(), 0);
        co_await asio::async_write(socket, asio::buffer(sent), rouse::use_poll);
        co_await asio::async_read(socket, asio::buffer(received), rouse::use_poll);
        if (received == sent) ++right;
    }
}

std::uint64_t polls_of(rouse::thread_pool const& pool) {
    auto const metrics = pool.metrics();
    return std::accumulate(metrics.workers.begin(), metrics.workers.end(), std::uint64_t{0},
                           [](std::uint64_t sum, auto const& w) { return sum + w.polls; });
}

// True when the pool has nothing to do: its counts stand still, and it is parked.
void wait_for_rest(rouse::thread_pool const& pool, std::uint64_t at_least) {
    wait_until([&] { return polls_of(pool) >= at_least; }, "all first polls");
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_echo_server_with_a_thousand_connections) {
    unsigned const connections = tsan ? 100 : asan ? 500 : 1000;
    require_descriptors(2 * connections + 200);
    unsigned const rounds = scaled(asan ? 300U : 1000U);
    in_both_modes({1, 2, 8}, [&](mode m, unsigned workers) {
        pool_home server(m, workers);
        rouse::thread_pool clients(2);
        tcp::acceptor acceptor(*server, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        auto const endpoint = acceptor.local_endpoint();
        auto listening = rouse::spawn(*server, listen(*server, std::move(acceptor)));
        std::atomic<std::uint64_t> right{0};
        std::vector<rouse::join_handle<void>> chats;
        for (unsigned c = 0; c < connections; ++c) {
            chats.push_back(
                rouse::spawn(clients, chat(tcp::socket(clients), endpoint, c, rounds, right)));
        }
        for (auto& handle : chats) block_on(std::move(handle));
        BOOST_TEST(right == std::uint64_t{connections} * rounds);
        // The sessions have seen the clients' end; the listener is left.
        wait_until(
            [&] {
                auto const now = server->metrics();
                return now.tasks_spawned == connections + 1 && now.tasks_done == connections;
            },
            "the end of all sessions");
        server->stop();
        server->join();
        BOOST_CHECK_EXCEPTION(block_on(std::move(listening)), boost::system::system_error,
                              says_aborted);
        BOOST_TEST(server->metrics().tasks_done == connections + 1);
    });
}

// The same ends in the middle of everything.
BOOST_AUTO_TEST_CASE(b55_b59_an_echo_server_is_stopped_under_load) {
    in_both_modes({1, 2, 8}, [&](mode m, unsigned workers) {
        unsigned const rounds = scaled(100U);
        for (unsigned round = 0; round < rounds; ++round) {
            rouse::thread_pool clients(2);
            std::vector<rouse::join_handle<void>> chats;
            std::atomic<std::uint64_t> right{0};
            {
                pool_home server(m, workers);
                tcp::acceptor acceptor(*server, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
                auto const endpoint = acceptor.local_endpoint();
                rouse::spawn(*server, listen(*server, std::move(acceptor)), asio::detached);
                for (unsigned c = 0; c < 20; ++c) {
                    chats.push_back(rouse::spawn(
                        clients, chat(tcp::socket(clients), endpoint, c, 1'000'000, right)));
                }
                wait_until([&] { return right > 50 + 10 * round; }, "a load");
                if (round % 2) server->stop();
            }
            for (auto& handle : chats)
                BOOST_CHECK_THROW(block_on(std::move(handle)), boost::system::system_error);
        }
    });
}

BOOST_AUTO_TEST_CASE(reads_that_wait_cost_no_polls) {
    std::size_t const count = sanitized ? 500 : 5000;
    require_descriptors(2 * count + 200);
    in_both_modes({1, 2, 8}, [&](mode m, unsigned workers) {
        using local = asio::local::stream_protocol::socket;
        pool_home pool(m, workers);
        struct link {
            explicit link(rouse::thread_pool& p) : here(p), there(p) {
                asio::local::connect_pair(here, there);
            }
            local here;
            local there;
        };
        std::deque<link> links;
        std::vector<rouse::join_handle<char>> reads;
        for (std::size_t n = 0; n < count; ++n) {
            link& l = links.emplace_back(*pool);
            reads.push_back(rouse::spawn(*pool, [&l]() -> task<char> {
                char c = 0;
                co_await asio::async_read(l.here, asio::buffer(&c, 1), rouse::use_poll);
                co_return c;
            }));
        }
        wait_for_rest(*pool, count);

        // Others run meanwhile, on one worker as well, and theirs are the only polls.
        std::uint64_t const before = polls_of(*pool);
        constexpr unsigned others = 1000;
        countdown left(others);
        for (unsigned n = 0; n < others / 2; ++n) {
            asio::post(*pool, [&] { left.down(); });
            rouse::spawn_ok(*pool, [&]() -> task<> {
                left.down();
                co_return;
            });
        }
        left.wait();
        BOOST_TEST(polls_of(*pool) - before == others);

        // One is ready, and it alone is polled.
        std::uint64_t const quiet = polls_of(*pool);
        auto& first = links.front().there;
        first.write_some(asio::buffer("a", 1));
        BOOST_TEST(block_on(std::move(reads.front())) == 'a');
        BOOST_TEST(polls_of(*pool) - quiet <= 4U);  // poll, and what belongs to the composed read

        for (std::size_t n = 1; n < count; ++n) {
            BOOST_TEST(!reads[n].is_finished());
            char const c = static_cast<char>(n % 100);
            links[n].there.write_some(asio::buffer(&c, 1));
        }
        std::size_t right = 0;
        for (std::size_t n = 1; n < count; ++n) {
            if (block_on(std::move(reads[n])) == static_cast<char>(n % 100)) ++right;
        }
        BOOST_TEST(right == count - 1);
        BOOST_TEST(polls_of(*pool) - quiet <= 4 * count);
        pool->join();
    });
}

BOOST_AUTO_TEST_SUITE_END()
