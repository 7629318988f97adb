// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Every combination of an executor, a future, its output, who waits for it, and when it is aborted.
// Whatever the combination: the future dies exactly once, so does its output, whoever waits gets
// exactly one outcome and is woken, no exception is lost or told twice, and the memory is given
// back.

#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <rouse/make_task.hpp>
#include <sstream>
#include <string>
#include <support/unit_kit.hpp>
#include <variant>

BOOST_AUTO_TEST_SUITE(test_task_life_cycle)

using rouse::context;
using rouse::pending;
using rouse::poll_result;
using namespace rouse_test;

namespace {

// `drop_first`, `drop_second`: destroys the first, the second runnable that it is given.
enum class executor_kind { fifo, drop_first, drop_second };
enum class shape {
    ready_at_once,
    pending_then_ready,
    throws_first,
    throws_nth,
    lends_and_stops,
    lends_and_completes,
    lends_and_throws,
    destructor_throws,
};
enum class joiner {
    detached,
    polls_first,
    polls_twice,
    polls_late,
    dropped_before,
    dropped_during,
    dropped_after,
    detached_before,
    detached_during,
    detached_after,
};
enum class abort_at { never, before_first_poll, during_poll, between_polls, during_drain, after };

template <class Enum>
std::initializer_list<Enum> all();
template <>
std::initializer_list<executor_kind> all() {
    using enum executor_kind;
    static constexpr auto list = {fifo, drop_first, drop_second};
    return list;
}
template <>
std::initializer_list<shape> all() {
    using enum shape;
    static constexpr auto list = {ready_at_once,    pending_then_ready, throws_first,
                                  throws_nth,       lends_and_stops,    lends_and_completes,
                                  lends_and_throws, destructor_throws};
    return list;
}
template <>
std::initializer_list<joiner> all() {
    using enum joiner;
    static constexpr auto list = {detached,        polls_first,    polls_twice,   polls_late,
                                  dropped_before,  dropped_during, dropped_after, detached_before,
                                  detached_during, detached_after};
    return list;
}
template <>
std::initializer_list<abort_at> all() {
    using enum abort_at;
    static constexpr auto list = {never,         before_first_poll, during_poll,
                                  between_polls, during_drain,      after};
    return list;
}

struct scenario {
    executor_kind executor;
    shape future;
    joiner who;
    abort_at when;
    bool held;      // the test holds one more reference, to look at the cell at the end
    int moves = 0;  // fragile: which move of the output throws
};

struct planned_error {};

// What the future does to, and finds in, the world outside.
struct world {
    scenario plan;
    bool ready = false;
    int polls = 0;
    int cancels = 0;
    int polls_at_abort = -1;
    int errors = 0;  // planned_errors thrown
    rouse::waker waiting{};
    ledger futures{};
    ledger outputs{};
    int moves_left = 0;
    std::function<void()> during_first_poll{};

    void fail() {
        ++errors;
        throw planned_error();
    }
};

// --- outputs --------------------------------------------------------------------------------

struct fragile {
    explicit fragile(world& w) : held(w.outputs), home(&w) {}
    fragile(fragile&& other) : held(move(other)), home(other.home) {}
    static token move(fragile& other) {
        if (--other.home->moves_left == 0) other.home->fail();
        return std::move(other.held);
    }
    token held;
    world* home;
};

template <class Output>
Output make_output(world& w) {
    if constexpr (std::is_same_v<Output, int>) {
        return 42;
    } else if constexpr (std::is_same_v<Output, token>) {
        return token(w.outputs);
    } else {
        return fragile(w);
    }
}

// --- the future -----------------------------------------------------------------------------

template <class Output>
class plain {
public:
    explicit plain(world& w) : world_(&w), token_(w.futures) {}
    plain(plain&&) noexcept = default;
    ~plain() noexcept(false) {
        if (token_ && world_->plan.future == shape::destructor_throws) world_->fail();
    }

    poll_result<Output> poll(context& cx) {
        world& w = *world_;
        if (++w.polls == 1 && w.during_first_poll) w.during_first_poll();
        switch (w.plan.future) {
            case shape::ready_at_once:
            case shape::destructor_throws: return finish();
            case shape::throws_first: w.fail(); break;
            case shape::throws_nth:
                if (w.ready) w.fail();
                break;
            default:
                if (w.ready) return finish();
                break;
        }
        w.waiting = cx.waker();
        return pending;
    }

protected:
    poll_result<Output> finish() {
        if constexpr (std::is_void_v<Output>) {
            return rouse::ready();
        } else {
            return make_output<Output>(*world_);
        }
    }

    world* world_;
    token token_;
};

template <class Output>
class lends : public plain<Output> {
public:
    using plain<Output>::plain;

    rouse::cancel_result<Output> poll_cancel(context& cx) {
        world& w = *this->world_;
        ++w.cancels;
        if (w.polls == 0) return nothing();
        if (w.cancels < 3) {
            w.waiting = cx.waker();
            return pending;
        }
        if (w.plan.future == shape::lends_and_throws) w.fail();
        if (w.plan.future == shape::lends_and_stops) return nothing();
        if constexpr (std::is_void_v<Output>) {
            return true;
        } else {
            return std::optional<Output>(make_output<Output>(w));
        }
    }

private:
    static auto nothing() { return typename rouse::cancel_value<Output>::type{}; }
};

bool is_lending(shape s) {
    return s == shape::lends_and_stops || s == shape::lends_and_completes ||
           s == shape::lends_and_throws;
}

// --- the executor ---------------------------------------------------------------------------

class dropping_executor final : public rouse::scheduler {
public:
    explicit dropping_executor(executor_kind k) : kind_(k) {}

    void schedule(rouse::runnable task, rouse::schedule_reason) noexcept override {
        ++scheduled;
        if (kind_ == executor_kind::drop_first && scheduled == 1) return;
        if (kind_ == executor_kind::drop_second && scheduled == 2) return;
        queue_.push_back(std::move(task));
    }
    void task_done(rouse::detail::task_header&) noexcept override { ++done; }
    void unhandled_exception(std::exception_ptr error, std::source_location) noexcept override {
        unhandled.push_back(std::move(error));
    }
    void run_all() {
        for (int i = 0; i < 100 && !queue_.empty(); ++i) {
            most_queued = std::max(most_queued, queue_.size());
            rouse::runnable next = std::move(queue_.front());
            queue_.pop_front();
            std::move(next).run();
        }
    }
    bool idle() const { return queue_.empty(); }

    int scheduled = 0;
    int done = 0;
    std::size_t most_queued = 0;
    std::vector<std::exception_ptr> unhandled{};

private:
    executor_kind kind_;
    std::deque<rouse::runnable> queue_{};
};

// --- one combination ------------------------------------------------------------------------

enum class outcome { none, value, error, aborted };

std::vector<std::string> complaints;

std::string describe(scenario const& s) {
    std::ostringstream text;
    text << "executor " << int(s.executor) << ", future " << int(s.future) << ", joiner "
         << int(s.who) << ", abort " << int(s.when) << ", held " << s.held << ", moves " << s.moves;
    return text.str();
}

std::vector<std::exception_ptr> told_to_process;

int planned(std::vector<std::exception_ptr> const& errors) {
    int n = 0;
    for (auto const& e : errors) {
        try {
            std::rethrow_exception(e);
        } catch (planned_error const&) {
            ++n;
        } catch (...) {
        }
    }
    return n;
}

// Where nothing throws on the way and somebody takes the result.
outcome expected(scenario const& s, world const& w, bool dropped_runnable) {
    if (dropped_runnable) return outcome::aborted;
    if (s.when == abort_at::before_first_poll) return outcome::aborted;
    bool const at_first_poll = s.future == shape::ready_at_once ||
                               s.future == shape::destructor_throws ||
                               s.future == shape::throws_first;
    if (s.future == shape::throws_first) return outcome::error;
    if (at_first_poll) return outcome::value;
    bool const aborted = s.when == abort_at::during_poll || s.when == abort_at::between_polls ||
                         s.when == abort_at::during_drain;
    if (!aborted) return s.future == shape::throws_nth ? outcome::error : outcome::value;
    if (w.cancels == 0 && is_lending(s.future)) return outcome::none;  // it should have drained
    if (s.future == shape::lends_and_completes) return outcome::value;
    if (s.future == shape::lends_and_throws) return outcome::error;
    return outcome::aborted;
}

template <class Future, class Output>
void live(scenario const& s) {
    auto const complain = [&s](char const* what) {
        complaints.push_back(std::string(what) + " (" + describe(s) + ")");
    };
    told_to_process.clear();
    wake_counter early;  // the joiner's wakers
    wake_counter second;
    world w{s};
    w.moves_left = s.moves;
    outcome got = outcome::none;
    int outcomes = 0;
    int errors_taken = 0;
    bool waits_early = false;
    bool waits_second = false;
    rouse::detail::task_header* held = nullptr;
    {
        dropping_executor ex(s.executor);
        std::optional<rouse::join_handle<Output>> handle;
        rouse::detail::task_header* header = nullptr;

        auto const aborted = [&] {
            if (w.polls_at_abort < 0) w.polls_at_abort = w.polls;
        };
        auto const abort = [&] {
            if (handle && *handle) {
                handle->abort();
                aborted();
            } else if (ex.done == 0) {
                header->request_abort();  // as an executor does with the tasks in its list
                aborted();
            }
        };
        auto const drop_handle = [&] {
            handle.reset();
            aborted();
        };
        auto const poll_handle = [&](wake_counter& counter) {
            if (!handle || !*handle) return false;
            try {
                rouse::waker const waker = counter.make();
                auto r = poll_once(*handle, waker);
                if (r.is_pending()) return true;
                ++outcomes;
                got = outcome::value;
            } catch (planned_error const&) {
                ++outcomes;
                ++errors_taken;
                got = outcome::error;
            } catch (boost::system::system_error const& e) {
                ++outcomes;
                got = e.code() == rouse::errc::aborted ? outcome::aborted : outcome::none;
            }
            return false;
        };

        rouse::runnable first = [&] {
            if (s.who == joiner::detached) return rouse::make_detached_task(ex, Future(w));
            auto halves = rouse::make_task(ex, Future(w));
            handle.emplace(std::move(halves.handle));
            return std::move(halves.runnable);
        }();
        header = first.release();
        if (s.held) {
            header->state.retain();
            held = header;
        }

        w.during_first_poll = [&] {
            if (s.when == abort_at::during_poll) abort();
            if (s.who == joiner::dropped_during) drop_handle();
            if (s.who == joiner::detached_during) handle->detach();
        };
        if (s.who == joiner::polls_first || s.who == joiner::polls_twice)
            waits_early = poll_handle(early);
        if (s.who == joiner::detached_before) handle->detach();

        // The first poll.
        ex.schedule(rouse::runnable(header), rouse::schedule_reason::spawned);
        if (s.who == joiner::dropped_before) drop_handle();
        if (s.when == abort_at::before_first_poll) abort();
        ex.run_all();

        // Between polls.
        if (s.who == joiner::polls_twice && ex.done == 0) {
            waits_second = poll_handle(second);
            waits_early = waits_early && !waits_second;
        }
        if (s.when == abort_at::between_polls || s.when == abort_at::during_drain) abort();
        ex.run_all();
        if (s.when == abort_at::during_drain) abort();

        // What the task waits for happens; spurious wakes come with it.
        w.ready = true;
        for (int i = 0; i < 10 && ex.done == 0; ++i) {
            rouse::waker const waking = w.waiting;
            waking.wake_by_ref();
            waking.wake_by_ref();
            ex.run_all();
        }

        if (ex.done != 1) complain("the task is not done exactly once");
        if (w.polls_at_abort >= 0 && w.polls != w.polls_at_abort)
            complain("polled after it was aborted");
        if (s.when == abort_at::after) abort();
        if (handle && *handle && !handle->is_finished()) complain("the handle is not finished");
        if (w.futures.live() != 0) complain("the future lives longer than its task");
        w.waiting.wake_by_ref();
        w.waiting = {};
        if (!ex.idle()) complain("a runnable of a task that is over");
        if (ex.most_queued > 1) complain("more than one runnable");

        if (s.who == joiner::dropped_after) handle.reset();
        if (s.who == joiner::detached_after) handle->detach();
        if (s.who == joiner::polls_first || s.who == joiner::polls_twice ||
            s.who == joiner::polls_late) {
            (void)poll_handle(early);
            if (outcomes != 1) complain("not exactly one outcome");
            bool const dropped = s.executor == executor_kind::drop_first ||
                                 (s.executor == executor_kind::drop_second && ex.scheduled >= 2);
            bool const exact = std::is_same_v<Output, int> || std::is_void_v<Output> ||
                               std::is_same_v<Output, token>;
            outcome const right = expected(s, w, dropped);
            bool const late_drop =
                dropped && s.executor == executor_kind::drop_second && got != right;
            if (exact && got != right && !late_drop) complain("another outcome than it should be");
            if (late_drop) complain("dropped, and yet not aborted");
        }
        handle.reset();

        int const told = errors_taken + planned(ex.unhandled) + planned(told_to_process);
        if (told != w.errors) complain("an exception is lost, or told twice");
        if (ex.unhandled.size() + told_to_process.size() !=
            static_cast<std::size_t>(w.errors - errors_taken))
            complain("something else was reported");
    }
    if (held) {
        if (!held->state.is_complete() || held->state.references() != 1)
            complain("somebody still has a reference to the cell");
        held->drop_reference();
    }
    if (!w.futures.exactly_one_died()) complain("the future did not die exactly once");
    if (w.outputs.made > 1) complain("more than one output");
    if (w.outputs.live() != 0) complain("the output did not die exactly once");
    if (early.wakes != (waits_early ? 1 : 0)) complain("the joiner was not woken exactly once");
    if (second.wakes != (waits_second ? 1 : 0)) complain("the later waker was not woken once");
    if (early.live != 0 || second.live != 0) complain("a waker of the joiner was kept");
}

template <class Output>
void live_all(std::initializer_list<int> moves = {0}) {
    complaints.clear();
    auto* const before =
        rouse::set_unhandled_handler([](std::exception_ptr e, std::source_location) {
            told_to_process.push_back(std::move(e));
        });
    int combinations = 0;
    for (executor_kind e : all<executor_kind>())
        for (shape f : all<shape>())
            for (joiner j : all<joiner>())
                for (abort_at a : all<abort_at>())
                    for (bool held : {false, true})
                        for (int m : moves) {
                            scenario const s{e, f, j, a, held, m};
                            if (is_lending(f)) {
                                live<lends<Output>, Output>(s);
                            } else {
                                live<plain<Output>, Output>(s);
                            }
                            ++combinations;
                        }
    rouse::set_unhandled_handler(before);
    BOOST_TEST(combinations == 3 * 8 * 10 * 6 * 2 * static_cast<int>(moves.size()));
    BOOST_TEST(complaints.size() == 0U);
    for (std::size_t i = 0; i < complaints.size() && i < 20; ++i) BOOST_TEST_MESSAGE(complaints[i]);
    if (!complaints.empty()) BOOST_ERROR("first: " << complaints.front());
}

}  // namespace

BOOST_AUTO_TEST_CASE(b26_every_life_of_a_task_of_an_int) { live_all<int>(); }

BOOST_AUTO_TEST_CASE(b26_every_life_of_a_task_of_void) { live_all<void>(); }

BOOST_AUTO_TEST_CASE(b26_every_life_of_a_task_of_a_move_only_value) { live_all<token>(); }

BOOST_AUTO_TEST_CASE(b26_every_life_of_a_task_whose_value_throws_at_its_nth_move) {
    live_all<fragile>({0, 1, 2, 3, 4, 5, 6, 7});
}

BOOST_AUTO_TEST_SUITE_END()
