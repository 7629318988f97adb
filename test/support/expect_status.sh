#!/bin/sh
# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

# usage: expect_status.sh STATUS COMMAND [ARGUMENT...]
# Passes when the command ends with that exit status; is skipped, by status 77, when the command is.

expected=$1
shift
"$@"
status=$?
echo "exit status $status, expected $expected"
[ "$status" -eq 77 ] && exit 77
[ "$status" -eq "$expected" ]
