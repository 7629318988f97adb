# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
#
# What the scripts share. To be sourced by bash, from the top of the source tree.
#
# shellcheck shell=bash disable=SC2034  # what sets a variable here is read elsewhere

say() { printf '%s\n' "$@"; }

stop() {
    printf '%s\n' "$@" >&2
    exit 1
}

# The jobs to run at once.
jobs() { nproc 2>/dev/null || echo 2; }

is_debian_12() {
    [ -r /etc/os-release ] && (. /etc/os-release && [ "$ID" = debian ] && [ "${VERSION_ID:-}" = 12 ])
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@" </dev/null
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

# need LIST...: everything that the package lists name is there, is installed, or the script stops.
# With BOOST_ROOT set to a directory, Boost is taken from there and no Boost package is touched.
need() {
    if is_debian_12; then
        install_packages "$@"
    else
        name_missing "$@"
    fi
}

# The lines "package kind what minimum" of the lists, without Boost's libraries where BOOST_ROOT has them.
list_packages() {
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@" |
        if [ -n "${BOOST_ROOT:-}" ]; then grep -v '^libboost[^ ]*1\.81-dev '; else cat; fi
}

install_packages() {
    local missing=() package plan removed
    while read -r package _; do
        [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" = "ii " ] || missing+=("$package")
    done < <(list_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0

    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        stop "These packages are missing, and only root can install them: ${missing[*]}"
    fi

    # A trial first: what is installed already must stay.
    local apt=(apt-get install --no-install-recommends)
    if ! plan=$(LC_ALL=C "${apt[@]}" -s "${missing[@]}" 2>&1); then
        as_root apt-get update -q
        plan=$(LC_ALL=C "${apt[@]}" -s "${missing[@]}" 2>&1) ||
            stop "apt-get cannot install these packages:" "$plan"
    fi
    removed=$(printf '%s\n' "$plan" | awk '/^Remv / { printf " %s", $2 }')
    if [ -n "$removed" ]; then
        stop "To install ${missing[*]}" \
            "apt would have to remove:$removed" \
            "Nothing was changed. Debian installs the development files of one Boost only: remove" \
            "those of the other yourself, or name a Boost, 1.81 or newer, by BOOST_ROOT=DIR."
    fi
    say "Installing: ${missing[*]}"
    as_root "${apt[@]}" -y -q --no-remove "${missing[@]}" ||
        { as_root apt-get update -q && as_root "${apt[@]}" -y -q --no-remove "${missing[@]}"; } ||
        stop "apt-get failed."
}

# Another system: nothing is installed, but everything that is missing is named.
name_missing() {
    local missing=() package kind what minimum
    # Without a compiler nothing can be said of headers and libraries.
    command -v "${cxx[0]}" >/dev/null ||
        stop "This is not Debian 12, so nothing is installed for you. There is no compiler ${cxx[0]}." \
            "${CXX:+CXX names it. }A g++, 12 or newer, is needed; on Debian: g++."
    while read -r package kind what minimum; do
        have "$kind" "$what" "$minimum" || missing+=("$what ($kind${minimum:+, $minimum}; Debian: $package)")
    done < <(list_packages "$@")
    [ ${#missing[@]} -eq 0 ] ||
        stop "This is not Debian 12, so nothing is installed for you. Missing, or too old:" "${missing[@]/#/  }"
}

# The compiler that looks for headers and libraries: CXX may bring arguments.
read -ra cxx <<<"${CXX:-g++}"

# have KIND WHAT [MINIMUM]: a command can be called and says at least that version, a header be
# included and that condition holds behind it, a library be linked.
have() {
    case $1 in
    command) command -v "$2" >/dev/null && { [ -z "${3:-}" ] || at_least "$3" "$(version_of "$2")"; } ;;
    header)
        printf '#include <%s>\n#if !(%s)\n#error too old\n#endif\n' "$2" "${3:-1}" |
            "${cxx[@]}" -std=c++20 -fsyntax-only -x c++ - 2>/dev/null
        ;;
    library) echo "int main() {}" | "${cxx[@]}" -x c++ - -o /dev/null "-l$2" 2>/dev/null ;;
    esac
}

# The first version in the first line that `COMMAND --version` prints, but for what is in brackets.
version_of() {
    LC_ALL=C "$1" --version 2>/dev/null | sed -n -e 's/([^)]*)//g' -e '1s/^[^0-9]*\([0-9][0-9.]*\).*/\1/p'
}

# at_least MINIMUM VERSION
at_least() { [ -n "$2" ] && [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# The arguments that make CMake and b2 use BOOST_ROOT, and CMake forget which Boost it used before.
boost_root_cmake=(-U Boost_DIR -U "boost_*_DIR" -DCMAKE_PREFIX_PATH=) boost_root_b2=()
if [ -n "${BOOST_ROOT:-}" ]; then
    BOOST_ROOT=$(cd "$BOOST_ROOT" && pwd) || exit 1
    # The number, times ten: none at all is 0 then.
    [ "$(sed -n 's/^#define BOOST_VERSION \([0-9]*\).*/\1/p' \
        "$BOOST_ROOT"/{,include/}boost/version.hpp 2>/dev/null | head -n 1)0" -ge 1081000 ] ||
        stop "In BOOST_ROOT=$BOOST_ROOT there is no Boost, or one older than 1.81."
    boost_root_cmake[4]="-DCMAKE_PREFIX_PATH=$BOOST_ROOT;$BOOST_ROOT/stage"
    boost_root_b2=("-sBOOST_ROOT=$BOOST_ROOT")
fi

# add_ctest_counts FILE: adds what ctest's summary in FILE says to $passed and $failed.
passed=0 failed=0
add_ctest_counts() {
    local line
    line=$(sed -n 's/.* tests passed, \([0-9]*\) tests failed out of \([0-9]*\).*/\1 \2/p' "$1" | tail -n 1)
    if [ -z "$line" ]; then
        failed=$((failed + 1))
    else
        failed=$((failed + ${line% *}))
        passed=$((passed + ${line#* } - ${line% *}))
    fi
}
