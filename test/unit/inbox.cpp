// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#include <boost/test/unit_test.hpp>
#include <rouse/block_on.hpp>
#include <rouse/detail/inbox.hpp>
#include <rouse/unhandled.hpp>
#include <stdexcept>
#include <string>
#include <support/scale.hpp>
#include <support/unit_kit.hpp>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_inbox)

using namespace rouse::detail;
using namespace rouse_test;

namespace {

void run_all(work_list list) {
    while (work_item* item = list.pop()) item->act(item, true);
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_pushed_is_taken_oldest_first) {
    inbox box;
    std::string order;
    BOOST_TEST(box.empty());
    BOOST_TEST(box.take().empty());
    for (char c : {'a', 'b', 'c'}) BOOST_TEST(box.push(*make_work([&order, c] { order += c; })));
    BOOST_TEST(!box.empty());
    run_all(box.take());
    BOOST_TEST(order == "abc");
    BOOST_TEST(box.empty());
    BOOST_TEST(box.push(*make_work([&order] { order += 'd'; })));
    run_all(box.take());
    BOOST_TEST(order == "abcd");
}

BOOST_AUTO_TEST_CASE(what_is_left_in_a_list_or_an_inbox_is_destroyed_unrun) {
    ledger book;
    int runs = 0;
    auto const push = [&](inbox& box) {
        return box.push(*make_work([&runs, t = token(book)] { ++runs; }));
    };
    {
        inbox box;
        BOOST_TEST(push(box));
        BOOST_TEST(push(box));
        {
            work_list list = box.take();
            work_item* first = list.pop();
            first->act(first, true);
        }
        BOOST_TEST(runs == 1);
        BOOST_TEST(book.live() == 0);
        BOOST_TEST(push(box));
    }
    BOOST_TEST(runs == 1);
    BOOST_TEST(book.made == 3);
    BOOST_TEST(book.live() == 0);
}

BOOST_AUTO_TEST_CASE(closed_it_gives_the_rest_and_refuses) {
    inbox box;
    std::string order;
    BOOST_TEST(box.push(*make_work([&] { order += '1'; })));
    BOOST_TEST(box.push(*make_work([&] { order += '2'; })));
    run_all(box.close());
    BOOST_TEST(order == "12");
    ledger book;
    work_item* late = make_work([t = token(book)] {});
    BOOST_TEST(!box.push(*late));
    BOOST_TEST(book.live() == 1);  // still the caller's
    late->act(late, false);
    BOOST_TEST(book.exactly_one_died());
    BOOST_TEST(box.empty());
    BOOST_TEST(box.take().empty());
    BOOST_TEST(box.close().empty());
}

BOOST_AUTO_TEST_CASE(lists_are_appended_and_moved) {
    inbox box;
    std::string order;
    auto const push = [&](char c) {
        BOOST_TEST(box.push(*make_work([&order, c] { order += c; })));
    };
    push('a');
    push('b');
    work_list list = box.take();
    list.append(box.take());  // nothing
    push('c');
    push('d');
    list.append(box.take());
    work_list moved = std::move(list);
    push('e');
    moved.append(box.take());
    run_all(std::move(moved));
    BOOST_TEST(order == "abcde");
    work_list empty;
    push('f');
    empty.append(box.take());
    run_all(std::move(empty));
    BOOST_TEST(order == "abcdef");
}

BOOST_AUTO_TEST_CASE(an_owner_makes_its_inbox_on_first_use_and_closes_it_at_its_end) {
    ledger book;
    shared_inbox* box = nullptr;
    {
        inbox_owner owner;
        BOOST_TEST(owner.empty());
        owner.run();
        box = owner.acquire_inbox();
        BOOST_TEST(owner.acquire_inbox() == box);
        box->drop();
        BOOST_TEST(owner.empty());
        BOOST_TEST(box->items.push(*make_work([t = token(book)] {})));
        BOOST_TEST(!owner.empty());
        owner.run();
        BOOST_TEST(book.exactly_one_died());
        BOOST_TEST(box->items.push(*make_work([t = token(book)] {})));
    }
    BOOST_TEST(book.made == 2);
    BOOST_TEST(book.live() == 0);
    work_item* late = make_work([] {});
    BOOST_TEST(!box->items.push(*late));
    late->act(late, false);
    box->drop();
}

BOOST_AUTO_TEST_CASE(a_function_that_throws_is_gone_and_those_behind_it_wait_for_the_next_run) {
    inbox_owner owner;
    shared_inbox* box = owner.acquire_inbox();
    std::string order;
    ledger book;
    BOOST_TEST(box->items.push(*make_work([&] { order += '1'; })));
    BOOST_TEST(box->items.push(*make_work([t = token(book)] { throw std::runtime_error("2"); })));
    BOOST_TEST(box->items.push(*make_work([&] { order += '3'; })));
    BOOST_CHECK_THROW(owner.run(), std::runtime_error);
    BOOST_TEST(order == "1");
    BOOST_TEST(book.exactly_one_died());
    BOOST_TEST(!owner.empty());
    BOOST_TEST(box->items.push(*make_work([&] { order += '4'; })));
    owner.run();
    BOOST_TEST(order == "134");
    BOOST_TEST(owner.empty());
    BOOST_TEST(box->items.push(*make_work([] { throw std::runtime_error("5"); })));
    BOOST_TEST(box->items.push(*make_work([t = token(book)] {})));
    BOOST_CHECK_THROW(owner.run(), std::runtime_error);
    owner.close();  // with one that has been taken and not run
    BOOST_TEST(book.live() == 0);
    box->drop();
}

BOOST_AUTO_TEST_CASE(a_function_that_pushes_another_leaves_it_for_the_next_run) {
    inbox_owner owner;
    shared_inbox* box = owner.acquire_inbox();
    int runs = 0;
    struct again {
        static void push(shared_inbox& b, int& n) {
            BOOST_TEST(b.items.push(*make_work([&b, &n] {
                ++n;
                push(b, n);
            })));
        }
    };
    again::push(*box, runs);
    owner.run();
    BOOST_TEST(runs == 1);
    owner.run();
    BOOST_TEST(runs == 2);
    BOOST_TEST(!owner.empty());
    owner.close();
    BOOST_TEST(runs == 2);
    box->drop();
}

BOOST_AUTO_TEST_CASE(a_function_whose_destruction_comes_back_to_the_owner_does_no_harm) {
    inbox_owner owner;
    shared_inbox* box = owner.acquire_inbox();
    bool refused = false;
    auto come_back = [&] {
        owner.close();
        work_item* late = make_work([] {});
        refused = !box->items.push(*late);
        if (refused) late->act(late, false);
    };
    using guard = at_exit<decltype(come_back)>;
    BOOST_TEST(box->items.push(*make_work([g = std::make_unique<guard>(come_back)] {})));
    owner.close();
    BOOST_TEST(refused);
    box->drop();
}

BOOST_AUTO_TEST_CASE(threads_push_while_one_takes_and_closes_and_each_item_is_gone_once) {
    int const each = scaled(50'000);
    std::atomic<int> runs{0};
    std::atomic<int> refused{0};
    std::atomic<int> out_of_order{0};
    ledger book;
    {
        inbox box;
        std::array<int, 3> last{-1, -1, -1};
        std::vector<std::jthread> pushers;
        for (std::size_t who = 0; who < 3; ++who) {
            pushers.emplace_back([&, who] {
                for (int i = 0; i < each; ++i) {
                    work_item* item = make_work([&, who, i, t = token(book)] {
                        ++runs;
                        if (last[who] >= i) ++out_of_order;  // run by the taker only
                        last[who] = i;
                    });
                    if (!box.push(*item)) {
                        ++refused;
                        item->act(item, false);
                    }
                }
            });
        }
        while (runs < each) run_all(box.take());
        run_all(box.close());
        pushers.clear();
    }
    BOOST_TEST(runs + refused == 3 * each);
    BOOST_TEST(out_of_order == 0);
    BOOST_TEST(book.made == 3 * each);
    BOOST_TEST(book.live() == 0);
}

// As in a task: what it throws is nobody's result.
BOOST_AUTO_TEST_CASE(a_late_function_that_throws_in_block_on_is_reported) {
    static int reports = 0;
    reports = 0;
    auto const before = rouse::set_unhandled_handler([](std::exception_ptr, auto) { ++reports; });
    shared_inbox* box = nullptr;
    int ran = 0;
    int polls = 0;
    auto const value = rouse::block_on(rouse::poll_fn([&](rouse::context& cx) -> rouse::poll_result<int> {
        // Nobody wakes for the third: it is due for the function behind the one that threw.
        if (++polls == 3) return 7;
        if (box) return rouse::pending;
        box = cx.root().inbox->acquire_inbox();
        BOOST_TEST(box->items.push(*make_work([] { throw std::runtime_error("late"); })));
        BOOST_TEST(box->items.push(*make_work([&] { ++ran; })));
        cx.waker().wake_by_ref();
        return rouse::pending;
    }));
    rouse::set_unhandled_handler(before);
    box->drop();
    BOOST_TEST(value == 7);
    BOOST_TEST(reports == 1);
    BOOST_TEST(ran == 1);
}

BOOST_AUTO_TEST_SUITE_END()
