// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Transfers in the smallest pieces: a peer that sends one byte and waits until it was taken, so
// that every other read would block; streams that pass one byte at a time; empty buffers, and more
// buffers than the system takes at once. What arrives is what was sent, and the totals are right.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>
#include <support/asio_worlds.hpp>
#include <support/scale.hpp>

#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <rouse/as_result.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/use_poll.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_byte_by_byte)

namespace {

using namespace rouse_test;
using boost::system::error_code;
using rouse::as_result;
using rouse::use_poll;

// Bytes that are not like their neighbours.
std::string pattern(std::size_t length) {
    std::string text(length, ' ');
    for (std::size_t i = 0; i < length; ++i) text[i] = static_cast<char>('a' + i * 7 % 25);
    return text;
}

// Sends one byte after the other, from a thread of its own, each when the one before was taken.
class dripping_peer {
public:
    dripping_peer(tcp_pair& sockets, std::string text)
        : thread_(
              [to = &sockets.there, fd = sockets.here.native_handle(), bytes = std::move(text)] {
                  for (char const& c : bytes) {
                      asio::write(*to, asio::buffer(&c, 1));
                      for (int left = 1; left != 0;) {
                          std::this_thread::yield();
                          ::ioctl(fd, FIONREAD, &left);
                      }
                  }
              }) {}
    ~dripping_peer() { thread_.join(); }

private:
    std::thread thread_;
};

// A stream that passes at most one byte at a time, and makes every other operation go through the
// executor's queue first.
class narrow_stream {
public:
    using executor_type = tcp::socket::executor_type;

    explicit narrow_stream(tcp::socket& s) : socket_(&s) {}
    executor_type get_executor() const { return socket_->get_executor(); }

    template <class Buffers, class Token>
    auto async_read_some(Buffers const& buffers, Token&& token) {
        return narrow<asio::mutable_buffer>(
            buffers, std::forward<Token>(token),
            [s = socket_](auto b, auto handler) { s->async_read_some(b, std::move(handler)); });
    }
    template <class Buffers, class Token>
    auto async_write_some(Buffers const& buffers, Token&& token) {
        return narrow<asio::const_buffer>(
            buffers, std::forward<Token>(token),
            [s = socket_](auto b, auto handler) { s->async_write_some(b, std::move(handler)); });
    }

    int operations() const { return operations_; }

private:
    template <class Buffer, class Buffers, class Token, class Start>
    auto narrow(Buffers const& buffers, Token&& token, Start start) {
        Buffer one;
        for (auto i = asio::buffer_sequence_begin(buffers); i != asio::buffer_sequence_end(buffers);
             ++i) {
            one = asio::buffer(Buffer(*i), 1);
            if (one.size() != 0) break;
        }
        bool const detour = ++operations_ % 2 == 0;
        return asio::async_initiate<Token, void(error_code, std::size_t)>(
            [s = socket_, one, detour, start](auto handler) {
                if (!detour) return start(one, std::move(handler));
                auto const ex = asio::get_associated_executor(handler, s->get_executor());
                asio::post(s->get_executor(),
                           asio::bind_executor(ex, [one, start, h = std::move(handler)]() mutable {
                               start(one, std::move(h));
                           }));
            },
            token);
    }

    tcp::socket* socket_;
    int operations_ = 0;
};

// The text in so many pieces, every third of which is empty.
template <class Buffer, class Text>
std::vector<Buffer> in_pieces(Text& text, std::size_t pieces) {
    std::vector<Buffer> buffers;
    std::size_t from = 0;
    for (std::size_t i = 0; i < pieces; ++i) {
        std::size_t const left = text.size() - from;
        std::size_t const size = i + 1 == pieces ? left
                                 : i % 3 == 0    ? 0
                                                 : std::min(left, 1 + i % 5);
        buffers.push_back(asio::buffer(text.data() + from, size));
        from += size;
    }
    return buffers;
}

}  // namespace

// Each read but the first meets an empty socket.
BOOST_AUTO_TEST_CASE(b77_plain_reads_from_a_dripping_peer) {
    on_each_world([](world& w) {
        std::string const sent = pattern(200);
        tcp_pair sockets(w.executor());
        dripping_peer const peer(sockets, sent);
        int reads = 0;
        auto const received = result_in(w, [&]() -> rouse::task<std::string> {
            std::string all;
            while (all.size() < sent.size()) {
                std::array<char, 16> data{};
                std::size_t n = 0;
                switch (reads % 3) {
                    case 0:
                        n = co_await sockets.here.async_read_some(asio::buffer(data), use_poll);
                        break;
                    case 1: {
                        auto const result = co_await sockets.here.async_read_some(
                            asio::buffer(data), as_result(use_poll));
                        n = *result;
                        break;
                    }
                    default: {
                        auto const both = co_await sockets.here.async_read_some(
                            asio::buffer(data), asio::as_tuple(use_poll));
                        n = std::get<1>(both);
                    }
                }
                ++reads;
                all.append(data.data(), n);
            }
            co_return all;
        });
        BOOST_TEST(received == sent);
        BOOST_TEST(reads == 200);
    });
}

BOOST_AUTO_TEST_CASE(b77_composed_reads_from_a_dripping_peer) {
    on_each_world([](world& w) {
        std::string const sent = pattern(100) + pattern(100) + pattern(49) + "\n";
        tcp_pair sockets(w.executor());
        dripping_peer const peer(sockets, sent);
        std::string received(200, ' ');
        std::string line;
        auto const counts = result_in(w, [&]() -> rouse::task<std::vector<std::size_t>> {
            std::vector<std::size_t> n;
            auto first = asio::buffer(received, 100);
            n.push_back(co_await asio::async_read(sockets.here, first, use_poll));
            auto second = asio::buffer(received.data() + 100, 100);
            auto const result =
                co_await asio::async_read(sockets.here, second, as_result(use_poll));
            n.push_back(*result);
            n.push_back(co_await asio::async_read_until(sockets.here, asio::dynamic_buffer(line),
                                                        '\n', use_poll));
            co_return n;
        });
        BOOST_TEST(counts == (std::vector<std::size_t>{100, 100, 50}));
        BOOST_TEST(received + line == sent);
    });
}

// Each inner operation of a composed one moves one byte.
BOOST_AUTO_TEST_CASE(b77_composed_operations_over_a_stream_of_single_bytes) {
    on_each_world([](world& w) {
        std::string const sent = pattern(300);
        tcp_pair sockets(w.executor());
        int writes = 0;
        int reads = 0;
        auto writer = rouse::spawn(w.executor(), [&]() -> rouse::task<std::size_t> {
            narrow_stream stream(sockets.there);
            std::size_t n = co_await asio::async_write(stream, asio::buffer(sent, 100), use_poll);
            auto const middle = asio::buffer(sent.data() + 100, 100);
            auto const result = co_await asio::async_write(stream, middle, as_result(use_poll));
            n += *result;
            auto const last = in_pieces<asio::const_buffer>(sent, 300);  // more than 64, some empty
            auto const both = co_await asio::async_write(stream, last, asio::transfer_exactly(150),
                                                         asio::as_tuple(use_poll));
            writes = stream.operations();
            co_return n + std::get<1>(both);
        });
        std::string received(350, ' ');
        auto const total = result_in(w, [&]() -> rouse::task<std::size_t> {
            narrow_stream stream(sockets.here);
            auto const pieces = in_pieces<asio::mutable_buffer>(received, 500);
            std::size_t const n = co_await asio::async_read(stream, pieces, use_poll);
            reads = stream.operations();
            co_return n;
        });
        BOOST_TEST(wait(w, std::move(writer)) == 350U);
        BOOST_TEST(total == 350U);
        BOOST_TEST(received == sent.substr(0, 200) + sent.substr(0, 150));
        BOOST_TEST(writes == 350);
        BOOST_TEST(reads == 350);
    });
}

// They take nothing, tell no end of file, and wait for nothing.
BOOST_AUTO_TEST_CASE(b77_empty_buffers) {
    on_each_world([](world& w) {
        tcp_pair sockets(w.executor());
        asio::write(sockets.there, asio::buffer("abc", 3));
        auto const done = result_in(w, [&]() -> rouse::task<std::string> {
            auto& here = sockets.here;
            std::size_t wrong = 0;
            std::vector<asio::mutable_buffer> const none;
            std::vector<asio::mutable_buffer> const empties(100);
            wrong += co_await here.async_read_some(asio::mutable_buffer(), use_poll);
            wrong += co_await here.async_read_some(none, use_poll);
            wrong += co_await here.async_read_some(empties, use_poll);
            wrong += co_await here.async_write_some(asio::const_buffer(), use_poll);
            wrong += co_await here.async_write_some(none, use_poll);
            wrong += co_await here.async_write_some(empties, use_poll);
            wrong += co_await asio::async_read(here, asio::mutable_buffer(), use_poll);
            wrong += co_await asio::async_read(here, none, use_poll);
            wrong += co_await asio::async_read(here, empties, use_poll);
            wrong += co_await asio::async_write(here, asio::const_buffer(), use_poll);
            wrong += co_await asio::async_write(here, none, use_poll);
            wrong += co_await asio::async_write(here, empties, use_poll);
            auto const read =
                co_await here.async_read_some(asio::mutable_buffer(), as_result(use_poll));
            auto const written = co_await asio::async_write(here, empties, as_result(use_poll));
            wrong += *read + *written;
            if (wrong != 0) co_return "bytes out of nowhere";

            std::string all(3, ' ');
            co_await asio::async_read(here, asio::buffer(all), use_poll);
            // And where there is nothing to read, and after the end.
            wrong += co_await here.async_read_some(asio::mutable_buffer(), use_poll);
            sockets.there.shutdown(tcp::socket::shutdown_send);
            std::array<char, 4> data{};
            auto const end = co_await here.async_read_some(asio::buffer(data), as_result(use_poll));
            if (!end.has_error() || end.error() != asio::error::eof) co_return "no end";
            wrong += co_await here.async_read_some(asio::mutable_buffer(), use_poll);
            wrong += co_await asio::async_read(here, empties, use_poll);
            if (wrong != 0) co_return "bytes out of nowhere";
            co_return all;
        });
        BOOST_TEST(done == "abc");
    });
}

BOOST_AUTO_TEST_CASE(b77_empty_datagrams) {
    on_each_world([](world& w) {
        udp_pair sockets(w.executor());
        auto const sizes = result_in(w, [&]() -> rouse::task<std::vector<std::size_t>> {
            std::vector<std::size_t> all;
            udp::endpoint from;
            std::array<char, 8> data{};
            auto const to = sockets.here.local_endpoint();
            for (std::size_t const n : {0U, 3U, 0U}) {
                co_await sockets.there.async_send_to(asio::buffer("abc", n), to, use_poll);
                all.push_back(
                    co_await sockets.here.async_receive_from(asio::buffer(data), from, use_poll));
            }
            co_return all;
        });
        BOOST_TEST(sizes == (std::vector<std::size_t>{0, 3, 0}));
    });
}

// More than Asio passes to the system at once (64), and more than the system takes (IOV_MAX, 1024).
BOOST_AUTO_TEST_CASE(b77_very_many_buffers) {
    on_each_world([](world& w) {
        for (std::size_t const pieces : {63U, 64U, 65U, 129U, 1024U, 1025U, 5000U}) {
            BOOST_TEST_CONTEXT(pieces << " buffers") {
                std::string const sent = pattern(20'000);
                tcp_pair sockets(w.executor());
                auto const out = in_pieces<asio::const_buffer>(sent, pieces);
                auto writer =
                    rouse::spawn(w.executor(), asio::async_write(sockets.there, out, use_poll));
                std::string received(sent.size(), ' ');
                auto const in = in_pieces<asio::mutable_buffer>(received, pieces + 7);
                auto const read =
                    result_in(w, asio::async_read(sockets.here, in, as_result(use_poll)));
                BOOST_TEST(*read == sent.size());
                BOOST_TEST(wait(w, std::move(writer)) == sent.size());
                BOOST_TEST(received == sent);

                // A plain operation takes what it can, from the beginning.
                std::size_t const n = result_in(w, sockets.there.async_write_some(out, use_poll));
                BOOST_TEST(n >= 1U);
                BOOST_TEST(n <= sent.size());
                received.assign(sent.size(), ' ');
                std::size_t got = 0;
                std::vector<asio::mutable_buffer> rest = in;
                while (got < n) {
                    std::string part(sent.size(), ' ');
                    auto const scattered = in_pieces<asio::mutable_buffer>(part, pieces);
                    auto const some =
                        result_in(w, sockets.here.async_read_some(scattered, use_poll));
                    BOOST_TEST_REQUIRE(some != 0U);
                    received.replace(got, some, part, 0, some);
                    got += some;
                }
                BOOST_TEST(got == n);
                BOOST_TEST(received.substr(0, n) == sent.substr(0, n));
            }
        }
    });
}

// Everything is there at once, and is taken in single bytes: far more successes in a row than one
// poll may have.
BOOST_AUTO_TEST_CASE(b77_single_bytes_that_are_ready) {
    on_each_world([](world& w) {
        std::string const sent = pattern(2000);
        tcp_pair sockets(w.executor());
        asio::write(sockets.there, asio::buffer(sent));
        auto const received = result_in(w, [&]() -> rouse::task<std::string> {
            std::string all;
            while (all.size() < sent.size()) {
                char c = 0;
                all.append(co_await sockets.here.async_read_some(asio::buffer(&c, 1), use_poll),
                           'x');
                all.back() = c;
            }
            co_return all;
        });
        BOOST_TEST(received == sent);
    });
}

// Polled by hand, with a poll too many after each step.
BOOST_AUTO_TEST_CASE(b77_spurious_polls_between_single_bytes) {
    hand h;
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::string const sent = pattern(50);
    std::string received(50, ' ');
    auto op = asio::async_read(sockets.here, asio::buffer(received), use_poll);
    for (char const& c : sent) {
        BOOST_TEST(h.poll(op).is_pending());
        BOOST_TEST(h.poll(op).is_pending());
        run_ready(io);
        asio::write(sockets.there, asio::buffer(&c, 1));
        while (!h.woken()) {
            if (io.stopped()) io.restart();
            io.run_one();
        }
    }
    BOOST_TEST(h.poll(op).value() == 50U);
    BOOST_TEST(received == sent);
}

BOOST_AUTO_TEST_SUITE_END()
