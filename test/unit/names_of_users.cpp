// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Functions of an application that are called as some of the library's own, beside its futures, values and function
// objects: none of them is called, and nothing is ambiguous.

#include <support/unit_kit.hpp>
#include <support/unit_time.hpp>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <future>
#include <rouse/catch_all.hpp>
#include <rouse/join_all.hpp>
#include <rouse/retry.hpp>
#include <rouse/select_all.hpp>
#include <rouse/std_future.hpp>
#include <rouse/task.hpp>
#include <rouse/then.hpp>
#include <rouse/timeout.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace application {

struct page {
    int bytes = 0;
    int size() const { return bytes; }
    rouse::ready_future<int> next() const { return rouse::ready_future<int>(bytes + 1); }
};

struct load {
    rouse::poll_result<page> poll(rouse::context&) { return page{7}; }
};

inline constexpr auto to_size = [](page p) { return p.bytes; };

void taken();  // is not there: whoever calls one of these does not link

template <class F, class A>
decltype(auto) call(F& f, A&& a) {
    taken();
    return f(std::forward<A>(a));
}
template <class A, class B>
void cancel(A&, B&) {
    taken();
}
template <class S, class P>
int first_of(S&, P) {
    taken();
    return 0;
}
template <class S>
void throw_first_error(S&) {
    taken();
}
template <class T>
std::future_status status_of(std::future<T> const&) {
    taken();
    return std::future_status::deferred;
}
template <class X>
int into_future(X&&) {
    taken();
    return 0;
}
template <class X>
bool says_aborted(X const&) {
    taken();
    return true;
}

}  // namespace application

BOOST_AUTO_TEST_SUITE(test_names_of_users)

using namespace rouse_test;
using namespace std::chrono_literals;
using application::load;
using application::page;
using application::to_size;

BOOST_AUTO_TEST_CASE(they_are_not_called) {
    hand_time time;
    auto const size_of = [&](auto future) { return time.poll(future).value(); };
    auto const all = [] { return std::vector<load>(2); };
    auto const again = [] { return load(); };
    BOOST_TEST(size_of(rouse::map(load(), to_size)) == 7);
    BOOST_TEST(size_of(rouse::timeout(rouse::then(load(), [](page p) { return p.next(); }), 1h)) == 8);
    BOOST_TEST(size_of(rouse::timeout(rouse::catch_all(load(), [](std::exception_ptr) { return page(); }), 1h)).bytes == 7);
    BOOST_TEST(size_of(rouse::timeout(rouse::retry(rouse::backoff(1s), again), 1h)).bytes == 7);
    BOOST_TEST(size_of(rouse::join_all(all())).size() == 2U);
    BOOST_TEST(size_of(rouse::select_all(all())).value.bytes == 7);
    std::promise<page> promise;
    promise.set_value(page{9});
    BOOST_TEST(size_of(rouse::into_future(promise.get_future())).bytes == 9);
    auto awaits = []() -> rouse::task<int> { co_return (co_await load()).bytes; }();
    BOOST_TEST(time.poll(awaits).value() == 7);
}

BOOST_AUTO_TEST_CASE(members_are_functions) {
    hand_time time;
    auto size = rouse::map(load(), &page::size);
    BOOST_TEST(time.poll(size).value() == 7);
    auto bytes = rouse::map(load(), &page::bytes);
    BOOST_TEST(time.poll(bytes).value() == 7);
    auto next = rouse::then(load(), &page::next);
    BOOST_TEST(time.poll(next).value() == 8);
}

BOOST_AUTO_TEST_SUITE_END()
