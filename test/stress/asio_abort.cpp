// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// Aborts and drops of Asio operations at random moments, from threads that do not run the tasks, on
// Asio's own executors; pool_abort.cpp has the same on the thread pool. Each task ends exactly
// once, nothing leaks, and the sanitizers stay silent.

#include <support/abort_scenes.hpp>

#include <memory>
#include <vector>

BOOST_AUTO_TEST_SUITE(test_asio_abort)

namespace {

using namespace rouse_test;

std::vector<world_kind> const places = {
    {"an io_context run by 2 threads",
     [] { return std::unique_ptr<world>(new io_threads_world(2)); }},
    {"an io_context run by 4 threads",
     [] { return std::unique_ptr<world>(new io_threads_world(4)); }},
    {"asio::thread_pool", [] { return std::unique_ptr<world>(new asio_pool_world(4)); }},
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

BOOST_AUTO_TEST_CASE(tasks_of_one_place_use_objects_of_another) {
    world_kind const reactor{"", [] { return std::unique_ptr<world>(new io_threads_world(1)); }};
    aborts_across(places.back(), reactor, scaled(10'000U));
}

BOOST_AUTO_TEST_SUITE_END()
