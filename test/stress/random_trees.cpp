// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Random trees of futures, polled by hand and on pools, aborted, cancelled and dropped from inside and
// from other threads. See random_tree.hpp for what is watched.

#include <support/cancel_bench.hpp>
#include <support/pool_kit.hpp>
#include <support/random_tree_nodes.hpp>

#include <atomic>
#include <deque>
#include <mutex>
#include <rouse/block_on.hpp>
#include <rouse/spawn.hpp>
#include <rouse/unhandled.hpp>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_random_trees)

using namespace rouse_test;
using namespace std::chrono_literals;

namespace {

// Exceptions that were reported: not lost.
struct reported {
    static void keep(std::exception_ptr e, std::source_location) {
        std::lock_guard guard(mutex);
        all.push_back(std::move(e));
    }
    static void forget() {
        std::vector<std::exception_ptr> old;
        std::lock_guard guard(mutex);
        old.swap(all);
    }
    inline static std::mutex mutex{};
    inline static std::vector<std::exception_ptr> all{};
};

class keeps_reports {
public:
    keeps_reports() : before_(rouse::set_unhandled_handler(&reported::keep)) {}
    keeps_reports(keeps_reports const&) = delete;
    keeps_reports& operator=(keeps_reports const&) = delete;
    ~keeps_reports() {
        rouse::set_unhandled_handler(before_);
        reported::forget();
    }

private:
    rouse::unhandled_handler before_;
};

// How many have ended how: the test is worth nothing if all end alike.
struct endings {
    unsigned values = 0;
    unsigned errors = 0;
    unsigned aborted = 0;
    unsigned dropped = 0;
    unsigned wrong = 0;
    std::size_t nodes = 0;

    void take(tree& t, std::uint64_t number) {
        nodes += t.size();
        if (t.value) ++values;
        if (t.result_dropped) ++dropped;
        if (t.error) {
            try {
                std::rethrow_exception(t.error);
            } catch (boost::system::system_error const& e) {
                ++(e.code() == rouse::errc::aborted ? aborted : errors);
            } catch (...) {
                ++errors;
            }
        }
        std::string const what = t.wrong();
        if (what.empty()) return;
        if (++wrong <= 5) BOOST_TEST_MESSAGE("tree " << number << ": " << what);
    }
    void check() const {
        BOOST_TEST(wrong == 0U);
        BOOST_TEST(values > 0U);
        BOOST_TEST(errors > 0U);
        BOOST_TEST(aborted > 0U);
        BOOST_TEST(dropped > 0U);
        BOOST_TEST_MESSAGE(values << " values, " << errors << " errors, " << aborted << " aborted, "
                                  << dropped << " dropped; " << nodes << " nodes");
    }
};

// What comes from outside, by chance.
enum class meddling { none, abort, cancel, drop, executor_ends };

meddling random_meddling(stress_random& random, unsigned kinds) {
    return random.below(3) != 0 ? meddling::none : static_cast<meddling>(1 + random.below(kinds));
}

// ---- by hand ------------------------------------------------------------------------------------

void grow_by_hand(std::uint64_t number, endings& ends) {
    bench b(release::at_once);
    rouse::set_unhandled_handler(&reported::keep);
    tree t(number, 1s);
    auto const how = random_meddling(t.random, 4);
    auto const when = t.random.below(12);
    b.spawns = t.random.below(2) == 0;
    t.may_be_dropped = how == meddling::executor_ends;
    {
        auto handle = b.executor.spawn(t.future());
        t.set_handle(&handle);
        bool const stays = how != meddling::drop && how != meddling::executor_ends;
        for (unsigned turn = 0; turn < 2000 && !handle.is_finished(); ++turn) {
            if (turn == when && how != meddling::none) {
                t.told = true;
                if (how == meddling::abort) handle.abort();
                if (how == meddling::cancel) t.source.cancel();
                if (!stays) break;
            }
            if (!b.executor.run_one()) b.advance(1s);
        }
        t.set_handle(nullptr);
        if (how == meddling::executor_ends) b.executor.drops = true;
        if (stays || handle.is_finished()) {
            try {
                rouse::context cx(b.waker);
                auto polled = handle.poll(cx);
                if (polled.is_ready()) {
                    t.value = std::move(polled).value();
                } else {
                    t.complain("it does not end", t.root());
                }
            } catch (...) {
                t.error = std::current_exception();
            }
        } else {
            t.result_dropped = true;
        }
    }
    if (how == meddling::executor_ends) b.executor.drop_all();
    // Tasks that nobody waits for.
    for (int turn = 0; turn < 2000 && (t.alive != 0 || b.executor.queued() != 0); ++turn) {
        if (!b.executor.run_one()) b.advance(1s);
    }
    if (b.timers() != 0) t.complain("timers are left", t.root());
    ends.take(t, number);
    t.value.reset();
    t.error = nullptr;
    b.forget_reports();
    reported::forget();
}

// ---- on a pool ----------------------------------------------------------------------------------

constexpr unsigned at_once = 64;

void grow_on_pool(mode m, unsigned workers, std::uint64_t first, unsigned count, bool stops,
                  endings& ends) {
    std::deque<tree> trees;
    {
        pool_home pool(m, rouse::thread_pool::builder().workers(workers).on_unhandled_exception(
                              &reported::keep));
        stress_random random(first);
        for (unsigned done = 0; done < count; done += at_once) {
            std::deque<rouse::join_handle<answer>> handles;
            std::vector<tree*> batch;
            for (unsigned i = 0; i < at_once; ++i) {
                tree& t = trees.emplace_back(first + done + i, 40us);
                handles.push_back(rouse::spawn(*pool, t.future()));
                t.set_handle(&handles.back());
                batch.push_back(&t);
            }
            bool const last = done + at_once >= count;
            std::uint64_t const stream = random();
            run_threads(2, [&](unsigned who) {
                stress_random own(stream + who);
                for (unsigned i = who; i < at_once; i += 2) {
                    own.delay();
                    auto const how = random_meddling(own, 2);
                    if (how == meddling::abort) batch[i]->abort();
                    if (how == meddling::cancel) batch[i]->cancel();
                }
                if (stops && last && who == 0) pool->stop();
            });
            if (stops && last) {
                for (tree* t : batch) t->told = true;
            }
            for (unsigned i = 0; i < at_once; ++i) {
                tree& t = *batch[i];
                if (random.below(8) == 0) {
                    t.set_handle(nullptr);
                    t.result_dropped = t.told = true;
                    continue;  // the handle is dropped with the others
                }
                try {
                    t.value = rouse::block_on(handles[i]);
                } catch (...) {
                    t.error = std::current_exception();
                }
                // As it has ended, so has everything in it.
                if (t.root().in_flight != 0)
                    t.complain("its result comes before its end", t.root());
            }
            for (tree* t : batch) t->set_handle(nullptr);
            // Whoever has read the pointer is inside of the tree.
            handles.clear();
            wait_until(
                [&] {
                    for (tree* t : batch) {
                        if (t->alive != 0) return false;
                    }
                    return true;
                },
                "the end of all tasks of some trees");
        }
    }
    for (tree& t : trees) ends.take(t, first++);
    for (tree& t : trees) {
        t.value.reset();
        t.error = nullptr;
    }
    reported::forget();
}

}  // namespace

BOOST_AUTO_TEST_CASE(b35_b36_random_trees_by_hand) {
    keeps_reports const handler;
    endings ends;
    unsigned const count = scaled(40'000U);
    for (unsigned n = 0; n < count; ++n) grow_by_hand(n, ends);
    ends.check();
}

BOOST_AUTO_TEST_CASE(b32_b35_b36_random_trees_on_pools) {
    keeps_reports const handler;
    endings ends;
    unsigned const each = scaled(2560U);
    std::uint64_t first = 1'000'000;
    for (unsigned round = 0; round < 6; ++round) {
        in_both_modes({2, 4}, [&](mode m, unsigned workers) {
            grow_on_pool(m, workers, first, each, round % 2 == 0, ends);
            first += each + at_once;
        });
    }
    ends.check();
}

BOOST_AUTO_TEST_SUITE_END()
