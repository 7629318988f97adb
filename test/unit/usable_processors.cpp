// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// How many processors a process may use, by the quotas of its cgroups: folders like the system's are
// made elsewhere and read.

#include <stdlib.h>
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <rouse/detail/thread.hpp>
#include <stdexcept>
#include <string>
#include <thread>

BOOST_AUTO_TEST_SUITE(test_usable_processors)

using rouse::detail::available_parallelism;
using rouse::detail::processors_by_quota;

namespace {

class system_folders {
public:
    system_folders() {
        std::string name = std::filesystem::temp_directory_path() / "rouse_XXXXXX";
        if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
        root_ = name;
    }
    system_folders(system_folders const&) = delete;
    system_folders& operator=(system_folders const&) = delete;
    ~system_folders() { std::filesystem::remove_all(root_); }

    // What the system says this process's cgroups are.
    void process(std::string const& text) const { write("proc/self/cgroup", text); }
    void quota(std::string const& cgroup, std::string const& text) const {
        write("sys/fs/cgroup" + cgroup + "/cpu.max", text);
    }
    std::optional<unsigned> processors() const { return processors_by_quota(root_); }

private:
    void write(std::string const& file, std::string const& text) const {
        auto const path = root_ / file;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }

    std::filesystem::path root_{};
};

constexpr std::optional<unsigned> none{};

// With one quota, in the cgroup that is the root of the process's namespace.
std::optional<unsigned> processors_of(std::string const& text) {
    system_folders system;
    system.process("0::/\n");
    system.quota("", text);
    return system.processors();
}

}  // namespace

BOOST_AUTO_TEST_CASE(b53_without_quotas_nothing_is_limited) {
    system_folders system;
    BOOST_TEST((system.processors() == none));  // no such folders
    system.process("0::/\n");
    BOOST_TEST((system.processors() == none));
    system.quota("", "max 100000\n");
    BOOST_TEST((system.processors() == none));
}

BOOST_AUTO_TEST_CASE(b53_a_quota_is_rounded_up) {
    BOOST_TEST((processors_of("100000 100000\n") == 1U));
    BOOST_TEST((processors_of("1000 100000\n") == 1U));
    BOOST_TEST((processors_of("1 1000000\n") == 1U));
    BOOST_TEST((processors_of("100001 100000\n") == 2U));
    BOOST_TEST((processors_of("250000 100000\n") == 3U));
    BOOST_TEST((processors_of("300000 100000") == 3U));
    BOOST_TEST((processors_of("100000 50000\n") == 2U));
    BOOST_TEST((processors_of("1000000000000000000 1\n") == std::numeric_limits<unsigned>::max()));
}

BOOST_AUTO_TEST_CASE(b53_a_malformed_quota_is_ignored) {
    for (char const* const text :
         {"", "\n", "100000", "100000\n", "100000 0\n", "0 100000\n", "-100000 100000\n",
          "100000 -100000\n", "max\n", "min 100000\n", "100000 max\n", "one two\n"}) {
        BOOST_TEST_CONTEXT("'" << text << "'") { BOOST_TEST((processors_of(text) == none)); }
    }
}

// As where systemd limits a service, or the slice that it is in.
BOOST_AUTO_TEST_CASE(b53_the_least_quota_of_all_cgroups_around_counts) {
    system_folders system;
    system.process("0::/system.slice/my.service/worker\n");
    system.quota("/system.slice/other.service", "100000 100000\n");  // not around this process
    BOOST_TEST((system.processors() == none));
    system.quota("/system.slice/my.service", "500000 100000\n");
    BOOST_TEST((system.processors() == 5U));
    system.quota("/system.slice/my.service/worker", "max 100000\n");
    BOOST_TEST((system.processors() == 5U));
    system.quota("/system.slice/my.service/worker", "700000 100000\n");
    BOOST_TEST((system.processors() == 5U));
    system.quota("/system.slice", "250000 100000\n");
    BOOST_TEST((system.processors() == 3U));
    system.quota("", "400000 200000\n");
    BOOST_TEST((system.processors() == 2U));
    system.quota("/system.slice/my.service/worker", "50000 100000\n");
    BOOST_TEST((system.processors() == 1U));
    system.quota("/system.slice/my.service/worker", "none\n");  // the others count still
    BOOST_TEST((system.processors() == 2U));
}

BOOST_AUTO_TEST_CASE(b53_of_the_list_of_cgroups_the_line_of_version_2_counts) {
    system_folders system;
    system.quota("/a", "100000 100000\n");
    system.quota("/b c:d", "200000 100000\n");
    system.process("4:memory:/a\n1:cpu,cpuacct:/a\n0::/b c:d\n");
    BOOST_TEST((system.processors() == 2U));
    system.process("0::/b c:d");
    BOOST_TEST((system.processors() == 2U));
    system.process("4:memory:/a\n1:cpu,cpuacct:/a\n");
    BOOST_TEST((system.processors() == none));
    system.process("10::/a\n");
    BOOST_TEST((system.processors() == none));
    for (char const* const malformed : {"", "0::\n", "0:\n", "0::a\n", "::/a\n", "/a\n"}) {
        system.process(malformed);
        BOOST_TEST((system.processors() == none));
    }
}

// In a container the list may name cgroups that are not to be seen there.
BOOST_AUTO_TEST_CASE(b53_a_cgroup_that_is_not_to_be_seen_leaves_the_root) {
    system_folders system;
    system.quota("", "200000 100000\n");
    for (char const* const line :
         {"0::/docker/0123\n", "0::/../other\n", "0::/..\n", "0::/gone (deleted)\n"}) {
        system.process(line);
        BOOST_TEST((system.processors() == 2U));
    }
    system.quota("/../beside", "100000 100000\n");  // somebody else's
    system.process("0::/../beside\n");
    BOOST_TEST((system.processors() == 2U));
    system.quota("/..name", "100000 100000\n");
    system.process("0::/..name\n");
    BOOST_TEST((system.processors() == 1U));
}

BOOST_AUTO_TEST_CASE(b53_this_process_may_use_at_least_one_processor) {
    unsigned const usable = available_parallelism();
    BOOST_TEST(usable >= 1U);
    BOOST_TEST(usable <= std::max(1U, std::thread::hardware_concurrency()));
    if (auto const quota = processors_by_quota()) BOOST_TEST(usable <= *quota);
}

BOOST_AUTO_TEST_SUITE_END()
