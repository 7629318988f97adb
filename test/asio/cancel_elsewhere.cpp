// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Aborts and cancellations that come from other threads: they are emitted in a poll of the task and
// never beside its operation; and one that comes when the completion is queued leaves one result.

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>
#include <support/asio_worlds.hpp>
#include <support/scale.hpp>
#include <support/stress_threads.hpp>

#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <rouse/spawn.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>
#include <rouse/use_poll.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_cancel_elsewhere)

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using boost::system::error_code;
using rouse::use_poll;

// Watches whether things that must not overlap do so, and which task does them.
class watch {
public:
    class section {
    public:
        explicit section(watch& w) : watch_(w) {
            if (watch_.inside_.exchange(true)) ++watch_.overlaps;
            auto const* polled = rouse::detail::current_task();
            if (!polled || polled->id != watch_.task) ++watch_.elsewhere;
        }
        section(section const&) = delete;
        section& operator=(section const&) = delete;
        ~section() { watch_.inside_ = false; }

    private:
        watch& watch_;
    };

    std::atomic<std::uint64_t> task{0};
    std::atomic<int> overlaps{0};
    std::atomic<int> elsewhere{0};
    std::atomic<int> emissions{0};
    int steps = 0;  // not atomic: all that changes it is one task

private:
    std::atomic<bool> inside_{false};
};

// A composed operation without end, whose steps go round by way of the executor's queue and a
// timer, and that notes when it is told to stop. Whoever cancels it meets a step in any state.
template <class Token>
auto async_watched(watch& w, asio::steady_timer& timer, Token&& token) {
    return asio::async_compose<Token, void(error_code)>(
        [&w, &timer, first = true](auto& self, error_code error = {}) mutable {
            watch::section const here(w);
            ++w.steps;
            if (std::exchange(first, false)) {
                auto const noted = [&w](asio::cancellation_type_t type) {
                    watch::section const emission(w);
                    ++w.emissions;
                    ++w.steps;
                    return type;
                };
                self.reset_cancellation_state(noted, noted);
            }
            if (error || self.cancelled() != asio::cancellation_type::none)
                return self.complete(asio::error::operation_aborted);
            if (w.steps % 4 == 0) {
                timer.expires_after(std::chrono::microseconds(w.steps % 3));
                timer.async_wait(std::move(self));
            } else {
                auto const ex = timer.get_executor();
                asio::post(ex, std::move(self));
            }
        },
        token, timer);
}

// What the other threads need to cancel a task.
struct target {
    std::atomic<rouse::cancellation_state*> state{nullptr};
    rouse::waker waker{};

    auto open() {
        return rouse::poll_fn([this](rouse::context& cx) -> rouse::poll_result<void> {
            waker = cx.waker();
            state = &cx.cancellation();
            return rouse::ready();
        });
    }
};

// Worlds with threads of their own: in the other one nothing happens at the same time.
template <class Function>
void on_each_threaded_world(Function function) {
    on_each_world([&](world& w) {
        if (!w.is_driven_by_caller()) function(w);
    });
}

}  // namespace

// ---- emitted in polls (71)
// -----------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(b71_aborts_from_other_threads_are_emitted_in_polls) {
    int const rounds = scaled(sanitized ? 500 : 1000);
    on_each_threaded_world([&](world& w) {
        int emitted = 0;
        int overlaps = 0;
        int elsewhere = 0;
        int ended = 0;
        stress_random random(71);
        for (int round = 0; round < rounds; ++round) {
            watch seen;
            auto handle = rouse::spawn(w.executor(), [&]() -> rouse::task<> {
                seen.task = rouse::this_task::id();
                asio::steady_timer timer(w.executor());
                co_await async_watched(seen, timer, use_poll);
            });
            while (seen.task == 0) std::this_thread::yield();
            for (unsigned i = random.below(20); i-- > 0;) random.delay();
            if (round % 2) {
                std::thread other([&] { handle.abort(); });
                handle.abort();
                other.join();
            } else {
                handle.abort();
            }
            try {
                wait(w, std::move(handle));
            } catch (boost::system::system_error const& e) {
                if (e.code() == rouse::errc::aborted) ++ended;
            }
            emitted += seen.emissions;
            overlaps += seen.overlaps;
            elsewhere += seen.elsewhere;
        }
        BOOST_TEST(ended == rounds);
        BOOST_TEST(overlaps == 0);
        BOOST_TEST(elsewhere == 0);
        BOOST_TEST(emitted > 0);
    });
}

BOOST_AUTO_TEST_CASE(b71_cancellations_from_other_threads_are_emitted_in_polls) {
    int const rounds = scaled(sanitized ? 500 : 1000);
    on_each_threaded_world([&](world& w) {
        int emitted = 0;
        int overlaps = 0;
        int elsewhere = 0;
        int ended = 0;
        stress_random random(710);
        for (int round = 0; round < rounds; ++round) {
            watch seen;
            target t;
            auto handle = rouse::spawn(w.executor(), [&]() -> rouse::task<error_code> {
                seen.task = rouse::this_task::id();
                asio::steady_timer timer(w.executor());
                co_await t.open();
                auto const [error] = co_await async_watched(seen, timer, asio::as_tuple(use_poll));
                co_return error;
            });
            while (!t.state) std::this_thread::yield();
            for (unsigned i = random.below(20); i-- > 0;) random.delay();
            t.state.load()->request(rouse::cancellation_type::terminal);
            std::move(t.waker).wake();
            if (wait(w, std::move(handle)) == asio::error::operation_aborted) ++ended;
            emitted += seen.emissions;
            overlaps += seen.overlaps;
            elsewhere += seen.elsewhere;
        }
        BOOST_TEST(ended == rounds);
        BOOST_TEST(overlaps == 0);
        BOOST_TEST(elsewhere == 0);
        BOOST_TEST(emitted > 0);
    });
}

// A task that is dropped by another thread is ended by its executor, too.
BOOST_AUTO_TEST_CASE(b71_a_handle_that_another_thread_drops_emits_in_a_poll) {
    int const rounds = scaled(sanitized ? 500 : 1000);
    on_each_threaded_world([&](world& w) {
        std::atomic<int> ended{0};
        int emitted = 0;
        int wrong = 0;
        for (int round = 0; round < rounds; ++round) {
            watch seen;
            std::atomic<bool> gone{false};
            {
                auto handle = rouse::spawn(w.executor(), [&]() -> rouse::task<> {
                    at_exit const last([&] { gone = true; });
                    seen.task = rouse::this_task::id();
                    asio::steady_timer timer(w.executor());
                    co_await async_watched(seen, timer, use_poll);
                    ++ended;
                });
                while (seen.task == 0) std::this_thread::yield();
            }
            while (!gone) std::this_thread::yield();
            emitted += seen.emissions;
            wrong += seen.overlaps + seen.elsewhere;
        }
        BOOST_TEST(ended == 0);
        BOOST_TEST(wrong == 0);
        BOOST_TEST(emitted > 0);
    });
}

// ---- one result (70)
// -----------------------------------------------------------------------------

// The event loop has taken the bytes, and the task is woken and queued; then it is aborted. The
// operation is the task itself, so that its result is the task's.
BOOST_AUTO_TEST_CASE(b70_aborted_when_the_completion_is_queued) {
    asio::io_context io;
    tcp_pair sockets(io.get_executor());
    std::array<char, 8> data{};
    auto read = rouse::spawn(io, sockets.here.async_read_some(asio::buffer(data), use_poll));
    io.poll();
    asio::write(sockets.there, asio::buffer("abc", 3));
    while (sockets.here.available() != 0) io.run_one();
    BOOST_TEST(!read.is_finished());
    read.abort();
    io.poll();
    BOOST_TEST_REQUIRE(read.is_finished());
    BOOST_TEST(poll_once(read).value() == 3U);
    BOOST_TEST(std::string(data.data(), 3) == "abc");
}

// A timer that could not be cancelled any more has fired; one that could has not.
BOOST_AUTO_TEST_CASE(b70_a_timer_says_one_of_the_two) {
    asio::io_context io;
    int fired = 0;
    int cancelled = 0;
    for (int delay = 0; delay < 100; ++delay) {
        asio::steady_timer timer(io, std::chrono::microseconds(10 * delay));
        auto handle = rouse::spawn(io, timer.async_wait(asio::as_tuple(use_poll)));
        io.poll();
        auto const told = timer.cancel();
        io.restart();
        io.run();
        io.restart();
        BOOST_TEST_REQUIRE(handle.is_finished());
        auto const [error] = poll_once(handle).value();
        if (told == 0) {
            BOOST_TEST(!error);
            ++fired;
        } else {
            BOOST_TEST((error == asio::error::operation_aborted));
            ++cancelled;
        }
    }
    BOOST_TEST(cancelled > 0);
    BOOST_TEST(fired + cancelled == 100);
}

namespace {

enum class request { abort, cancel };

// Bytes come at the same time as an abort or a cancellation. Either the result has them, or they
// are still in the socket.
void race_bytes(request kind) {
    int const rounds = scaled(sanitized ? 500 : 1000);
    int all_values = 0;
    int all_aborted = 0;
    on_each_threaded_world([&](world& w) {
        int wrong = 0;
        std::string first_wrong;
        int values = 0;
        stress_random random(kind == request::abort ? 700 : 701);
        for (int round = 0; round < rounds; ++round) {
            tcp_pair sockets(w.executor());
            std::array<char, 8> data{};
            target t;
            std::thread writer;
            std::atomic<int> writes{0};  // 1: it is about to, 2: it has
            std::size_t got = 0;
            bool aborted = false;
            error_code failed;
            auto const in_between = [&] {
                writer = std::thread([&, stream = static_cast<std::uint64_t>(round)] {
                    stress_random delays(stream);
                    delays.delay();
                    writes = 1;
                    asio::write(sockets.there, asio::buffer("abc", 3));
                    writes = 2;
                    sockets.there.shutdown(tcp::socket::shutdown_send);
                });
                int const moment = static_cast<int>(random.below(3));
                while (writes < moment) std::this_thread::yield();
                for (unsigned i = random.below(moment == 0 ? 30 : 4); i-- > 0;) random.delay();
            };
            if (kind == request::abort) {
                auto handle = rouse::spawn(
                    w.executor(), sockets.here.async_read_some(asio::buffer(data), use_poll));
                in_between();
                handle.abort();
                try {
                    got = wait(w, std::move(handle));
                } catch (boost::system::system_error const& e) {
                    failed = e.code();
                    aborted = failed == rouse::errc::aborted;
                }
            } else {
                auto handle = rouse::spawn(w.executor(), [&]() -> rouse::task<error_code> {
                    co_await t.open();
                    auto const [error, n] = co_await sockets.here.async_read_some(
                        asio::buffer(data), asio::as_tuple(use_poll));
                    got = n;
                    co_return error;
                });
                while (!t.state) std::this_thread::yield();
                in_between();
                t.state.load()->request(rouse::cancellation_type::terminal);
                std::move(t.waker).wake();
                failed = wait(w, std::move(handle));
                aborted = failed == asio::error::operation_aborted;
            }
            writer.join();
            // To the end of the stream: what was written may still be on its way through the
            // system.
            std::array<char, 8> rest{};
            error_code end;
            std::size_t const left = asio::read(sockets.here, asio::buffer(rest), end);
            bool const one_place = got + left == 3 && aborted == (got == 0) &&
                                   failed.failed() == aborted && end == asio::error::eof;
            if (!one_place && wrong++ == 0) {
                first_wrong = "round " + std::to_string(round) + ": got " + std::to_string(got) +
                              ", left " + std::to_string(left) + ", the read: " + failed.message() +
                              ", then: " + end.message();
            }
            ++(got != 0 ? values : all_aborted);
        }
        BOOST_TEST(wrong == 0, wrong << " wrong; " << first_wrong);
        BOOST_TEST_MESSAGE(values << " of " << rounds << " had their bytes");
        all_values += values;
    });
    BOOST_TEST(all_values > 0);
    BOOST_TEST(all_aborted > 0);
}

}  // namespace

BOOST_AUTO_TEST_CASE(b70_bytes_that_race_an_abort_are_in_one_place) { race_bytes(request::abort); }
BOOST_AUTO_TEST_CASE(b70_bytes_that_race_a_cancellation_are_in_one_place) {
    race_bytes(request::cancel);
}

BOOST_AUTO_TEST_SUITE_END()
