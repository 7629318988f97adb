// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

// An HTTP client: fetches pages, many at once, and says how that went. Without a URL a server
// inside this program answers.

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <rouse.hpp>
#include <string>
#include <utility>
#include <vector>

#include "command_line.hpp"
#include "fetch/client.hpp"
#include "fetch/connection.hpp"
#include "fetch/report.hpp"
#include "fetch/server.hpp"

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

namespace fetch {

struct settings {
    std::uint64_t concurrency = 0;
    std::uint64_t requests = 0;
    limits each;
    std::string cacert;
    std::vector<std::string> urls;  // in turn
};

// What all clients share.
struct job {
    job(settings const& s, rouse::thread_pool& p, asio::ssl::context& t)
        : how(s), pool(p), tls(t), result(s.requests) {}

    settings const how;
    rouse::thread_pool& pool;
    asio::ssl::context& tls;
    report result;
    std::atomic<std::uint64_t> begun{0};
};

// [work]
rouse::task<> work(job& all) {
    client one(all.pool, all.tls, all.how.each);
    for (std::uint64_t n = all.begun++; n < all.how.requests; n = all.begun++) {
        std::string const& url = all.how.urls[n % all.how.urls.size()];
        auto const begin = std::chrono::steady_clock::now();
        try {
            std::uint64_t const bytes = co_await one.get(url);
            all.result.add(std::chrono::steady_clock::now() - begin, bytes);
        } catch (failure const& why) {
            all.result.add(url, why);
        }
    }
}

rouse::task<> show_progress(job& all) {
    for (;;) {
        co_await rouse::sleep_for(all.result.on_terminal() ? 100ms : 1s);
        all.result.show_progress();
    }
}

rouse::task<> fetch_all(job& all) {
    auto clients = rouse::with_group([&](rouse::task_group& group) -> rouse::task<> {
        for (std::uint64_t n = std::min(all.how.concurrency, all.how.requests); n != 0; --n)
            group.spawn(work(all));
        co_return;
    });
    co_await rouse::select(std::move(clients), show_progress(all));  // until all have ended
}
// [/work]

asio::ssl::context make_tls(std::string const& cacert) {
    asio::ssl::context tls(asio::ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
    tls.set_verify_mode(asio::ssl::verify_peer);
    if (cacert.empty()) {
        tls.set_default_verify_paths();
    } else {
        boost::system::error_code error;
        tls.load_verify_file(cacert, error);
        if (error)
            throw std::runtime_error("--cacert: " + cacert +
                                     " has no certificates: " + error.message());
    }
    return tls;
}

// Lets this process open as many files as `wanted` connections take, of `each` files, as far as the
// system allows it. Returns how many connections there can be.
std::uint64_t allow_connections(std::uint64_t wanted, std::uint64_t each) {
    constexpr rlim_t others = 64;
    rlim_t const files = wanted * each + others;
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= files) return wanted;
    limit.rlim_cur = std::min(files, limit.rlim_max);
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur == files) return wanted;
    std::uint64_t const possible =
        std::max<std::uint64_t>((std::max(limit.rlim_max, others) - others) / each, 1);
    std::cerr << "fetch: " << wanted << " connections take " << files
              << " open files, and the hard limit is " << limit.rlim_max
              << " (ulimit -Hn): " << possible << " at once instead" << std::endl;
    return possible;
}

// Returns the exit status.
int run(settings how) {
    bool const own_server = how.urls.empty();
    how.concurrency =
        allow_connections(std::min(how.concurrency, how.requests), own_server ? 2 : 1);
    asio::ssl::context tls = make_tls(how.cacert);

    rouse::thread_pool pool;
    if (own_server) {
        tcp::acceptor acceptor(pool, {asio::ip::address_v4::loopback(), 0});
        how.urls = {"http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + "/"};
        rouse::spawn_ok(pool, serve(pool, std::move(acceptor)));
    }

    // The first signal ends the requests, the second one the program, as if there had been no
    // first.
    std::atomic<int> interrupted{0};
    asio::signal_set signals(pool, SIGINT, SIGTERM);
    signals.async_wait([&](boost::system::error_code error, int number) {
        if (error) return;
        interrupted = number;
        signals.clear(error);
        pool.stop();
    });

    job all(how, pool, tls);
    std::exception_ptr trouble;
    try {
        rouse::block_on(rouse::spawn(pool, fetch_all(all)));
    } catch (...) {
        if (!interrupted) trouble = std::current_exception();
    }
    pool.stop();
    pool.join();
    if (trouble) std::rethrow_exception(trouble);
    all.result.print_table(pool.metrics());

    int const status = interrupted           ? 128 + interrupted
                       : all.result.failed() ? EXIT_FAILURE
                                             : EXIT_SUCCESS;
    // The end of the pool would wait for Asio's own thread, which may be asking for a name that we
    // have given up, and cannot be told so.
    if (look_ups_given_up != 0) std::quick_exit(status);
    return status;
}

}  // namespace fetch

int main(int argc, char** argv) {
    namespace options = command_line::options;
    using command_line::usage_error;
    fetch::settings how;
    std::int64_t concurrency = 0, requests = 0, max_body = 0;
    double timeout = 0;
    options::options_description all("Options");
    all.add_options()  //
        ("concurrency", options::value(&concurrency)->value_name("N")->default_value(50),
         "how many requests at once, from 1 to 100000")  //
        ("requests", options::value(&requests)->value_name("N"),
         "how many in all, to the URLs in turn; without it one for each URL, or 20000 if there is "
         "none")  //
        ("timeout", options::value(&timeout)->value_name("S")->default_value(30, "30"),
         "how many seconds an attempt may take, from 0.001 to 86400")  //
        ("retries", options::value(&how.each.retries)->value_name("N")->default_value(0),
         "how many more attempts after one that failed, from 0 to 20")  //
        ("cacert", options::value(&how.cacert)->value_name("FILE"),
         "the certificates to trust, in PEM, instead of the system's")  //
        ("max-body",
         options::value(&max_body)->value_name("N")->default_value(std::int64_t{1} << 30),
         "how many bytes a body may have")  //
        ("url", options::value(&how.urls)->value_name("URL"),
         "what to fetch; also without --url. Without any, a server inside this program answers");
    options::positional_options_description positional;
    positional.add("url", -1);
    return command_line::run(
        argc, argv, "fetch [OPTIONS] [URL...]: fetches pages, and says how that went.", all,
        [&](auto const& given) {
            if (concurrency < 1 || concurrency > 100'000)
                throw usage_error("--concurrency must be from 1 to 100000");
            if (!(timeout >= 0.001 && timeout <= 86'400))
                throw usage_error("--timeout must be from 0.001 to 86400");
            if (how.each.retries < 0 || how.each.retries > 20)
                throw usage_error("--retries must be from 0 to 20");
            if (max_body < 0) throw usage_error("--max-body must not be negative");
            if (given.count("requests") == 0) {
                requests = how.urls.empty() ? 20'000 : static_cast<std::int64_t>(how.urls.size());
            } else if (requests < 1) {
                throw usage_error("--requests must be at least 1");
            }
            how.concurrency = static_cast<std::uint64_t>(concurrency);
            how.requests = static_cast<std::uint64_t>(requests);
            how.each.timeout = std::chrono::milliseconds(std::llround(timeout * 1000));
            how.each.max_body = static_cast<std::uint64_t>(max_body);
            return fetch::run(how);
        },
        positional);
}
