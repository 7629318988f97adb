# Copyright (c) 2026 the Rouse authors
# Distributed under the Boost Software License, Version 1.0. SPDX-License-Identifier: BSL-1.0
"""It says hello, and the two timers run at the same time."""

from program import Run, end

run = Run().prints("Hello: 42\n")
run.check("waits for its timers", run.took >= 0.1)
end()
