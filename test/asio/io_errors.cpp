// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Connections that are refused, reset and half closed, and one that is never answered: each ends
// with the error that it has, in every world, and no write raises SIGPIPE.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>
#include <support/asio_worlds.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <deque>
#include <rouse/as_result.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/use_poll.hpp>
#include <string>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_io_errors)

namespace {

using namespace rouse_test;
using boost::system::error_code;
using rouse::as_result;
using rouse::use_poll;

auto const is_refused = with_code(asio::error::connection_refused);
auto const is_reset = with_code(asio::error::connection_reset);
auto const is_end = with_code(asio::error::eof);
auto const is_aborted = with_code(rouse::errc::aborted);

// A port that nobody listens on, for as long as this lives.
class deaf_port {
public:
    explicit deaf_port(asio::any_io_executor const& ex)
        : socket_(ex, {asio::ip::address_v4::loopback(), 0}) {}
    tcp::endpoint endpoint() const { return socket_.local_endpoint(); }

private:
    tcp::socket socket_;
};

// The peer drops the connection: a reset instead of an orderly end. Not by `close`, which leaves the descriptor with
// epoll: if a thread is about to ask it for events there, Linux puts the end off until that thread is woken.
void reset(tcp::socket& peer) {
    peer.set_option(tcp::socket::linger(true, 0));
    ::close(peer.release());
}

// A server whose queue of connections is full: the system answers nobody any more.
class full_server {
public:
    explicit full_server(asio::any_io_executor const& ex) : acceptor_(ex, tcp::v4()) {
        acceptor_.bind({asio::ip::address_v4::loopback(), 0});
        acceptor_.listen(0);
        for (int i = 0; i < 4; ++i) {
            auto& filler = fillers_.emplace_back(ex, tcp::v4());
            filler.native_non_blocking(true);
            auto const to = endpoint();  // Asio's connect would wait
            static_cast<void>(
                ::connect(filler.native_handle(), to.data(), static_cast<::socklen_t>(to.size())));
        }
    }
    tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

private:
    tcp::acceptor acceptor_;
    std::deque<tcp::socket> fillers_{};
};

// Counts the signal, which would end the program otherwise.
class sigpipe_counter {
public:
    sigpipe_counter() {
        count() = 0;
        before_ = std::signal(SIGPIPE, [](int) { ++count(); });
    }
    sigpipe_counter(sigpipe_counter const&) = delete;
    sigpipe_counter& operator=(sigpipe_counter const&) = delete;
    ~sigpipe_counter() { std::signal(SIGPIPE, before_); }

    static std::atomic<int>& count() {
        static std::atomic<int> raised{0};
        return raised;
    }

private:
    void (*before_)(int);
};

// A task that says when it has come so far, and can be asked to stop from outside.
class reachable {
public:
    auto here() {
        return rouse::poll_fn([this](rouse::context& cx) -> rouse::poll_result<void> {
            waker_ = cx.waker();
            state_ = &cx.cancellation();
            return rouse::ready();
        });
    }
    bool begun() const { return state_ != nullptr; }
    void cancel() {
        state_.load()->request(rouse::cancellation_type::terminal);
        std::move(waker_).wake();
    }
    void forget() { waker_ = {}; }

private:
    rouse::waker waker_{};
    std::atomic<rouse::cancellation_state*> state_{nullptr};
};

}  // namespace

BOOST_AUTO_TEST_CASE(b75_a_refused_connect) {
    on_each_world([](world& w) {
        deaf_port const nobody(w.executor());
        auto const to = nobody.endpoint();

        tcp::socket plain(w.executor());
        BOOST_CHECK_EXCEPTION(result_in(w, plain.async_connect(to, use_poll)),
                              boost::system::system_error, is_refused);
        tcp::socket with_result(w.executor());
        auto const result = result_in(w, with_result.async_connect(to, as_result(use_poll)));
        BOOST_TEST((result.error() == asio::error::connection_refused));
        tcp::socket with_tuple(w.executor());
        auto const [error] = result_in(w, with_tuple.async_connect(to, asio::as_tuple(use_poll)));
        BOOST_TEST((error == asio::error::connection_refused));
    });
}

// The composed form goes on to the next endpoint, and has the last one's error if there is none.
BOOST_AUTO_TEST_CASE(b75_a_refused_connect_to_one_of_several) {
    on_each_world([](world& w) {
        deaf_port const first(w.executor());
        deaf_port const second(w.executor());
        tcp::acceptor acceptor = listening(w.executor());
        std::vector<tcp::endpoint> ends{first.endpoint(), second.endpoint()};

        tcp::socket refused(w.executor());
        BOOST_CHECK_EXCEPTION(
            static_cast<void>(result_in(w, asio::async_connect(refused, ends, use_poll))),
            boost::system::system_error, is_refused);

        ends.push_back(acceptor.local_endpoint());
        tcp::socket accepted(w.executor());
        auto const chosen = result_in(w, asio::async_connect(accepted, ends, use_poll));
        BOOST_TEST((chosen == acceptor.local_endpoint()));
    });
}

// The same object serves for another attempt.
BOOST_AUTO_TEST_CASE(b75_a_socket_is_used_again_after_a_refusal) {
    on_each_world([](world& w) {
        deaf_port const nobody(w.executor());
        tcp::acceptor acceptor = listening(w.executor());
        auto const read = result_in(w, [&]() -> rouse::task<std::string> {
            tcp::socket socket(w.executor());
            auto const refused =
                co_await socket.async_connect(nobody.endpoint(), as_result(use_poll));
            if (!refused.has_error()) co_return "connected to nobody";
            socket.close();
            co_await socket.async_connect(acceptor.local_endpoint(), use_poll);
            tcp::socket peer = co_await acceptor.async_accept(use_poll);
            co_await asio::async_write(peer, asio::buffer("hello", 5), use_poll);
            std::string said(5, ' ');
            co_await asio::async_read(socket, asio::buffer(said), use_poll);
            co_return said;
        });
        BOOST_TEST(read == "hello");
    });
}

// Whether the reset comes before the read, or while it waits.
BOOST_AUTO_TEST_CASE(b75_reset_by_the_peer_in_a_read) {
    on_each_world([](world& w) {
        for (bool const waiting : {false, true}) {
            BOOST_TEST_CONTEXT((waiting ? "while it waits" : "before it starts")) {
                std::array<char, 8> data{};
                auto const meets_reset = [&](auto start) {
                    tcp_pair sockets(w.executor());
                    if (!waiting) reset(sockets.there);
                    auto handle = rouse::spawn(w.executor(), start(sockets.here));
                    if (waiting) reset(sockets.there);
                    return wait(w, std::move(handle));
                };
                BOOST_CHECK_EXCEPTION(static_cast<void>(meets_reset([&](tcp::socket& s) {
                                          return s.async_read_some(asio::buffer(data), use_poll);
                                      })),
                                      boost::system::system_error, is_reset);
                BOOST_CHECK_EXCEPTION(static_cast<void>(meets_reset([&](tcp::socket& s) {
                                          return asio::async_read(s, asio::buffer(data), use_poll);
                                      })),
                                      boost::system::system_error, is_reset);
                auto const result = meets_reset([&](tcp::socket& s) {
                    return asio::async_read(s, asio::buffer(data), as_result(use_poll));
                });
                BOOST_TEST((result.error() == asio::error::connection_reset));
            }
        }
    });
}

// What had come before the reset is counted.
BOOST_AUTO_TEST_CASE(b75_bytes_before_the_reset_are_not_lost) {
    on_each_world([](world& w) {
        tcp_pair sockets(w.executor());
        std::array<char, 8> data{};
        auto const n = result_in(w, [&]() -> rouse::task<std::size_t> {
            co_await asio::async_write(sockets.there, asio::buffer("abc", 3), use_poll);
            std::size_t const first = co_await asio::async_read(
                sockets.here, asio::buffer(data), asio::transfer_at_least(3), use_poll);
            reset(sockets.there);
            auto const [error, second] = co_await asio::async_read(sockets.here, asio::buffer(data),
                                                                   asio::as_tuple(use_poll));
            if (error != asio::error::connection_reset) co_return 100;
            co_return first + second;
        });
        BOOST_TEST(n == 3U);
    });
}

BOOST_AUTO_TEST_CASE(b75_reset_by_the_peer_in_a_write) {
    on_each_world([](world& w) {
        sigpipe_counter const signals;
        std::vector<char> const much(std::size_t{16} << 20);  // more than any buffer of the system
        auto const is_broken = [](error_code const& e) {
            return e == asio::error::connection_reset || e == asio::error::broken_pipe;
        };
        for (bool const waiting : {false, true}) {
            BOOST_TEST_CONTEXT((waiting ? "while it waits" : "before it starts")) {
                auto const meets_reset = [&](auto start) {
                    tcp_pair sockets(w.executor());
                    if (!waiting) reset(sockets.there);
                    auto handle = rouse::spawn(w.executor(), start(sockets.here));
                    if (waiting) reset(sockets.there);
                    return wait(w, std::move(handle));
                };
                auto const [error, n] = meets_reset([&](tcp::socket& s) {
                    return asio::async_write(s, asio::buffer(much), asio::as_tuple(use_poll));
                });
                BOOST_TEST(is_broken(error));
                BOOST_TEST(n < much.size());
                auto const result = meets_reset([&](tcp::socket& s) {
                    return asio::async_write(s, asio::buffer(much), as_result(use_poll));
                });
                BOOST_TEST((result.has_error() && is_broken(result.error())));
                BOOST_CHECK_EXCEPTION(static_cast<void>(meets_reset([&](tcp::socket& s) {
                                          return asio::async_write(s, asio::buffer(much), use_poll);
                                      })),
                                      boost::system::system_error,
                                      [&](auto const& e) { return is_broken(e.code()); });
            }
        }
        BOOST_TEST(signals.count() == 0);
    });
}

// Asio's reactor does not notice that a broken connection stays broken: a write after two that have
// failed may wait for an event that never comes. It can be aborted like others.
BOOST_AUTO_TEST_CASE(b75_more_writes_after_a_reset_end_or_are_aborted) {
    on_each_world([](world& w) {
        sigpipe_counter const signals;
        tcp_pair sockets(w.executor());
        reset(sockets.there);
        sockets.here.wait(tcp::socket::wait_read);  // the reset has arrived: no write succeeds any more
        std::vector<char> const much(std::size_t{1} << 20);
        for (int i = 0; i < 5; ++i) {
            auto handle = rouse::spawn(w.executor(),
                                       sockets.here.async_write_some(asio::buffer(much), use_poll));
            handle.abort();
            BOOST_CHECK_THROW(static_cast<void>(wait(w, std::move(handle))),
                              boost::system::system_error);
        }
        BOOST_TEST(signals.count() == 0);
    });
}

// Sockets of the other family, whose peers are gone at once.
BOOST_AUTO_TEST_CASE(b75_writes_to_a_closed_local_socket_raise_no_signal) {
    on_each_world([](world& w) {
        sigpipe_counter const signals;
        asio::local::stream_protocol::socket here(w.executor());
        asio::local::stream_protocol::socket there(w.executor());
        asio::local::connect_pair(here, there);
        there.close();
        auto const some =
            result_in(w, here.async_write_some(asio::buffer("x", 1), as_result(use_poll)));
        BOOST_TEST((some.error() == asio::error::broken_pipe));
        auto const all =
            result_in(w, asio::async_write(here, asio::buffer("x", 1), as_result(use_poll)));
        BOOST_TEST((all.error() == asio::error::broken_pipe));
        BOOST_TEST(signals.count() == 0);
    });
}

// The end of what the peer sends, in every form. What came before it is counted.
BOOST_AUTO_TEST_CASE(b75_half_close_is_the_end_of_the_reads) {
    on_each_world([](world& w) {
        std::array<char, 8> data{};
        auto const meets_end = [&](auto start) {
            tcp_pair sockets(w.executor());
            asio::write(sockets.there, asio::buffer("abc", 3));
            sockets.there.shutdown(tcp::socket::shutdown_send);
            return result_in(w, start(sockets.here));
        };
        auto const [error, n] = meets_end([&](tcp::socket& s) {
            return asio::async_read(s, asio::buffer(data), asio::as_tuple(use_poll));
        });
        BOOST_TEST((error == asio::error::eof));
        BOOST_TEST(n == 3U);
        BOOST_CHECK_EXCEPTION(static_cast<void>(meets_end([&](tcp::socket& s) {
                                  return asio::async_read(s, asio::buffer(data), use_poll);
                              })),
                              boost::system::system_error, is_end);
        auto const result = meets_end([&](tcp::socket& s) {
            return asio::async_read(s, asio::buffer(data), as_result(use_poll));
        });
        BOOST_TEST((result.error() == asio::error::eof));
        std::string line;
        auto const until = meets_end([&](tcp::socket& s) {
            return asio::async_read_until(s, asio::dynamic_buffer(line), '\n', as_result(use_poll));
        });
        BOOST_TEST((until.error() == asio::error::eof));
        BOOST_TEST(line == "abc");
    });
}

// One direction ends and the other goes on.
BOOST_AUTO_TEST_CASE(b75_half_close_leaves_the_other_direction) {
    on_each_world([](world& w) {
        sigpipe_counter const signals;
        tcp_pair sockets(w.executor());
        sockets.there.shutdown(tcp::socket::shutdown_send);
        auto echo = rouse::spawn(w.executor(), [&]() -> rouse::task<std::string> {
            std::string said(5, ' ');
            co_await asio::async_read(sockets.there, asio::buffer(said), use_poll);
            std::array<char, 8> data{};
            auto const end =
                co_await sockets.there.async_read_some(asio::buffer(data), as_result(use_poll));
            if (end.has_error() && end.error() == asio::error::eof) said += ", end";
            co_return said;
        });
        auto writer = rouse::spawn(w.executor(), [&]() -> rouse::task<std::string> {
            std::array<char, 8> data{};
            auto const end =
                co_await sockets.here.async_read_some(asio::buffer(data), as_result(use_poll));
            if (!end.has_error() || end.error() != asio::error::eof) co_return "no end";
            co_await asio::async_write(sockets.here, asio::buffer("hello", 5), use_poll);
            sockets.here.shutdown(tcp::socket::shutdown_send);
            // What cannot be sent any more is an error, and no signal.
            auto const late =
                co_await asio::async_write(sockets.here, asio::buffer("x", 1), as_result(use_poll));
            if (!late.has_error()) co_return "no error";
            co_return late.error() == asio::error::broken_pipe ? "broken" : "another error";
        });
        BOOST_TEST(wait(w, std::move(writer)) == "broken");
        BOOST_TEST(wait(w, std::move(echo)) == "hello, end");
        BOOST_TEST(signals.count() == 0);
    });
}

// While a read waits.
BOOST_AUTO_TEST_CASE(b75_the_end_wakes_a_read_that_waits) {
    on_each_world([](world& w) {
        tcp_pair sockets(w.executor());
        std::array<char, 8> data{};
        auto handle = rouse::spawn(
            w.executor(), sockets.here.async_read_some(asio::buffer(data), as_result(use_poll)));
        sockets.there.shutdown(tcp::socket::shutdown_send);
        BOOST_TEST((wait(w, std::move(handle)).error() == asio::error::eof));
    });
}

// ---- a connection that nobody answers
// ------------------------------------------------------------

BOOST_AUTO_TEST_CASE(b75_a_connect_that_hangs_is_aborted) {
    on_each_world([](world& w) {
        full_server const server(w.executor());
        reachable task;
        auto handle = rouse::spawn(w.executor(), [&]() -> rouse::task<> {
            tcp::socket socket(w.executor());
            co_await task.here();
            co_await socket.async_connect(server.endpoint(), use_poll);
        });
        w.run_until([&] { return task.begun(); });
        BOOST_TEST(!handle.is_finished());
        handle.abort();
        BOOST_CHECK_EXCEPTION(wait(w, std::move(handle)), boost::system::system_error, is_aborted);
        task.forget();
    });
}

// The task goes on, with the same object.
BOOST_AUTO_TEST_CASE(b75_a_connect_that_hangs_is_cancelled) {
    on_each_world([](world& w) {
        full_server const server(w.executor());
        tcp::acceptor answering = listening(w.executor());
        reachable task;
        auto handle = rouse::spawn(w.executor(), [&]() -> rouse::task<bool> {
            tcp::socket socket(w.executor());
            co_await task.here();
            auto const hung = co_await socket.async_connect(server.endpoint(), as_result(use_poll));
            if (!hung.has_error() || hung.error() != asio::error::operation_aborted)
                co_return false;
            co_await rouse::poll_fn([](rouse::context& cx) -> rouse::poll_result<void> {
                cx.cancellation().clear();
                return rouse::ready();
            });
            socket.close();
            co_await socket.async_connect(answering.local_endpoint(), use_poll);
            co_return true;
        });
        w.run_until([&] { return task.begun(); });
        BOOST_TEST(!handle.is_finished());
        task.cancel();
        BOOST_TEST(wait(w, std::move(handle)));
    });
}

// In the composed form the next endpoint is not tried.
BOOST_AUTO_TEST_CASE(b75_a_connect_to_one_of_several_that_hangs_is_aborted_and_cancelled) {
    on_each_world([](world& w) {
        full_server const server(w.executor());
        tcp::acceptor answering = listening(w.executor());
        std::vector<tcp::endpoint> const ends{server.endpoint(), answering.local_endpoint()};
        for (bool const abort : {false, true}) {
            reachable task;
            auto handle = rouse::spawn(w.executor(), [&]() -> rouse::task<error_code> {
                tcp::socket socket(w.executor());
                co_await task.here();
                auto const result = co_await asio::async_connect(socket, ends, as_result(use_poll));
                co_return result.has_error() ? result.error() : error_code();
            });
            w.run_until([&] { return task.begun(); });
            if (abort) {
                handle.abort();
                BOOST_CHECK_EXCEPTION(wait(w, std::move(handle)), boost::system::system_error,
                                      is_aborted);
                task.forget();
            } else {
                task.cancel();
                BOOST_TEST((wait(w, std::move(handle)) == asio::error::operation_aborted));
            }
        }
        // Nobody has come to the second one.
        answering.non_blocking(true);
        error_code error;
        tcp::socket peer(w.executor());
        answering.accept(peer, error);
        BOOST_TEST((error == asio::error::would_block));
    });
}

// Polled by hand: dropped, and ended by closing the object.
BOOST_AUTO_TEST_CASE(b75_a_connect_that_hangs_is_dropped_and_closed) {
    hand h;
    asio::io_context io;
    full_server const server(io.get_executor());
    tcp::socket socket(io);
    {
        auto op = socket.async_connect(server.endpoint(), use_poll);
        BOOST_TEST(h.poll(op).is_pending());
        run_ready(io);
        BOOST_TEST(!h.woken());
    }
    run_ready(io);
    BOOST_TEST(!h.woken());
    socket.close();
    auto op = socket.async_connect(server.endpoint(), use_poll);
    BOOST_TEST(h.poll(op).is_pending());
    run_ready(io);
    BOOST_TEST(h.poll(op).is_pending());
    socket.close();
    BOOST_CHECK_EXCEPTION(finish(h, io, op), boost::system::system_error, is_operation_aborted);
}

BOOST_AUTO_TEST_SUITE_END()
