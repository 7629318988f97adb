# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
"""The two traces, word by word, and with times."""

import re

from program import Run, check_help, check_refuses, end

TRACE = """\
The life of a task that reads from a socket:
  reader is ready
  sender is ready
  reader is running
    (it reads, and nothing is there)
  reader is waiting
  sender is running
    (the thread is free for it: it sends "hello")
  sender has ended
  reader is ready
  reader is running
    (it has got "hello")
  reader has ended
The order of the event loop:
  1 a function begins, and spawns a task
  2 the function ends: what runs is never interrupted
  3 the task: its part before the await
  4 a function that was queued meanwhile
  5 the task: its part after the await
  6 the completion handler is called with its value
"""

for _ in range(20):
    run = Run().prints(TRACE)

# The four steps, and that another task ran between the second and the third.
steps = [line.strip() for line in run.out.splitlines()]
places = [steps.index("reader is running"), steps.index("reader is waiting"), steps.index("sender is running")]
places.append(steps.index("reader is ready", places[2]))
places.append(steps.index("reader is running", places[3]))
run.check("running, waiting, another runs, ready, running", places == sorted(places))

# The same with times, which rise.
timed = Run("--times")
lines = [re.fullmatch(r" *(\d+\.\d{3}) ms  (.*)", line) for line in timed.out.splitlines()]
timed.check("each line has its time", timed.status == 0 and timed.err == "" and all(lines))
timed.check("and is the same otherwise", "".join(line[2] + "\n" for line in lines if line) == TRACE)
times = [float(line[1]) for line in lines if line]
timed.check("the times rise", times == sorted(times) and 0 <= times[0] < times[-1] <= timed.took * 1000)

check_help("--times")
check_refuses("argument")
check_refuses("--times=1")
check_refuses("--no-such-option")
end()
