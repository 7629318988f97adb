// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_TEST_SUPPORT_CANCEL_TABLE_HPP
#define ROUSE_TEST_SUPPORT_CANCEL_TABLE_HPP

#include <support/cancel_trial.hpp>

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

// The table of everything that is, or returns, a future: test/unit/cancel_*.cpp say
//
//     row("join", {.polls = 3}, [](bench& b) { return rouse::join(b.value(), b.value()); });
//
// and each row is dropped, aborted and cancelled after every number of polls that does not complete it,
// while what it waits for lets go at once, slowly, completes after all, or fails. Each of these is done to
// the future polled by hand, with and without a budget, awaited in a coroutine, and spawned.
// tools/check_cancel_table sees that each public function has a row, or stands here:

namespace rouse_test {

// What gives no future.
inline constexpr char const* no_future[] = {
    "as_result",
    "block_on",
    "cancel_from",
    "error_category",
    "is_cancellation",
    "make_detached_task",
    "make_error_code",
    "ready",
    "report_unhandled",
    "run_with_clock",
    "spawn_ok",
    "this_task::cancellation",
    "this_task::deadline",
    "this_task::id",
    "this_task::now",
    "this_task::spawn_ok",
    "this_task::throw_if_cancelled",
    "set_unhandled_handler",
    "use_clock",
    "use_poll_t::as_default_on",
};

// All that is wrong with a row.
inline std::vector<std::string> try_row(expectation const& what, maker const& make) {
    std::vector<std::string> all;
    auto const one = [&](host where, way how, release r, int polls) {
        trial t(what, where, how, r, polls);
        bool const ready = t.run(make);
        all.insert(all.end(), t.complaints.begin(), t.complaints.end());
        return ready;
    };
    for (host const where :
         {host::by_hand, host::with_budget_of_one, host::awaited, host::spawned}) {
        if (what.needs_task && where != host::spawned) continue;
        for (way const how : {way::drop, way::abort, way::cancel, way::drop_in_abort,
                              way::abort_in_cancel, way::executor_ends}) {
            if (how == way::executor_ends && where != host::spawned) continue;
            bool const asks = how != way::drop && how != way::executor_ends;
            for (release const r :
                 {release::at_once, release::slowly, release::completed, release::failed}) {
                if (!asks && r != release::at_once) continue;
                int const limit = 4 * for_ever;
                int polls = 0;
                while (polls < limit && !one(where, how, r, polls)) {
                    if (++polls == for_ever && what.polls == for_ever) break;
                }
                if (polls == limit) all.push_back("it does not complete");
                if (where == host::by_hand && r == release::at_once && polls != what.polls)
                    all.push_back("it takes " + std::to_string(polls) + " polls");
            }
        }
    }
    return all;
}

template <class Make>
void row(char const* name, expectation const& what, Make make) {
    BOOST_TEST_CONTEXT(name) {
        auto const wrong =
            try_row(what, [&](bench& b) { return rouse::any_future<kept>(keeping(make(b))); });
        for (auto const& text : wrong) BOOST_ERROR(name << ": " << text);
        BOOST_TEST(wrong.empty());
    }
}

}  // namespace rouse_test

#endif
