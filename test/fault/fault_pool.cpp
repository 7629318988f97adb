// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Behaviour 87, of the thread pool. Whatever allocation fails: a function that was called throws
// std::bad_alloc; where a worker has nobody to throw at, the unhandled handler gets it, and what
// was on its way is destroyed. Nothing leaks, no thread stays, and the pool works afterwards. Each
// scenario runs with its first allocation failing, then with its second, until it runs through.
//
// The failing allocators at the end are there with ThreadSanitizer, too.

#include <support/fault_new.hpp>
#include <support/pool_kit.hpp>
#include <support/scale.hpp>

#include <algorithm>
#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <latch>
#include <limits>
#include <rouse.hpp>
#include <tuple>

#if ROUSE_TEST_REPLACES_NEW
// Asio's own memory, for what has no allocator associated with it.
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept try {
    rouse_test::fault::count();
    void* memory = nullptr;
    return posix_memalign(&memory, alignment, bytes) == 0 ? memory : nullptr;
} catch (std::bad_alloc const&) {
    return nullptr;
}
#endif

namespace {

using namespace rouse_test;
using namespace std::chrono_literals;
using builder = rouse::thread_pool::builder;
using executor = rouse::thread_pool::executor_type;
using rouse::thread_pool;
using rouse::use_poll;

std::atomic<long> live{0};  // objects
std::atomic<unsigned> told{
    0};  // how often std::bad_alloc came to who hears of what nobody waits for
std::atomic<unsigned> mistold{0};  // ... and how often something else did

class tracked {
public:
    tracked() noexcept { ++live; }
    tracked(tracked const&) noexcept { ++live; }
    tracked& operator=(tracked const&) = delete;
    ~tracked() { --live; }
};

// What whoever waits gets.
enum class end { nothing, value, bad_alloc, aborted, wrong };

end end_of(std::exception_ptr const& e) try {
    std::rethrow_exception(e);
} catch (std::bad_alloc const&) {
    return end::bad_alloc;
} catch (boost::system::system_error const& error) {
    bool const canceled = error.code() == boost::system::errc::operation_canceled;
    return canceled ? end::aborted : end::wrong;
} catch (std::future_error const&) {
    return end::nothing;  // a broken promise
} catch (...) {
    return end::wrong;
}

// An end that comes once at most.
class result {
public:
    void set(end e) noexcept {
        if (got_.exchange(e) != end::nothing) got_ = end::wrong;
    }
    void set(std::exception_ptr const& e, int n) noexcept {
        set(e ? end_of(e) : n == 7 ? end::value : end::wrong);
    }
    end get() const noexcept { return got_; }

private:
    std::atomic<end> got_{end::nothing};
};

auto callback(result& r) {
    return [&r, kept = tracked()](std::exception_ptr e, int n) { r.set(e, n); };
}
auto function(result& r) {
    return [&r, kept = tracked()] { r.set(end::value); };
}
// Of an operation of Asio.
auto handler(result& r) {
    return [&r, kept = tracked()](boost::system::error_code error, std::size_t = 0) {
        bool const canceled = error == boost::system::errc::operation_canceled;
        r.set(!error ? end::value : canceled ? end::aborted : end::wrong);
    };
}

void hear(std::exception_ptr e, std::source_location) {
    ++(end_of(e) == end::bad_alloc ? told : mistold);
}

// The handler of the process, too.
class hearing {
public:
    hearing() : before_(rouse::set_unhandled_handler([](auto e, auto where) { hear(e, where); })) {}
    hearing(hearing const&) = delete;
    hearing& operator=(hearing const&) = delete;
    ~hearing() { rouse::set_unhandled_handler(before_); }

private:
    rouse::unhandled_handler before_;
};

rouse::task<int> work() {
    tracked const local;
    co_await rouse::this_task::yield_now();
    co_return 7;
}

// Who runs the event loop of an application.
enum class runner { a_thread, nobody };

// A pool whose workers have started, and allocate nothing while they wait for work.
class home {
public:
    home(mode m, unsigned workers, runner who = runner::a_thread) : begun_(workers) {
        auto const how = builder()
                             .workers(workers)
                             .after_start([this](unsigned) { begun_.count_down(); })
                             .on_unhandled_exception(hear);
        if (m == mode::own) {
            pool_ = how.build();
        } else {
            io_.emplace();
            work_.emplace(io_->get_executor());
            if (who == runner::a_thread) runner_ = std::thread([this] { run(); });
            pool_ = how.build(*io_);
        }
        begun_.wait();
    }
    home(home const&) = delete;
    home& operator=(home const&) = delete;
    ~home() { end(); }

    void end() noexcept {
        pool_.reset();
        work_.reset();
        if (runner_.joinable()) runner_.join();
        io_.reset();
    }
    // The same; operations may be left in the event loop.
    void end_with_operations() noexcept {
        pool_.reset();
        if (io_) io_->stop();
        end();
    }

    thread_pool& operator*() const noexcept { return *pool_; }
    thread_pool* operator->() const noexcept { return pool_.get(); }
    void destroy_pool() noexcept { pool_.reset(); }

private:
    // As an application that lives on.
    void run() {
        for (;;) {
            try {
                io_->run();
                return;
            } catch (...) {
                hear(std::current_exception(), {});
            }
        }
    }

    std::latch begun_;
    std::optional<asio::io_context> io_{};
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{};
    std::thread runner_{};
    std::unique_ptr<thread_pool> pool_{};
};

// Tasks, functions and timers work.
void check_works(thread_pool& pool) {
    auto handle = rouse::spawn(pool, work());
    std::atomic<int> ran{0};
    asio::post(pool, [&] { ++ran; });
    asio::steady_timer timer(pool, 0s);
    timer.async_wait([&](boost::system::error_code error) { ran += error ? 100 : 1; });
    BOOST_TEST(rouse::block_on(std::move(handle)) == 7);
    wait_until([&] { return ran >= 2; }, "a pool that works");
    BOOST_TEST(ran == 2);
}

}  // namespace

#if ROUSE_TEST_REPLACES_NEW

namespace {

auto a_poll_fn() {
    return rouse::poll_fn(
        [kept = tracked()](rouse::context&) -> rouse::poll_result<int> { return 7; });
}

auto a_callable() {
    return [kept = tracked()]() -> rouse::task<int> { co_return co_await work(); };
}

// As check_works(), until its end; nobody else need run the event loop.
void check_works_and_ends(thread_pool& pool) {
    auto handle = rouse::spawn(pool, work());
    std::atomic<int> ran{0};
    asio::post(pool, [&] { ++ran; });
    asio::steady_timer timer(pool, 0s);
    timer.async_wait([&](boost::system::error_code error) { ran += error ? 100 : 1; });
    pool.join();
    BOOST_TEST(rouse::block_on(std::move(handle)) == 7);
    BOOST_TEST(ran == 2);
}

constexpr unsigned most = 500;  // allocations of a scenario

unsigned long const all_that_follow = std::numeric_limits<unsigned>::max();

// --- making one

// Makes pools; the nth allocation of this thread fails. `refusing`: then nothing is made. Returns
// how many have failed.
template <class Make>
unsigned failures_of_making(bool refusing, Make make) {
    for (unsigned nth = 1;; ++nth) {
        std::optional<asio::io_context> io;
        if (!std::is_invocable_v<Make>) io.emplace();
        std::unique_ptr<thread_pool> pool;
        bool refused = false;
        bool reached = false;
        {
            empty_slab const cold;
            failing_allocation const fails(nth);
            try {
                if constexpr (std::is_invocable_v<Make>) {
                    pool = make();
                } else {
                    pool = make(*io);
                }
            } catch (std::bad_alloc const&) {
                refused = true;
            }
            reached = fails.reached();
        }
        BOOST_TEST_CONTEXT("allocation " << nth) {
            BOOST_TEST((reached || !refused));
            if (refusing) BOOST_TEST(refused == reached);
            if (pool) {
                BOOST_TEST(pool->size() >= 1U);
                check_works_and_ends(*pool);
                pool.reset();
            }
            BOOST_TEST(threads_become(threads_at_rest));
            if (io) {
                io->restart();
                io->poll();
                BOOST_TEST(io->stopped());  // no work is left on it
            }
        }
        if (!reached || nth == most) return nth - 1;
    }
}

struct counts_down {
    std::latch& latch;
    ~counts_down() { latch.count_down(); }
};

std::atomic<int> starts{0};
std::atomic<int> stops{0};

// The name is too long for a string's own memory, and so are the functions for a function's.
builder with_hooks(unsigned workers) {
    struct large {
        tracked kept{};
        std::array<unsigned char, 200> padding{};
    };
    return builder()
        .workers(workers)
        .thread_name("a name that is longer than any thread's can be")
        .after_start([l = large()](unsigned) { ++starts; })
        .before_stop([l = large()](unsigned) { ++stops; })
        .on_unhandled_exception([l = large()](auto e, auto where) { hear(e, where); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(b87_a_pool_is_made_or_it_is_not) {
    empty_slab const emptied;
    hearing const ears;
    told = mistold = 0;
    for (unsigned const workers : {1U, 2U, 8U}) {
        BOOST_TEST_CONTEXT(workers << " workers") {
            for (bool const hooks : {false, true}) {
                auto const how = hooks ? with_hooks(workers) : builder().workers(workers);
                auto const own =
                    failures_of_making(true, [&] { return std::make_unique<thread_pool>(how); });
                auto const applications = failures_of_making(true, [&](asio::io_context& io) {
                    return std::make_unique<thread_pool>(io, how);
                });
                auto const built = failures_of_making(true, [&] { return how.build(); });
                auto const built_there =
                    failures_of_making(true, [&](asio::io_context& io) { return how.build(io); });
                // Each worker, and the beginning of its thread; the pool itself.
                for (unsigned const failed : {own, applications, built, built_there}) {
                    BOOST_TEST(failed >= 2 * workers + 1);
                    BOOST_TEST(failed < most);
                }
            }
            BOOST_TEST(starts == stops);
            BOOST_TEST(live == 0);
        }
    }
    BOOST_TEST(starts > 0);
    BOOST_TEST(told == 0U);
    BOOST_TEST(mistold == 0U);
}

BOOST_AUTO_TEST_CASE(b87_a_builder_and_its_pool) {
    empty_slab const emptied;
    // Without memory to read the quotas in there are as many workers as processors.
    auto const whole = [] { return builder().thread_name(std::string(100, 'n')).build(); };
    for (unsigned const failed : {
             failures_of_making(false, [] { return std::make_unique<thread_pool>(); }),
             failures_of_making(false, [] { return std::make_unique<thread_pool>(2U); }),
             failures_of_making(false, [](auto& io) { return std::make_unique<thread_pool>(io); }),
             failures_of_making(false,
                                [](auto& io) { return std::make_unique<thread_pool>(io, 2U); }),
             failures_of_making(false, whole),
             failures_of_making(false, [] { return with_hooks(2).build(); }),
         }) {
        BOOST_TEST(failed >= 3U);
        BOOST_TEST(failed < most);
    }
    BOOST_TEST(starts == stops);
    BOOST_TEST(live == 0);
}

BOOST_AUTO_TEST_CASE(b87_workers_start_without_memory) {
    empty_slab const emptied;
    hearing const ears;
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        for (unsigned long const more : {0UL, all_that_follow}) {
            unsigned nth = 0;
            bool reached = true;
            while (reached && nth != most) {
                told = mistold = 0;
                std::atomic<unsigned> hooks{0};
                std::optional<asio::io_context> io;
                if (m == mode::applications) io.emplace();
                {
                    failing_elsewhere const fails(++nth, more);
                    std::latch begun(workers);
                    auto const how = builder()
                                         .workers(workers)
                                         .after_start([&](unsigned) {
                                             ++hooks;
                                             counts_down const at_the_end{begun};
                                             auto const memory = std::make_unique<tracked>();
                                         })
                                         .on_unhandled_exception(hear);
                    auto const pool = io ? how.build(*io) : how.build();
                    begun.wait();
                    reached = fails.reached();
                    // No task needs more than the memory that this thread has for it.
                    auto handle = rouse::spawn(*pool, a_poll_fn());
                    BOOST_TEST(rouse::block_on(std::move(handle)) == 7);
                    pool->join();
                }
                BOOST_TEST(hooks == workers);
                BOOST_TEST(told <= (more == 0 ? 1U : workers));
                BOOST_TEST((reached || told == 0U));
                BOOST_TEST(mistold == 0U);
                BOOST_TEST(live == 0);
            }
            BOOST_TEST(nth > workers);
            BOOST_TEST(nth < most);
            BOOST_TEST(threads_become(threads_at_rest));
        }
    });
}

// --- calling it

namespace {

// What a call has left in this thread.
struct left {
    std::optional<rouse::join_handle<int>> handle{};
    std::future<int> future{};
    std::future<void> done{};
    std::optional<asio::steady_timer> timer{};
    std::optional<asio::ip::tcp::socket> socket{};
    std::optional<asio::ip::tcp::acceptor> acceptor{};
    std::optional<asio::ip::udp::socket> datagrams{};

    void wait(result& r) {
        try {
            if (handle) r.set(nullptr, rouse::block_on(*std::move(handle)));
            if (future.valid()) r.set(nullptr, future.get());
            if (done.valid()) done.get();
        } catch (...) {
            r.set(std::current_exception(), 0);
        }
    }
};

// Calls `start(left, result)` while the nth allocation of this thread fails: it throws, and nothing
// has happened, or there will be a value. Returns how many have failed.
template <class Start>
unsigned failures_of_calling(home& where, Start start) {
    for (unsigned nth = 1;; ++nth) {
        told = mistold = 0;
        result r;
        bool refused = false;
        bool reached = false;
        {
            left rest;
            {
                empty_slab const cold;
                failing_allocation const fails(nth);
                try {
                    start(rest, r);
                } catch (std::bad_alloc const&) {
                    refused = true;
                }
                reached = fails.reached();
            }
            rest.wait(r);
            wait_until([] { return live == 0; }, "the end of what was called");
        }
        BOOST_TEST_CONTEXT("allocation " << nth) {
            BOOST_TEST(refused == reached);
            BOOST_TEST((r.get() == (refused ? end::nothing : end::value)));
            BOOST_TEST(told == 0U);
            BOOST_TEST(mistold == 0U);
            check_works(*where);
        }
        if (!reached || nth == most) return nth - 1;
    }
}

// As many allocations as are named fail; -1: one at least.
template <class Start>
void call(home& where, char const* name, int expected, Start start) {
    BOOST_TEST_CONTEXT(name) {
        unsigned const failed = failures_of_calling(where, start);
        BOOST_TEST(failed < most);
        if (expected < 0) {
            BOOST_TEST(failed >= 1U);
        } else {
            BOOST_TEST(failed == static_cast<unsigned>(expected));
        }
    }
}

rouse::task<> telling(result& r, rouse::task<int> f, tracked = {}) {
    try {
        r.set(nullptr, co_await std::move(f));
    } catch (...) {
        r.set(std::current_exception(), 0);
    }
}
rouse::task<> telling_work(result& r) { return telling(r, work()); }

// Calls function(home) for both modes and some numbers of workers.
template <class Function>
void in_homes(Function function) {
    hearing const ears;
    in_both_modes({1, 2, 8}, [&](mode m, unsigned workers) {
        {
            home h(m, workers);
            function(h);
            BOOST_TEST(h->shutdown(60s).empty());
        }
        BOOST_TEST(threads_become(threads_at_rest));
    });
}

// Calls function(where) with all that can be spawned on and submitted to.
template <class Function>
void on_each_executor(home& h, Function function) {
    BOOST_TEST_CONTEXT("the pool") { function(*h); }
    BOOST_TEST_CONTEXT("its executor") {
        auto const ex = h->get_executor();
        function(ex);
    }
    BOOST_TEST_CONTEXT("any_io_executor") {
        asio::any_io_executor const ex(h->get_executor());
        function(ex);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(b87_spawning_on_a_pool) {
    empty_slab const emptied;
    in_homes([](home& h) {
        on_each_executor(h, [&h](auto& on) {
            call(h, "a coroutine", 2,  // its frame, the task
                 [&](left& l, result&) { l.handle.emplace(rouse::spawn(on, work())); });
            call(h, "a poll_fn", 1,
                 [&](left& l, result&) { l.handle.emplace(rouse::spawn(on, a_poll_fn())); });
            call(h, "a callable", 1,
                 [&](left& l, result&) { l.handle.emplace(rouse::spawn(on, a_callable())); });
            call(h, "spawn_ok", 3, [&](left&, result& r) { rouse::spawn_ok(on, telling_work(r)); });
            call(h, "detached", 3,
                 [&](left&, result& r) { rouse::spawn(on, telling_work(r), asio::detached); });
            call(h, "a callback", 2,
                 [&](left&, result& r) { rouse::spawn(on, work(), callback(r)); });
            call(h, "a callback for a poll_fn", 1,
                 [&](left&, result& r) { rouse::spawn(on, a_poll_fn(), callback(r)); });
            call(h, "use_future", -1,
                 [&](left& l, result&) { l.future = rouse::spawn(on, work(), asio::use_future); });
        });
        call(h, "a callback elsewhere", -1, [&](left&, result& r) {
            asio::any_io_executor const there(h->get_executor());
            rouse::spawn(*h, work(), asio::bind_executor(there, callback(r)));
        });
        call(h, "co_spawn", -1, [&](left&, result& r) {
            auto coroutine = [](tracked) -> asio::awaitable<int> { co_return 7; };
            asio::co_spawn(*h, coroutine({}), callback(r));
        });
    });
}

BOOST_AUTO_TEST_CASE(b87_submitting_to_a_pool) {
    empty_slab const emptied;
    in_homes([](home& h) {
        on_each_executor(h, [&h](auto& on) {
            call(h, "post", -1, [&](left&, result& r) { asio::post(on, function(r)); });
            call(h, "defer", -1, [&](left&, result& r) { asio::defer(on, function(r)); });
            call(h, "dispatch", -1, [&](left&, result& r) { asio::dispatch(on, function(r)); });
            call(h, "use_future", -1, [&](left& l, result& r) {
                l.done = asio::post(on, asio::use_future(function(r)));
            });
        });
        auto const ex = h->get_executor();
        auto const each = [&](auto const& e) {
            call(h, "execute", -1, [&](left&, result& r) { e.execute(function(r)); });
        };
        each(ex);
        each(asio::require(ex, asio::execution::blocking.never));
        each(asio::require(ex, asio::execution::blocking.always));
        each(asio::prefer(ex, asio::execution::relationship.continuation));
        each(asio::require(ex, asio::execution::outstanding_work.tracked));
        each(asio::prefer(ex, asio::execution::allocator(std::allocator<void>())));
        each(asio::any_io_executor(ex));
        each(asio::require(asio::any_io_executor(ex), asio::execution::blocking.never));
    });
}

// Not signal_set: Asio's service for it stays in a list of the process when its constructor fails.
BOOST_AUTO_TEST_CASE(b87_io_objects_of_a_pool) {
    empty_slab const emptied;
    in_homes([](home& h) {
        call(h, "a timer", -1, [&](left& l, result& r) {
            l.timer.emplace(*h, 1ms);
            l.timer->async_wait(handler(r));
        });
        call(h, "sockets", -1, [&](left& l, result& r) {
            asio::ip::tcp::endpoint const anywhere(asio::ip::address_v4::loopback(), 0);
            l.acceptor.emplace(h->get_executor(), anywhere);
            l.socket.emplace(*h);
            l.socket->async_connect(l.acceptor->local_endpoint(), handler(r));
        });
        call(h, "datagrams", -1, [&](left& l, result& r) {
            static char byte = 'a';
            asio::ip::udp::endpoint const anywhere(asio::ip::address_v4::loopback(), 0);
            l.datagrams.emplace(*h, anywhere);
            auto const to = l.datagrams->local_endpoint();
            l.datagrams->async_send_to(asio::buffer(&byte, 1), to, handler(r));
        });
        call(h, "an operation that waits", -1, [&](left& l, result& r) {
            asio::ip::tcp::endpoint const anywhere(asio::ip::address_v4::loopback(), 0);
            l.acceptor.emplace(*h, anywhere);
            l.acceptor->async_wait(asio::ip::tcp::acceptor::wait_read, handler(r));
            l.socket.emplace(*h);
            l.socket->connect(l.acceptor->local_endpoint());
        });
    });
}

BOOST_AUTO_TEST_CASE(b87_asking_a_pool) {
    empty_slab const emptied;
    in_homes([](home& h) {
        call(h, "metrics", 1, [&](left&, result& r) {
            auto const metrics = h->metrics();
            r.set(metrics.workers.size() == h->size() ? end::value : end::wrong);
        });
        // These have no way to tell of a failure.
        auto const before = allocations();
        {
            executor const ex = h->get_executor();
            executor copy = ex;
            copy = asio::require(ex, asio::execution::blocking.always);
            copy = asio::prefer(copy, asio::execution::outstanding_work.tracked);
            executor moved = std::move(copy);
            copy = moved;
            copy = asio::require(copy, asio::execution::relationship.continuation);
            auto const other =
                asio::require(copy, asio::execution::allocator(std::allocator<int>()));
            bool const answers = asio::query(other, asio::execution::occupancy) == h->size() &&
                                 &asio::query(ex, asio::execution::context) == &h->context() &&
                                 !ex.running_in_this_thread() && !(ex == moved);
            if (!answers) mistold = 1;
        }
        BOOST_TEST(allocations() == before);
        BOOST_TEST(mistold == 0U);
    });
}

BOOST_AUTO_TEST_CASE(b87_attaching_a_thread) {
    empty_slab const emptied;
    hearing const ears;
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        unsigned nth = 0;
        bool reached = true;
        while (reached && nth != most) {
            ++nth;
            told = mistold = 0;
            std::optional<asio::io_context> io;
            if (m == mode::applications) io.emplace();
            std::atomic<bool> attached{false};
            std::atomic<bool> refused{false};
            std::thread helper;
            {
                auto const how = builder()
                                     .workers(workers)
                                     .after_start([&](unsigned index) {
                                         if (index != workers) return;
                                         if (!refused) reached = fault::countdown == 0;
                                         fault::countdown = 0;
                                         attached = true;
                                     })
                                     .on_unhandled_exception(hear);
                auto const pool = io ? how.build(*io) : how.build();
                helper = std::thread([&] {
                    {
                        empty_slab const cold;
                        failing_allocation const fails(nth);
                        try {
                            pool->attach();
                            return;
                        } catch (std::bad_alloc const&) {
                            reached = fails.reached();
                            refused = true;
                        }
                    }
                    pool->attach();  // now there is memory
                });
                wait_until([&] { return attached.load(); }, "a thread that is attached");
                BOOST_TEST(pool->size() == workers + 1);
                check_works_and_ends(*pool);
                helper.join();
            }
            if (refused) BOOST_TEST(reached);
            BOOST_TEST(told == 0U);
            BOOST_TEST(mistold == 0U);
            BOOST_TEST(live == 0);
        }
        BOOST_TEST(nth > 2U);
        BOOST_TEST(nth < most);
        BOOST_TEST(threads_become(threads_at_rest));
    });
}

// --- in its workers

namespace {

using local = asio::local::stream_protocol::socket;

rouse::task<int> nested(int depth) {
    tracked const here;
    if (depth != 0) co_return co_await nested(depth - 1);
    co_return co_await work();
}
rouse::task<int> deep(thread_pool&) { return nested(5); }

rouse::task<int> spawning(thread_pool& pool) {
    auto first = rouse::spawn(pool, work());
    auto second = rouse::spawn(pool.get_executor(), a_callable());
    int const sum = co_await std::move(first) + co_await std::move(second);
    co_return sum / 2;
}
rouse::task<int> spawning_here(thread_pool&) {
    rouse::this_task::spawn_ok(a_poll_fn());
    auto other = rouse::this_task::spawn(work());
    co_return co_await std::move(other);
}
rouse::task<int> awaiting_a_spawn(thread_pool& pool) {
    int const n = co_await rouse::spawn(pool, work(), use_poll);
    co_return n;
}
rouse::task<int> awaiting_a_spawn_as_tuple(thread_pool& pool) {
    auto const [error, n] = co_await rouse::spawn(pool, work(), asio::as_tuple(use_poll));
    if (error) std::rethrow_exception(error);
    co_return n;
}
rouse::task<int> awaiting_a_deferred_spawn(thread_pool& pool) {
    int const n = co_await rouse::spawn(pool, a_poll_fn(), asio::deferred);
    co_return n;
}
rouse::task<int> submitting(thread_pool& pool) {
    co_await asio::post(pool, use_poll);
    co_await asio::defer(pool, use_poll);
    co_await asio::dispatch(pool, use_poll);
    asio::any_io_executor const any(pool.get_executor());
    co_await asio::post(any, use_poll);
    co_return 7;
}
rouse::task<int> always(thread_pool& pool) {
    auto const ex = asio::require(pool.get_executor(), asio::execution::blocking.always);
    int n = 0;
    ex.execute([&n, kept = tracked()] { n = 7; });
    co_return n;
}
rouse::task<int> sleeping(thread_pool& pool) {
    asio::steady_timer timer(pool, 1ms);
    co_await timer.async_wait(use_poll);
    co_return 7;
}
rouse::task<int> talking(thread_pool& pool) {
    local a(pool);
    local b(pool);
    asio::local::connect_pair(a, b);
    std::string sent(100, 's');
    std::string got(100, ' ');
    co_await asio::async_write(a, asio::buffer(sent), use_poll);
    co_await asio::async_read(b, asio::buffer(got), use_poll);
    co_return sent == got ? 7 : 0;
}
rouse::task<int> asking(thread_pool& pool) {
    co_return pool.metrics().workers.size() == pool.size() ? 7 : 0;
}

// Starts while nothing fails. What is left stays until the end.
using start_there = void (*)(thread_pool& pool, result& r, left& l);

struct scenario {
    char const* name;
    start_there start;
};

// A coroutine is called by the worker.
template <rouse::task<int> (*F)(thread_pool&)>
void in_a_task(thread_pool& pool, result& r, left&) {
    auto call = [&pool]() -> rouse::task<int> { co_return co_await F(pool); };
    rouse::spawn_ok(pool, [&r, call, kept = tracked()] { return telling(r, call()); });
}

// A function that is queued by a function in a worker, and does not fit that one's memory.
using padding_t = std::array<unsigned char, 300>;
template <class Submit>
void in_a_function(thread_pool& pool, result& r, Submit submit) {
    asio::post(pool, [&r, &pool, submit, kept = tracked()] {
        submit(pool, [f = function(r), padding = padding_t()] {
            f();
            static_cast<void>(padding);
        });
    });
}

// Not Asio's coroutines: they post in a destructor, which ends the program when there is no memory.
scenario const in_workers[] = {
    {"nested coroutines", &in_a_task<&deep>},
    {"spawn", &in_a_task<&spawning>},
    {"this_task::spawn", &in_a_task<&spawning_here>},
    {"spawn with use_poll", &in_a_task<&awaiting_a_spawn>},
    {"spawn with as_tuple", &in_a_task<&awaiting_a_spawn_as_tuple>},
    {"spawn with deferred", &in_a_task<&awaiting_a_deferred_spawn>},
    {"submit", &in_a_task<&submitting>},
    {"blocking.always", &in_a_task<&always>},
    {"a timer", &in_a_task<&sleeping>},
    {"sockets", &in_a_task<&talking>},
    {"metrics", &in_a_task<&asking>},
    {"the result for a callback",
     [](thread_pool& pool, result& r, left&) { rouse::spawn(pool, a_callable(), callback(r)); }},
    {"the result for a callback elsewhere",
     [](thread_pool& pool, result& r, left&) {
         asio::any_io_executor const there(pool.get_executor());
         rouse::spawn(pool, a_callable(), asio::bind_executor(there, callback(r)));
     }},
    {"the result for a handle",
     [](thread_pool& pool, result&, left& l) {
         l.handle.emplace(rouse::spawn(pool, a_callable()));
     }},
    {"post in a function",
     [](thread_pool& pool, result& r, left&) {
         in_a_function(pool, r, [](auto& p, auto f) { asio::post(p, std::move(f)); });
     }},
    {"defer in a function",
     [](thread_pool& pool, result& r, left&) {
         in_a_function(pool, r, [](auto& p, auto f) { asio::defer(p, std::move(f)); });
     }},
    {"spawn in a function",
     [](thread_pool& pool, result& r, left&) {
         in_a_function(pool, r, [](auto& p, auto f) {
             rouse::spawn_ok(p, [f = std::move(f)]() mutable -> rouse::task<> {
                 f();
                 co_return;
             });
         });
     }},
    {"a timer with a handler",
     [](thread_pool& pool, result& r, left& l) {
         l.timer.emplace(pool, 1ms);
         l.timer->async_wait(handler(r));
     }},
    {"a socket with a handler",
     [](thread_pool& pool, result& r, left& l) {
         asio::ip::tcp::endpoint const anywhere(asio::ip::address_v4::loopback(), 0);
         l.acceptor.emplace(pool, anywhere);
         l.socket.emplace(pool);
         l.socket->async_connect(l.acceptor->local_endpoint(), handler(r));
     }},
};

// A std::promise that breaks needs memory of its own, and ends the program if there is none: so
// this one fails once only. On the way Asio may start threads of its own, which stay.
scenario const for_a_future{"the result for a future", [](thread_pool& pool, result&, left& l) {
                                l.future = rouse::spawn(pool, a_callable(), asio::use_future);
                            }};

// Runs a scenario while allocations of all other threads fail: the nth, and `more`. True: one has.
bool fails_there(scenario const& s, mode m, unsigned workers, unsigned nth, unsigned long more) {
    told = mistold = 0;
    result r;
    bool reached = false;
    {
        home h(m, workers);
        {
            empty_slab const cold;
            left rest;
            {
                // Asio makes what it needs now and then, here and now.
                asio::steady_timer const timer(*h, 1h);
                local const socket(*h);
            }
            failing_elsewhere const fails(nth, more);
            s.start(*h, r, rest);
            rest.wait(r);
            wait_until([] { return live == 0; }, "the end of a scenario");
            reached = fails.reached();
        }
        check_works(*h);
        BOOST_TEST(h->shutdown(60s).empty());
    }
    bool const heard = told != 0 || r.get() == end::bad_alloc;
    BOOST_TEST(live == 0);
    BOOST_TEST((r.get() == end::value || (reached && heard && r.get() != end::wrong)));
    BOOST_TEST((reached || told == 0U));
    BOOST_TEST(mistold == 0U);
    return reached;
}

// Until it runs through.
void fails_there(scenario const& s, mode m, unsigned workers, unsigned long more) {
    BOOST_TEST_CONTEXT(s.name << (more ? ", for long" : "")) {
        unsigned nth = 1;
        for (bool reached = true; reached && nth != most; ++nth) {
            BOOST_TEST_CONTEXT("allocation " << nth) {
                reached = fails_there(s, m, workers, nth, more);
            }
        }
        BOOST_TEST_MESSAGE(s.name << ": " << nth - 2);
        BOOST_TEST(nth > 2U);
        BOOST_TEST(nth < most);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(b87_no_memory_in_a_worker) {
    empty_slab const emptied;
    hearing const ears;
    in_both_modes({1, long_tests() ? 8U : 2U}, [](mode m, unsigned workers) {
        for (scenario const& s : in_workers) {
            for (unsigned long const more : {0UL, all_that_follow})
                fails_there(s, m, workers, more);
        }
    });
    BOOST_TEST(threads_become(threads_at_rest));
}

// --- at its end

namespace {

// What a pool ends with.
class waiting_tasks {
public:
    explicit waiting_tasks(thread_pool& pool) {
        auto timer = std::make_unique<asio::steady_timer>(pool, 1h);
        auto& t = *timer;
        t.async_wait([timer = std::move(timer), done = handler(of_timer_)](auto e) { done(e); });
        rouse::spawn_ok(pool, [this, &pool] { return sleeps(pool); });
        rouse::spawn_ok(pool, [this] { return waits(0); });
        rouse::spawn(
            pool, [this] { return waits(1); }, callback(of_callback_));
        asio::any_io_executor const there(pool.get_executor());
        rouse::spawn(
            pool, [this] { return waits(2); }, asio::bind_executor(there, callback(elsewhere_)));
        handle_.emplace(rouse::spawn(pool, [this] { return waits(3); }));
        rouse::spawn_ok(pool, [this] { return joins(); });
        wait_until([this] { return begun_ == 7; }, "tasks that have begun");
    }

    // After the end of the pool. One that is stopped destroys what is in its queues.
    void check() {
        result joined;
        left rest;
        rest.handle.emplace(*std::move(handle_));
        rest.wait(joined);
        BOOST_TEST((joined.get() == end::aborted || (told && joined.get() == end::bad_alloc)));
        for (result const* r : {&of_timer_, &of_callback_, &elsewhere_}) {
            bool const fine = r->get() == end::nothing || r->get() == end::aborted;
            BOOST_TEST((fine || (told && r->get() == end::bad_alloc)));
        }
    }

private:
    rouse::task<> sleeps(thread_pool& pool) {
        tracked const here;
        asio::steady_timer timer(pool, 1h);
        ++begun_;
        co_await timer.async_wait(use_poll);
    }
    rouse::task<int> waits(unsigned which) {
        tracked const here;
        ++begun_;
        co_await never_[which].happened();
        co_return 0;
    }
    // Which of the two is told first is open.
    rouse::task<> joins() {
        tracked const here;
        ++begun_;
        co_await rouse::this_task::spawn([this] { return waits(4); });
    }

    std::atomic<unsigned> begun_{0};
    std::array<event, 5> never_{};
    result of_timer_{};
    result of_callback_{};
    result elsewhere_{};
    std::optional<rouse::join_handle<int>> handle_{};
};

// Ends pools while allocations fail; `Failing` says whose. Returns how many have.
template <class Failing, class Finish>
unsigned failures_of_ending(mode m, unsigned workers, runner who, Finish finish) {
    for (unsigned nth = 1;; ++nth) {
        told = mistold = 0;
        bool reached = false;
        BOOST_TEST_CONTEXT("allocation " << nth) {
            home h(m, workers, who);
            waiting_tasks waiting(*h);
            {
                empty_slab const cold;
                Failing const fails(nth);
                finish(h);
                reached = fails.reached();
            }
            h.destroy_pool();
            waiting.check();
            h.end_with_operations();
            BOOST_TEST(live == 0);
            BOOST_TEST((reached || told == 0U));
            BOOST_TEST(mistold == 0U);
        }
        if (!reached || nth == most) return nth - 1;
    }
}

// For long.
struct failing_elsewhere_for_long : failing_elsewhere {
    explicit failing_elsewhere_for_long(unsigned nth) : failing_elsewhere(nth, all_that_follow) {}
};

}  // namespace

BOOST_AUTO_TEST_CASE(b87_the_end_of_a_pool) {
    empty_slab const emptied;
    hearing const ears;
    in_both_modes({1, long_tests() ? 8U : 2U}, [](mode m, unsigned workers) {
        for (runner const who : {runner::a_thread, runner::nobody}) {
            if (m == mode::own && who == runner::nobody) continue;
            auto const ends = [=](char const* name, auto finish) {
                BOOST_TEST_CONTEXT(name) {
                    auto a = failures_of_ending<failing_allocation>(m, workers, who, finish);
                    auto b = failures_of_ending<failing_elsewhere>(m, workers, who, finish);
                    auto c =
                        failures_of_ending<failing_elsewhere_for_long>(m, workers, who, finish);
                    for (unsigned const failed : {a, b, c}) BOOST_TEST(failed < most);
                    BOOST_TEST(b >= 1U);
                    BOOST_TEST(c >= 1U);
                }
            };
            ends("stop and join", [](home& h) {
                auto const before = allocations();
                h->stop();
                if (allocations() != before) mistold = 100;
                h->join();
            });
            ends("shutdown", [](home& h) {
                if (!h->shutdown(60s).empty()) mistold = 100;
            });
            ends("the destructor", [](home& h) { h.destroy_pool(); });
        }
        BOOST_TEST(threads_become(threads_at_rest));
    });
}

namespace {

// Lets go when it is allowed to.
class stubborn {
public:
    explicit stubborn(std::atomic<int>& polled) : polled_(&polled) {}

    rouse::poll_result<void> poll(rouse::context& cx) {
        waker_ = cx.waker();
        ++*polled_;
        return rouse::pending;
    }
    rouse::cancel_result<void> poll_cancel(rouse::context& cx) {
        waker_ = cx.waker();
        return rouse::pending;
    }

private:
    rouse::waker waker_{};
    std::atomic<int>* polled_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(b87_a_shutdown_that_names_tasks) {
    empty_slab const emptied;
    hearing const ears;
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        told = mistold = 0;
        std::atomic<int> polled{0};
        home h(m, workers);
        for (int i = 0; i < 5; ++i) rouse::spawn_ok(*h, stubborn(polled));
        wait_until([&] { return polled == 5; }, "tasks that wait");
        unsigned nth = 1;
        for (bool reached = true; reached && nth != most; ++nth) {
            bool refused = false;
            std::size_t left_over = 0;
            {
                empty_slab const cold;
                failing_allocation const fails(nth);
                try {
                    left_over = h->shutdown(1ms).size();
                } catch (std::bad_alloc const&) {
                    refused = true;
                }
                reached = fails.reached();
            }
            BOOST_TEST(refused == reached);
            BOOST_TEST(left_over == (refused ? 0U : 5U));
        }
        BOOST_TEST(nth > 2U);
        BOOST_TEST(nth < most);
        h.destroy_pool();
        BOOST_TEST(told == 0U);
        BOOST_TEST(mistold == 0U);
    });
    BOOST_TEST(threads_become(threads_at_rest));
}

// Tasks end as aborted, and functions are destroyed, in this thread.
BOOST_AUTO_TEST_CASE(b87_a_pool_that_is_stopped) {
    empty_slab const emptied;
    hearing const ears;
    in_both_modes({1, 2}, [](mode m, unsigned workers) {
        home h(m, workers);
        h->stop();
        auto const refuses = [&](char const* name, auto start) {
            BOOST_TEST_CONTEXT(name) {
                unsigned nth = 1;
                for (bool reached = true; reached && nth != most; ++nth) {
                    told = mistold = 0;
                    result r;
                    bool refused = false;
                    {
                        left rest;
                        {
                            empty_slab const cold;
                            failing_allocation const fails(nth);
                            try {
                                start(rest, r);
                            } catch (std::bad_alloc const&) {
                                refused = true;
                            }
                            reached = fails.reached();
                        }
                        if (!refused) rest.wait(r);
                        wait_until([] { return live == 0; }, "the end of what was called");
                    }
                    BOOST_TEST((r.get() == end::nothing || (r.get() == end::aborted && !refused)));
                    BOOST_TEST((refused || told) == reached);
                    BOOST_TEST(mistold == 0U);
                }
                BOOST_TEST(nth > 2U);
                BOOST_TEST(nth < most);
            }
        };
        refuses("spawn", [&](left& l, result&) { l.handle.emplace(rouse::spawn(*h, work())); });
        refuses("spawn_ok", [&](left&, result& r) { rouse::spawn_ok(*h, telling_work(r)); });
        refuses("a callback", [&](left&, result& r) { rouse::spawn(*h, work(), callback(r)); });
        refuses("a callback elsewhere", [&](left&, result& r) {
            asio::any_io_executor const there(h->get_executor());
            rouse::spawn(*h, work(), asio::bind_executor(there, callback(r)));
        });
        refuses("post", [&](left&, result& r) { asio::post(*h, function(r)); });
        refuses("defer", [&](left&, result& r) { asio::defer(*h, function(r)); });
        BOOST_TEST(h->shutdown(60s).empty());
    });
    BOOST_TEST(threads_become(threads_at_rest));
}

BOOST_AUTO_TEST_CASE(b87_no_memory_for_a_future_in_a_worker) {
    empty_slab const emptied;
    hearing const ears;
    in_both_modes({1, 2, 8},
                  [](mode m, unsigned workers) { fails_there(for_a_future, m, workers, 0); });
}

#endif

// --- with allocators of the handlers' own

namespace {

// Of all its copies' allocations the nth fails.
struct rations {
    explicit rations(int nth) : left(nth) {}
    bool reached() const { return left <= 0; }

    std::atomic<int> left;
};

template <class T>
struct rationed {
    using value_type = T;

    explicit rationed(rations& r) noexcept : from(&r) {}
    template <class U>
    rationed(rationed<U> const& other) noexcept : from(other.from) {}

    T* allocate(std::size_t n) {
        if (from->left.fetch_sub(1) == 1) throw std::bad_alloc();
        return std::allocator<T>().allocate(n);
    }
    void deallocate(T* memory, std::size_t n) noexcept {
        std::allocator<T>().deallocate(memory, n);
    }
    template <class U>
    bool operator==(rationed<U> const& other) const noexcept {
        return from == other.from;
    }

    rations* from;
};

using submit = void (*)(thread_pool&, rationed<void>, result&);

struct with_allocator {
    char const* name;
    bool throws;  // at who calls, whenever an allocation fails
    submit start;
};

with_allocator const with_allocators[] = {
    {"post", true,
     [](thread_pool& pool, rationed<void> a, result& r) {
         asio::post(pool, asio::bind_allocator(a, function(r)));
     }},
    {"defer", true,
     [](thread_pool& pool, rationed<void> a, result& r) {
         asio::defer(pool, asio::bind_allocator(a, function(r)));
     }},
    {"dispatch", true,
     [](thread_pool& pool, rationed<void> a, result& r) {
         asio::dispatch(pool, asio::bind_allocator(a, function(r)));
     }},
    {"execute", true,
     [](thread_pool& pool, rationed<void> a, result& r) {
         asio::require(pool.get_executor(), asio::execution::allocator(a)).execute(function(r));
     }},
    {"post in a function", false,
     [](thread_pool& pool, rationed<void> a, result& r) {
         asio::post(pool, [&pool, &r, a, kept = tracked()] {
             asio::post(pool, asio::bind_allocator(a, function(r)));
         });
     }},
    {"post in a task", false,
     [](thread_pool& pool, rationed<void> a, result& r) {
         rouse::spawn_ok(pool, [&pool, &r, a, kept = tracked()]() -> rouse::task<> {
             co_await rouse::this_task::yield_now();
             asio::post(pool, asio::bind_allocator(a, function(r)));
         });
     }},
    {"the result for a callback", false,
     [](thread_pool& pool, rationed<void> a, result& r) {
         rouse::spawn(pool, work(), asio::bind_allocator(a, callback(r)));
     }},
    {"the result for a callback elsewhere", false,
     [](thread_pool& pool, rationed<void> a, result& r) {
         asio::any_io_executor const there(pool.get_executor());
         rouse::spawn(pool, work(),
                      asio::bind_executor(there, asio::bind_allocator(a, callback(r))));
     }},
    {"a timer", false,
     [](thread_pool& pool, rationed<void> a, result& r) {
         auto timer = std::make_unique<asio::steady_timer>(pool, 0s);
         auto& t = *timer;
         t.async_wait(asio::bind_allocator(
             a, [timer = std::move(timer), done = handler(r)](auto error) { done(error); }));
     }},
};

}  // namespace

BOOST_AUTO_TEST_CASE(b87_allocators_of_handlers_that_fail) {
    hearing const ears;
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        home h(m, workers);
        for (auto const& one : with_allocators) {
            BOOST_TEST_CONTEXT(one.name) {
                int nth = 1;
                for (bool reached = true; reached && nth != 100; ++nth) {
                    told = mistold = 0;
                    result r;
                    rations memory(nth);
                    bool refused = false;
                    try {
                        one.start(*h, rationed<void>(memory), r);
                    } catch (std::bad_alloc const&) {
                        refused = true;
                    }
                    wait_until([] { return live == 0; }, "the end of a handler");
                    reached = memory.reached();
                    if (reached && !refused)
                        wait_until([] { return told != 0; }, "somebody who is told");
                    BOOST_TEST((reached || (!refused && told == 0U)));
                    BOOST_TEST((!one.throws || refused == reached));
                    bool const value = r.get() == end::value;
                    BOOST_TEST((value || (reached && r.get() == end::nothing)));
                    BOOST_TEST(mistold == 0U);
                    check_works(*h);
                }
                BOOST_TEST(nth > 2);
                BOOST_TEST(nth < 100);
            }
        }
        BOOST_TEST(h->shutdown(60s).empty());
    });
}

BOOST_AUTO_TEST_CASE(b87_allocators_of_handlers_that_fail_at_the_end_of_a_pool) {
    hearing const ears;
    in_both_modes({1, 2, 8}, [](mode m, unsigned workers) {
        int nth = 1;
        for (bool reached = true; reached && nth != 100; ++nth) {
            told = mistold = 0;
            rations memory(nth);
            std::array<result, 8> results;
            std::array<event, 8> never;
            {
                home h(m, workers);
                asio::any_io_executor const there(h->get_executor());
                rationed<void> const a(memory);
                for (std::size_t i = 0; i < results.size(); ++i) {
                    auto waits = [](event e, tracked) -> rouse::task<int> {
                        co_await e.happened();
                        co_return 0;
                    };
                    auto done = asio::bind_allocator(a, callback(results[i]));
                    if (i % 2 == 0) {
                        rouse::spawn(*h, waits(never[i], {}), std::move(done));
                    } else {
                        rouse::spawn(*h, waits(never[i], {}),
                                     asio::bind_executor(there, std::move(done)));
                    }
                }
                wait_until(
                    [&] {
                        return std::ranges::all_of(never, [](auto& e) { return e.polls() != 0; });
                    },
                    "tasks that wait");
                h->stop();
                BOOST_TEST(h->shutdown(60s).empty());
            }
            reached = memory.reached();
            BOOST_TEST((told != 0U) == reached);
            BOOST_TEST(mistold == 0U);
            BOOST_TEST(live == 0);
            for (result const& r : results)
                BOOST_TEST((r.get() == end::nothing || r.get() == end::aborted));
        }
        BOOST_TEST(nth > 8);
        BOOST_TEST(nth < 100);
    });
}
