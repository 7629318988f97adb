# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
"""What the tests of the examples share. Each gets the path of its program as only argument."""

import subprocess
import sys
import time

PROGRAM = sys.argv[1]
failures = []


class Run:
    """One run of the program: what it printed, its status, and how long it took."""

    def __init__(self, *arguments, seconds=60):
        self.command = " ".join(arguments)
        start = time.monotonic()
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=seconds, check=False)
        self.took = time.monotonic() - start
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def check(self, what, holds):
        if not holds:
            failures.append(what)
            print(f"FAILED: {what}\n  arguments: {self.command}\n  status: {self.status}")
            print(f"  stdout: {self.out!r}\n  stderr: {self.err!r}\n  took: {self.took:.3f} s")

    def prints(self, text):
        """It succeeds, and prints exactly that."""
        self.check("succeeds", self.status == 0)
        self.check(f"prints {text!r}", self.out == text)
        self.check("says nothing on stderr", self.err == "")
        return self


def check_help(*words):
    run = Run("--help")
    run.check("--help succeeds", run.status == 0 and run.err == "")
    for word in ("--help", *words):
        run.check(f"--help names {word}", word in run.out)


def check_refuses(*arguments):
    """Wrong arguments: status 2, nothing on stdout, one line on stderr."""
    run = Run(*arguments)
    run.check("is refused with status 2", run.status == 2)
    run.check("prints nothing", run.out == "")
    run.check("says why in one line", run.err.count("\n") == 1 and run.err.endswith("try --help\n"))


def end():
    sys.exit(1 if failures else 0)
