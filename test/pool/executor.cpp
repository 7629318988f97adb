// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The pool's executor: its properties, and what they mean. What Asio makes of it is in
// executor_asio.cpp and executor_streams.cpp.

#include <support/asio_matrix.hpp>
#include <support/pool_kit.hpp>

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/system_context.hpp>
#include <rouse.hpp>
#include <type_traits>

BOOST_AUTO_TEST_SUITE(test_executor)

using namespace rouse_test;
using namespace std::chrono_literals;
using rouse::block_on;
using rouse::spawn;
using rouse::task;
using rouse::thread_pool;
namespace ex = boost::asio::execution;
using executor = thread_pool::executor_type;

static_assert(ex::is_executor<executor>::value);
static_assert(rouse::asio_executor<executor>);
static_assert(rouse::asio_context<thread_pool>);
static_assert(std::is_convertible_v<executor, asio::any_io_executor>);
static_assert(std::is_convertible_v<executor, asio::any_completion_executor>);
static_assert(std::is_convertible_v<thread_pool&, asio::execution_context&>);
static_assert(std::is_nothrow_copy_constructible_v<executor>);
static_assert(std::is_nothrow_move_constructible_v<executor>);
static_assert(std::is_nothrow_copy_assignable_v<executor>);
static_assert(std::is_nothrow_move_assignable_v<executor>);
static_assert(std::is_nothrow_destructible_v<executor>);
static_assert(!std::is_copy_constructible_v<thread_pool> && !std::is_move_constructible_v<thread_pool>);

template <class Property>
inline constexpr bool same_type =
    std::is_same_v<executor, std::decay_t<typename asio::prefer_result<executor, Property>::type>>;
static_assert(same_type<ex::blocking_t::possibly_t> && same_type<ex::blocking_t::never_t>);
static_assert(
    std::is_same_v<executor,
                   typename asio::require_result<executor, ex::blocking_t::always_t>::type>);
static_assert(same_type<ex::relationship_t::fork_t> && same_type<ex::relationship_t::continuation_t>);
static_assert(same_type<ex::outstanding_work_t::tracked_t> &&
              same_type<ex::outstanding_work_t::untracked_t>);
static_assert(asio::can_require_v<executor, ex::allocator_t<std::allocator<int>>>);
static_assert(asio::can_require_v<executor, ex::allocator_t<void>>);
static_assert(asio::can_prefer_v<executor, ex::blocking_t::never_t> &&
              asio::can_prefer_v<executor, ex::outstanding_work_t::tracked_t> &&
              asio::can_prefer_v<executor, ex::mapping_t::thread_t>);
static_assert(asio::can_query_v<executor, ex::context_t> && asio::can_query_v<executor, ex::blocking_t> &&
              asio::can_query_v<executor, ex::relationship_t> &&
              asio::can_query_v<executor, ex::outstanding_work_t> &&
              asio::can_query_v<executor, ex::occupancy_t> &&
              asio::can_query_v<executor, ex::mapping_t> &&
              asio::can_query_v<executor, ex::allocator_t<void>>);

BOOST_AUTO_TEST_CASE(properties_are_required_preferred_and_queried) {
    in_both_modes({1, 3}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        executor const e = pool->get_executor();
        BOOST_TEST((asio::query(e, ex::blocking) == ex::blocking.possibly));
        BOOST_TEST((asio::query(e, ex::relationship) == ex::relationship.fork));
        BOOST_TEST((asio::query(e, ex::outstanding_work) == ex::outstanding_work.untracked));
        BOOST_TEST((asio::query(e, ex::mapping) == ex::mapping.thread));
        BOOST_TEST(asio::query(e, ex::occupancy) == workers);
        BOOST_TEST(&asio::query(e, ex::context) == &pool->context());
        BOOST_TEST(&static_cast<asio::execution_context&>(*pool) == &pool->context());

        auto const never = asio::require(e, ex::blocking.never);
        BOOST_TEST((asio::query(never, ex::blocking) == ex::blocking.never));
        auto const always = asio::require(never, ex::blocking.always);
        BOOST_TEST((asio::query(always, ex::blocking) == ex::blocking.always));
        BOOST_TEST((asio::query(asio::require(always, ex::blocking.never), ex::blocking) ==
                    ex::blocking.never));
        auto const possibly = asio::require(always, ex::blocking.possibly);
        BOOST_TEST((asio::query(possibly, ex::blocking) == ex::blocking.possibly));
        auto const continuation = asio::prefer(never, ex::relationship.continuation);
        BOOST_TEST((asio::query(continuation, ex::relationship) == ex::relationship.continuation));
        BOOST_TEST((asio::query(continuation, ex::blocking) == ex::blocking.never));
        BOOST_TEST((asio::query(asio::prefer(continuation, ex::relationship.fork),
                                ex::relationship) == ex::relationship.fork));
        auto const tracked = asio::prefer(continuation, ex::outstanding_work.tracked);
        BOOST_TEST((asio::query(tracked, ex::outstanding_work) == ex::outstanding_work.tracked));
        BOOST_TEST((asio::query(tracked, ex::relationship) == ex::relationship.continuation));
        BOOST_TEST((asio::query(asio::prefer(tracked, ex::outstanding_work.untracked),
                                ex::outstanding_work) == ex::outstanding_work.untracked));

        BOOST_TEST((e == pool->get_executor()));
        BOOST_TEST((possibly == e));
        BOOST_TEST((never != e));
        BOOST_TEST((tracked != continuation));
        BOOST_TEST((asio::prefer(tracked, ex::outstanding_work.untracked) == continuation));
        pool_home other(m, workers);
        BOOST_TEST((other->get_executor() != e));
    });
}

BOOST_AUTO_TEST_CASE(an_executor_in_any_io_executor_and_back) {
    thread_pool pool(2);
    executor const e = asio::require(pool.get_executor(), ex::blocking.never);
    asio::any_io_executor const any = e;
    auto const* target = any.target<executor>();
    BOOST_REQUIRE(target);
    BOOST_TEST((*target == e));
    asio::any_io_executor const plain = pool.get_executor();
    BOOST_TEST((plain != any));
    BOOST_TEST((plain == asio::any_io_executor(pool.get_executor())));
    BOOST_TEST((asio::query(any, ex::blocking) == ex::blocking.never));
    BOOST_TEST(&asio::query(any, ex::context) == &pool.context());
    door ran;
    any.execute([&] { ran.open(); });
    ran.wait();
}

BOOST_AUTO_TEST_CASE(blocking_possibly_is_inline_on_a_worker_and_never_is_not) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        executor const e = pool->get_executor();
        struct outcome {
            bool ran = false;
            bool here = false;
        };
        // execute() returned: has the function run, and in this thread?
        auto const at_once = [](auto const& some) {
            auto const o = std::make_shared<outcome>();
            some.execute([o, me = std::this_thread::get_id()] {
                o->ran = true;
                o->here = me == std::this_thread::get_id();
            });
            return o;
        };
        auto const in_task = block_on(spawn(*pool, [&]() -> task<std::array<bool, 6>> {
            // With one worker, what is queued cannot have run yet.
            auto const possibly = at_once(e);
            bool const inline_ = possibly->ran && possibly->here;
            auto const always = at_once(asio::require(e, ex::blocking.always));
            bool const always_inline = always->ran && always->here;
            std::atomic<int> order{0};
            int never = -1;
            int posted = -1;
            int deferred = -1;
            int dispatched = -1;
            countdown left(4);
            asio::require(e, ex::blocking.never).execute([&] { never = ++order; left.down(); });
            asio::post(e, [&] { posted = ++order; left.down(); });
            asio::defer(e, [&] { deferred = ++order; left.down(); });
            asio::dispatch(e, [&] { dispatched = ++order; left.down(); });
            int const mine = dispatched;
            while (left.left() != 0) co_await rouse::this_task::yield_now();
            co_return std::array<bool, 6>{inline_, always_inline, mine > 0, never > 0, posted > 0,
                                          deferred > 0};
        }));
        for (bool const right : in_task) BOOST_TEST(right);
        if (workers == 1) {
            bool const behind = block_on(spawn(*pool, [&]() -> task<bool> {
                auto const never = at_once(asio::require(e, ex::blocking.never));
                bool const not_yet = !never->ran;
                while (!never->ran) co_await rouse::this_task::yield_now();
                co_return not_yet && never->here;
            }));
            BOOST_TEST(behind);
        }
        // From outside nothing is inline.
        auto const me = std::this_thread::get_id();
        door ran;
        bool elsewhere = false;
        asio::dispatch(e, [&] {
            elsewhere = me != std::this_thread::get_id() && e.running_in_this_thread();
            ran.open();
        });
        ran.wait();
        BOOST_TEST(elsewhere);
    });
}

BOOST_AUTO_TEST_CASE(blocking_always_waits) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        auto const always = asio::require(pool->get_executor(), ex::blocking.always);
        int ran = 0;  // no synchronisation of our own
        for (int n = 0; n < scaled(2000); ++n) {
            always.execute([&] {
                if (pool->get_executor().running_in_this_thread()) ++ran;
            });
        }
        BOOST_TEST(ran == scaled(2000));
        BOOST_CHECK_THROW(always.execute([] { throw std::runtime_error("mine"); }),
                          std::runtime_error);
        // From a worker of another pool.
        pool_home other(m, 1);
        door done;
        asio::post(*other, [&] {
            always.execute([&] { ++ran; });
            done.open();
        });
        done.wait();
        BOOST_TEST(ran == scaled(2000) + 1);
        // And it returns when nobody will run the function any more.
        pool->stop();
        auto const kept = std::make_shared<int>(0);
        always.execute([kept, &ran] { ran = 0; });
        BOOST_TEST(kept.use_count() == 1);
        pool->join();
        always.execute([kept, &ran] { ran = 0; });
        BOOST_TEST(kept.use_count() == 1);
        BOOST_TEST(ran == scaled(2000) + 1);
    });
}

// A worker that is inside the event loop is the only one there is: it must not wait for itself.
BOOST_AUTO_TEST_CASE(blocking_always_in_the_event_loop_is_inline) {
    thread_pool pool(1);
    auto const always = asio::require(pool.get_executor(), ex::blocking.always);
    door done;
    bool ran = false;
    asio::post(pool.context(), [&] {
        always.execute([&] { ran = true; });
        done.open();
    });
    done.wait();
    BOOST_TEST(ran);
}

BOOST_AUTO_TEST_CASE(inside_the_event_loop_possibly_means_queued) {
    thread_pool pool(1);
    auto const e = pool.get_executor();
    door done;
    bool ran = false;
    bool inline_ = true;
    asio::post(pool.context(), [&] {
        asio::dispatch(e, [&] {
            ran = true;
            done.open();
        });
        inline_ = ran;
    });
    done.wait();
    BOOST_TEST(!inline_);
}

BOOST_AUTO_TEST_CASE(running_in_this_thread_knows_its_own_workers) {
    in_both_modes({2}, [](mode m, unsigned workers) {
        pool_home a(m, workers);
        pool_home b(m, workers);
        auto const of_a = a->get_executor();
        auto const of_b = b->get_executor();
        BOOST_TEST(!of_a.running_in_this_thread());
        std::atomic<int> right{0};
        auto const check = [&] { right += of_a.running_in_this_thread() && !of_b.running_in_this_thread(); };
        asio::post(*a, check);
        block_on(spawn(*a, [&]() -> task<> {
            check();
            co_await rouse::this_task::yield_now();
            check();
        }));
        asio::steady_timer timer(*a, 1ms);
        timer.async_wait([&](auto) { check(); });
        a->join();
        BOOST_TEST(right == 4);
    });
}

BOOST_AUTO_TEST_CASE(functions_are_kept_in_memory_of_the_required_allocator) {
    thread_pool pool(2);
    std::atomic<int> allocated{0};
    counting_allocator<void*> const allocator(allocated);
    auto const e =
        asio::require(pool.get_executor(), ex::blocking.never, ex::allocator(allocator));
    BOOST_TEST(asio::query(e, ex::allocator).count() == &allocated);
    countdown left(100);
    for (int n = 0; n < 100; ++n) e.execute([&] { left.down(); });
    left.wait();
    BOOST_TEST(allocated == 100);
    // A handler's own allocator is used by post and friends.
    allocated = 0;
    countdown more(3);
    auto const handler = [&] { return asio::bind_allocator(allocator, [&] { more.down(); }); };
    asio::post(pool, handler());
    asio::defer(pool, handler());
    asio::dispatch(pool, handler());
    more.wait();
    BOOST_TEST(allocated >= 3);
    // And back to the pool's own.
    allocated = 0;
    auto const own = asio::require(e, ex::allocator);
    static_assert(std::is_same_v<std::remove_const_t<decltype(own)>, executor>);
    door done;
    own.execute([&] { done.open(); });
    done.wait();
    BOOST_TEST(allocated == 0);
}

namespace {

template <class T>
struct refusing_allocator {
    using value_type = T;
    refusing_allocator() = default;
    template <class U>
    refusing_allocator(refusing_allocator<U> const&) noexcept {}
    T* allocate(std::size_t) { throw std::bad_alloc(); }
    void deallocate(T*, std::size_t) noexcept {}
    template <class U>
    bool operator==(refusing_allocator<U> const&) const noexcept {
        return true;
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(b87_an_allocation_that_fails_leaves_no_trace) {
    thread_pool pool(1);
    auto const e = asio::require(pool.get_executor(), ex::blocking.never,
                                 ex::allocator(refusing_allocator<int>()));
    auto const kept = std::make_shared<int>(0);
    std::atomic<int> ran{0};
    BOOST_CHECK_THROW(e.execute([kept, &ran] { ++ran; }), std::bad_alloc);
    BOOST_TEST(kept.use_count() == 1);
    pool.join();
    BOOST_TEST(ran == 0);
}

BOOST_AUTO_TEST_CASE(tracked_copies_keep_join_waiting) {
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        pool_home pool(m, workers);
        using copies = std::vector<executor>;
        auto held = std::make_unique<copies>();
        {
            executor const tracked =
                asio::prefer(pool->get_executor(), ex::outstanding_work.tracked);
            held->push_back(tracked);
            held->push_back(tracked);
        }
        held->push_back(held->front());
        executor moved(std::move(held->back()));
        held->pop_back();
        held->back() = held->front();
        (*held)[0] = std::move(moved);
        held->push_back(pool->get_executor());
        held->back() = held->front();
        held->front() = pool->get_executor();  // untracked again
        asio::any_io_executor any = held->back();
        std::atomic<bool> released{false};
        std::thread other([&] {
            // It is not too late for anything.
            for (int n = 0; n < 10; ++n) {
                door ran;
                asio::post(*pool, [&] { ran.open(); });
                ran.wait();
            }
            held.reset();
            door ran;
            asio::post(*pool, [&] { ran.open(); });
            ran.wait();
            released = true;
            any = nullptr;
        });
        pool->join();
        BOOST_TEST(released);
        other.join();
    });
}

BOOST_AUTO_TEST_SUITE_END()
