// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// TLS on a pool: with handlers on a strand, as Asio asks for where operations overlap, and without, and
// with tasks, which need none.

#include <support/asio_tls.hpp>
#include <support/pool_watch.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <rouse.hpp>
#include <string>

BOOST_AUTO_TEST_SUITE(test_executor_tls)

using namespace rouse_test;
using rouse::block_on;
using rouse::spawn;
using rouse::task;

BOOST_AUTO_TEST_CASE(tls_with_handlers_on_a_strand) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_watch watch(m, workers);
        auto const strand = asio::make_strand(watch.pool().get_executor());
        tls_pair streams(strand);
        asio::dispatch(strand, [&] {
            streams.here.async_handshake(ssl::stream_base::client, watch.handler());
            streams.there.async_handshake(ssl::stream_base::server, watch.handler());
        });
        watch.expect(2);
        std::string const sent(60'000, 's');
        std::string received(sent.size(), ' ');
        asio::dispatch(strand, [&] {
            asio::async_write(streams.here, asio::buffer(sent), watch.handler());
            asio::async_read(streams.there, asio::buffer(received), watch.handler());
        });
        watch.expect(2);
        BOOST_TEST((received == sent));
    });
}

namespace {

// Made from the pool or from its executor.
struct tls_streams {
    template <class Where>
    explicit tls_streams(Where& where)
        : here(where, anonymous_tls()), there(where, anonymous_tls()) {
        connect_pair(here.next_layer(), there.next_layer());
    }

    ssl::stream<tcp::socket> here;
    ssl::stream<tcp::socket> there;
};

}  // namespace

// One operation at a time on each stream is in order by itself.
BOOST_AUTO_TEST_CASE(tls_with_handlers) {
    on_each([](pool_watch& watch, auto& where) {
        tls_streams streams(where);
        streams.here.async_handshake(ssl::stream_base::client, watch.handler());
        streams.there.async_handshake(ssl::stream_base::server, watch.handler());
        watch.expect(2);
        std::string const sent(60'000, 's');
        std::string received(sent.size(), ' ');
        asio::async_write(streams.here, asio::buffer(sent), watch.handler());
        asio::async_read(streams.there, asio::buffer(received), watch.handler());
        watch.expect(2);
        BOOST_TEST((received == sent));
    });
}

BOOST_AUTO_TEST_CASE(tls_with_tasks) {
    on_each([](pool_watch& watch, auto& where) {
        tls_streams streams(where);
        auto server = spawn(watch.pool(), [&]() -> task<> {
            co_await streams.there.async_handshake(ssl::stream_base::server, rouse::use_poll);
            std::string block(3000, ' ');
            for (int n = 0; n < 20; ++n) {
                co_await asio::async_read(streams.there, asio::buffer(block), rouse::use_poll);
                co_await asio::async_write(streams.there, asio::buffer(block), rouse::use_poll);
            }
        });
        int const right = block_on(spawn(watch.pool(), [&]() -> task<int> {
            co_await streams.here.async_handshake(ssl::stream_base::client, rouse::use_poll);
            int good = 0;
            for (int n = 0; n < 20; ++n) {
                std::string const sent(3000, static_cast<char>('a' + n));
                std::string got(3000, ' ');
                co_await asio::async_write(streams.here, asio::buffer(sent), rouse::use_poll);
                co_await asio::async_read(streams.here, asio::buffer(got), rouse::use_poll);
                if (got == sent) ++good;
            }
            co_return good;
        }));
        BOOST_TEST(right == 20);
        block_on(std::move(server));
        watch.expect(0);
    });
}

BOOST_AUTO_TEST_SUITE_END()
