# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
"""The sum is right for any number of threads and tasks; it can be stopped; and it is short."""

import os
import re

from program import Run, check_help, check_refuses, end


def line(n):
    return f"The squares of 1 to {n} add up to {sum(i * i for i in range(1, n + 1))}\n"


Run().prints(line(100))
for threads in (1, 2, 16):
    for tasks in (1, 2, 50):
        Run("--threads", str(threads), "--tasks", str(tasks)).prints(line(tasks))
for _ in range(20):
    Run("--threads=4", "--tasks=20").prints(line(20))

# Tasks that wait, that always want another turn, and that join such a one, end with their executor.
for threads in (1, 2, 16):
    for _ in range(10):
        Run("--stop", "--threads", str(threads)).prints("3 tasks were aborted\n")

# The whole executor, comments included.
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "example", "own_executor.cpp"), encoding="utf-8") as file:
    executor = re.findall(r"^// \[executor\]\n(.*?)^// \[/executor\]$", file.read(), re.MULTILINE | re.DOTALL)
run = Run("--help")
run.check("it is there", len(executor) == 1 and "class executor final : public rouse::scheduler" in executor[0])
run.check("it has less than a hundred lines", executor[0].count("\n") < 100)

check_help("--threads", "--tasks", "--stop")
check_refuses("--threads", "0")
check_refuses("--threads", "101")
check_refuses("--threads", "four")
check_refuses("--tasks", "0")
check_refuses("--tasks", "-1")
check_refuses("argument")
end()
