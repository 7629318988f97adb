#!/bin/sh
# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

# usage: verdict.sh keep FILE COMMAND...     runs it, keeps in FILE what it says and its status
#        verdict.sh tell FILE                says it again, and ends with that status
#
# So a check that takes long and depends on files only is a part of the build, which knows when it
# is out of date, and the test tells how it went.

mode=$1
kept=$2
shift 2

case $mode in
keep)
    output=$("$@" 2>&1)
    status=$?
    printf '%s\n%s\n' "$status" "$output" >"$kept"
    ;;
tell)
    if ! read -r status <"$kept"; then
        echo "$kept: it failed, and was not tried since; build again"
        exit 1
    fi
    tail -n +2 "$kept"
    # One that failed is tried again by the next build.
    [ "$status" -eq 0 ] || rm -f "$kept"
    exit "$status"
    ;;
*)
    echo "verdict.sh: neither keep nor tell" >&2
    exit 2
    ;;
esac
