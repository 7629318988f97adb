# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
"""Each variant prints the one line, and not before the delay is over."""

import subprocess

from program import PROGRAM, Run, check_help, check_refuses, end

LINE = "Result: I/O Operation completed!\n"

# The literal one loses an event that comes before the first poll: time for that, also on a busy machine.
for variant, delay in (("literal", 1.5), ("correct", 0.25), ("asio", 0.25)):
    run = Run("--variant", variant, "--delay", str(delay)).prints(LINE)
    run.check("takes at least the delay", run.took >= delay)

Run("--delay=0").prints(LINE)
Run("--variant=asio", "--delay=0").prints(LINE)

# The default is the correct one, after five seconds.
try:
    subprocess.run([PROGRAM], capture_output=True, timeout=1, check=False)
    Run("--help").check("waits five seconds without --delay", False)
except subprocess.TimeoutExpired:
    pass

check_help("--delay SECONDS (=5)", "--variant NAME (=correct)", "literal", "correct", "asio")
check_refuses("--delay", "soon")
check_refuses("--delay", "-1")
check_refuses("--delay", "nan")
check_refuses("--delay", "1e9")
check_refuses("--delay")
check_refuses("--variant", "wrong")
check_refuses("--no-such-option")
check_refuses("argument")
end()
