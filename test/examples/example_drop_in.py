# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
"""One program, four places: the same results, and a line or two of difference."""

import os
import re

from program import Run, check_help, check_refuses, end

RESULT = """\
bytes that came back: 1000
ticks: 10
timers cancelled: 1
functions on a strand, in order: 1000
functions on the pool: 3000
"""

for pool in ("asio", "rouse", "io_context", "io"):
    for workers in (1, 2, 4):
        run = Run("--on", pool, "--workers", str(workers)).prints(RESULT)
Run().prints(RESULT)

# What differs: the marked lines of drop_in.cpp. The program itself knows of no pool in particular.
folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "example")
with open(os.path.join(folder, "drop_in.cpp"), encoding="utf-8") as file:
    text = file.read()


def parts(function, name):
    """The marked lines of a function, and its body without them."""
    body = re.findall(rf"^void {function}\(unsigned workers\) \{{\n(.*?)^\}}$", text, re.MULTILINE | re.DOTALL)
    run.check(f"there is one {function}", len(body) == 1)
    before, lines, after = re.fullmatch(rf"(.*?)^ *// \[{name}\]\n(.*?)^ *// \[/{name}\]\n(.*)", body[0], re.MULTILINE | re.DOTALL).groups()
    run.check(f"it has one mark, {name}", "// [" not in before + lines + after)
    run.check("and a program to run", after.count("drop_in::program(") == 1)
    return lines.strip(), (before, after)


asio, rest_of_asio = parts("on_asio", "asio")
rouse, rest_of_rouse = parts("on_rouse", "rouse")
run.check("another type", rouse == asio.replace("asio::", "rouse::") and rouse != asio and "\n" not in rouse)
run.check("the rest is the same", rest_of_asio == rest_of_rouse)
before, rest_before = parts("on_io_context", "io_context")
after, rest_after = parts("on_pool_of_io_context", "io")
new, moved = after.split("\n")
run.check("a pool on the event loop", re.fullmatch(r"rouse::thread_pool pool\(.*io\(\), workers\);", new))
run.check("and its executor instead", moved.strip() == re.sub(r"= .*io\(\)\.", "= pool.", before) != before)
run.check("the rest is the same there, too", rest_before == rest_after)
with open(os.path.join(folder, "drop_in_program.hpp"), encoding="utf-8") as file:
    program = file.read()
run.check("the program asks for no pool", not re.search(r"rouse[:/.]|asio/thread_pool|#if[^n]|if constexpr", program))

check_help("--on", "--workers", "asio", "rouse", "io_context")
check_refuses("--on", "nothing")
check_refuses("--on")
check_refuses("--workers", "0")
check_refuses("argument")
end()
