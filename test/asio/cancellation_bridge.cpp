// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Asio's cancellation slots above a source, and below a token.

#include <support/pool_kit.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <optional>
#include <rouse.hpp>
#include <stop_token>

BOOST_AUTO_TEST_SUITE(test_cancellation_bridge)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::asio_slot;
using rouse::cancellation_source;
using rouse::cancellation_type;

namespace {

bool cancelled(boost::system::system_error const& e) {
    return e.code() == asio::error::operation_aborted;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_emitted_is_requested_of_the_source) {
    asio::cancellation_signal signal;
    cancellation_source source;
    cancellation_source const below(source.token());
    rouse::cancel_from(signal.slot(), source);
    BOOST_TEST((source.requested() == cancellation_type::none));
    signal.emit(asio::cancellation_type::total);
    BOOST_TEST((source.requested() == cancellation_type::total));
    BOOST_TEST((below.requested() == cancellation_type::total));
    signal.emit(asio::cancellation_type::all);
    BOOST_TEST((below.requested() == cancellation_type::all));
    // A slot that nobody has.
    rouse::cancel_from(asio::cancellation_slot(), source);
}

// Whoever hears of it may clear the slot, which was the last to know the source.
BOOST_AUTO_TEST_CASE(the_slot_is_cleared_while_it_emits) {
    asio::cancellation_signal signal;
    std::optional<rouse::cancellation_source> source(std::in_place);
    std::optional<rouse::cancellation_source> other;
    std::optional<rouse::cancellation_source> below;
    auto const token = source->token().stop_token();
    std::stop_callback const clears(token, [&] {
        signal.slot().clear();
        other.emplace();  // in the memory of the old one, perhaps
        below.emplace(other->token());
    });
    rouse::cancel_from(signal.slot(), *source);
    source.reset();
    signal.emit(asio::cancellation_type::terminal);
    BOOST_TEST(!other->token().is_cancelled());
    BOOST_TEST(!below->token().is_cancelled());
}

BOOST_AUTO_TEST_CASE(a_slot_cancels_tasks_on_a_pool) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        asio::cancellation_signal signal;
        cancellation_source source;
        rouse::cancel_from(signal.slot(), source);
        auto handle =
            rouse::spawn(*pool, rouse::with_cancellation(rouse::sleep_for(1h), source.token()));
        signal.emit(asio::cancellation_type::terminal);
        BOOST_CHECK_EXCEPTION(rouse::block_on(std::move(handle)), boost::system::system_error, cancelled);
    });
}

BOOST_AUTO_TEST_CASE(a_token_cancels_operations_of_asio) {
    asio::io_context io;
    cancellation_source source;
    asio::steady_timer timer(io, 1h);
    boost::system::error_code result;
    asio_slot slot(io.get_executor(), source.token());
    timer.async_wait(asio::bind_cancellation_slot(
        slot.get(), [&](boost::system::error_code ec) { result = ec; }));
    io.poll();
    BOOST_TEST(!result);
    source.cancel();
    // The rest of the types could still be requested; the operation is over.
    while (!result) io.run_one();
    BOOST_TEST((result == asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(b36_a_request_that_came_before_is_emitted_too) {
    asio::io_context io;
    cancellation_source source;
    source.cancel(cancellation_type::all);
    asio::steady_timer timer(io, 1h);
    boost::system::error_code result;
    asio_slot slot(io, source.token());
    timer.async_wait(asio::bind_cancellation_slot(
        slot.get(), [&](boost::system::error_code ec) { result = ec; }));
    io.run();
    BOOST_TEST((result == asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(each_type_is_emitted_once) {
    asio::io_context io;
    cancellation_source source;
    asio_slot slot(io.get_executor(), source.token());
    std::vector<asio::cancellation_type> seen;
    slot.get().assign([&](asio::cancellation_type type) { seen.push_back(type); });
    for (auto const type : {cancellation_type::total, cancellation_type::total,
                            cancellation_type::terminal, cancellation_type::total,
                            cancellation_type::all}) {
        source.cancel(type);
        io.poll();
    }
    BOOST_TEST((seen == std::vector<asio::cancellation_type>{asio::cancellation_type::total,
                                                             asio::cancellation_type::terminal,
                                                             asio::cancellation_type::partial}));
}

BOOST_AUTO_TEST_CASE(nothing_is_emitted_after_its_end_and_its_work_ends) {
    asio::io_context io;
    cancellation_source source;
    int emitted = 0;
    {
        asio_slot slot(io.get_executor(), source.token());
        slot.get().assign([&](asio::cancellation_type) { ++emitted; });
        source.cancel();
    }
    io.run();  // returns: nothing is left behind
    BOOST_TEST(emitted == 0);

    // Its handler ends it.
    std::optional<asio_slot> own;
    cancellation_source other;
    own.emplace(io.get_executor(), other.token());
    own->get().assign([&](asio::cancellation_type) { ++emitted; });
    other.cancel();
    io.restart();
    io.poll();
    BOOST_TEST(emitted == 1);
    own.reset();
    io.restart();
    io.run();
}

BOOST_AUTO_TEST_CASE(on_a_strand_of_a_pool_requests_and_completions_do_not_race) {
    in_both_modes({2, 4}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        struct one {
            one(asio::strand<rouse::thread_pool::executor_type> s, cancellation_source const& source)
                : strand(s), timer(s), slot(s, source.token()) {}
            asio::strand<rouse::thread_pool::executor_type> strand;
            asio::steady_timer timer;
            asio_slot slot;
            boost::system::error_code result{};
        };
        cancellation_source source;
        constexpr int count = 200;
        std::atomic<int> over{0};
        std::atomic<int> wrong{0};
        for (int n = 0; n < count; ++n) {
            auto strand = asio::make_strand(pool->get_executor());
            asio::post(strand, [=, &over, &wrong, &source] {
                auto state = std::make_shared<one>(strand, source);
                // Some end by themselves at about the same time.
                state->timer.expires_after(n % 2 == 0 ? std::chrono::microseconds(n) : 1h);
                state->timer.async_wait(asio::bind_cancellation_slot(
                    state->slot.get(),
                    asio::bind_executor(strand, [&, n, state](boost::system::error_code ec) {
                        if (n % 2 != 0 && ec != asio::error::operation_aborted) ++wrong;
                        ++over;
                    })));
            });
        }
        source.cancel();
        wait_until([&] { return over.load() == count; }, "the last operation");
        BOOST_TEST(wrong.load() == 0);
    });
}

BOOST_AUTO_TEST_SUITE_END()
