// Copyright (c) 2026 the Rouse authors
// Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

#ifndef ROUSE_EXAMPLE_COMMAND_LINE_HPP
#define ROUSE_EXAMPLE_COMMAND_LINE_HPP

#include <boost/program_options.hpp>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <type_traits>

// What the examples share: options, --help, and exit status 2 with one clear line if the arguments
// are wrong.
namespace command_line {

namespace options = boost::program_options;

struct usage_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Runs `body` with the options of the command line, and returns the status that it returns, if any.
// `what` is the first line of the help. Arguments that are no options are errors but for those that
// `positional` names.
template <class Body>
int run(int argc, char** argv, std::string const& what, options::options_description visible,
        Body body, options::positional_options_description const& positional = {}) {
    try {
        visible.add_options()("help,h", "print this, and stop");
        options::variables_map given;
        options::store(
            options::command_line_parser(argc, argv).options(visible).positional(positional).run(),
            given);
        options::notify(given);
        if (given.count("help")) {
            std::cout << what << "\n\n" << visible;
            return EXIT_SUCCESS;
        }
        if constexpr (std::is_void_v<decltype(body(given))>) {
            body(given);
            return EXIT_SUCCESS;
        } else {
            return body(given);
        }
    } catch (usage_error const& e) {
        std::cerr << argv[0] << ": " << e.what() << "; try --help\n";
    } catch (options::error const& e) {
        std::cerr << argv[0] << ": " << e.what() << "; try --help\n";
    } catch (std::exception const& e) {
        std::cerr << argv[0] << ": " << e.what() << '\n';
        return EXIT_FAILURE;
    }
    return 2;
}

}  // namespace command_line

#endif
