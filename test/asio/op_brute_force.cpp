// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Each operation of a table is dropped, aborted and cancelled after every possible number of polls.
// Whenever that is, it ends, and gives back all that it had: the sanitizers watch.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/consign.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <rouse/as_result.hpp>
#include <rouse/task.hpp>
#include <rouse/use_poll.hpp>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_op_brute_force)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using boost::system::error_code;
using rouse::use_poll;

// What one run works with; new for each.
struct bench {
    hand h{};
    asio::io_context io{};
    tcp_pair sockets{io.get_executor()};
    asio::steady_timer timer{io, 24h};
    std::string data = std::string(8, ' ');
    std::string text{};
    // The other end writes a byte; the operation advances one step, or needs nothing.
    void feed() {
        error_code ignored;
        asio::write(sockets.there, asio::buffer("x", 1), ignored);
    }
};

enum class end { drop, abort, cancel };

// What an operation that was told to stop may have ended with: its value or operation_aborted, also
// where these are told in values.
bool was_told(error_code error) { return !error || error == asio::error::operation_aborted; }
template <class... T>
bool expected(std::tuple<error_code, T...> const& all) {
    return was_told(std::get<0>(all));
}
template <class T>
bool expected(boost::system::result<T, error_code> const& result) {
    return result.has_value() || was_told(result.error());
}
template <class T>
bool expected(T const&) {
    return true;
}

// No operation takes as many polls, unless nothing makes it complete.
constexpr int for_ever = 40;

// How many polls an operation takes, and an error of its own that it may end with.
struct expectation {
    int polls;
    error_code error = asio::error::operation_aborted;
};

template <class Op>
bool end_it(bench& b, Op& op, end how, expectation const& what) {
    if (how == end::drop) return true;
    auto const result_is_expected = [&](auto ending) {
        try {
            return ending();
        } catch (boost::system::system_error const& e) {
            return e.code() == asio::error::operation_aborted || e.code() == what.error;
        }
    };
    if (how == end::abort) {
        return result_is_expected([&] {
            auto const let_go = finish_cancel(b.h, b.io, op);
            if constexpr (requires { *let_go; }) {
                return !let_go || expected(*let_go);
            } else {
                return true;  // whether it had completed or not
            }
        });
    }
    b.h.cancel(rouse::cancellation_type::all);
    return result_is_expected([&] {
        if constexpr (std::is_void_v<rouse::output_t<Op>>) {
            finish(b.h, b.io, op);
            return what.polls != for_ever;
        } else {
            return expected(finish(b.h, b.io, op)) && what.polls != for_ever;
        }
    });
}

// True if the operation completed before its `polls` were over.
template <class Make>
bool run_once(Make make, end how, int polls, expectation const& what) {
    bench b;
    bool ready = false;
    {
        auto op = make(b);
        for (int i = 0; i < polls && !ready; ++i) {
            try {
                ready = b.h.poll(op).is_ready();
            } catch (boost::system::system_error const&) {
                ready = true;
            }
            b.feed();
            run_ready(b.io);
        }
        if (!ready) BOOST_TEST(end_it(b, op, how, what));
    }
    b.feed();
    run_ready(b.io);
    b.h.late_functions.close();
    BOOST_TEST(b.h.wakes.live == 1);
    return ready;
}

// The operation is ended after each number of polls that does not complete it.
template <class Make>
void brute_force(expectation what, Make make) {
    for (end how : {end::drop, end::abort, end::cancel}) {
        BOOST_TEST_CONTEXT("way " << static_cast<int>(how)) {
            int tried = 0;
            while (tried < for_ever && !run_once(make, how, tried, what)) ++tried;
            BOOST_TEST(tried == what.polls);
        }
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(b35_of_read_some) {
    brute_force({2}, [](bench& b) {
        return b.sockets.here.async_read_some(asio::buffer(b.data), use_poll);
    });
}
BOOST_AUTO_TEST_CASE(b35_of_read) {
    brute_force({9}, [](bench& b) {
        return asio::async_read(b.sockets.here, asio::buffer(b.data), use_poll);
    });
}
BOOST_AUTO_TEST_CASE(b35_of_read_as_tuple) {
    brute_force({9}, [](bench& b) {
        return asio::async_read(b.sockets.here, asio::buffer(b.data), asio::as_tuple(use_poll));
    });
}
BOOST_AUTO_TEST_CASE(b35_of_read_as_result) {
    brute_force({9}, [](bench& b) {
        return asio::async_read(b.sockets.here, asio::buffer(b.data), rouse::as_result(use_poll));
    });
}
BOOST_AUTO_TEST_CASE(b35_of_read_until) {
    brute_force({9, asio::error::not_found}, [](bench& b) {
        return asio::async_read_until(b.sockets.here, asio::dynamic_buffer(b.text, 8), "never",
                                      use_poll);
    });
}
BOOST_AUTO_TEST_CASE(b35_of_write) {
    brute_force({2}, [](bench& b) {
        return asio::async_write(b.sockets.here, asio::buffer(b.data), use_poll);
    });
}
BOOST_AUTO_TEST_CASE(b35_of_a_large_write) {
    brute_force({for_ever}, [](bench& b) {
        b.data.resize(std::size_t{8} << 20);
        return asio::async_write(b.sockets.here, asio::buffer(b.data), use_poll);
    });
}
BOOST_AUTO_TEST_CASE(b35_of_a_socket_wait) {
    brute_force(
        {2}, [](bench& b) { return b.sockets.here.async_wait(tcp::socket::wait_read, use_poll); });
}
BOOST_AUTO_TEST_CASE(b35_of_a_timer) {
    brute_force({for_ever}, [](bench& b) { return b.timer.async_wait(use_poll); });
}
BOOST_AUTO_TEST_CASE(b35_of_an_expired_timer) {
    brute_force({2}, [](bench& b) {
        b.timer.expires_after(0ms);
        return b.timer.async_wait(use_poll);
    });
}
BOOST_AUTO_TEST_CASE(b35_of_a_post) {
    brute_force({2}, [](bench& b) { return asio::post(b.io, use_poll); });
}
BOOST_AUTO_TEST_CASE(b35_of_accept) {
    brute_force({for_ever}, [acceptor = std::shared_ptr<tcp::acceptor>()](bench& b) mutable {
        acceptor = std::make_shared<tcp::acceptor>(listening(b.io.get_executor()));
        // The acceptor lives as long as its op, and must not outlive the io_context.
        return acceptor->async_accept(asio::consign(use_poll, std::exchange(acceptor, nullptr)));
    });
}
BOOST_AUTO_TEST_CASE(b35_of_a_signal) {
    brute_force({for_ever}, [](bench& b) {
        auto signals = std::make_shared<asio::signal_set>(b.io, SIGUSR2);
        auto& set = *signals;
        return set.async_wait(asio::consign(use_poll, std::move(signals)));
    });
}
BOOST_AUTO_TEST_CASE(b35_of_a_channel) {
    using channel = asio::experimental::channel<void(error_code, int)>;
    brute_force({for_ever, asio::experimental::error::channel_cancelled}, [](bench& b) {
        auto shared = std::make_shared<channel>(b.io, 0);
        auto& c = *shared;
        return c.async_receive(asio::consign(use_poll, std::move(shared)));
    });
}
BOOST_AUTO_TEST_CASE(b35_of_a_composed_operation_that_never_asks) {
    brute_force({for_ever}, [](bench& b) {
        return asio::async_compose<rouse::use_poll_t const, void(error_code)>(
            [&b, steps = 6](auto& self, error_code error = {}) mutable {
                if (error) {
                    self.complete(error);
                } else if (steps-- > 0) {
                    asio::post(b.io, std::move(self));
                } else {
                    b.timer.async_wait(std::move(self));
                }
            },
            use_poll, b.io);
    });
}
BOOST_AUTO_TEST_CASE(b35_of_a_task_of_several) {
    brute_force({for_ever}, [](bench& b) {
        return [](bench& mine) -> rouse::task<> {
            std::array<char, 3> data{};
            co_await asio::async_read(mine.sockets.here, asio::buffer(data), use_poll);
            co_await asio::post(mine.io, use_poll);
            co_await asio::async_write(mine.sockets.here, asio::buffer(data), use_poll);
            co_await mine.timer.async_wait(use_poll);
        }(b);
    });
}

BOOST_AUTO_TEST_SUITE_END()
