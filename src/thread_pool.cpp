// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
// floor: 4
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/version.hpp>
#if BOOST_ASIO_VERSION >= 103300
#include <boost/asio/config.hpp>
#else
#include <boost/asio/detail/concurrency_hint.hpp>
#include <boost/asio/detail/scheduler.hpp>
#endif
#include <algorithm>
#include <chrono>
#include <optional>
#include <rouse/detail/blocking_waker.hpp>
#include <rouse/detail/fatal.hpp>
#include <rouse/detail/io_driver.hpp>
#include <rouse/detail/pool_core.hpp>
#include <rouse/detail/spawner.hpp>
#include <rouse/detail/thread.hpp>
#include <rouse/make_task.hpp>
#include <rouse/scheduler.hpp>
#include <rouse/thread_pool.hpp>
#include <rouse/unhandled.hpp>
#include <rouse/use_clock.hpp>
#include <stdexcept>
#include <typeinfo>

namespace rouse {

namespace asio = boost::asio;

namespace {

// What a pool's executors lead to. Operations that are still pending in an application's io_context
// when their pool ends have such executors; for their sake it is kept, see pool_guard.
struct pool_remains {
    explicit pool_remains(asio::io_context& context) : io(context) {}

    // Work on the application's event loop exactly while there are tasks. When these return, the first
    // task has its work, and the last one's is gone unless another has begun. Each side writes first
    // and looks second (seq_cst): who ends the last task sees the one that begins, or that one finds
    // that nobody holds work.
    void task_begins() {
        tasks.fetch_add(1, detail::seq_cst);
        if (holding.load(detail::seq_cst)) return;
        detail::lock_guard guard(work_lock);
        if (!work) work.emplace(io.get_executor());
        holding.store(true, detail::seq_cst);
    }
    void task_has_ended() {
        if (tasks.fetch_sub(1, detail::seq_cst) != 1) return;
        detail::lock_guard guard(work_lock);
        holding.store(false, detail::seq_cst);
        if (tasks.load(detail::seq_cst) == 0) {
            work.reset();
        } else if (work) {
            holding.store(true, detail::seq_cst);
        }
    }

    asio::io_context& io;
    detail::atomic<std::uint64_t> tasks{0};
    detail::atomic<bool> holding{false};
    detail::mutex work_lock{};
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work{};
    std::optional<detail::pool_core> core{};
    detail::pool_parts parts{};
    std::unique_ptr<pool_remains> next{};
};

// Notices in an application's io_context that it dies before a pool that uses it, and keeps what is
// left of pools while operations of theirs are pending there.
class pool_guard final : public asio::execution_context::service {
public:
    static asio::execution_context::id id;

    explicit pool_guard(asio::execution_context& context)
        : asio::execution_context::service(context) {}

    void shutdown() override {
        if (pools.load(detail::acquire) != 0)  // pairs with the changes of the pools
            detail::fatal(
                "an io_context was destroyed before the thread_pool that uses it: destroy the pool "
                "first");
    }

    // Takes what is left of a pool, and destroys what no pending operation leads to any more.
    void keep(std::unique_ptr<pool_remains> remains) noexcept {
        std::unique_ptr<pool_remains> unreachable;  // destroyed outside of the lock
        detail::lock_guard guard(lock_);
        remains->next = std::move(kept_);
        kept_ = std::move(remains);
        for (auto* place = &kept_; *place;) {
            if ((*place)->core->is_reachable()) {
                place = &(*place)->next;
                continue;
            }
            auto gone = std::move(*place);
            *place = std::move(gone->next);
            gone->next = std::move(unreachable);
            unreachable = std::move(gone);
        }
    }

    detail::atomic<unsigned> pools{0};

private:
    detail::mutex lock_{};
    std::unique_ptr<pool_remains> kept_{};
};

asio::execution_context::id pool_guard::id;

void refuse_on_worker(detail::pool_core const& core, char const* sentence) noexcept {
    core.refuse_in_child();
    if (core.running_here()) detail::fatal(sentence);
}

// Asio keeps memory for the next operation in threads that run an io_context. Workers do so now and
// then only, and would go to malloc for the inner steps of composed operations; so the whole life of
// a worker is a function in a small io_context, which nobody else knows.
void run_as_asio_thread(std::function<void()> const& body) {
    std::optional<asio::io_context> io;
    try {
        io.emplace(1);
        asio::post(*io, [&body] { body(); });
    } catch (...) {  // no memory: then without
        body();
        return;
    }
    io->run();
}

// An io_context without locks cannot be used by workers.
void refuse_without_locks(asio::io_context& io) {
#if BOOST_ASIO_VERSION >= 103300
    asio::config config(io);
    bool const locks = config.get("scheduler", "locking", true) &&
                       config.get("reactor", "registration_locking", true) &&
                       config.get("reactor", "io_locking", true);
#else
    int const hint = asio::use_service<asio::detail::scheduler>(io).concurrency_hint();
    bool const locks = BOOST_ASIO_CONCURRENCY_HINT_IS_LOCKING(SCHEDULER, hint) &&
                       BOOST_ASIO_CONCURRENCY_HINT_IS_LOCKING(REACTOR_REGISTRATION, hint) &&
                       BOOST_ASIO_CONCURRENCY_HINT_IS_LOCKING(REACTOR_IO, hint);
#endif
    if (!locks)
        throw std::invalid_argument(
            "rouse: a thread_pool cannot use an io_context that was made without locks (an unsafe "
            "concurrency hint)");
}

// With this hint Asio takes it that one thread alone runs the io_context, and wakes none when another
// one, which has helped, leaves.
bool has_one_runner(asio::io_context& io) {
#if BOOST_ASIO_VERSION >= 103300
    return asio::config(io).get("scheduler", "concurrency_hint", 0) == 1;
#else
    return asio::use_service<asio::detail::scheduler>(io).concurrency_hint() == 1;
#endif
}

detail::pool_options checked(detail::pool_options options) {
    if (options.workers == 0)
        throw std::invalid_argument("rouse: a thread_pool has at least one worker");
    if (options.event_interval == 0)
        throw std::invalid_argument("rouse: the event interval of a thread_pool is at least 1");
    constexpr unsigned most = 32767;
    if (options.workers > most)
        throw std::invalid_argument("rouse: a thread_pool has at most 32767 workers");
    return options;
}

}  // namespace

struct thread_pool::implementation final : services, detail::spawner {
    // Own io_context.
    explicit implementation(detail::pool_options options)
        : own_io(std::in_place), io(*own_io), loop(std::in_place, io) {
        make_core(std::move(options), &*loop);
        core->start();
    }

    // The application's.
    implementation(asio::io_context& of_application, detail::pool_options options)
        : io(of_application) {
        refuse_without_locks(io);
        remains = std::make_unique<pool_remains>(io);
        options.task_begins = [r = remains.get()] { r->task_begins(); };
        options.task_has_ended = [r = remains.get()] { r->task_has_ended(); };
        make_core(std::move(options), nullptr);
        in_io = &asio::use_service<pool_guard>(io);
        core->start();
        in_io->pools.fetch_add(1, detail::acq_rel);
    }

    void* find(std::type_info const& type) noexcept override {
        if (type == typeid(detail::time_driver)) return clock ? clock->find(type) : &core->time();
        if (type == typeid(asio::execution_context))
            return static_cast<asio::execution_context*>(&io);
        if (type == typeid(detail::spawner)) return static_cast<detail::spawner*>(this);
        return nullptr;
    }

    void spawn(any_future<>&& f, std::source_location where) override {
        core->schedule(make_detached_task(*core, std::move(f), where), schedule_reason::spawned);
    }
    void report(std::exception_ptr error, std::source_location where) noexcept override {
        if (!core->stopping() || !is_cancellation(error))
            core->unhandled_exception(std::move(error), where);
    }
    bool try_retain() noexcept override {
        core->visitor_comes();
        return true;
    }
    void release() noexcept override { core->visitor_leaves(); }

    void make_core(detail::pool_options options, detail::driver* driver) {
        options.run_thread = &run_as_asio_thread;
        clock = options.clock;
        if (clock) hears_of_operations_ = clock->hears_of_operations();
        if (!remains) remains = std::make_unique<pool_remains>(io);
        core = &remains->core.emplace(checked(std::move(options)), driver, this);
        remains->parts = {core, &io};
    }

    // Waits until the workers are to end; runs the application's event loop meanwhile. False: the
    // deadline has come.
    bool wait_finished(detail::time_point deadline) {
        using namespace std::chrono_literals;
        // An event loop that runs out of work counts as stopped; it must not while we wait.
        std::optional<asio::executor_work_guard<asio::io_context::executor_type>> keep;
        if (in_io) keep.emplace(io.get_executor());
        // The application's own thread may sleep behind us, and would go on to do so.
        struct wakes_the_runner {
            asio::io_context* io;
            ~wakes_the_runner() {
                if (!io) return;
                try {
                    io->get_executor().execute([] {});
                } catch (...) {  // no memory: whatever comes next wakes it
                }
            }
        } const at_the_end{in_io && has_one_runner(io) ? &io : nullptr};
        while (!core->finished()) {
            auto const now = std::chrono::steady_clock::now();
            if (now >= deadline) return false;
            auto const slice = std::min(deadline, now + 1ms);
            if (in_io && io.stopped()) {
                if (core->stopping()) {
                    // Nobody runs the loop: what waits for it cannot let go, and is dropped.
                    core->drop_tasks();
                } else {
                    io.restart();  // what is waited for may need it
                }
            }
            if (in_io && !io.stopped()) {
                try {
                    io.run_one_until(slice);
                } catch (...) {  // as in the event loop of a pool's own
                    report_unhandled(std::current_exception(), std::source_location{});
                }
            } else {
                core->wait_finished(in_io ? slice : deadline);
            }
        }
        return true;
    }

    void join() {
        wait_finished(detail::time_point::max());
        core->join_threads();
    }

    std::vector<task_info> shutdown(std::chrono::steady_clock::duration limit) {
        core->stop();
        auto const now = std::chrono::steady_clock::now();
        bool const for_ever = limit > detail::time_point::max() - now;
        if (wait_finished(for_ever ? detail::time_point::max() : now + limit)) {
            core->join_threads();
            return {};
        }
        late = true;
        return core->tasks();
    }

    ~implementation() {
        core->stop();
        while (late && !core->finished()) {
            core->drop_tasks();
            core->wait_finished(std::chrono::steady_clock::now() + std::chrono::milliseconds(1));
        }
        join();
        cut_link();
        core->await_visitors();
        if (loop) loop->let_go();
        own_io.reset();  // a function of the loop's may still be queued in it
        loop.reset();
        if (in_io) {
            in_io->keep(std::move(remains));
            in_io->pools.fetch_sub(1, detail::acq_rel);
        }
    }

    std::unique_ptr<pool_remains> remains;  // the last to go
    std::optional<asio::io_context> own_io;
    asio::io_context& io;
    std::optional<detail::io_driver> loop;
    detail::pool_core* core = nullptr;
    pool_guard* in_io = nullptr;
    paused_clock* clock = nullptr;
    bool late = false;  // shutdown() has reached its limit
};

thread_pool::thread_pool() : thread_pool(builder()) {}
thread_pool::thread_pool(unsigned workers) : thread_pool(builder().workers(workers)) {}
thread_pool::thread_pool(asio::io_context& io) : thread_pool(io, builder()) {}
thread_pool::thread_pool(asio::io_context& io, unsigned workers)
    : thread_pool(io, builder().workers(workers)) {}
thread_pool::thread_pool(builder const& how)
    : implementation_(std::make_unique<implementation>(how.options_)) {
    tell_others_of_the_clock();
}
thread_pool::thread_pool(asio::io_context& io, builder const& how)
    : implementation_(std::make_unique<implementation>(io, how.options_)) {
    tell_others_of_the_clock();
}

// Those that run tasks on an executor above the pool's, such as a strand.
void thread_pool::tell_others_of_the_clock() {
    if (implementation_->clock) use_clock(*this, *implementation_->clock);
}

thread_pool::~thread_pool() {
    refuse_on_worker(*implementation_->core,
                     "a thread_pool was destroyed by one of its own workers: it cannot wait for "
                     "itself");
}

thread_pool::executor_type thread_pool::get_executor() noexcept {
    return executor_type(implementation_->remains->parts, detail::slab_allocator<void>());
}

asio::io_context& thread_pool::context() noexcept { return implementation_->io; }

void thread_pool::join() {
    refuse_on_worker(*implementation_->core,
                     "thread_pool::join was called by one of the pool's own workers: it cannot wait "
                     "for itself");
    implementation_->core->end_when_idle();
    implementation_->join();
}

std::vector<task_info> thread_pool::shutdown_within(std::chrono::steady_clock::duration limit) {
    refuse_on_worker(*implementation_->core,
                     "thread_pool::shutdown was called by one of the pool's own workers: it cannot "
                     "wait for itself");
    return implementation_->shutdown(limit);
}

void thread_pool::attach() {
    implementation_->core->refuse_in_child();
    detail::refuse_to_block("thread_pool::attach");
    implementation_->core->attach_thread();
}

void thread_pool::stop() noexcept { implementation_->core->stop(); }

std::size_t thread_pool::size() const noexcept { return implementation_->core->size(); }

pool_metrics thread_pool::metrics() const { return implementation_->core->metrics(); }

thread_pool::builder::builder() { options_.workers = detail::available_parallelism(); }

thread_pool::builder& thread_pool::builder::workers(unsigned count) {
    options_.workers = count;
    return *this;
}
thread_pool::builder& thread_pool::builder::thread_name(std::string name) {
    options_.thread_name = std::move(name);
    return *this;
}
thread_pool::builder& thread_pool::builder::stack_size(std::size_t bytes) {
    options_.stack_size = bytes;
    return *this;
}
thread_pool::builder& thread_pool::builder::after_start(std::function<void(unsigned)> hook) {
    options_.after_start = std::move(hook);
    return *this;
}
thread_pool::builder& thread_pool::builder::before_stop(std::function<void(unsigned)> hook) {
    options_.before_stop = std::move(hook);
    return *this;
}
thread_pool::builder& thread_pool::builder::on_unhandled_exception(
    std::function<void(std::exception_ptr, std::source_location)> handler) {
    options_.on_unhandled_exception = std::move(handler);
    return *this;
}
thread_pool::builder& thread_pool::builder::event_interval(unsigned polls) {
    options_.event_interval = polls;
    return *this;
}
thread_pool::builder& thread_pool::builder::clock(paused_clock& clock) {
    options_.clock = &clock;
    return *this;
}
thread_pool::builder& thread_pool::builder::lifo_cap(unsigned polls) {
    options_.lifo_cap = polls;
    return *this;
}
std::unique_ptr<thread_pool> thread_pool::builder::build() const {
    return std::make_unique<thread_pool>(*this);
}
std::unique_ptr<thread_pool> thread_pool::builder::build(asio::io_context& io) const {
    return std::make_unique<thread_pool>(io, *this);
}

}  // namespace rouse
