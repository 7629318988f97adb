// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_RANDOM_TREE_NODES_HPP
#define ROUSE_TEST_SUPPORT_RANDOM_TREE_NODES_HPP

#include <support/random_tree.hpp>

#include <rouse/catch_all.hpp>
#include <rouse/finally.hpp>
#include <rouse/futures_unordered.hpp>
#include <rouse/join.hpp>
#include <rouse/join_all.hpp>
#include <rouse/retry.hpp>
#include <rouse/select.hpp>
#include <rouse/select_all.hpp>
#include <rouse/shared.hpp>
#include <rouse/shielded.hpp>
#include <rouse/sleep.hpp>
#include <rouse/task.hpp>
#include <rouse/then.hpp>
#include <rouse/this_task.hpp>
#include <rouse/timeout.hpp>
#include <rouse/with_cancellation.hpp>

// What the nodes of a random tree are. Each carries all that the nodes below it have given in its answer.

namespace rouse_test {

watched make(node& n);

inline answer outcome_of(node& n) {
    if (n.fails) throw thrown(n);
    return answer(std::make_shared<product>(n, false));
}

// ---- leaves -------------------------------------------------------------------------------------

inline rouse::task<answer> yields(node& n) {
    for (unsigned i = n.number % 4; i > 0; --i) co_await rouse::this_task::yield_now();
    co_return outcome_of(n);
}

inline rouse::task<answer> sleeps(node& n) {
    co_await rouse::sleep_for(n.whole.some_time(n.number));
    co_return outcome_of(n);
}

inline void act(node& n) {
    node* near = &n;
    switch (n.kind) {
        case node_kind::aborts_root: n.whole.abort(); return;
        case node_kind::cancels_root: n.whole.cancel(); return;
        case node_kind::cancels_near:
            while (near && near->kind != node_kind::with_cancellation) near = near->parent;
            if (near) near->source.cancel();
            return;
        default:
            // A group lives as long as what is in its scope.
            n.upwards([&](node& above) {
                if (near == &n && above.tasks.load()) near = &above;
            });
            if (near != &n) near->tasks.load()->abort();
            return;
    }
}

inline rouse::task<answer> acts(node& n) {
    for (unsigned i = n.number % 3; i > 0; --i) co_await rouse::this_task::yield_now();
    act(n);
    co_await rouse::this_task::yield_now();
    co_return outcome_of(n);
}

// Something in flight for some polls, that lets go as chance has it: at once, later, or not before it has
// completed. It hears of a cancellation, or does not.
class lends {
public:
    explicit lends(node& n) : node_(&n), left_(1 + n.number % 5) {}

    rouse::poll_result<answer> poll(rouse::context& cx) {
        begun_ = true;
        if (left_ == 0) return outcome_of(*node_);
        if ((node_->number & 64) && cx.cancellation().requested() != rouse::cancellation_type::none)
            rouse::detail::throw_cancelled();
        --left_;
        cx.yield();
        return rouse::pending;
    }
    rouse::cancel_result<answer> poll_cancel(rouse::context& cx) {
        if (!begun_) return std::optional<answer>();
        switch (node_->number >> 8 & 3) {
            case 0: return std::optional<answer>();
            case 1: return std::optional<answer>(outcome_of(*node_));
            default: break;
        }
        if (left_ == 0) {
            if (node_->number & 1024) return std::optional<answer>();
            return std::optional<answer>(outcome_of(*node_));
        }
        --left_;
        cx.yield();
        return rouse::pending;
    }

private:
    node* node_;
    unsigned left_;
    bool begun_ = false;
};

// ---- coroutines ---------------------------------------------------------------------------------

// A handle that aborts its task while it waits for it.
class aborting {
public:
    aborting(rouse::join_handle<answer> handle, unsigned polls)
        : handle_(std::move(handle)), left_(polls) {}

    rouse::poll_result<answer> poll(rouse::context& cx) {
        if (left_ == 0) {
            handle_.abort();
        } else {
            --left_;
            cx.yield();
        }
        return handle_.poll(cx);
    }
    rouse::cancel_result<answer> poll_cancel(rouse::context& cx) { return handle_.poll_cancel(cx); }

private:
    rouse::join_handle<answer> handle_;
    unsigned left_;
};

inline rouse::task<answer> spawns(node& n) {
    auto handle = rouse::this_task::spawn(make(*n.below[0]));
    if (n.kind == node_kind::spawned) co_return co_await std::move(handle);
    co_return co_await aborting(std::move(handle), n.number % 4);
}

inline rouse::task<answer> spawns_and_leaves(node& n) {
    auto handle = rouse::this_task::spawn(make(*n.below[0]));
    for (unsigned i = n.number % 3; i > 0; --i) co_await rouse::this_task::yield_now();
    if (n.kind == node_kind::detached) handle.detach();
    co_return outcome_of(n);
}

inline rouse::task<answer> in_sequence(node& n) {
    answer all;
    for (node* child : n.below) {
        answer one = co_await make(*child);
        all.add(one);
    }
    co_return all;
}

inline rouse::task<answer> in_any_order(node& n) {
    answer all;
    rouse::futures_unordered<watched> set;
    for (node* child : n.below) set.push(make(*child));
    while (!set.empty()) {
        try {
            auto one = co_await set.next();
            if (one) all.add(*one);
        } catch (...) {
            all.add(std::current_exception());
        }
    }
    co_return all;
}

inline rouse::task<answer> masks(node& n) {
    rouse::this_task::cancellation_mask const mask;
    co_return co_await make(*n.below[0]);
}

// It lives on when it loses.
inline rouse::task<answer> selects_by_name(node& n) {
    watched first = make(*n.below[0]);
    for (unsigned i = n.number % 4; i > 0; --i) {
        try {
            auto won = co_await rouse::select(first, rouse::sleep_for(n.whole.some_time(n.number)));
            if (won.index() == 0) co_return std::get<0>(won);
        } catch (...) {
            if (n.below[0]->end == node_end::error) throw;
            break;  // the task is cancelled
        }
    }
    co_return co_await first;
}

inline rouse::task<answer> spawns_when_there_is_room(node& n, rouse::task_group& g) {
    for (std::size_t i = 1; i < n.below.size(); ++i) {
        co_await g.has_room();
        g.spawn(make(*n.below[i]));
    }
    co_return co_await make(*n.below[0]);
}

inline rouse::task<> spawns_from_inside(node& n, rouse::task_group& g, within) {
    for (std::size_t i = 1; i < n.below.size(); ++i) {
        g.spawn(make(*n.below[i]));
        co_await rouse::this_task::yield_now();
    }
}

inline rouse::task<> cleans_up(node& n) {
    for (unsigned i = n.number % 3; i > 0; --i) co_await rouse::this_task::yield_now();
    ++n.clean_ups;
    if (n.fails) {
        n.clean_up_failed = true;
        throw thrown(n);
    }
}

// ---- combinators --------------------------------------------------------------------------------

inline std::vector<watched> all_of(node& n) {
    std::vector<watched> all;
    all.reserve(n.below.size());
    for (node* child : n.below) all.push_back(make(*child));
    return all;
}

template <class... T>
answer all_values(std::tuple<T...> const& values) {
    answer all;
    std::apply([&](auto&... one) { (all.add(one), ...); }, values);
    return all;
}

inline answer values_of_range(std::vector<answer> const& each) {
    answer all;
    for (auto const& one : each) all.add(one);
    return all;
}

inline void add_end(answer& all, rouse::outcome<answer>& end) {
    if (end.has_value()) all.add(end.value());
    all.add(end.error());
}
template <class... T>
answer all_ends(rouse::select_result<T...> result) {
    answer all;
    std::visit([&](auto& won) { all.add(won); }, result);
    std::apply([&](auto&... end) { (add_end(all, end), ...); }, result.losers);
    return all;
}
inline answer all_ends_of_range(rouse::select_all_result<answer> result) {
    answer all = std::move(result.value);
    for (auto& loser : result.losers) add_end(all, loser.end);
    return all;
}

inline rouse::any_future<answer> make_group(node& n) {
    auto const policy =
        n.kind == node_kind::group ? rouse::on_error::abort_others : rouse::on_error::collect;
    return rouse::with_group(policy, [&n](rouse::task_group& g) {
        n.tasks = &g;
        if (n.number % 3 == 0) g.limit(1);
        if (n.number & 256) {
            g.spawn(spawns_from_inside(n, g, within(n)));
        } else {
            for (std::size_t i = 1; i < n.below.size(); ++i) g.spawn(make(*n.below[i]));
        }
        return make(*n.below[0]);
    });
}

inline rouse::any_future<answer> make_group_with_room(node& n) {
    return rouse::with_group([&n](rouse::task_group& g) {
        n.tasks = &g;
        g.limit(1 + n.number % 2);
        return spawns_when_there_is_room(n, g);
    });
}

inline rouse::any_future<answer> make_retried(node& n) {
    auto pauses = rouse::backoff(n.whole.some_time(n.number));
    pauses.attempts(2);
    return rouse::retry(std::move(pauses), [&n, i = 0U]() mutable { return make(*n.below[i++]); });
}

inline rouse::any_future<answer> make_shared_one(node& n) {
    auto copy = rouse::shared(make(*n.below[0]));
    auto other = copy;
    auto select = rouse::map(rouse::select(std::move(other), make(*n.below[1])),
                             [](auto result) { return all_ends(std::move(result)); });
    return rouse::map(rouse::join(std::move(copy), std::move(select)),
                      [](auto values) { return all_values(values); });
}

inline rouse::any_future<answer> make_inner(node& n) {
    using enum node_kind;
    auto const child = [&n](std::size_t i) { return make(*n.below[i]); };
    auto const values = [](auto v) { return all_values(v); };
    auto const ends = [](auto r) { return all_ends(std::move(r)); };
    switch (n.kind) {
        case join: return rouse::map(rouse::join(child(0), child(1), child(2)), values);
        case try_join: return rouse::map(rouse::try_join(child(0), child(1), child(2)), values);
        case select: return rouse::map(rouse::select(child(0), child(1), child(2)), ends);
        case race: return rouse::map(rouse::race(child(0), child(1), child(2)), ends);
        case join_all: return rouse::map(rouse::join_all(all_of(n)), values_of_range);
        case try_join_all: return rouse::map(rouse::try_join_all(all_of(n)), values_of_range);
        case race_all: return rouse::map(rouse::race_all(all_of(n)), all_ends_of_range);
        case group_with_room: return make_group_with_room(n);
        case masking: return masks(n);
        case named: return selects_by_name(n);
        case retried: return make_retried(n);
        case select_all: return rouse::map(rouse::select_all(all_of(n)), all_ends_of_range);
        case timeout: return rouse::timeout(child(0), n.whole.some_time(n.number));
        case group:
        case group_collecting: return make_group(n);
        case then:
            return rouse::then(child(0), [&n](answer first) {
                return rouse::map(make(*n.below[1]), [first](answer second) {
                    second.add(first);
                    return second;
                });
            });
        case map: return rouse::map(child(0), [](answer one) { return one; });
        case catch_all:
            return rouse::catch_all(child(0), [](std::exception_ptr e) { return answer(e); });
        case recovered:
            return rouse::catch_all(child(0), [&n](std::exception_ptr e) {
                return rouse::map(make(*n.below[1]), [e](answer second) {
                    second.add(e);
                    return second;
                });
            });
        case finally: return rouse::finally(child(0), [&n] { return cleans_up(n); });
        case shielded: return rouse::shielded(child(0));
        case with_cancellation: return rouse::with_cancellation(child(0), n.source.token());
        case shared: return make_shared_one(n);
        case unordered: return in_any_order(n);
        case sequence: return in_sequence(n);
        case detached:
        case dropped_spawn: return spawns_and_leaves(n);
        default: return spawns(n);
    }
}

inline watched make(node& n) {
    using enum node_kind;
    switch (n.kind) {
        case value:
            return {n, rouse::then(rouse::ready_future(),
                                   [&n] { return rouse::ready_future(outcome_of(n)); })};
        case sleeper: return {n, sleeps(n)};
        case yielder: return {n, yields(n)};
        case lender: return {n, lends(n)};
        case aborts_root:
        case cancels_root:
        case cancels_near:
        case aborts_group: return {n, acts(n)};
        default: return {n, make_inner(n)};
    }
}

inline rouse::any_future<answer> tree::future() {
    return rouse::with_cancellation(make(*root_), source.token());
}

}  // namespace rouse_test

#endif
