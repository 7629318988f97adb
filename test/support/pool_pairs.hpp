// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_POOL_PAIRS_HPP
#define ROUSE_TEST_SUPPORT_POOL_PAIRS_HPP

#include <support/asio_hand.hpp>
#include <support/asio_loopback.hpp>
#include <support/pool_kit.hpp>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <rouse.hpp>

// A pool, a task of it and an operation polled by hand, both in flight, and what belongs to them;
// each can be destroyed on its own.

namespace rouse_test {

using boost::system::error_code;
using rouse::use_poll;

enum class operation { plain_read, composed_read, wait };

inline char const* name_of(operation kind) {
    if (kind == operation::plain_read) return "plain read";
    return kind == operation::composed_read ? "composed read" : "wait";
}

// What operations use.
struct objects {
    static constexpr std::size_t first_part = 3;

    objects(rouse::thread_pool& pool, operation kind, ledger& book)
        : alive(book),
          sockets(std::in_place, pool.get_executor()),
          timer(std::in_place, pool, std::chrono::hours(24)),
          beside(pool, std::chrono::hours(24)) {
        // A composed read is to be in its middle.
        if (kind == operation::composed_read) write(first_part);
    }

    void write(std::size_t bytes) {
        static_cast<void>(asio::write(sockets->there, asio::buffer("12345678", bytes)));
    }

    token alive;
    std::optional<tcp_pair> sockets;
    std::optional<asio::steady_timer> timer;
    asio::steady_timer beside;
    std::array<char, 8> data{};
    std::size_t seen = 0;  // by a composed read
};

template <operation Kind, class Token>
auto start(objects& on, Token&& how) {
    if constexpr (Kind == operation::plain_read) {
        return on.sockets->here.async_read_some(asio::buffer(on.data), std::forward<Token>(how));
    } else if constexpr (Kind == operation::composed_read) {
        return asio::async_read(
            on.sockets->here, asio::buffer(on.data),
            [&on](error_code const& error, std::size_t n) {
                on.seen = n;
                return error ? 0 : on.data.size() - n;
            },
            std::forward<Token>(how));
    } else {
        return on.timer->async_wait(std::forward<Token>(how));
    }
}

// The same, as an operation that owns what it uses: that dies when Asio lets go of the handler.
template <operation Kind>
auto start_owning(std::unique_ptr<objects> mine) {
    auto const ex = mine->beside.get_executor();
    return asio::async_compose<rouse::use_poll_t const, void(error_code, std::size_t)>(
        [mine = std::move(mine), begun = false](auto& self, error_code error = {},
                                                std::size_t n = 0) mutable {
            if (std::exchange(begun, true)) return self.complete(error, n);
            objects& on = *mine;  // stays where it is, unlike this function
            start<Kind>(on, std::move(self));
        },
        use_poll, ex);
}

// Of an operation that was polled, and is pending: nothing is left to do but to wait.
template <operation Kind>
bool in_flight(objects const& on) {
    return Kind != operation::composed_read || on.seen == objects::first_part;
}

// Ends an operation with its normal result: bytes, or that the wait was cancelled.
template <operation Kind>
void finish(objects& on) {
    if constexpr (Kind == operation::wait) {
        on.timer->cancel();
    } else {
        on.write(on.data.size() - on.seen);
    }
}
template <operation Kind>
inline constexpr ending normal_end_of = Kind == operation::wait ? ending::error : ending::value;

// What a test case runs in. Whose are the objects of the task: with an io_context of the pool's own
// they die in time only if the task owns them, or has ended before.
enum class owner { task, test };

struct world_of_pairs {
    mode whose_io;
    owner whose_objects;
    unsigned workers = 0;
};

template <operation Kind>
class pair_scene {
public:
    using op_type = decltype(start<Kind>(std::declval<objects&>(), use_poll));
    using owning_type = decltype(start_owning<Kind>(std::declval<std::unique_ptr<objects>>()));
    static constexpr operation kind = Kind;
    static constexpr ending normal_end = normal_end_of<Kind>;

    explicit pair_scene(world_of_pairs where) {
        auto const how = rouse::thread_pool::builder()
                             .workers(where.workers)
                             .on_unhandled_exception([this](auto const&...) { ++unhandled; });
        if (where.whose_io == mode::own) {
            pool = how.build();
        } else {
            io.emplace();
            work.emplace(io->get_executor());
            runner = std::thread([this] { io->run(); });
            pool = how.build(*io);
        }
        auto made = make_objects();
        if (where.whose_objects == owner::test) of_task = std::move(made);
        handle.emplace(spawn_task(of_task.get(), std::move(made)));
    }
    // The rest, in an order that is allowed.
    ~pair_scene() {
        unbegun.reset();
        op.reset();
        if (handle) handle->abort();
        wait_until([this] { return tasks.live() == 0; }, "the end of the tasks");
        of_task.reset();
        of_op.reset();
        destroy_pool_and_io_context();
        BOOST_TEST(things.live() == 0);
        hand.waker = {};
        BOOST_TEST(hand.wakes.live == 0);
        BOOST_TEST(unhandled == expected_unhandled);
    }

    // An operation that a task awaits: says when it is in flight, and when it has let go.
    class watched {
    public:
        watched(op_type operation, pair_scene& scene, objects const& on, countdown& begun)
            : operation_(std::move(operation)), scene_(&scene), on_(&on), begun_(&begun) {}
        watched(watched&&) = default;

        auto poll(rouse::context& cx) {
            ++scene_->polls;
            auto result = operation_.poll(cx);
            if (result.is_pending() && in_flight<Kind>(*on_)) {
                if (auto* begun = std::exchange(begun_, nullptr)) begun->down();
            }
            return result;
        }
        auto poll_cancel(rouse::context& cx) {
            auto result = operation_.poll_cancel(cx);
            if (result.is_ready()) ++scene_->let_go;
            return result;
        }

    private:
        op_type operation_;
        pair_scene* scene_;
        objects const* on_;
        countdown* begun_;
    };

    std::unique_ptr<objects> make_objects() {
        return std::make_unique<objects>(*pool, Kind, things);
    }

    // A task with an operation in flight, and another one that it has polled and does not await. It
    // uses `lent`, or owns what it uses.
    rouse::join_handle<> spawn_task(objects* lent, std::unique_ptr<objects> own = {}) {
        countdown begun(1);
        auto spawned =
            rouse::spawn(*pool, [this, lent, own = std::move(own), &begun]() -> rouse::task<> {
                token const mine(tasks);
                objects& on = lent ? *lent : *own;
                auto beside = on.beside.async_wait(use_poll);
                co_await rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<void> {
                    waker = cx.waker();
                    static_cast<void>(beside.poll(cx));
                    return rouse::ready();
                });
                co_await watched(start<Kind>(on, use_poll), *this, on, begun);
                ++completed;
            });
        begun.wait("an operation of a task in flight");
        return spawned;
    }

    static void finish(objects& on) { rouse_test::finish<Kind>(on); }

    // An operation polled by hand until it is in flight.
    template <class Op>
    void begin(Op& which, objects const& on) {
        wait_until(
            [&] {
                hand.woken();  // a late wake of the last step is seen after it
                return hand.poll(which).is_pending() && in_flight<Kind>(on);
            },
            "an operation polled by hand in flight");
    }
    // Such a one that owns its objects.
    auto begin_owning() {
        auto made = make_objects();
        objects const& used = *made;
        auto owning = std::make_unique<owning_type>(start_owning<Kind>(std::move(made)));
        begin(*owning, used);
        return owning;
    }
    // Such a one, and another one that was never polled.
    void hold_ops() {
        of_op = make_objects();
        op.emplace(start<Kind>(*of_op, use_poll));
        begin(*op, *of_op);
        unbegun.emplace(start<Kind>(*of_op, use_poll));
    }
    void drop_ops() {
        op.reset();
        unbegun.reset();
    }

    void destroy_pool() { pool.reset(); }
    // After the pool and the objects.
    void destroy_io_context() {
        of_task.reset();
        of_op.reset();
        if (!io) return;
        io->stop();  // what is queued in it is destroyed, too
        runner.join();
        work.reset();
        io.reset();
    }
    void destroy_pool_and_io_context() {
        destroy_pool();
        destroy_io_context();
    }
    void use_up_waker() {
        rouse::waker const copy = waker;
        copy.wake_by_ref();
        std::move(waker).wake();
    }

    // The task has ended, once, and gave this.
    void check_ended(ending how = ending::aborted) {
        BOOST_TEST(tasks.exactly_one_died());
        BOOST_TEST(let_go == (how == ending::aborted ? 1 : 0));
        BOOST_TEST(completed == (how == ending::value ? 1 : 0));
        if (!handle || !*handle) return;
        BOOST_TEST_REQUIRE(handle->is_finished());
        BOOST_TEST((wait_for(*handle) == how));
    }
    void check_runs_on() {
        BOOST_TEST(tasks.live() == 1);
        BOOST_TEST(!handle->is_finished());
    }

    ledger tasks{};
    ledger things{};
    std::atomic<int> polls{0};      // of what tasks await
    std::atomic<int> let_go{0};     // of it, when it was told to
    std::atomic<int> completed{0};  // tasks
    std::atomic<int> unhandled{0};
    int expected_unhandled = 0;
    rouse_test::hand hand{};
    std::optional<asio::io_context> io{};
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work{};
    std::thread runner{};
    std::unique_ptr<rouse::thread_pool> pool{};
    std::unique_ptr<objects> of_task{};  // none if the task owns them
    std::unique_ptr<objects> of_op{};
    rouse::waker waker{};  // of the task
    std::optional<rouse::join_handle<>> handle{};
    std::optional<op_type> op{};
    std::optional<op_type> unbegun{};
};

// Calls function(scene&) for each operation, in these worlds, with one worker and with two.
template <class Function>
void in_worlds(std::initializer_list<world_of_pairs> worlds, Function function) {
    auto const one = [&]<operation Kind>(std::integral_constant<operation, Kind>,
                                         world_of_pairs w) {
        BOOST_TEST_CONTEXT(name_of(w.whose_io)
                           << ", " << w.workers << " workers, " << name_of(Kind)
                           << ", objects of the "
                           << (w.whose_objects == owner::task ? "task" : "test")) {
            pair_scene<Kind> scene(w);
            function(scene);
        }
    };
    for (auto w : worlds) {
        for (w.workers = 1; w.workers <= 2; ++w.workers) {
            one(std::integral_constant<operation, operation::plain_read>(), w);
            one(std::integral_constant<operation, operation::composed_read>(), w);
            one(std::integral_constant<operation, operation::wait>(), w);
        }
    }
}

inline constexpr world_of_pairs own_task{mode::own, owner::task};
inline constexpr world_of_pairs own_test{mode::own, owner::test};
inline constexpr world_of_pairs external_task{mode::applications, owner::task};
inline constexpr world_of_pairs external_test{mode::applications, owner::test};

// Where the task may be pending when its pool is destroyed.
template <class Function>
void ended_by_pool(Function function) {
    in_worlds({own_task, external_task, external_test}, function);
}
// With an io_context that the pool is destroyed before.
template <class Function>
void with_io_context(Function function) {
    in_worlds({external_task, external_test}, function);
}
// Where the objects are to be destroyed by hand, and so after the task has ended.
template <class Function>
void with_object(Function function) {
    in_worlds({own_test, external_test}, function);
}
template <class Function>
void everywhere(Function function) {
    in_worlds({own_task, own_test, external_task, external_test}, function);
}

}  // namespace rouse_test

#endif
