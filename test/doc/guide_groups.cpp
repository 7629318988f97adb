// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <rouse.hpp>
#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_guide_groups)

// The code on groups of the guide's page on composition.

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

rouse::task<> work_on(std::atomic<int>& sum, int part) {
    co_await rouse::this_task::yield_now();
    sum += part;
}

// [group]
rouse::task<int> sum_of(std::vector<int> parts) {
    std::atomic<int> sum{0};  // the tasks run in parallel, and end before this scope does
    co_await rouse::with_group([&](rouse::task_group& g) -> rouse::task<> {
        for (int const part : parts) g.spawn(work_on(sum, part));
        co_return;
    });
    co_return sum.load();
}
// [/group]

BOOST_AUTO_TEST_CASE(a_group_is_a_scope) {
    rouse::thread_pool pool(2);
    BOOST_TEST(rouse::block_on(rouse::spawn(pool, sum_of({1, 2, 3}))) == 6);
}

[[maybe_unused]] rouse::task<> dangling_sum(std::vector<int> parts);  // is compiled, never called

// [locals]
// Wrong: `sum` is a local variable of the body, and dies with it, while tasks still add to it.
rouse::task<> dangling_sum(std::vector<int> parts) {
    co_await rouse::with_group([&](rouse::task_group& g) -> rouse::task<> {
        std::atomic<int> sum{0};
        for (int const part : parts) g.spawn(work_on(sum, part));
        co_return;
    });
}

// Right: it is there before the group, and until the await of the group is over.
rouse::task<int> lasting_sum(std::vector<int> parts) {
    std::atomic<int> sum{0};
    co_await rouse::with_group([&](rouse::task_group& g) -> rouse::task<> {
        for (int const part : parts) g.spawn(work_on(sum, part));
        co_return;
    });
    co_return sum.load();
}
// [/locals]

BOOST_AUTO_TEST_CASE(what_tasks_refer_to_outlives_the_group) {
    rouse::thread_pool pool(2);
    BOOST_TEST(rouse::block_on(rouse::spawn(pool, lasting_sum({1, 2, 3}))) == 6);
}

rouse::task<int> square(int x) {
    co_await rouse::this_task::yield_now();
    co_return x* x;
}

// [values]
rouse::task<int> sum_of_squares(int n) {
    co_return co_await rouse::with_group_of<int>(
        [&](rouse::task_group_of<int>& g) -> rouse::task<int> {
            int sum = 0;
            for (int i = 1; i <= n; ++i) g.spawn(square(i));
            while (auto one = co_await g.next()) sum += *one;
            co_return sum;
        });
}
// [/values]

BOOST_AUTO_TEST_CASE(results_as_they_finish) {
    rouse::thread_pool pool(2);
    BOOST_TEST(rouse::block_on(rouse::spawn(pool, sum_of_squares(100))) == 338'350);
}

rouse::task<> fails(std::string why) {
    co_await rouse::this_task::yield_now();
    throw std::runtime_error(why);
}

// [errors]
rouse::task<std::size_t> all_failures() {
    std::size_t failures = 0;
    try {
        co_await rouse::with_group(rouse::on_error::collect,
                                   [](rouse::task_group& g) -> rouse::task<> {
                                       g.spawn(fails("one"));
                                       g.spawn(fails("two"));
                                       co_return;
                                   });
    } catch (rouse::group_error const& e) {
        failures = e.errors().size();
    }
    co_return failures;
}
// [/errors]

BOOST_AUTO_TEST_CASE(all_exceptions_together) { BOOST_TEST(rouse::block_on(all_failures()) == 2U); }

// [produce]
// Not faster than the tasks consume: at most 8 of them exist, with one part each.
rouse::task<> produce(std::atomic<int>& sum, int parts, rouse::task_group& g) {
    g.limit(8);
    for (int part = 0; part != parts; ++part) {
        co_await g.has_room();
        g.spawn(work_on(sum, part));
    }
}
// [/produce]

BOOST_AUTO_TEST_CASE(no_faster_than_they_consume) {
    std::atomic<int> sum{0};
    rouse::thread_pool pool(2);
    rouse::block_on(rouse::spawn(pool, rouse::with_group([&](rouse::task_group& g) {
        return produce(sum, 100, g);
    })));
    BOOST_TEST(sum == 4950);
}

// [server]
rouse::task<> echo(tcp::socket socket) {
    std::array<char, 4096> buffer;
    for (;;) {
        auto const n = co_await socket.async_read_some(asio::buffer(buffer),
                                                       rouse::as_result(rouse::use_poll));
        if (!n && n.error() == asio::error::eof) co_return;
        co_await asio::async_write(socket, asio::buffer(buffer, n.value()), rouse::use_poll);
    }
}

rouse::task<> listen(tcp::acceptor& acceptor, rouse::task_group& connections) {
    connections.limit(1000);
    for (;;) {
        co_await connections.has_room();  // without room nobody is accepted
        auto socket = co_await acceptor.async_accept(rouse::as_result(rouse::use_poll));
        if (socket) {
            connections.spawn(echo(*std::move(socket)));
        } else {
            co_await rouse::sleep_for(100ms);  // no file descriptors: who leaves gives one back
        }
    }
}

rouse::task<> end_of_grace(rouse::cancellation_token stop, std::chrono::seconds grace) {
    co_await stop.cancelled();
    co_await rouse::sleep_for(grace);
}

// Whatever becomes of one client is nothing to the others: `report`. When `stop` is cancelled nobody is
// accepted any more; those who are connected have `grace` to finish, and are cut off then.
rouse::task<> serve(tcp::acceptor acceptor, rouse::cancellation_token stop,
                    std::chrono::seconds grace) {
    auto connections = rouse::with_group(
        rouse::on_error::report, [&](rouse::task_group& group) -> rouse::task<> {
            co_await rouse::select(listen(acceptor, group), stop.cancelled());
        });
    co_await rouse::select(std::move(connections), end_of_grace(stop, grace));
}
// [/server]

std::atomic<int> reported{0};

// One client goes in time; the other one does not.
BOOST_AUTO_TEST_CASE(a_server_and_its_end) {
    auto const before = rouse::set_unhandled_handler(
        [](std::exception_ptr, std::source_location) { ++reported; });
    rouse::thread_pool pool(2);
    tcp::acceptor acceptor(pool, {asio::ip::address_v4::loopback(), 0});
    auto const where = acceptor.local_endpoint();
    rouse::cancellation_source stop;
    auto server = rouse::spawn(pool, serve(std::move(acceptor), stop.token(), 1s));
    {
        asio::io_context io;
        tcp::socket goes(io), stays(io);
        std::array<char, 2> answer{};
        for (auto* client : {&goes, &stays}) {
            client->connect(where);
            asio::write(*client, asio::buffer("hi", 2));
            BOOST_TEST(asio::read(*client, asio::buffer(answer)) == 2U);
        }
        goes.set_option(asio::socket_base::linger(true, 0));
        goes.close();  // a reset: an error, which is reported
        stop.cancel();
        rouse::block_on(std::move(server));
        boost::system::error_code error;
        BOOST_TEST(asio::read(stays, asio::buffer(answer), error) == 0U);  // it was cut off
    }
    rouse::set_unhandled_handler(before);
    BOOST_TEST(reported == 1);
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
