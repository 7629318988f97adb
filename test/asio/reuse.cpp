// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// A descriptor is closed while an operation waits for it, and the system gives its number to the
// next socket: what happened to the old one is not seen by operations on the new one.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>
#include <support/asio_worlds.hpp>
#include <support/scale.hpp>
#include <support/stress_threads.hpp>

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <rouse/as_result.hpp>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/use_poll.hpp>
#include <string>
#include <thread>
#include <utility>

BOOST_AUTO_TEST_SUITE(test_reuse)

namespace {

using namespace rouse_test;
using rouse::as_result;
using rouse::use_poll;

// Runs the event loop for as long as it finds anything.
void run_all_ready(asio::io_context& io) {
    do {
        if (io.stopped()) io.restart();
    } while (io.poll() != 0);
}

// A socket, and another one that is made when the first is closed and has the same number: the
// lowest one that is free is taken. It also gets the reactor's memory for the first, which was the
// last to be given back.
class two_lives {
public:
    explicit two_lives(asio::io_context& io)
        : first(io),
          first_peer(io),
          second(io),
          second_peer(io),
          acceptor_(listening(io.get_executor())) {
        first_peer.connect(acceptor_.local_endpoint());
        acceptor_.accept(first);
    }

    // The first one's peer stays open, so that nothing comes from its end.
    void replace() {
        int const number = first.native_handle();
        first.close();
        second.connect(acceptor_.local_endpoint());
        BOOST_TEST_REQUIRE(second.native_handle() == number);
        acceptor_.accept(second_peer);
    }

    tcp::socket first;
    tcp::socket first_peer;
    tcp::socket second;
    tcp::socket second_peer;

private:
    tcp::acceptor acceptor_;
};

// Waits for the first life with one operation and for the second one with another; `event` makes
// the first one ready, before its end or not at all.
template <class First, class Second, class Event, class Check>
void old_event_is_not_seen(First start_first, Second start_second, Event event, Check check) {
    hand old_hand;
    hand new_hand;
    asio::io_context io;
    two_lives lives(io);
    auto before = start_first(lives.first);
    BOOST_TEST(old_hand.poll(before).is_pending());
    run_all_ready(io);
    BOOST_TEST(!old_hand.woken());
    event(lives.first_peer);  // known to the kernel, not yet to the event loop
    lives.replace();

    auto after = start_second(lives.second);
    BOOST_TEST(new_hand.poll(after).is_pending());
    run_all_ready(io);
    BOOST_TEST(old_hand.woken());
    BOOST_CHECK_EXCEPTION(static_cast<void>(old_hand.poll(before)), boost::system::system_error,
                          is_operation_aborted);
    BOOST_TEST(!new_hand.woken());
    BOOST_TEST(new_hand.poll(after).is_pending());
    run_all_ready(io);
    BOOST_TEST(!new_hand.woken());

    // Events of the old one that come now, too.
    boost::system::error_code gone;
    asio::write(lives.first_peer, asio::buffer("late", 4), gone);
    lives.first_peer.close();
    run_all_ready(io);
    BOOST_TEST(!new_hand.woken());

    asio::write(lives.second_peer, asio::buffer("new", 3));
    check(new_hand, io, after);
}

auto const reads_into = [](std::string& data) {
    return [&data](tcp::socket& s) { return s.async_read_some(asio::buffer(data), use_poll); };
};
auto const waits = [](tcp::socket& s) { return s.async_wait(tcp::socket::wait_read, use_poll); };

auto const nothing = [](tcp::socket&) {};
auto const bytes = [](tcp::socket& peer) { asio::write(peer, asio::buffer("old", 3)); };
auto const end = [](tcp::socket& peer) { peer.shutdown(tcp::socket::shutdown_send); };
auto const reset = [](tcp::socket& peer) {
    // Only the sending side can be reset and kept: the rest is done by the close that follows.
    asio::write(peer, asio::buffer("old", 3));
    peer.shutdown(tcp::socket::shutdown_both);
};

template <class Event>
void for_reads_and_waits(Event event) {
    std::string old_data(8, ' ');
    std::string new_data(8, ' ');
    auto const has_read = [&](hand& h, asio::io_context& io, auto& op) {
        BOOST_TEST(finish(h, io, op) == 3U);
        BOOST_TEST(new_data.substr(0, 3) == "new");
    };
    auto const has_waited = [](hand& h, asio::io_context& io, auto& op) {
        while (h.poll(op).is_pending()) {
            if (io.stopped()) io.restart();
            io.run_one();
        }
    };
    old_event_is_not_seen(reads_into(old_data), reads_into(new_data), event, has_read);
    old_event_is_not_seen(waits, reads_into(new_data), event, has_read);
    old_event_is_not_seen(reads_into(old_data), waits, event, has_waited);
    old_event_is_not_seen(waits, waits, event, has_waited);
}

}  // namespace

BOOST_AUTO_TEST_CASE(b76_closed_without_an_event) { for_reads_and_waits(nothing); }
BOOST_AUTO_TEST_CASE(b76_closed_with_bytes_that_nobody_has_seen) { for_reads_and_waits(bytes); }
BOOST_AUTO_TEST_CASE(b76_closed_with_an_end_that_nobody_has_seen) { for_reads_and_waits(end); }
BOOST_AUTO_TEST_CASE(b76_closed_with_bytes_and_an_end_that_nobody_has_seen) {
    for_reads_and_waits(reset);
}

// The future of the old operation was dropped, so that there is nobody to tell.
BOOST_AUTO_TEST_CASE(b76_closed_under_a_dropped_operation) {
    hand old_hand;
    hand new_hand;
    asio::io_context io;
    two_lives lives(io);
    std::string data(8, ' ');
    {
        auto before = lives.first.async_read_some(asio::buffer(data), use_poll);
        BOOST_TEST(old_hand.poll(before).is_pending());
        asio::write(lives.first_peer, asio::buffer("old", 3));
    }
    lives.replace();
    auto after = lives.second.async_read_some(asio::buffer(data), use_poll);
    BOOST_TEST(new_hand.poll(after).is_pending());
    run_all_ready(io);
    BOOST_TEST(!old_hand.woken());
    BOOST_TEST(!new_hand.woken());
    asio::write(lives.second_peer, asio::buffer("new", 3));
    BOOST_TEST(finish(new_hand, io, after) == 3U);
    BOOST_TEST(data.substr(0, 3) == "new");
}

// The event of the old socket was fetched from the kernel together with another one, whose handling
// comes first and replaces the socket. A read of the new one tries again and finds nothing. A wait
// for readiness does not try: Asio may end it for the old event, so it is a hint and no more, and
// the read that follows it waits for what is the new one's.
BOOST_AUTO_TEST_CASE(b76_closed_with_an_event_that_was_fetched) {
    for (bool const wait_first : {false, true}) {
        for (int more = 0; more < 4; ++more) {  // how far the event loop has come
            hand other_hand;
            hand old_hand;
            hand new_hand;
            asio::io_context io;
            tcp_pair other(io.get_executor());
            two_lives lives(io);
            std::string old_data(8, ' ');
            std::string new_data(8, ' ');
            std::string other_data(8, ' ');
            auto other_op = other.here.async_read_some(asio::buffer(other_data), use_poll);
            auto before = lives.first.async_read_some(asio::buffer(old_data), use_poll);
            BOOST_TEST(other_hand.poll(other_op).is_pending());
            BOOST_TEST(old_hand.poll(before).is_pending());
            run_all_ready(io);
            asio::write(other.there, asio::buffer("x", 1));
            asio::write(lives.first_peer, asio::buffer("old", 3));
            if (io.stopped()) io.restart();
            for (int i = 0; i < more; ++i) io.poll_one();

            lives.replace();
            bool still_waits = false;
            auto waiting = lives.second.async_wait(tcp::socket::wait_read, use_poll);
            if (wait_first) {
                BOOST_TEST(new_hand.poll(waiting).is_pending());
                run_all_ready(io);
                still_waits = new_hand.poll(waiting).is_pending();
                static_cast<void>(new_hand.woken());
            }
            auto after = lives.second.async_read_some(asio::buffer(new_data), use_poll);
            BOOST_TEST(new_hand.poll(after).is_pending());
            run_all_ready(io);
            BOOST_TEST(!new_hand.woken());
            BOOST_TEST(new_hand.poll(after).is_pending());
            // The old one has read its own bytes, or nothing.
            BOOST_TEST(old_hand.woken());
            try {
                BOOST_TEST(old_hand.poll(before).value() == 3U);
                BOOST_TEST(old_data.substr(0, 3) == "old");
            } catch (boost::system::system_error const& e) {
                BOOST_TEST((e.code() == asio::error::operation_aborted));
            }
            BOOST_TEST(finish(other_hand, io, other_op) == 1U);
            asio::write(lives.second_peer, asio::buffer("new", 3));
            BOOST_TEST(finish(new_hand, io, after) == 3U);
            BOOST_TEST(new_data.substr(0, 3) == "new");
            if (still_waits) {
                run_all_ready(io);
                BOOST_TEST(new_hand.poll(waiting).is_ready());
            }
        }
    }
}

// Tasks that wait are aborted, their sockets closed, and the numbers used again, while bytes for
// the old ones arrive. Nobody may read what was sent to another life.
BOOST_AUTO_TEST_CASE(b76_numbers_come_round_while_others_write) {
    int const rounds = scaled(sanitized ? 1000 : 5000);
    on_each_world([&](world& w) {
        std::atomic<long> wrong{0};
        std::atomic<long> ended_with_bytes{0};
        std::atomic<long> reused{0};
        int last = -1;
        stress_random random(76);
        for (int round = 0; round < rounds; ++round) {
            char const mine = static_cast<char>('a' + round % 26);
            auto const life = std::make_shared<tcp_pair>(w.executor());
            if (life->here.native_handle() == last) ++reused;
            last = life->here.native_handle();
            bool const wait_first = random.below(2) == 0;
            auto reader =
                rouse::spawn(w.executor(), [&wrong, life, mine, wait_first]() -> rouse::task<bool> {
                    if (wait_first)
                        co_await life->here.async_wait(tcp::socket::wait_read, use_poll);
                    char c = 0;
                    auto const n = co_await life->here.async_read_some(asio::buffer(&c, 1),
                                                                       as_result(use_poll));
                    if (!n || *n != 1 || c != mine) ++wrong;
                    co_return true;
                });
            // A byte comes now, at the same time as the abort, or not at all.
            std::thread writer;
            unsigned const when = random.below(3);
            if (when == 0) asio::write(life->there, asio::buffer(&mine, 1));
            if (when == 1) {
                writer = std::thread([life, mine, round] {
                    stress_random delays(static_cast<std::uint64_t>(round));
                    delays.delay();
                    asio::write(life->there, asio::buffer(&mine, 1));
                });
            }
            random.delay();
            reader.abort();
            try {
                if (wait(w, std::move(reader))) ++ended_with_bytes;
            } catch (boost::system::system_error const& e) {
                if (e.code() != rouse::errc::aborted) ++wrong;
            }
            if (writer.joinable()) writer.join();
        }
        BOOST_TEST(wrong == 0);
        BOOST_TEST(reused > 0);
    });
}

BOOST_AUTO_TEST_SUITE_END()
