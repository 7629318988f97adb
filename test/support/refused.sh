#!/bin/sh
# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0

# usage: refused.sh FILE COMPILER [FLAG...]
#
# Passes when the compiler refuses FILE and its first error says what FILE expects:
#   // expect: <text>      a part of the first error; several such lines are alternatives
#   // flags: <flags>      more compiler flags, such as -Werror=unused-result

file=$1
shift

expected=$(sed -n 's|^// expect: *||p' "$file")
if [ -z "$expected" ]; then
    echo "$file: has no line \"// expect: <text>\""
    exit 1
fi

# Not -fsyntax-only, which need not instantiate everything.
flags=$(sed -n 's|^// flags: *||p' "$file")
# shellcheck disable=SC2086
if output=$(LC_ALL=C "$@" $flags -x c++ -S -o - "$file" 2>&1 >/dev/null); then
    echo "$file: compiles, but must not"
    exit 1
fi

first=$(printf '%s\n' "$output" | grep -m 1 'error:')
while IFS= read -r text; do
    case $first in
    *"$text"*) exit 0 ;;
    esac
done <<END
$expected
END

echo "$file: expected the first error to say one of:"
printf '%s\n' "$expected" | sed 's/^/    /'
echo "but the compiler said:"
printf '%s\n' "$output"
exit 1
