// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <rouse/detail/slab.hpp>
#include <set>
#include <support/scale.hpp>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_slab)

using rouse::detail::slab_allocate;
using rouse::detail::slab_deallocate;

namespace {

struct piece {
    void* memory;
    std::size_t bytes;
};

piece take(std::size_t bytes) {
    void* memory = slab_allocate(bytes);
    std::memset(memory, static_cast<int>(bytes & 0x7f), bytes);
    return {memory, bytes};
}

void give(piece p) { slab_deallocate(p.memory, p.bytes); }

bool intact(piece p) {
    auto const* c = static_cast<unsigned char const*>(p.memory);
    for (std::size_t i = 0; i < p.bytes; ++i) {
        if (c[i] != (p.bytes & 0x7f)) return false;
    }
    return true;
}

}  // namespace

BOOST_AUTO_TEST_CASE(pieces_of_every_size_are_aligned_and_do_not_overlap) {
    std::vector<piece> all;
    for (int round = 0; round < 3; ++round) {
        for (std::size_t bytes = 0; bytes <= 1200; ++bytes) all.push_back(take(bytes));
        all.push_back(take(1 << 20));
        bool aligned = true;
        bool whole = true;
        for (piece p : all) {
            aligned = aligned && reinterpret_cast<std::uintptr_t>(p.memory) % 16 == 0;
            whole = whole && intact(p);
        }
        BOOST_TEST(aligned);
        BOOST_TEST(whole);
        for (piece p : all) give(p);
        all.clear();
    }
}

BOOST_AUTO_TEST_CASE(what_was_given_back_is_handed_out_again) {
    if (rouse_test::asan) return;  // there it must not be
    piece const p = take(200);
    give(p);
    piece const q = take(240);  // the same class
    BOOST_TEST(q.memory == p.memory);
    piece const other = take(300);
    BOOST_TEST(other.memory != p.memory);
    give(q);
    give(other);
}

BOOST_AUTO_TEST_CASE(a_thread_that_gives_more_than_it_keeps_hands_it_to_another_that_takes) {
    if (rouse_test::asan) return;
    std::set<void*> given;
    std::vector<piece> all;
    for (int i = 0; i < 256; ++i) all.push_back(take(640));
    for (piece p : all) {
        given.insert(p.memory);
        give(p);
    }
    int again = 0;
    std::thread taker([&] {
        std::vector<piece> mine;
        for (int i = 0; i < 128; ++i) {
            mine.push_back(take(640));
            if (given.contains(mine.back().memory)) ++again;
        }
        for (piece p : mine) give(p);
    });
    taker.join();
    BOOST_TEST(again >= 96);  // whole batches, minus what the giver keeps
}

BOOST_AUTO_TEST_CASE(one_thread_always_takes_and_another_always_gives) {
    int const rounds = rouse_test::scaled(2000);
    constexpr std::size_t width = 50;
    std::vector<piece> handed;
    int broken = 0;
    std::atomic<int> turn{0};
    std::thread giver([&] {
        for (int i = 0; i < rounds; ++i) {
            turn.wait(2 * i);
            for (piece p : handed) {
                if (!intact(p)) ++broken;
                give(p);
            }
            handed.clear();
            turn = 2 * i + 2;
            turn.notify_one();
        }
    });
    for (int i = 0; i < rounds; ++i) {
        for (std::size_t n = 0; n < width; ++n) handed.push_back(take((n * 37) % 1100));
        turn = 2 * i + 1;
        turn.notify_one();
        turn.wait(2 * i + 1);
    }
    giver.join();
    BOOST_TEST(broken == 0);
}

BOOST_AUTO_TEST_CASE(it_is_used_while_the_threads_own_thread_locals_die) {
    static std::atomic<int> uses{0};
    struct late_user {
        piece held{nullptr, 0};
        ~late_user() {
            if (held.memory) give(held);
            std::vector<piece> all;
            for (std::size_t i = 0; i < 100; ++i) all.push_back(take(i * 10));
            for (piece p : all) {
                if (intact(p)) ++uses;
                give(p);
            }
        }
    };
    // Made before the thread's cache, so destroyed after it; and the other way round.
    std::thread before([] {
        thread_local late_user user;
        static_cast<void>(&user);
        user.held = take(100);
    });
    before.join();
    std::thread after([] {
        give(take(100));
        thread_local late_user user;
        user.held = take(100);
    });
    after.join();
    BOOST_TEST(uses == 200);
}

BOOST_AUTO_TEST_CASE(many_threads_come_and_go) {
    std::atomic<int> broken{0};
    for (int i = 0; i < rouse_test::scaled(50); ++i) {
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&] {
                std::vector<piece> all;
                for (std::size_t n = 0; n < 200; ++n) all.push_back(take(64 * (n % 17)));
                for (piece p : all) {
                    if (!intact(p)) ++broken;
                    give(p);
                }
            });
        }
        for (auto& t : threads) t.join();
    }
    BOOST_TEST(broken == 0);
}

BOOST_AUTO_TEST_SUITE_END()
