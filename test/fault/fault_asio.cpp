// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Behaviour 87, with Asio: whatever allocation fails from a spawn to the end of what it started,
// somebody gets std::bad_alloc, whoever waits gets an end, nothing leaks, and the same succeeds
// afterwards. Each scenario runs with its first allocation failing, then with its second, until it
// runs through. The event loop runs one handler for each call: what Asio recycles lives as long.

#include <support/asio_loopback.hpp>
#include <support/asio_matrix.hpp>
#include <support/fault_new.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <rouse/task.hpp>
#include <rouse/this_task.hpp>

namespace {
using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::use_poll;

long live = 0;         // objects
bool told = false;     // the unhandled handler, or who runs the event loop, got std::bad_alloc
bool reached = false;  // the allocation that was to fail was asked for
struct tracked {
    tracked() noexcept { ++live; }
    tracked(tracked const&) noexcept { ++live; }
    ~tracked() { --live; }
};

// What whoever waits gets; `refused`: what starts it threw std::bad_alloc.
enum class end { value, refused, bad_alloc, aborted, nothing, wrong };

end end_of(error_code const& error) {
    bool const canceled = error == boost::system::errc::operation_canceled;
    return !error ? end::value : canceled ? end::aborted : end::wrong;
}
end end_of(std::size_t n) { return n == 1000 ? end::value : end::wrong; }
end end_of(int n) { return n == 7 ? end::value : end::wrong; }
end end_of(tcp::endpoint const& e) { return e.port() != 0 ? end::value : end::wrong; }
end end_of(auto const& result) { return end_of(result ? error_code() : result.error()); }
template <class... T>
end end_of(std::tuple<T...> const& t) {
    end e = end::value;
    std::apply([&](auto const&... v) { ((e = e == end::value ? end_of(v) : e), ...); }, t);
    return e;
}
end end_of(std::exception_ptr const& e) try {
    std::rethrow_exception(e);
} catch (std::bad_alloc const&) {
    return end::bad_alloc;
} catch (boost::system::system_error const& error) {
    return end_of(error.code());
} catch (std::future_error const&) {
    return end::nothing;  // a broken promise
} catch (...) {
    return end::wrong;
}
// end_of((x, no_value())) also takes an x that is void.
struct no_value {};
auto operator,(auto value, no_value) { return value; }
end end_of(no_value) { return end::value; }

// What the scenarios need. `Socket` and `Timer` may have a default token.
template <class Socket = tcp::socket, class Timer = asio::steady_timer>
struct kit {
    void prepare() {
        asio::write(sockets.there, asio::buffer(std::string(1000, 'r')));
        timer.expires_after(1ms);
        client.close();
    }

    asio::io_context io{};
    asio::any_io_executor ex = io.get_executor();
    tcp_pair sockets{ex};
    Socket here{std::move(sockets.here)};
    tcp::acceptor acceptor = listening(ex);
    std::vector<tcp::endpoint> points{listening(ex).local_endpoint(), acceptor.local_endpoint()};
    Socket client{tcp::socket(ex)};
    Timer timer{asio::steady_timer(ex)};
    char data[1000] = {};
    asio::mutable_buffer whole = asio::buffer(data);
    std::vector<asio::mutable_buffer> pieces{100, asio::buffer(data, 10)};  // too many for one step
    asio::cancellation_signal signal{};
    error_code error{};
    std::atomic<int> count{0};
    counting_executor counted{ex, count};
    counting_allocator<void*> allocator{count};
    std::future<int> future{};
};

// Starts what leaves its end in a variable or a future; runs to its end. The nth allocation fails.
template <class Kit>
end end_of(Kit& k, std::function<void(Kit&, end&)> const& start, unsigned nth = 0) {
    k.prepare();
    empty_slab const cold;
    failing_allocation const fails(nth);
    end got = end::nothing;
    told = false;
    try {
        start(k, got);
    } catch (std::bad_alloc const&) {
        got = got == end::nothing ? end::refused : end::wrong;
    }
    k.io.restart();
    for (std::size_t ran = 1; ran != 0;) {
        try {
            ran = k.io.run_one_for(20s);
        } catch (std::bad_alloc const&) {
            told = true;
        }
    }
    if (nth != 0) reached = fails.reached();
    try {
        return k.future.valid() ? end_of(k.future.get()) : got;
    } catch (...) {
        return end_of(std::current_exception());
    }
}

// One failure at least must end as `expected`.
template <class Kit = kit<>>
void every_failure(char const* name, end expected,
                   std::type_identity_t<std::function<void(Kit&, end&)>> const& start) {
    auto const before = rouse::set_unhandled_handler(
        [](std::exception_ptr e, auto) { told |= end_of(e) == end::bad_alloc; });
    empty_slab const emptied;  // so that those of the tries have little to do
    bool met = false;
    unsigned nth = 0;
    do {
        Kit k;
        end const first = end_of(k, start, ++nth);
        met |= first == expected;
        BOOST_TEST_CONTEXT(name << ", allocation " << nth << ": " << static_cast<int>(first)) {
            bool const heard = told || first == end::refused || first == end::bad_alloc;
            bool const fine = first == end::value || (heard && first != end::wrong);
            BOOST_TEST((reached ? fine : first == end::value && !told));
            BOOST_TEST((live == 0 && k.io.stopped()));  // without work, not by the time limit
            BOOST_TEST((end_of(k, start) == end::value && !told));
            BOOST_TEST((live == 0 && k.io.stopped()));
        }
    } while (reached && nth < 100);
    BOOST_TEST(!reached);
    BOOST_TEST(met, name << ": no failure ended as expected");
    rouse::set_unhandled_handler(before);
}

template <class Coroutine = rouse::task<>, class X>
Coroutine telling(end& got, X x, tracked = {}) {
    try {
        got = end_of((co_await std::move(x), no_value()));
    } catch (...) {
        got = end_of(std::current_exception());
    }
}

template <class Op>
void every_token(Op op) {
    auto const cell = [op](char const* name, auto token) {
        every_failure(name, end::bad_alloc, [=](kit<>& k, end& got) {
            rouse::spawn(k.ex, telling(got, op(k, token(k))), asio::detached);
        });
    };
    cell("use_poll", [](auto&) { return use_poll; });
    cell("deferred", [](auto&) { return asio::deferred; });
    cell("as_tuple", [](auto&) { return asio::as_tuple(use_poll); });
    cell("as_result", [](auto&) { return rouse::as_result(use_poll); });
    cell("redirect_error", [](auto& k) { return asio::redirect_error(use_poll, k.error); });
    cell("append", [](auto&) { return asio::append(use_poll, 7); });
    cell("prepend", [](auto&) { return asio::prepend(use_poll, 7); });
    cell("consign", [](auto&) { return asio::consign(use_poll, tracked()); });
    cell("executor", [](auto& k) { return asio::bind_executor(k.counted, use_poll); });
    cell("allocator", [](auto& k) { return asio::bind_allocator(k.allocator, use_poll); });
    cell("slot", [](auto& k) { return asio::bind_cancellation_slot(k.signal.slot(), use_poll); });
    using with_default = kit<rouse::use_poll_t::as_default_on_t<tcp::socket>,
                             rouse::use_poll_t::as_default_on_t<asio::steady_timer>>;
    every_failure<with_default>("as_default_on", end::bad_alloc, [op](with_default& k, end& got) {
        rouse::spawn(k.ex, telling(got, op(k)), asio::detached);
    });
    every_failure("joined", end::bad_alloc, [op](kit<>& k, end& got) {
        auto handle = rouse::spawn(k.ex, op(k, use_poll));
        rouse::spawn(k.ex, telling(got, std::move(handle)), asio::detached);
    });
}

rouse::task<int> answer() {
    tracked const local;
    co_await rouse::this_task::yield_now();
    co_return 7;
}

// The second call is wrong, as is one after an exception.
auto callback(end& got) {
    return [&got, kept = tracked()](std::exception_ptr e, int n) {
        got = got != end::nothing ? end::wrong : e ? end_of(e) : end_of(n);
    };
}

}  // namespace

BOOST_AUTO_TEST_CASE(b87_operations_in_one_step) {
    every_token([](auto& k, auto... t) { return k.here.async_read_some(k.whole, t...); });
    every_token([](auto& k, auto... t) { return k.here.async_wait(tcp::socket::wait_read, t...); });
    every_token([](auto& k, auto... t) { return k.client.async_connect(k.points[1], t...); });
    every_token([](auto& k, auto... t) { return k.timer.async_wait(t...); });
}

BOOST_AUTO_TEST_CASE(b87_operations_in_several_steps) {
    every_token([](auto& k, auto... t) { return asio::async_read(k.here, k.pieces, t...); });
    every_token([](auto& k, auto... t) { return asio::async_write(k.here, k.pieces, t...); });
    every_token([](auto& k, auto... t) { return asio::async_connect(k.client, k.points, t...); });
}

BOOST_AUTO_TEST_CASE(b87_spawning_with_a_token) {
    every_failure("callback", end::refused,
                  [](kit<>& k, end& got) { rouse::spawn(k.io, answer(), callback(got)); });
    every_failure("deferred", end::bad_alloc, [](kit<>& k, end& got) {
        auto spawned = rouse::spawn(k.io, &answer, asio::deferred);
        rouse::spawn(k.io, telling(got, std::move(spawned)), asio::detached);
    });
    every_failure("use_future", end::refused,
                  [](kit<>& k, end&) { k.future = rouse::spawn(k.io, answer(), asio::use_future); });
    every_failure("use_awaitable", end::refused, [](kit<>& k, end& got) {
        auto spawned = rouse::spawn(k.ex, answer(), asio::use_awaitable);
        auto coroutine = telling<asio::awaitable<void>>(got, std::move(spawned));
        asio::co_spawn(k.ex, std::move(coroutine), asio::detached);
    });
}
