// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_RANDOM_TREE_HPP
#define ROUSE_TEST_SUPPORT_RANDOM_TREE_HPP

#include <support/stress_threads.hpp>

#include <atomic>
#include <chrono>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <rouse/any_future.hpp>
#include <rouse/cancellation_source.hpp>
#include <rouse/join_handle.hpp>
#include <rouse/task_group.hpp>
#include <string>
#include <utility>
#include <vector>

// Random trees of futures, in which each node is watched: that nothing below it is in flight any more
// when it ends, and that what was produced below it, values and exceptions, is not lost but where the
// documentation says so. What the nodes are made of stands in random_tree_nodes.hpp.

namespace rouse_test {

enum class node_kind {
    // leaves
    value,
    sleeper,
    yielder,
    lender,
    aborts_root,
    cancels_root,
    cancels_near,
    aborts_group,
    // inner nodes
    join,
    try_join,
    select,
    race,
    join_all,
    select_all,
    timeout,
    group,
    group_collecting,
    spawned,
    aborted_spawn,
    detached,
    dropped_spawn,
    then,
    map,
    catch_all,
    recovered,
    finally,
    shielded,
    with_cancellation,
    unordered,
    sequence,
    shared,
    try_join_all,
    race_all,
    group_with_room,
    masking,
    named,
    retried,
};

inline constexpr char const* names_of_kinds[] = {"value",
                                                 "sleeper",
                                                 "yielder",
                                                 "lender",
                                                 "aborts_root",
                                                 "cancels_root",
                                                 "cancels_near",
                                                 "aborts_group",
                                                 "join",
                                                 "try_join",
                                                 "select",
                                                 "race",
                                                 "join_all",
                                                 "select_all",
                                                 "timeout",
                                                 "group",
                                                 "group_collecting",
                                                 "spawned",
                                                 "aborted_spawn",
                                                 "detached",
                                                 "dropped_spawn",
                                                 "then",
                                                 "map",
                                                 "catch_all",
                                                 "recovered",
                                                 "finally",
                                                 "shielded",
                                                 "with_cancellation",
                                                 "unordered",
                                                 "sequence",
                                                 "shared",
                                                 "try_join_all",
                                                 "race_all",
                                                 "group_with_room",
                                                 "masking",
                                                 "named",
                                                 "retried"};

class tree;

// What has become of a node.
enum class node_end { unpolled, in_flight, value, error, stopped, dropped };

struct node {
    node(tree& t, node* p, node_kind k) : whole(t), parent(p), kind(k) {}

    tree& whole;
    node* const parent;
    node_kind const kind;
    bool own_scope = false;  // the nodes above do not wait for it
    bool droppable = false;  // it may be dropped in flight: the last copy of a shared future may
    bool fails = false;
    unsigned number = 0;  // a random one, for whatever the kind decides by chance
    std::vector<node*> below{};

    std::atomic<node_end> end{node_end::unpolled};
    std::atomic<bool> told{false};  // it was asked to let go
    std::atomic<int> in_flight{0};  // of itself and the nodes below it
    std::atomic<int> clean_ups{0};
    std::atomic<bool> clean_up_failed{false};
    std::atomic<int> lost_values{0};
    std::atomic<int> lost_errors{0};
    std::atomic<rouse::task_group*> tasks{nullptr};
    rouse::cancellation_source source{};

    // Those that wait for it, from the nearest.
    template <class Visit>
    void upwards(Visit visit) {
        for (node* n = this; n; n = n->own_scope ? nullptr : n->parent) visit(*n);
    }
};

// A value or an exception that somebody has produced, as long as anybody has it.
class product {
public:
    product(node& from, bool error) noexcept : from_(from), error_(error) {}
    product(product const&) = delete;
    product& operator=(product const&) = delete;
    ~product();

private:
    node& from_;
    bool error_;
};
using product_ref = std::shared_ptr<product>;

class thrown : public std::exception {
public:
    explicit thrown(node& from) : product_(std::make_shared<product>(from, true)) {}
    char const* what() const noexcept override { return "thrown by a node"; }

private:
    product_ref product_;
};

// The value of a node: all that was produced below it.
class answer {
public:
    answer() noexcept {}
    explicit answer(product_ref p) { values_.push_back(std::move(p)); }
    explicit answer(std::exception_ptr e) { errors_.push_back(std::move(e)); }

    void add(answer const& other) {
        values_.insert(values_.end(), other.values_.begin(), other.values_.end());
        errors_.insert(errors_.end(), other.errors_.begin(), other.errors_.end());
    }
    void add(std::exception_ptr e) {
        if (e) errors_.push_back(std::move(e));
    }

private:
    std::vector<product_ref> values_{};
    std::vector<std::exception_ptr> errors_{};
};

class tree {
public:
    tree(std::uint64_t stream, std::chrono::microseconds unit);
    tree(tree const&) = delete;
    tree& operator=(tree const&) = delete;

    rouse::any_future<answer> future();  // once

    // From inside.
    void abort() {
        told = true;
        std::lock_guard guard(handle_mutex_);
        if (handle_) handle_->abort();
    }
    // By whoever has it; null, before it goes.
    void set_handle(rouse::join_handle<answer>* handle) {
        std::lock_guard guard(handle_mutex_);
        handle_ = handle;
    }
    void cancel() {
        told = true;
        source.cancel();
    }

    // When it is gone: what was wrong, if anything.
    std::string wrong();

    // The node and those above it, with what became of them.
    static std::string path_of(node const& where) {
        static constexpr char const* names_of_ends[] = {"unpolled", "in flight", "value",
                                                        "error",    "stopped",   "dropped"};
        std::string path;
        for (node const* n = &where; n; n = n->parent) {
            path += std::string(n == &where ? "" : " in ") +
                    names_of_kinds[static_cast<int>(n->kind)] + " (" +
                    names_of_ends[static_cast<int>(n->end.load())] + (n->told ? ", told)" : ")");
        }
        return path;
    }
    void complain(char const* text, node const& where) {
        std::lock_guard guard(mutex_);
        complaints_ += std::string(text) + ": " + path_of(where) + "; ";
    }

    std::chrono::steady_clock::duration some_time(unsigned number) const {
        return unit_ * static_cast<int>(number % 8);
    }

    stress_random random;  // by the thread that runs the test
    std::atomic<bool> told{false};
    rouse::cancellation_source source{};
    std::atomic<int> alive{0};  // futures
    std::atomic<bool> over{false};
    bool may_be_dropped = false;
    bool result_dropped = false;
    std::optional<answer> value{};
    std::exception_ptr error{};
    std::size_t size() const { return nodes_.size(); }
    node& root() { return *root_; }

private:
    node& grow(node* parent, unsigned depth);
    bool may_be_lost(node& origin);

    std::chrono::microseconds unit_;
    std::deque<node> nodes_{};
    node* root_ = nullptr;
    unsigned left_ = 20;  // nodes
    bool quiet_ = true;   // nothing fails, and nothing is cut short
    std::mutex handle_mutex_{};
    rouse::join_handle<answer>* handle_ = nullptr;
    std::mutex mutex_{};
    std::string complaints_{};
};

inline product::~product() { ++(error_ ? from_.lost_errors : from_.lost_values); }

// A node as its parent sees it.
class [[nodiscard]] watched {
public:
    watched(node& n, rouse::any_future<answer> f) : node_(&n), future_(std::move(f)) {
        ++n.whole.alive;
    }
    watched(watched&& other) noexcept
        : node_(std::exchange(other.node_, nullptr)), future_(std::move(other.future_)) {}
    watched& operator=(watched&&) = delete;
    ~watched() {
        if (!node_) return;
        if (node_->end == node_end::in_flight) {
            if (!node_->whole.may_be_dropped && !node_->droppable)
                node_->whole.complain("dropped in flight", *node_);
            node_->end = node_end::dropped;
            lands();
        }
        future_ = {};
        --node_->whole.alive;
    }

    rouse::poll_result<answer> poll(rouse::context& cx) {
        begin();
        try {
            auto polled = future_.poll(cx);
            if (polled.is_ready()) ends(node_end::value);
            return polled;
        } catch (...) {
            ends(node_end::error);
            throw;
        }
    }
    rouse::cancel_result<answer> poll_cancel(rouse::context& cx) {
        if (node_->end == node_end::unpolled) return std::optional<answer>();
        node_->told = true;
        try {
            auto released = future_.poll_cancel(cx);
            if (released.is_ready()) ends(released.value() ? node_end::value : node_end::stopped);
            return released;
        } catch (...) {
            ends(node_end::error);
            throw;
        }
    }

private:
    void begin() {
        if (node_->end != node_end::unpolled) return;
        node_->end = node_end::in_flight;
        node_->upwards([](node& n) { ++n.in_flight; });
    }
    void ends(node_end how) {
        node_->end = how;
        lands();
        if (node_->in_flight != 0) node_->whole.complain("outlived by something below", *node_);
    }
    void lands() {
        node_->upwards([](node& n) { --n.in_flight; });
    }

    node* node_;
    rouse::any_future<answer> future_;
};

// Makes whoever has it a part of what has to be gone before the node ends.
class [[nodiscard]] within {
public:
    explicit within(node& n) : node_(&n) {
        ++n.whole.alive;
        n.upwards([](node& each) { ++each.in_flight; });
    }
    within(within&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    within& operator=(within&&) = delete;
    ~within() {
        if (!node_) return;
        node_->upwards([](node& each) { --each.in_flight; });
        --node_->whole.alive;
    }

private:
    node* node_;
};

inline tree::tree(std::uint64_t stream, std::chrono::microseconds unit)
    : random(stream), unit_(unit) {
    root_ = &grow(nullptr, 5);
}

inline node& tree::grow(node* parent, unsigned depth) {
    using enum node_kind;
    static constexpr node_kind leaves[] = {
        value,  value,  sleeper,     sleeper,      yielder,      yielder,     lender,
        lender, lender, aborts_root, cancels_root, cancels_near, aborts_group};
    static constexpr node_kind inner[] = {join,
                                          try_join,
                                          select,
                                          race,
                                          join_all,
                                          select_all,
                                          timeout,
                                          timeout,
                                          group,
                                          group,
                                          group_collecting,
                                          spawned,
                                          spawned,
                                          aborted_spawn,
                                          detached,
                                          dropped_spawn,
                                          then,
                                          map,
                                          catch_all,
                                          recovered,
                                          finally,
                                          shielded,
                                          with_cancellation,
                                          unordered,
                                          sequence,
                                          shared,
                                          try_join_all,
                                          race_all,
                                          group_with_room,
                                          masking,
                                          named,
                                          retried};
    bool const leaf = depth == 0 || left_ < 4 || (parent && random.below(4) == 0);
    node_kind kind =
        leaf ? leaves[random.below(std::size(leaves))] : inner[random.below(std::size(inner))];
    // The tasks' own means are seldom: they end the whole tree.
    if ((kind == aborts_root || kind == cancels_root) && random.below(3) != 0) kind = lender;
    node& n = nodes_.emplace_back(*this, parent, kind);
    if (left_ > 0) --left_;
    n.number = static_cast<unsigned>(random());
    n.own_scope = parent && (parent->kind == detached || parent->kind == dropped_spawn ||
                             (parent->kind == shared && parent->below.empty()));
    n.droppable = parent && (parent->droppable || parent->kind == shared);
    n.fails = leaf ? random.below(6) == 0 : kind == finally && random.below(8) == 0;
    if (kind >= aborts_root && kind <= aborts_group) quiet_ = false;
    if (kind == timeout || kind == aborted_spawn) quiet_ = false;
    if (n.fails) quiet_ = false;
    if (leaf) return n;
    unsigned children = 1;
    if (kind == then || kind == recovered || kind == shared || kind == retried) children = 2;
    if ((kind >= join && kind <= select_all) || kind == group || kind == group_collecting ||
        kind == unordered || kind == sequence || kind == try_join_all || kind == race_all ||
        kind == group_with_room)
        children = 3;
    for (unsigned i = 0; i < children; ++i) n.below.push_back(&grow(&n, depth - 1));
    return n;
}

// A group that was aborted has no value if that has stopped one of its tasks: one that is below it, or the task that
// spawns these.
inline bool has_stopped_a_task(node const& group) {
    if (group.end != node_end::stopped) return false;
    if (group.number & 256) return true;
    for (node const* n : group.below) {
        if (n->end != node_end::value) return true;
    }
    return false;
}

// What the documentation says is lost. `origin` has produced it, and nobody has it any more.
inline bool tree::may_be_lost(node& origin) {
    using enum node_kind;
    for (node* n = &origin; n; n = n->parent) {
        if (n->end == node_end::dropped) return true;
        if (!n->parent) break;
        node& above = *n->parent;
        bool const first = above.below.front() == n;
        bool const is_error = n->end == node_end::error;  // or is it in a value?
        bool const failed = above.end == node_end::error;
        bool const gave_value = above.end == node_end::value;
        bool lost = false;
        switch (above.kind) {
            case join:
            case try_join:
            case join_all:
            case try_join_all:
            case shared: lost = !gave_value; break;
            // An abort gives what there is: a value, and all others with it, or an exception.
            case select:
            case select_all: lost = failed; break;
            // The same, but an exception only if all have failed.
            case race:
            case race_all: lost = failed || (is_error && !gave_value); break;
            case group: lost = failed || (!is_error && !first) || has_stopped_a_task(above); break;
            case group_collecting: lost = !is_error && (failed || !first || has_stopped_a_task(above)); break;
            case group_with_room: lost = failed || above.told || (!is_error && !first); break;
            case retried: lost = is_error && first; break;
            // Coroutines: what their innermost future ends with in an abort, and their variables.
            case spawned:
            case aborted_spawn:
            case masking:
            case named:
            case sequence:
            case unordered: lost = above.told || failed; break;
            case detached:
            case dropped_spawn:
                lost = !is_error;
                break;  // exceptions are reported
            // The function has it, and goes with the second future.
            case then:
            case recovered:
                lost = first && !gave_value && is_error == (above.kind == recovered);
                break;
            case finally: lost = above.clean_up_failed; break;
            default: break;
        }
        if (lost) return true;
    }
    return result_dropped && root_->end != node_end::error;
}

inline std::string tree::wrong() {
    if (alive != 0) complain("futures are left", *root_);
    for (node& n : nodes_) {
        if (n.in_flight != 0) complain("in flight for ever", n);
        if (n.lost_values != 0 && !may_be_lost(n)) complain("a value was lost", n);
        if (n.lost_errors != 0 && !may_be_lost(n)) complain("an exception was lost", n);
        if (n.kind == node_kind::finally && n.end != node_end::dropped &&
            n.clean_ups != (n.end != node_end::unpolled))
            complain("cleaned up another number of times than once", n);
    }
    if (quiet_ && !told && !value && !result_dropped) complain("it has no value", *root_);
    std::lock_guard guard(mutex_);
    return complaints_;
}

}  // namespace rouse_test

#endif
