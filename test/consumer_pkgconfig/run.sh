#!/bin/sh
# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

# usage: run.sh PREFIX DIRECTORY COMPILER
#
# Builds and runs the consumer against the Rouse installed in PREFIX, with what pkg-config says.
# The program goes to DIRECTORY.

set -eu
prefix=$1
directory=$2
compiler=$3

pc=$(find "$prefix" -name rouse.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH

# The words of pkg-config's answer are arguments, each for itself.
# shellcheck disable=SC2046
"$compiler" -std=c++20 "$(dirname "$0")/../consumer/main.cpp" $(pkg-config --cflags --libs rouse) \
    -o "$directory/consumer_pkgconfig"

LD_LIBRARY_PATH=$(pkg-config --libs-only-L rouse | sed -e 's/ *-L//' -e 's/ *-L/:/g' -e 's/ *$//')
export LD_LIBRARY_PATH
"$directory/consumer_pkgconfig"
