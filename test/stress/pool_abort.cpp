// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Aborts and drops of Asio operations at random moments, from threads that do not run the tasks, on
// the thread pool, in both modes; asio_abort.cpp has the same on Asio's own executors. Each task
// ends exactly once, nothing leaks, and the sanitizers stay silent.

#include <support/abort_scenes.hpp>

#include <memory>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_pool_abort)

namespace {

using namespace rouse_test;

template <unsigned Workers>
std::unique_ptr<world> own() {
    return std::make_unique<rouse_pool_world>(Workers);
}
template <unsigned Workers>
std::unique_ptr<world> applications() {
    return std::make_unique<rouse_external_world>(Workers);
}

std::vector<world_kind> const places = {
    {"own io_context, 1 worker", &own<1>},
    {"own io_context, 2 workers", &own<2>},
    {"own io_context, 8 workers", &own<8>},
    {"application's io_context, 1 worker", &applications<1>},
    {"application's io_context, 2 workers", &applications<2>},
    {"application's io_context, 8 workers", &applications<8>},
};

}  // namespace

BOOST_AUTO_TEST_CASE(aborts_of_plain_reads) { aborts_of(plain_reads_scene, places); }
BOOST_AUTO_TEST_CASE(aborts_of_composed_reads) { aborts_of(composed_reads_scene, places); }
BOOST_AUTO_TEST_CASE(aborts_of_idle_reads) { aborts_of(idle_reads_scene, places); }
BOOST_AUTO_TEST_CASE(aborts_of_large_writes) { aborts_of(large_writes_scene, places); }
BOOST_AUTO_TEST_CASE(aborts_of_timers) { aborts_of(timers_scene, places); }
BOOST_AUTO_TEST_CASE(aborts_of_a_composed_operation_that_never_asks) {
    aborts_of(deaf_scene, places);
}
BOOST_AUTO_TEST_CASE(aborts_of_tls) { aborts_of(tls_scene, places); }

BOOST_AUTO_TEST_CASE(b71_cancellations_from_foreign_threads) { cancellations(places, 20'000); }

BOOST_AUTO_TEST_CASE(b69_drops_of_reads_with_buffers_freed_at_once) {
    drops_of_reads(places, 40'000);
}

BOOST_AUTO_TEST_CASE(a_reader_and_a_writer_share_a_socket) { reader_and_writer(places, 200); }

namespace {
world_kind const reactor{"an io_context run by 1 thread",
                         [] { return std::unique_ptr<world>(new io_threads_world(1)); }};
}

BOOST_AUTO_TEST_CASE(tasks_of_the_pool_use_objects_of_an_io_context) {
    on_each_of(places, [](world_kind const& pool) {
        aborts_across(pool, reactor, share_of(5'000, places.size()));
    });
}
BOOST_AUTO_TEST_CASE(tasks_of_an_io_context_use_objects_of_the_pool) {
    on_each_of(places, [](world_kind const& pool) {
        aborts_across(reactor, pool, share_of(5'000, places.size()));
    });
}

BOOST_AUTO_TEST_SUITE_END()
