#!/bin/sh
# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

# usage: abi.sh COMPILER ARGUMENT...
#
# The arguments are those that compile a program and link it with Rouse. With them alone it links;
# as soon as Boost or Asio is another one than the library's it does not, and the linker's message
# spells what the program wanted.

set -u
directory=$(mktemp -d) || exit 1
trap 'rm -rf "$directory"' EXIT

cat >"$directory/program.cpp" <<END
#include <rouse/spawn.hpp>
int main() {}
END

# Another Boost: the same headers, and another number.
mkdir -p "$directory/boost"
cat >"$directory/boost/version.hpp" <<END
#include_next <boost/version.hpp>
#undef BOOST_VERSION
#define BOOST_VERSION 109999
END

# build OPTIONS ARGUMENT...: what compiler and linker say, and the status.
compiler=$1
shift
build() {
    options=$1
    # The options are several words, or none.
    # shellcheck disable=SC2086
    shift && LC_ALL=C "$compiler" -std=c++20 -pthread -w $options "$directory/program.cpp" "$@" \
        -o "$directory/program" 2>&1
}

status=0
if ! output=$(build "" "$@"); then
    echo "FAILED: does not link with the library's own configuration:"
    printf '%s\n' "$output"
    exit 1
fi

# differs NAME OPTION ARGUMENT...: does not link, and the message names NAME.
differs() {
    name=$1 options=$2
    shift 2
    if output=$(build "$options" "$@"); then
        echo "FAILED: links with $options"
        status=1
    elif ! printf '%s\n' "$output" | grep 'built_with<' | grep -q "$name"; then
        echo "FAILED: with $options no message names built_with<...> and $name:"
        printf '%s\n' "$output"
        status=1
    else
        echo "ok: $name"
    fi
}

differs with_handler_tracking -DBOOST_ASIO_ENABLE_HANDLER_TRACKING "$@"
differs reactor_other -DBOOST_ASIO_DISABLE_EPOLL "$@"
differs "boost_version<109999>" "-I$directory" "$@"
exit $status
