// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// The rows of the combinators: see cancel_table.hpp.

#include <support/cancel_table.hpp>

#include <rouse/background.hpp>
#include <rouse/catch_all.hpp>
#include <rouse/finally.hpp>
#include <rouse/futures_unordered.hpp>
#include <rouse/join.hpp>
#include <rouse/join_all.hpp>
#include <rouse/select.hpp>
#include <rouse/select_all.hpp>
#include <rouse/shared.hpp>
#include <rouse/shielded.hpp>
#include <rouse/then.hpp>
#include <rouse/with_cancellation.hpp>

BOOST_AUTO_TEST_SUITE(test_cancel_combinators)

using namespace rouse_test;

namespace {

std::vector<part<prize>> two(bench& b) {
    std::vector<part<prize>> all;
    all.push_back(b.value());
    all.push_back(b.value());
    return all;
}
std::vector<part<prize>> failing_and_good(bench& b) {
    std::vector<part<prize>> all;
    all.push_back(b.failing());
    all.push_back(b.value());
    return all;
}

// A named part, that outlives the future of the row.
part<prize>& named(bench& b, std::size_t number = 0) {
    return b.keep(std::make_shared<part<prize>>(b.value(number)));
}

// Of several values and exceptions a join gives all values, or one exception.
constexpr unsigned of_a_join = loses::when_aborted | loses::when_failing;

int told(bench const& b, std::size_t n) { return b.parts.at(n).told; }

}  // namespace

BOOST_AUTO_TEST_CASE(b35_b36_joins) {
    row("join", {.polls = 3, .lost = of_a_join},
        [](bench& b) { return rouse::join(b.value(0), b.value(1)); });
    row("join", {.polls = 3, .lost = of_a_join},
        [](bench& b) { return rouse::join(b.failing(0), b.value(1)); });
    row("join", {.polls = 3, .lost = of_a_join},
        [](bench& b) { return rouse::join(named(b), b.value(1)); });
    row("join", {.polls = 1}, [](bench&) { return rouse::join(); });
    row("try_join", {.polls = 3, .lost = of_a_join},
        [](bench& b) { return rouse::try_join(b.value(0), b.value(1)); });
    row("try_join", {.polls = 2, .lost = of_a_join},
        [](bench& b) { return rouse::try_join(b.failing(0), b.value(1), b.value(2)); });
    row("join_all", {.polls = 3, .lost = of_a_join},
        [](bench& b) { return rouse::join_all(two(b)); });
    row("join_all", {.polls = 3, .lost = of_a_join}, [](bench& b) {
        return rouse::join_all(b.keep(std::make_shared<std::vector<part<prize>>>(two(b))));
    });
    row("try_join_all", {.polls = 3, .lost = of_a_join},
        [](bench& b) { return rouse::try_join_all(two(b)); });
    row("try_join_all", {.polls = 2, .lost = of_a_join},
        [](bench& b) { return rouse::try_join_all(failing_and_good(b)); });
}

BOOST_AUTO_TEST_CASE(b35_b36_selects) {
    row("select", {.polls = 2, .lost = loses::when_failing},
        [](bench& b) { return rouse::select(b.value(0), b.value(1)); });
    row("select", {.polls = 2, .lost = loses::when_failing},
        [](bench& b) { return rouse::select(b.failing(0), b.value(1)); });
    row("select", {.polls = 2, .lost = loses::when_failing, .leaves = true},
        [](bench& b) { return rouse::select(b.value(0), named(b, 1)); });
    row("select_biased", {.polls = 2, .lost = loses::when_failing},
        [](bench& b) { return rouse::select_biased(b.value(0), b.value(1)); });
    row("race", {.polls = 3, .lost = loses::when_failing | loses::when_aborted},
        [](bench& b) { return rouse::race(b.failing(0), b.value(1), b.value(2)); });
    row("race", {.polls = 3, .lost = loses::when_failing | loses::when_aborted},
        [](bench& b) { return rouse::race(b.failing(0), b.failing(1)); });
    row("select_all", {.polls = 2, .lost = loses::when_failing},
        [](bench& b) { return rouse::select_all(two(b)); });
    row("select_all", {.polls = 2, .lost = loses::when_failing},
        [](bench& b) { return rouse::select_all(failing_and_good(b)); });
    row("race_all", {.polls = 3, .lost = loses::when_failing | loses::when_aborted},
        [](bench& b) { return rouse::race_all(failing_and_good(b)); });
}

BOOST_AUTO_TEST_CASE(b35_b36_sets) {
    using set = rouse::futures_unordered<part<prize>>;
    row("futures_unordered::next", {.polls = 2}, [](bench& b) {
        set& all = b.keep(std::make_shared<set>());
        all.push(b.value());
        return all.next();
    });
    // Those that have not come out stay in the set; an abort empties it, and gives one of the values.
    row("futures_unordered::next", {.polls = 2, .lost = loses::when_aborted, .leaves = true},
        [](bench& b) {
            set& all = b.keep(std::make_shared<set>());
            all.push(b.failing());
            all.push(b.value());
            return all.next();
        });
    row("futures_unordered::next", {.polls = 1},
        [](bench& b) { return b.keep(std::make_shared<set>()).next(); });
}

BOOST_AUTO_TEST_CASE(b35_b36_one_after_the_other) {
    // What the function was given is the function's.
    row("then", {.polls = 3, .lost = loses::when_aborted | loses::when_failing}, [](bench& b) {
        return rouse::then(b.value(), [&b, t = token(b.book)](prize p) {
            return rouse::map(b.value(), [p](prize q) { return std::pair(p, q); });
        });
    });
    row("map", {.polls = 2}, [](bench& b) {
        return rouse::map(b.value(), [t = token(b.book)](prize p) { return std::pair(p, 1); });
    });
    row("catch_all", {.polls = 3, .lost = loses::always}, [](bench& b) {
        return rouse::catch_all(b.failing(),
                                [&b, t = token(b.book)](std::exception_ptr) { return b.value(); });
    });
    row("catch_all", {.polls = 2}, [](bench& b) {
        return rouse::catch_all(
            rouse::map(b.failing(), [](prize p) { return std::pair(p, std::exception_ptr()); }),
            [&b](std::exception_ptr e) { return std::pair(prize(b.produce()), e); });
    });
    row("map_error", {.polls = 2}, [](bench& b) {
        return rouse::map_error(b.failing(),
                                [t = token(b.book)](std::exception_ptr e) { return e; });
    });
}

// The clean-up is told of nothing, and has run to its end if the future has begun.
BOOST_AUTO_TEST_CASE(b35_b36_clean_up) {
    auto const runs_to_its_end = [](bench& b) -> std::string {
        if (b.parts.size() < 2) return {};
        auto const& l = b.parts[1];
        if (l.told) return "the clean-up was told to let go";
        return l.polls && !l.over && !l.dropped_in_flight ? "the clean-up has not ended" : "";
    };
    row("finally", {.polls = 3, .afterwards = runs_to_its_end}, [](bench& b) {
        return rouse::finally(b.value(), [&b, t = token(b.book)] { return b.clean_up(); });
    });
    row("finally", {.polls = 3, .afterwards = runs_to_its_end}, [](bench& b) {
        return rouse::finally(b.failing(), [&b, t = token(b.book)] { return b.clean_up(); });
    });
}

BOOST_AUTO_TEST_CASE(b35_b36_shared) {
    // Cancelled, a copy leaves; destroyed, the last one drops the future.
    row("shared", {.polls = 2, .leaves = true}, [](bench& b) { return rouse::shared(b.value()); });
    row("shared_future", {.polls = 2, .leaves = true},
        [](bench& b) { return rouse::shared_future(b.value()); });
    row("shared",
        {.polls = 2,
         .leaves = true,
         .afterwards = [](bench& b) -> std::string {
             return told(b, 0) ? "it was told to let go, while another copy waits" : "";
         }},
        [](bench& b) {
            auto first = rouse::shared(b.value());
            b.keep(std::make_shared<decltype(first)>(first));
            return first;
        });
}

BOOST_AUTO_TEST_CASE(b35_b36_modes) {
    row("shielded", {.polls = 2, .cancelled = reaction::ignores},
        [](bench& b) { return rouse::shielded(b.value()); });
    // Beside another, which is cancelled and waits for it.
    row("shielded", {.polls = 2, .cancelled = reaction::waits, .lost = loses::when_failing},
        [](bench& b) { return rouse::select(rouse::shielded(b.value(0)), b.value(1)); });
    row("background", {.polls = 2}, [](bench& b) { return rouse::background(b.value()); });
    row("with_cancellation", {.polls = 2},
        [](bench& b) { return rouse::with_cancellation(b.value(), rouse::cancellation_token()); });
    row("with_cancellation", {.polls = 2}, [](bench& b) {
        return rouse::with_cancellation(b.value(), rouse::cancellation_source().token());
    });
    row("cancellation_token::cancelled", {.polls = 3},
        [](bench& b) {
            rouse::cancellation_source const source;
            b.each_step = [source](int n) {
                if (n == 2) source.cancel();
            };
            return source.token().cancelled();
        });
}

// A request of the token ends what a request of the task ends.
BOOST_AUTO_TEST_CASE(b36_a_token_ends_it_after_any_number_of_polls) {
    for (int n = 0; n < 2; ++n) {
        bench b(release::at_once);
        rouse::cancellation_source const source;
        auto f = rouse::with_cancellation(rouse::join(b.value(0), b.value(1)), source.token());
        auto const poll = [&] {
            return b.with_context([&](rouse::context& cx) { return f.poll(cx).is_ready(); });
        };
        for (int i = 0; i < n; ++i) {
            BOOST_TEST(!poll());
            b.step();
        }
        b.woken();
        source.cancel();
        BOOST_TEST((n == 0 || b.woken()));
        BOOST_CHECK_THROW(poll(), boost::system::system_error);
        BOOST_TEST(b.dropped_in_flight() == 0);
    }
}

namespace {

// Wrong in one way each: the table has to find it.
class drops_its_part {  // it does not ask the part to let go
public:
    explicit drops_its_part(bench& b) : part_(b.value()) {}
    rouse::poll_result<prize> poll(rouse::context& cx) { return part_.poll(cx); }

private:
    part<prize> part_;
};
class loses_its_value {
public:
    explicit loses_its_value(bench& b) : part_(b.value()) {}
    rouse::poll_result<void> poll(rouse::context& cx) {
        return part_.poll(cx).is_ready() ? rouse::poll_result<void>(rouse::ready())
                                         : rouse::pending;
    }
    rouse::cancel_result<void> poll_cancel(rouse::context& cx) {
        auto released = part_.poll_cancel(cx);
        if (released.is_pending()) return rouse::pending;
        return released.value().has_value();
    }

private:
    part<prize> part_;
};
class wakes_nobody {
public:
    explicit wakes_nobody(bench& b) : part_(b.value()) {}
    rouse::poll_result<prize> poll(rouse::context& cx) { return part_.poll(cx); }
    rouse::cancel_result<prize> poll_cancel(rouse::context& cx) {
        rouse::context deaf(cx, nobody_);
        return part_.poll_cancel(deaf);
    }

private:
    rouse::waker nobody_{};
    part<prize> part_;
};

template <class F>
bool table_says(char const* text, int polls) {
    for (auto const& line : try_row(
             {.polls = polls}, [](bench& b) { return rouse::any_future<kept>(keeping(F(b))); })) {
        if (line.find(text) != std::string::npos) return true;
    }
    return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_table_finds_what_is_wrong) {
    BOOST_TEST(table_says<drops_its_part>("dropped in flight", 2));
    BOOST_TEST(table_says<loses_its_value>("results were lost", 2));
    BOOST_TEST(table_says<wakes_nobody>("nobody wakes it", 2));
    BOOST_TEST(table_says<loses_its_value>("it takes 2 polls", 3));
}

BOOST_AUTO_TEST_SUITE_END()
