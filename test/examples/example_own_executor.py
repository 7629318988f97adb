# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
"""The sum is right for any number of threads and tasks."""

from program import Run, check_help, check_refuses, end


def line(n):
    return f"The squares of 1 to {n} add up to {sum(i * i for i in range(1, n + 1))}\n"


Run().prints(line(100))
for threads in (1, 2, 16):
    for tasks in (1, 2, 50):
        Run("--threads", str(threads), "--tasks", str(tasks)).prints(line(tasks))
for _ in range(20):
    Run("--threads=4", "--tasks=20").prints(line(20))

check_help("--threads", "--tasks")
check_refuses("--threads", "0")
check_refuses("--threads", "101")
check_refuses("--threads", "four")
check_refuses("--tasks", "0")
check_refuses("--tasks", "-1")
check_refuses("argument")
end()
